"""Spaces of observations and actions, by the size of a level."""

from __future__ import annotations

from typing import Any

from gymnasium import spaces

from fqg_env.arrays import SIZES
from fqg_env.errors import LevelError, suggest
from fqg_env.fields import observation_dtype
from fqg_env.rules import FIRST_CALL


def size_named(name: str) -> Any:
    """The size of this name.

    Raises:
        LevelError: there is none.
    """
    if name not in tuple(SIZES):
        raise LevelError(f"there is no size {name!r}." + suggest(name, SIZES))
    return SIZES[name]


def observation_space(size: str, belief: bool) -> spaces.Dict:
    """The Dict space of an observation: float fields in [0, 1], relations as bytes 0 or 1."""
    dtype = observation_dtype(size_named(size), belief)
    out: dict[str, spaces.Space[Any]] = {}
    for name in dtype.names or ():
        base, shape = dtype[name].subdtype  # type: ignore[misc]
        out[name] = spaces.Box(0, 1, shape, base.type)
    return spaces.Dict(out)


def action_space(size: str) -> spaces.Discrete:
    """0 WAIT, 1 STOP, 2 + i attempts call i."""
    return spaces.Discrete(FIRST_CALL + size_named(size).calls)
