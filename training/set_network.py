"""SetNetwork: an equivariant network over calls and artifacts that starts where the index rule stands.

Tokens for calls and for artifacts exchange messages along needs, makes and probes; a pointer head gives one
logit per call. Its last layer is zero at first and the index rule's choice is added to its logits, so an
untrained network *is* the rule, and learning finds what the rule misses.

Letters in shapes: N batch, C calls, A artifacts, H hidden.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fqg_env.fields import (
    ARTIFACT_FIELDS,
    BELIEF_FIELDS,
    CALL_FIELDS,
    DOUBT_FIELDS,
    RUN_FIELDS,
    Artifact,
    Call,
)

INPUTS = (
    "calls",
    "artifacts",
    "needs",
    "makes",
    "probes",
    "same_function",
    "run",
    "belief",
    "doubt",
    "index",
)
"""Fields the network reads: of the observation, and `index` [N, 2 + C], the rule's choice as one-hot."""


class Tokens(nn.Module):
    """A token for each call [N, C, H] and each artifact [N, A, H], the run's state in every call's."""

    def __init__(self, hidden: int):
        super().__init__()
        self.call = nn.Linear(CALL_FIELDS + BELIEF_FIELDS + 1, hidden)
        self.artifact = nn.Linear(ARTIFACT_FIELDS + DOUBT_FIELDS, hidden)
        self.run = nn.Linear(RUN_FIELDS, hidden)

    def forward(
        self,
        calls: Tensor,
        artifacts: Tensor,
        run: Tensor,
        belief: Tensor,
        doubt: Tensor,
        index: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Embed each call and each artifact; calls that do not exist are zero."""
        exists = calls[:, :, Call.EXISTS : Call.EXISTS + 1]  # [N, C, 1]
        chosen = index[:, 2:].unsqueeze(2)
        context = self.run(run).unsqueeze(1)  # [N, 1, H]
        c = torch.relu(self.call(torch.cat([calls, belief, chosen], 2)) + context) * exists
        a = torch.relu(self.artifact(torch.cat([artifacts, doubt], 2)))
        return c, a * artifacts[:, :, Artifact.EXISTS : Artifact.EXISTS + 1]


def pool(c: Tensor, calls: Tensor, index: Tensor) -> Tensor:
    """[N, 2 H] the mean call token, and the token of the call that the rule would choose."""
    count = calls[:, :, Call.EXISTS].sum(1, keepdim=True).clamp(min=1.0)
    return torch.cat([c.sum(1) / count, (index[:, 2:].unsqueeze(1) @ c).squeeze(1)], 1)


class Messages(nn.Module):
    """One round from calls to artifacts and back, along all relations at once."""

    def __init__(self, hidden: int):
        super().__init__()
        self.hidden = hidden
        self.from_calls = nn.Linear(hidden, 2 * hidden)  # as reader, as maker
        self.artifact = nn.Linear(hidden, hidden)
        self.from_artifacts = nn.Linear(hidden, 3 * hidden)  # to readers, makers, probes
        self.siblings = nn.Linear(hidden, hidden)
        self.call = nn.Linear(hidden, hidden)

    def forward(
        self,
        c: Tensor,
        a: Tensor,
        needs: Tensor,
        makes: Tensor,
        probes: Tensor,
        same_function: Tensor,
    ) -> Tensor:
        """One exchange of messages: artifacts hear their calls, then calls their artifacts and siblings."""
        up = torch.cat([needs, makes], 1).transpose(1, 2)  # [N, A, 2 C]
        told = torch.cat(self.from_calls(c).split(self.hidden, 2), 1)  # [N, 2 C, H]
        a = torch.relu(self.artifact(a) + up @ told)
        relations = torch.cat([needs, makes, probes, same_function], 2)  # [N, C, 3 A + C]
        heard = torch.cat(
            [*self.from_artifacts(a).split(self.hidden, 2), self.siblings(c) * 0.25], 1
        )
        return torch.relu(self.call(c) + relations @ heard)


class SetNetwork(nn.Module):
    """Logits of all actions and a logit of success.

    Args:
        hidden: width of a token.
        trust: what the index rule's choice adds to its logit.
    """

    def __init__(self, hidden: int, trust: float = 3.0):
        super().__init__()
        self.tokens = Tokens(hidden)
        self.messages = Messages(hidden)
        self.pooled = nn.Linear(2 * hidden, hidden)
        self.token = nn.Linear(hidden, hidden)
        self.pointer = nn.Linear(hidden, 1)
        self.other = nn.Linear(hidden, 2)  # WAIT, STOP
        self.success = nn.Linear(hidden, 1)
        self.trust = nn.Parameter(torch.tensor(trust))
        for layer in (self.pointer, self.other):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def context(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Call tokens [N, C, H] and what the heads read of the whole [N, H]; inputs as in INPUTS."""
        calls, artifacts, needs, makes, probes, same_function, run, belief, doubt, index = inputs
        c, a = self.tokens(calls, artifacts, run, belief, doubt, index)
        c = self.messages(c, a, needs, makes, probes, same_function)
        return c, torch.relu(self.pooled(pool(c, calls, index)))

    def forward(
        self,
        calls: Tensor,
        artifacts: Tensor,
        needs: Tensor,
        makes: Tensor,
        probes: Tensor,
        same_function: Tensor,
        run: Tensor,
        belief: Tensor,
        doubt: Tensor,
        index: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Logits [N, 2 + C] and success logit [N]."""
        c, context = self.context(
            calls, artifacts, needs, makes, probes, same_function, run, belief, doubt, index
        )
        token = torch.relu(self.token(c) + context.unsqueeze(1))
        logits = torch.cat([self.other(context), self.pointer(token).squeeze(2)], 1)
        return logits + self.trust * index, self.success(context).squeeze(1)


class ValueNetwork(nn.Module):
    """The critic: tokens of its own, since a shared trunk lets value learning wreck the policy."""

    def __init__(self, hidden: int = 32):
        super().__init__()
        self.tokens = Tokens(hidden)
        self.head = nn.Sequential(
            nn.Linear(3 * hidden, 2 * hidden), nn.ReLU(), nn.Linear(2 * hidden, 1)
        )

    def forward(
        self,
        calls: Tensor,
        artifacts: Tensor,
        needs: Tensor,
        makes: Tensor,
        probes: Tensor,
        same_function: Tensor,
        run: Tensor,
        belief: Tensor,
        doubt: Tensor,
        index: Tensor,
    ) -> Tensor:
        """Expected return to come [N]."""
        c, a = self.tokens(calls, artifacts, run, belief, doubt, index)
        value: Tensor = self.head(torch.cat([pool(c, calls, index), a.mean(1)], 1)).squeeze(1)
        return value
