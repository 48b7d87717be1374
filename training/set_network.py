"""SetNetwork: an equivariant network over calls and artifacts that starts where the index rule stands.

Tokens for calls and for artifacts exchange messages along needs, makes and probes; a pointer head gives one
logit per call. Its last layer is zero at first and the index rule's choice is added to its logits, so an
untrained network *is* the rule, and learning finds what the rule misses.

Letters in shapes: N batch, C calls, A artifacts, H hidden.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

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
from policies.recovery.features import REACH_FIELDS, WAY_FIELDS
from training.recipe import Part

INPUT_SHAPES: dict[str, tuple[str | int, ...]] = {
    "calls": ("N", "C", CALL_FIELDS),
    "artifacts": ("N", "A", ARTIFACT_FIELDS),
    "needs": ("N", "C", "A"),
    "makes": ("N", "C", "A"),
    "probes": ("N", "C", "A"),
    "same_function": ("N", "C", "C"),
    "same_provider": ("N", "C", "C"),
    "run": ("N", RUN_FIELDS),
    "belief": ("N", "C", BELIEF_FIELDS),
    "doubt": ("N", "A", DOUBT_FIELDS),
    "index": ("N", "actions"),
    "ways": ("N", "C", WAY_FIELDS),
    "reach": ("N", "A", REACH_FIELDS),
}
"""What the network reads: fields of the observation, and of the rule (policies/recovery/features.py)."""
INPUTS = tuple(INPUT_SHAPES)


@dataclass(frozen=True)
class Inputs:
    """A batch of what the network reads, in the order of `INPUT_SHAPES`."""

    calls: Tensor
    artifacts: Tensor
    needs: Tensor
    makes: Tensor
    probes: Tensor
    same_function: Tensor
    same_provider: Tensor
    run: Tensor
    belief: Tensor
    doubt: Tensor
    index: Tensor
    ways: Tensor
    reach: Tensor


PARTS: dict[Part, tuple[str, ...]] = {
    "belief": ("belief", "doubt"),
    "thoughts": ("ways", "reach"),
    "memory": (),  # see MEMORY
}
"""Inputs that a network can be trained without, to see what they are worth."""
MEMORY = [
    Call.REPUTATION,
    Call.REPUTATION_STRENGTH,
    Call.RECENT_SUCCESS,
    Call.RECENT_FAILURE,
]
"""Fields of `calls` that tell of earlier runs."""


class Sight(nn.Module):
    """What a network sees of its inputs: all, or all but some parts, which are zero to it."""

    remembered: Tensor

    def __init__(self, without: Iterable[Part] = ()):
        super().__init__()
        self.without = tuple(without)
        self.unseen = {name for part in self.without for name in PARTS[part]}
        remembered = torch.ones(CALL_FIELDS)
        remembered[MEMORY] = 0.0
        self.register_buffer("remembered", remembered, persistent=False)

    def forward(self, inputs: Sequence[Tensor]) -> Inputs:
        """The inputs in the order of `INPUT_SHAPES`, by name."""
        named = zip(INPUT_SHAPES, inputs, strict=True)
        x = {name: value * 0.0 if name in self.unseen else value for name, value in named}
        if "memory" in self.without:
            x["calls"] = x["calls"] * self.remembered
        return Inputs(**x)


def exist(x: Inputs) -> tuple[Tensor, Tensor]:
    """[N, C, 1] and [N, A, 1]: 1 where a call or an artifact is there, 0 where there is padding."""
    return x.calls[:, :, Call.EXISTS, None], x.artifacts[:, :, Artifact.EXISTS, None]


class Tokens(nn.Module):
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


class Trunk(nn.Module):
    """Tokens, rounds of messages, and what the heads read of the whole."""

    def __init__(self, hidden: int, rounds: int):
        super().__init__()
        self.tokens = Tokens(hidden)
        self.messages = nn.ModuleList(Messages(hidden) for _ in range(rounds))
        self.pooled = nn.Linear(3 * hidden, hidden)

    def forward(self, x: Inputs) -> tuple[Tensor, Tensor]:
        """Call tokens [N, C, H] and the whole [N, H]."""
        c, a = self.tokens(x)
        calls, artifacts = exist(x)
        for messages in self.messages:
            c, a = messages(c, a, x)
            c, a = c * calls, a * artifacts  # padding says nothing
        return c, torch.relu(self.pooled(pool(c, a, x)))


class SetNetwork(nn.Module):
    """Logits of all actions.

    Args:
        hidden: width of a token.
        rounds: of messages between calls and artifacts.
        trust: what the index rule's choice adds to its logit.
        without: parts of its inputs that it does not see.
    """

    def __init__(
        self, hidden: int, rounds: int = 1, trust: float = 3.0, without: Iterable[Part] = ()
    ):
        super().__init__()
        self.sight = Sight(without)
        self.trunk = Trunk(hidden, rounds)
        self.token = nn.Linear(hidden, hidden)
        self.pointer = nn.Linear(hidden, 1)
        self.other = nn.Linear(hidden, 2)  # WAIT, STOP
        self.trust = nn.Parameter(torch.tensor(trust))
        for layer in (self.pointer, self.other):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Logits [N, 2 + C], of inputs in the order of `INPUT_SHAPES`."""
        return self.read(inputs)[0]

    def read(self, inputs: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Logits [N, 2 + C], and the whole [N, H] that other heads may read too."""
        x = self.sight(inputs)
        c, whole = self.trunk(x)
        token = torch.relu(self.token(c) + whole.unsqueeze(1))
        logits = torch.cat([self.other(whole), self.pointer(token).squeeze(2)], 1)
        return logits + self.trust * x.index, whole

    @torch.no_grad()
    def sharpen(self, factor: float) -> None:
        """Multiply all logits: a policy that is nearly sure does not come apart when PPO goes on from it."""
        for parameter in (*self.pointer.parameters(), *self.other.parameters(), self.trust):
            parameter.mul_(factor)


class Conductor(nn.Module):
    """What is exported: a network, what becomes of the run, and how unlike its training the board is.

    The last two are fitted when the network is done (confidence.py).
    """

    center: Tensor
    whiten: Tensor

    def __init__(self, network: SetNetwork):
        super().__init__()
        self.network = network
        hidden = network.pointer.in_features
        self.success = nn.Linear(hidden, 1)
        self.register_buffer("center", torch.zeros(hidden))
        self.register_buffer("whiten", torch.zeros(hidden, hidden))

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits [N, 2 + C], success logit [N], strangeness [N], of inputs in the order of `INPUT_SHAPES`."""
        logits, whole = self.network.read(inputs)
        success: Tensor = self.success(whole).squeeze(1)
        return logits, success, self.strangeness(whole)

    def strangeness(self, whole: Tensor) -> Tensor:
        """[N] squared Mahalanobis distance of the whole [N, H] from the training's, per dimension."""
        return ((whole - self.center) @ self.whiten).square().mean(1)


class ValueNetwork(nn.Module):
    """The critic: a trunk of its own, since in a shared one value learning wrecks the policy.

    Without messages: the rule's thoughts among the inputs tell it what comes of each call and artifact.
    """

    def __init__(self, hidden: int, without: Iterable[Part] = ()):
        super().__init__()
        self.sight = Sight(without)
        self.trunk = Trunk(hidden, 0)
        self.head = nn.Linear(hidden, 1)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Expected return to come [N], of inputs in the order of `INPUT_SHAPES`."""
        value: Tensor = self.head(self.trunk(self.sight(inputs))[1]).squeeze(1)
        return value
