"""Splits: disjoint seed spaces, so that what is trained on is never what is judged on.

Any non-negative seed is valid in every split: the seed is hashed with the split's name.
"""

from __future__ import annotations

import hashlib

import numpy as np

from fqg_env.level import LevelError, suggest

SPLITS = ("train", "validation", "test")


def split_key(split: str) -> np.uint64:
    """The number that stands for a split.

    Raises:
        LevelError: there is no such split.
    """
    if split not in SPLITS:
        raise LevelError(f"there is no split {split!r}." + suggest(split, SPLITS))
    return np.uint64(int.from_bytes(hashlib.sha256(split.encode()).digest()[:8], "little"))


def level_key(split: str, seed: int) -> np.uint64:
    """The key of level number `seed` of a split.

    Raises:
        LevelError: there is no such split, or the seed is negative.
    """
    if seed < 0:
        raise LevelError(f"the seed {seed} is negative; seeds are 0 or more")
    data = f"{split}/{seed}".encode()
    split_key(split)
    return np.uint64(int.from_bytes(hashlib.sha256(data).digest()[:8], "little"))
