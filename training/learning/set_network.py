"""SetNetwork: an equivariant network over calls and artifacts, which exchange messages along their links.

Letters in shapes: N batch, C calls, A artifacts, H hidden.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from fqg_env.fields import (
    ARTIFACT_FIELDS,
    BELIEF_FIELDS,
    CALL_FIELDS,
    DOUBT_FIELDS,
    RUN_FIELDS,
)
from policies.recovery.features import REACH_FIELDS, WAY_FIELDS
from training.learning.inputs import SET_INPUTS, Inputs, Sight, exist
from training.learning.pointer_network import PointerNetwork, Tokens
from training.learning.recipe import Part


class Embedding(nn.Module):
    """A token for each call [N, C, H] and each artifact [N, A, H], the run's state in every call's."""

    def __init__(self, hidden: int):
        super().__init__()
        self.call = nn.Linear(CALL_FIELDS + BELIEF_FIELDS + WAY_FIELDS + 1, hidden)
        self.artifact = nn.Linear(ARTIFACT_FIELDS + DOUBT_FIELDS + REACH_FIELDS, hidden)
        self.run = nn.Linear(RUN_FIELDS + 2, hidden)

    def forward(self, x: Inputs) -> tuple[Tensor, Tensor]:
        """Embed each call and each artifact; those that do not exist are zero."""
        chosen = x.index[:, 2:].unsqueeze(2)
        run = self.run(torch.cat([x.run, x.index[:, :2]], 1)).unsqueeze(1)  # [N, 1, H]
        c = torch.relu(self.call(torch.cat([x.calls, x.belief, x.ways, chosen], 2)) + run)
        a = torch.relu(self.artifact(torch.cat([x.artifacts, x.doubt, x.reach], 2)))
        calls, artifacts = exist(x)
        return c * calls, a * artifacts


def pool(c: Tensor, a: Tensor, x: Inputs) -> Tensor:
    """[N, 3 H] the mean token of a call, that of an artifact, and the call that the rule would choose."""
    calls, artifacts = (there.sum(1).clamp(min=1.0) for there in exist(x))
    chosen = (x.index[:, 2:].unsqueeze(1) @ c).squeeze(1)
    return torch.cat([c.sum(1) / calls, a.sum(1) / artifacts, chosen], 1)


class Messages(nn.Module):
    """One round from calls to artifacts and back, along all relations at once."""

    def __init__(self, hidden: int):
        super().__init__()
        self.hidden = hidden
        self.from_calls = nn.Linear(hidden, 2 * hidden)  # as reader, as maker
        self.artifact = nn.Linear(hidden, hidden)
        self.from_artifacts = nn.Linear(hidden, 3 * hidden)  # to readers, makers, probes
        self.from_siblings = nn.Linear(hidden, 2 * hidden)  # of one function, of one provider
        self.call = nn.Linear(hidden, hidden)

    def forward(self, c: Tensor, a: Tensor, x: Inputs) -> tuple[Tensor, Tensor]:
        """One exchange of messages: artifacts hear their calls, then calls their artifacts and siblings."""
        up = torch.cat([x.needs, x.makes], 1).transpose(1, 2)  # [N, A, 2 C]
        told = torch.cat(self.from_calls(c).split(self.hidden, 2), 1)  # [N, 2 C, H]
        a = torch.relu(self.artifact(a) + up @ told)
        related = torch.cat(
            [x.needs, x.makes, x.probes, x.same_function * 0.25, x.same_provider * 0.25], 2
        )  # [N, C, 3 A + 2 C]
        heard = torch.cat(
            [
                *self.from_artifacts(a).split(self.hidden, 2),
                *self.from_siblings(c).split(self.hidden, 2),
            ],
            1,
        )
        return torch.relu(self.call(c) + related @ heard), a


class SetTrunk(nn.Module):
    """Tokens, rounds of messages, and what the heads read of the whole."""

    def __init__(self, hidden: int, rounds: int):
        super().__init__()
        self.tokens = Embedding(hidden)
        self.messages = nn.ModuleList(Messages(hidden) for _ in range(rounds))
        self.pooled = nn.Linear(3 * hidden, hidden)

    def forward(self, x: Inputs) -> Tokens:
        """What the heads read of a batch."""
        c, a = self.tokens(x)
        calls, artifacts = exist(x)
        for messages in self.messages:
            c, a = messages(c, a, x)
            c, a = c * calls, a * artifacts  # padding says nothing
        return Tokens(c, torch.relu(self.pooled(pool(c, a, x))))


class SetNetwork(PointerNetwork):
    """Logits of all actions, from sets of calls and artifacts; it reads counts of attempts, not attempts.

    Args:
        hidden: width of a token.
        rounds: of messages between calls and artifacts.
        trust: what the index rule's choice adds to its logit.
        without: parts of its inputs that it does not see.
    """

    inputs = SET_INPUTS

    def __init__(
        self, hidden: int, rounds: int = 1, trust: float = 3.0, without: Iterable[Part] = ()
    ):
        super().__init__(SetTrunk(hidden, rounds), hidden, trust, without)


class ValueNetwork(nn.Module):
    """The critic: a trunk of its own, since in a shared one value learning wrecks the policy.

    Without messages: the rule's thoughts among the inputs tell it what comes of each call and artifact.
    """

    inputs = SET_INPUTS

    def __init__(self, hidden: int, without: Iterable[Part] = ()):
        super().__init__()
        self.sight = Sight(self.inputs, without)
        self.trunk = SetTrunk(hidden, 0)
        self.head = nn.Linear(hidden, 1)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Expected return to come [N], of inputs in the order of `inputs`."""
        value: Tensor = self.head(self.trunk(self.sight(inputs)).whole).squeeze(1)
        return value
