"""What the environments share: their spaces, and names that they are given, read strictly."""

from __future__ import annotations

from typing import Any

from gymnasium import spaces

from fqg_env.arrays import SIZES
from fqg_env.errors import LevelError, suggest
from fqg_env.fields import observation_dtype
from fqg_env.rules import FIRST_CALL

RENDER_MODES = ("ansi", "rgb_array")


def render_mode_named(mode: str | None) -> str | None:
    """The render mode of this name; None: nothing is rendered.

    Raises:
        LevelError: there is none.
    """
    if mode is not None and mode not in RENDER_MODES:
        raise LevelError(f"there is no render mode {mode!r}." + suggest(mode, RENDER_MODES))
    return mode


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


def check_options(options: dict[str, Any] | None, *known: str) -> None:
    """Every option of a reset is one that it knows.

    Raises:
        LevelError: one is not.
    """
    for name in options or {}:
        if name not in known:
            raise LevelError(f"options: there is no {name!r}." + suggest(str(name), known))
