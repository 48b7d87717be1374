"""Random numbers by key: the same (level, call, attempt, kind of draw) gives the same number everywhere.

No generator is shared, so an episode does not depend on batch size, threads or machine, and two policies
that play the same level meet the same luck (common random numbers).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np

from fqg_env.compiled import kernel

ZERO, ONE = np.uint64(0), np.uint64(1)
GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2**64 over the golden ratio, odd
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)
_SCALE = 1.0 / 9007199254740992.0  # 2**-53


class Draw(IntEnum):
    """What a number decides."""

    WINDOW = 1
    FAULT = 2
    HIT = 3
    FLAKE = 4
    TAINT = 5
    SOURCE = 6
    CATEGORY = 7
    ELAPSED = 8
    GATE = 9
    BLAME = 10
    HINTED = 11
    HINT = 12
    VERDICT = 13
    QUALITY = 14
    LEVEL = 15
    CLASH = 16
    DEFECT = 17
    STALE = 18
    RECENT = 19
    RECOVERY = 20
    SECOND = 21
    ANNOUNCED = 22
    EXAMINED = 23
    NEWS = 24
    LOST = 25
    WELL = 26
    UNDECLARED = 27
    LEAN = 28
    MISTOLD = 29
    DIALECT = 30


@kernel
def mix(state: np.uint64, value: np.uint64) -> np.uint64:
    """Fold a value into a 64-bit state (the finaliser of SplitMix64, Steele et al. 2014)."""
    z = (state ^ value) + GOLDEN
    z = (z ^ (z >> _S30)) * _FIRST
    z = (z ^ (z >> _S27)) * _SECOND
    return z ^ (z >> _S31)


@kernel
def unit(state: np.uint64) -> float:
    """A number in [0, 1) with 53 bits, from a 64-bit state."""
    return (state >> _S11) * _SCALE


@kernel
def uniform(key: np.uint64, draw: int, a: int, b: int) -> float:
    """A number in [0, 1) with 53 bits, from the level's key, the kind of draw and two indices."""
    state = mix(key, np.uint64(draw))
    state = mix(state, np.uint64(a))
    state = mix(state, np.uint64(b))
    return unit(state)


@kernel
def pick(u: float, n: int) -> int:
    """Index in [0, n) for a uniform number."""
    return min(n - 1, int(u * n))


@kernel
def pick_by(u: float, shares: Any, n: int) -> int:
    """The index that a uniform number falls on, of the first n shares; never one that is impossible."""
    i = 0
    while i < n - 1 and u >= shares[i]:
        u -= shares[i]
        i += 1
    while i > 0 and shares[i] == 0.0:  # rounding may carry u past the last that is possible
        i -= 1
    return i
