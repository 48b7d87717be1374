"""Level files as commands read them: of a misspelt key they say which was perhaps meant."""

from __future__ import annotations

from pathlib import Path

from fqg_env.errors import LevelError
from fqg_env.level_file import read_yaml
from fqg_env.puzzle import Puzzle, read_puzzle
from policies.resource.outsized import outsized
from policies.resource.wrong_key import wrong_key


def read_level_file(path: str | Path) -> Puzzle:
    """A level with its hidden side, as `read_puzzle`.

    Raises:
        LevelError: with one sentence that says what is wrong, where, and what to do.
    """
    try:
        return read_puzzle(path)
    except (ValueError, OverflowError) as problem:
        from conductor_agent.files.schema import level_file  # no file that is right needs it

        data = read_yaml(Path(path))
        wrong = outsized(data) or wrong_key(data, level_file())
        if wrong is None and not isinstance(problem, LevelError):
            raise
        raise LevelError(f"{path}: {wrong}" if wrong else str(problem)) from None
