"""PointerNetwork: one logit per call, two for WAIT and STOP, starting where the index rule stands.

Its last layers are zero at first and the index rule's choice is added to its logits, so an untrained network
*is* the rule, and learning finds what the rule misses. What makes tokens of the inputs is a trunk.

Letters in shapes: N batch, C calls, A artifacts, H hidden.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from policies.recovery.features import trimmed
from training.learning.inputs import Sight
from training.learning.recipe import Part


class Tokens(NamedTuple):
    """What a trunk makes of a batch of inputs."""

    calls: Tensor
    """[N, C, H] a token for each call."""
    whole: Tensor
    """[N, H] what the heads read of the whole."""
    attention: tuple[Tensor, ...] = ()
    """[N, E, L, L] how much each token heeds each, a layer after the other, where there is attention."""


class Answer(NamedTuple):
    """What a network makes of a batch of inputs."""

    logits: Tensor
    """[N, 2 + C]"""
    whole: Tensor
    """[N, H] which other heads may read too."""
    attention: tuple[Tensor, ...]
    """As in `Tokens`."""


def tensors(
    inputs: Mapping[str, Any], names: Sequence[str], device: torch.device | None = None
) -> list[Tensor]:
    """The named inputs as a network takes them: floats, the attempts that there were and no more."""
    picked = ((name, inputs[name]) for name in names)
    cut = (trimmed(value) if name == "history" else value for name, value in picked)
    return [torch.as_tensor(value).to(device).float() for value in cut]


class PointerNetwork(nn.Module):
    """Logits of all actions.

    Args:
        trunk: makes `Tokens` of `Inputs`.
        hidden: width of a token.
        trust: what the index rule's choice adds to its logit.
        without: parts of its inputs that it does not see.
    """

    inputs: ClassVar[tuple[str, ...]]
    """Names of what it reads, in order."""

    def __init__(self, trunk: nn.Module, hidden: int, trust: float, without: Iterable[Part]):
        super().__init__()
        self.sight = Sight(self.inputs, without)
        self.trunk = trunk
        self.token = nn.Linear(hidden, hidden)
        self.pointer = nn.Linear(hidden, 1)
        self.other = nn.Linear(hidden, 2)  # WAIT, STOP
        self.trust = nn.Parameter(torch.tensor(trust))
        for layer in (self.pointer, self.other):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def tensors(self, inputs: Mapping[str, Any]) -> list[Tensor]:
        """What it reads of a batch of inputs, in its order and on its device."""
        return tensors(inputs, self.inputs, self.trust.device)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Logits [N, 2 + C], of inputs in the order of `inputs`."""
        return self.read(inputs).logits

    def read(self, inputs: Sequence[Tensor]) -> Answer:
        """The whole answer to inputs in the order of `inputs`."""
        x = self.sight(inputs)
        c, whole, attention = self.trunk(x)
        token = torch.relu(self.token(c) + whole.unsqueeze(1))
        logits = torch.cat([self.other(whole), self.pointer(token).squeeze(2)], 1)
        return Answer(logits + self.trust * x.index, whole, attention)

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

    def __init__(self, network: PointerNetwork):
        super().__init__()
        self.network = network
        hidden = network.pointer.in_features
        self.success = nn.Linear(hidden, 1)
        self.register_buffer("center", torch.zeros(hidden))
        self.register_buffer("whiten", torch.zeros(hidden, hidden))

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """What a policy file answers to inputs in the network's order, see policy_file.py."""
        logits, whole, attention = self.network.read(inputs)
        success: Tensor = self.success(whole).squeeze(1)
        return (
            logits,
            success,
            self.strangeness(whole),
            *([torch.cat(attention, 1)] if attention else []),
        )

    def strangeness(self, whole: Tensor) -> Tensor:
        """[N] squared Mahalanobis distance of the whole [N, H] from the training's, per dimension."""
        return ((whole - self.center) @ self.whiten).square().mean(1)
