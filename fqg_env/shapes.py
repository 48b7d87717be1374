"""How levels grow with their tier: families, knobs and the shape of each tier."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np

from fqg_env.chance import ONE, ZERO, Draw, mix, pick, unit
from fqg_env.compiled import kernel
from fqg_env.faults import FAULTS

TIERS = 20
MOST_PROVIDERS = 8  # of a generated level: there are as many names of houses (describe.py)
SPREAD_STEPS = 32
SPREAD = np.array(
    [round(4.0 ** (2.0 * i / (SPREAD_STEPS - 1) - 1.0), 3) for i in range(SPREAD_STEPS)]
)
"""[32] log-uniform multiples from 1/4 to 4, rounded so that they are the same on every machine."""


class Family(IntEnum):
    """How artifacts follow from each other."""

    CHAIN = 0  # one after the other
    LAYERED = 1  # each from some of the layer before
    TREE = 2  # two given ones, a branch each, joined at the end
    DIAMOND = 3  # one given one, branches, joined at the end
    HUB = 4  # one that all goals are made from


class Knob(IntEnum):
    """Fields of a tier's shape [KNOBS]: ranges of what a level has, chances of its features."""

    LAYERS_MIN = 0
    LAYERS_MAX = 1
    WIDTH_MAX = 2  # artifacts per layer
    MAKERS_MIN = 3  # functions per artifact
    MAKERS_MAX = 4
    VARIANTS_MAX = 5
    PROVIDERS_MAX = 6
    COST_SPREAD = 7  # 1: costs differ up to 16 times
    REPUTATION_MIN = 8
    REPUTATION_MAX = 9
    GATE = 10
    INSPECT = 11
    VERIFY = 12
    BUDGET_MIN = 13  # multiples of the cheapest way
    BUDGET_MAX = 14
    UNKNOWN = 15  # chance that a declared number, a reputation or a fidelity is not known
    NOT_IDEMPOTENT = 16
    PARALLEL = 17
    EXTRA_GOAL = 18
    REPAIR = 19  # of the given artifact, and of one that is made
    AGES = 20  # an artifact has a time to live
    CONSUMES = 21
    RECENT = 22  # the level comes with memories of recent runs
    UNSAFE_ALLOWED = 23


KNOBS = len(Knob)


def shapes() -> np.ndarray:
    """[TIERS, KNOBS] the shape of each tier, from a first sequence to the full mix."""
    easy = [1, 2, 1, 1, 2, 2, 1, 0.4, 0.75, 0.95, 0.3, 0, 0, 4, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    full = [
        2, 3, 2, 2, 4, 4, 4, 1.0, 0.3, 0.85, 0.65, 0.6, 0.4, 2.5, 8, 0.25, 0.15, 0.3, 0.3,
        0.4, 0.15, 0.1, 0.3, 0.2,
    ]  # fmt: skip
    ramp = np.minimum(1.0, np.arange(TIERS) / 15.0)[:, None]
    out = np.asarray(easy) * (1.0 - ramp) + np.asarray(full) * ramp
    whole = [
        Knob.LAYERS_MIN,
        Knob.LAYERS_MAX,
        Knob.WIDTH_MAX,
        Knob.MAKERS_MIN,
        Knob.MAKERS_MAX,
        Knob.VARIANTS_MAX,
        Knob.PROVIDERS_MAX,
    ]
    out[:, whole] = np.floor(out[:, whole] + 0.5)
    return np.round(out, 4)


SHAPES = shapes()


class Sketch(NamedTuple):
    """What a level is drawn with: the generator's working arrays, made once for many levels."""

    cursor: Any  # [2] u8: numbers drawn so far, and the state they all begin from
    layer: Any  # [A] i8 how far an artifact is from what is given
    feeds: Any  # [A] u8 the artifacts it is made from, a bit each; 0: some of the layers before
    heads: Any  # [A] i8 ends of the branches
    number: Any  # [MOST_PROVIDERS] i8 new numbers of providers
    shares: Any  # [K] f8 chances of the faults of one function


@kernel
def new_sketch(artifacts: int) -> Any:
    """Working arrays for levels of up to so many artifacts."""
    return Sketch(
        np.empty(2, np.uint64),
        np.empty(artifacts, np.int64),
        np.empty(artifacts, np.uint64),
        np.empty(artifacts, np.int64),
        np.empty(MOST_PROVIDERS, np.int64),
        np.empty(FAULTS, np.float64),
    )


@kernel
def chance(level: Any, cursor: Any) -> float:
    """The next random number of this level's generator."""
    cursor[0] += ONE
    return unit(mix(mix(cursor[1], cursor[0]), ZERO))


@kernel
def start(level: Any, cursor: Any, first: int) -> None:
    """Set a cursor [2] to a number of this level's generator."""
    cursor[0] = first
    cursor[1] = mix(level.key, np.uint64(Draw.LEVEL))


@kernel
def between(level: Any, cursor: Any, low: float, high: float) -> int:
    """A whole number in [low, high]."""
    return int(low) + pick(chance(level, cursor), int(high) - int(low) + 1)
