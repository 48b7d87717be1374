"""Whole arrays of a record at once: copied, filled, compared."""

from __future__ import annotations

from typing import Any

from fqg_env.compiled import kernel


@kernel
def copy_all(source: Any, target: Any) -> None:
    """Copy an array of a record onto one of the same shape: wide moves, which row by row it is not."""
    n = source.size
    one, other = source.reshape(n), target.reshape(n)
    for i in range(n):
        other[i] = one[i]


@kernel
def fill(target: Any, value: Any) -> None:
    """Write one value everywhere in an array of a record."""
    n = target.size
    flat = target.reshape(n)
    for i in range(n):
        flat[i] = value


@kernel
def overlap(one: Any, other: Any) -> bool:
    """Whether there is a place where neither of two rows is 0."""
    for i in range(len(one)):
        if one[i] and other[i]:
            return True
    return False
