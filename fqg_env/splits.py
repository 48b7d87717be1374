"""Splits: disjoint seed spaces, so that what is trained on is never what is judged on, and what each draws.

Any non-negative seed is valid in every split: the seed is hashed with the split's name.
"""

from __future__ import annotations

import hashlib
import operator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fqg_env.arrays import Mode
from fqg_env.chance import Draw, pick, uniform
from fqg_env.errors import LevelError, suggest
from fqg_env.frequencies import MIXES
from fqg_env.shapes import TIERS, Family

COMMON = (Family.CHAIN, Family.LAYERED, Family.TREE)
UNSEEN = (Family.DIAMOND, Family.HUB)
MIX_NAMES = tuple(mix.name for mix in MIXES)
MODE_NAMES = tuple(mode.name.lower() for mode in Mode)


@dataclass(frozen=True)
class Source:
    """What levels are drawn: tiers, families, the mix of faults, and who owns failures."""

    tiers: tuple[int, int] = (1, TIERS)
    families: tuple[Family, ...] = COMMON
    mix: str = "published"
    mode: str = "hybrid"
    templates: str = ""
    """Split of `exact.TEMPLATES` that stands for tiers and families; mix and mode are then theirs."""

    def __post_init__(self) -> None:
        """Check the names.

        Raises:
            LevelError: there is no such tier, mix or mode.
        """
        low, high = self.tiers
        if not 1 <= low <= high <= TIERS:
            raise LevelError(f"tiers {low} to {high}: they run from 1 to {TIERS}, the lower first")
        if self.mix not in MIX_NAMES:
            raise LevelError(f"there is no mix {self.mix!r}." + suggest(self.mix, MIX_NAMES))
        if self.mode not in MODE_NAMES:
            raise LevelError(f"there is no mode {self.mode!r}." + suggest(self.mode, MODE_NAMES))

    def numbers(self) -> np.ndarray:
        """[4 + families] as the kernels read it: lowest tier, highest, mix, mode, families."""
        mix, mode = MIX_NAMES.index(self.mix), MODE_NAMES.index(self.mode)
        return np.array([*self.tiers, mix, mode, *self.families], np.int64)

    def tier_and_family(self, key: int | np.uint64) -> tuple[int, Family]:
        """Tier and family of the level that `lanes.draw_level` draws from a key."""
        low, high = self.tiers
        tier = low + pick(uniform(np.uint64(key), Draw.LEVEL, 0, 1), high - low + 1)
        which = pick(uniform(np.uint64(key), Draw.LEVEL, 0, 2), len(self.families))
        return tier, self.families[which]


SPLITS: dict[str, Source] = {
    "train": Source(),
    "validation": Source(),
    "test": Source(),
    "unseen": Source(families=UNSEEN, mix="shifted"),
    "exact_train": Source(templates="exact_train"),
    "exact": Source(templates="exact"),
}
"""`unseen` has families and a mix of faults that no other split has; the last two have templates."""


ALL_TIERS = (1, TIERS)


def tier_pair(tiers: Any) -> tuple[int, int]:
    """One tier, or the lowest and the highest, as a pair.

    Raises:
        LevelError: it is neither.
    """
    try:
        one = operator.index(tiers)
    except TypeError:
        pass
    else:
        return one, one
    try:
        low, high = map(operator.index, tiers)
    except (TypeError, ValueError):
        raise LevelError(
            f"tiers {tiers!r}: give one tier, or the lowest and the highest, as in (16, 20)"
        ) from None
    return low, high


def source_of(
    split: str, tiers: int | tuple[int, int] = ALL_TIERS, mix: str = "", mode: str = "hybrid"
) -> Source:
    """What a split draws; another mix than its own where one is named.

    Raises:
        LevelError: there is no such split, tier, mix or mode.
    """
    check_split(split)
    own, pair = SPLITS[split], tier_pair(tiers)
    if own.templates and (mix or mode != "hybrid"):
        raise LevelError(f"the templates of {split!r} have their own mix and mode; leave them out")
    if own.templates and pair != ALL_TIERS:
        raise LevelError(f"the templates of {split!r} have no tiers; leave them out")
    return replace(own, tiers=pair, mix=mix or own.mix, mode=mode)


def check_split(split: str) -> None:
    """There is such a split.

    Raises:
        LevelError: there is none.
    """
    if split not in tuple(SPLITS):
        raise LevelError(f"there is no split {split!r}." + suggest(split, SPLITS))


def level_key(split: str, seed: int) -> np.uint64:
    """The key of level number `seed` of a split.

    Raises:
        LevelError: there is no such split, or the seed is no whole number or negative.
    """
    check_split(split)
    try:
        seed = int(operator.index(seed))
    except TypeError:
        raise LevelError(f"the seed {seed!r} is no whole number") from None
    if seed < 0:
        raise LevelError(f"the seed {seed} is negative; seeds are 0 or more")
    digest = hashlib.sha256(f"{split}/{seed}".encode()).digest()
    return np.uint64(int.from_bytes(digest[:8], "little"))


def level_name(split: str, source: Source, key: int, seed: int | None) -> str:
    """A name for the level that a source draws from a key; with its seed where that gave the key."""
    parts = [split]
    if not source.templates:
        tier, family = source.tier_and_family(key)
        parts += [f"tier {tier}", family.name.lower()]
    if seed is not None and seed >= 0 and int(level_key(split, seed)) == key:
        parts.append(f"seed {seed}")
    return ", ".join(parts)
