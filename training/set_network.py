"""SetNetwork: an equivariant network over calls and artifacts that starts where the index rule stands.

Tokens for calls and for artifacts exchange messages along needs, makes and probes; a pointer head gives one
logit per call. Its last layer is zero at first and the index rule's choice is added to its logits, so an
untrained network *is* the rule, and learning finds what the rule misses.

Letters in shapes: N batch, C calls, A artifacts, H hidden.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fqg_env.observation import (
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
"""Fields the network reads: those of the observation, and `index` [N, 2 + C], the rule's choice as one-hot."""


class Body(nn.Module):
    """Two rounds of messages; gives call tokens [N, C, H] and a pooled token [N, 2 H]."""

    def __init__(self, hidden: int):
        super().__init__()
        self.call_in = nn.Linear(CALL_FIELDS + BELIEF_FIELDS + 1, hidden)
        self.artifact_in = nn.Linear(ARTIFACT_FIELDS + DOUBT_FIELDS, hidden)
        self.run_in = nn.Linear(RUN_FIELDS, hidden)
        self.to_readers = nn.Linear(hidden, hidden)
        self.to_makers = nn.Linear(hidden, hidden)
        self.from_readers = nn.Linear(hidden, hidden)
        self.from_makers = nn.Linear(hidden, hidden)
        self.to_probes = nn.Linear(hidden, hidden)
        self.artifact_again = nn.Linear(hidden, hidden)
        self.siblings = nn.Linear(hidden, hidden)
        self.call_again = nn.Linear(hidden, hidden)

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
        exists = calls[:, :, Call.EXISTS : Call.EXISTS + 1]  # [N, C, 1]
        chosen = index[:, 2:].unsqueeze(2)
        context = self.run_in(run).unsqueeze(1)  # [N, 1, H]
        c = torch.relu(self.call_in(torch.cat([calls, belief, chosen], 2)) + context) * exists
        a = torch.relu(self.artifact_in(torch.cat([artifacts, doubt], 2)))
        a = a * artifacts[:, :, Artifact.EXISTS : Artifact.EXISTS + 1]
        a = torch.relu(
            self.artifact_again(a)
            + needs.transpose(1, 2) @ self.from_readers(c)
            + makes.transpose(1, 2) @ self.from_makers(c)
        )
        count = same_function.sum(2, keepdim=True).clamp(min=1.0)
        c = torch.relu(
            self.call_again(c)
            + needs @ self.to_readers(a)
            + makes @ self.to_makers(a)
            + probes @ self.to_probes(a)
            + same_function @ self.siblings(c) / count
            + context
        )
        c = c * exists
        mean = c.sum(1) / exists.sum(1).clamp(min=1.0)
        return c, torch.cat([mean, c.amax(1)], 1)


class SetNetwork(nn.Module):
    """Logits of all actions and a logit of success.

    Args:
        hidden: width of a token.
        trust: what the index rule's choice adds to its logit.
    """

    def __init__(self, hidden: int = 48, trust: float = 4.0):
        super().__init__()
        self.body = Body(hidden)
        self.pooled = nn.Linear(2 * hidden, hidden)
        self.token = nn.Linear(hidden, hidden)
        self.pointer = nn.Linear(hidden, 1)
        self.other = nn.Linear(hidden, 2)  # WAIT, STOP
        self.success = nn.Linear(hidden, 1)
        self.trust = nn.Parameter(torch.tensor(trust))
        for layer in (self.pointer, self.other):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

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
        c, pooled = self.body(
            calls, artifacts, needs, makes, probes, same_function, run, belief, doubt, index
        )
        context = torch.relu(self.pooled(pooled))  # [N, H]
        token = torch.relu(self.token(c) + context.unsqueeze(1))
        logits = torch.cat([self.other(context), self.pointer(token).squeeze(2)], 1)
        return logits + self.trust * index, self.success(context).squeeze(1)


class ValueNetwork(nn.Module):
    """The critic: a body of its own, since a shared one lets value learning wreck the policy."""

    def __init__(self, hidden: int = 32):
        super().__init__()
        self.body = Body(hidden)
        self.head = nn.Sequential(nn.Linear(2 * hidden, hidden), nn.ReLU(), nn.Linear(hidden, 1))

    def forward(self, *inputs: Tensor) -> Tensor:
        """Expected return to come [N]."""
        _, pooled = self.body(*inputs)
        value: Tensor = self.head(pooled).squeeze(1)
        return value
