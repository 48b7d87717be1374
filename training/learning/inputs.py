"""What a network reads: fields of the observation and of the index rule, by name, with their shapes.

Letters in shapes: N batch, C calls, A artifacts, T attempts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fqg_env.arrays import HISTORY_FIELDS
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
from training.learning.recipe import Part

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
    "history": ("N", "T", HISTORY_FIELDS),
}
"""What a network may read: fields of the observation, and of the rule (policies/recovery/features.py)."""
SET_INPUTS = tuple(name for name in INPUT_SHAPES if name != "history")
SEQUENCE_INPUTS = tuple(INPUT_SHAPES)


NO_HISTORY = torch.zeros(0, 0, HISTORY_FIELDS)
"""To networks that read none."""


@dataclass(frozen=True)
class Inputs:
    """A batch of what a network reads, in the order of `INPUT_SHAPES`."""

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
    history: Tensor = NO_HISTORY


PARTS: dict[Part, tuple[str, ...]] = {
    "belief": ("belief", "doubt"),
    "choice": ("index",),
    "thoughts": ("ways", "reach"),
    "history": ("history",),
}
"""Inputs that a network can be trained without, to see what they are worth."""
CALL_PARTS: dict[Part, tuple[int, ...]] = {
    "memory": (
        Call.REPUTATION,
        Call.REPUTATION_STRENGTH,
        Call.RECENT_SUCCESS,
        Call.RECENT_FAILURE,
    ),
    "counts": (
        Call.TRIES,
        Call.LAST_RETRYABLE,
        Call.LAST_CATEGORY,
        Call.SINCE_LAST,
        Call.OWN_RECOVERY,
        Call.PROVIDER_SUCCESS,
        Call.PROVIDER_FAILURE,
        Call.BLAMED,
        Call.REPEATS,
        *range(Call.GROUP_COUNT, CALL_FIELDS),
    ),
}
"""The same of fields of `calls`: what tells of earlier runs, and what sums up the attempts of this one."""


class Sight(nn.Module):
    """What a network sees of its inputs: all, or all but some parts, which are zero to it."""

    seen: Tensor

    def __init__(self, names: Sequence[str], without: Iterable[Part] = ()):
        super().__init__()
        self.names, self.without = tuple(names), tuple(without)
        self.unseen = {name for part in self.without for name in PARTS.get(part, ())}
        seen = torch.ones(CALL_FIELDS)
        for part in self.without:
            seen[list(CALL_PARTS.get(part, ()))] = 0.0
        self.register_buffer("seen", seen, persistent=False)

    def forward(self, inputs: Sequence[Tensor]) -> Inputs:
        """The inputs in the order of `names`, by name."""
        named = zip(self.names, inputs, strict=True)
        x = {name: value * 0.0 if name in self.unseen else value for name, value in named}
        if any(part in CALL_PARTS for part in self.without):
            x["calls"] = x["calls"] * self.seen
        return Inputs(**x)


def exist(x: Inputs) -> tuple[Tensor, Tensor]:
    """[N, C, 1] and [N, A, 1]: 1 where a call or an artifact is there, 0 where there is padding."""
    return x.calls[:, :, Call.EXISTS, None], x.artifacts[:, :, Artifact.EXISTS, None]
