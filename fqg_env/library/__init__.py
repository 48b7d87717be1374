"""Levels with a story, as YAML files in this folder."""

from __future__ import annotations

from pathlib import Path

from fqg_env.errors import LevelError, suggest
from fqg_env.puzzle import Puzzle, read_puzzle


def names() -> list[str]:
    """Names of the library's levels."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.yaml"))


def load(name: str) -> Puzzle:
    """The level of this name.

    Raises:
        LevelError: there is none.
    """
    if name not in names():
        raise LevelError(f"the library has no level {name!r}." + suggest(name, names()))
    return read_puzzle(Path(__file__).parent / f"{name}.yaml")
