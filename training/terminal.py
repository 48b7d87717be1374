"""What the commands share: bad input is one sentence on standard error and exit code 2, no traceback."""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable
from typing import Annotated, Any, NoReturn, ParamSpec

import typer

from fqg_env.errors import LevelError

P = ParamSpec("P")
DONE, OURS, BAD_INPUT, PARTLY, NOT_ACHIEVED, INTERRUPTED = 0, 1, 2, 3, 4, 130
"""Exit codes."""

JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]


def fail(sentence: str, code: int = BAD_INPUT) -> NoReturn:
    """Say what is wrong on standard error and leave."""
    typer.echo(f"fqg: {sentence}", err=True)
    raise typer.Exit(code)


def counted(n: int, noun: str) -> str:
    """A number with its noun: `1 level`, `2,048 levels`."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def command(function: Callable[P, None]) -> Callable[P, None]:
    """A command whose bad input is answered with one sentence."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            function(*args, **kwargs)
        except LevelError as problem:
            fail(str(problem))
        except KeyboardInterrupt:
            fail("interrupted; run the same command to start again", INTERRUPTED)
        except BrokenPipeError:  # somebody reads only the first lines
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(DONE) from None

    return run


def print_json(value: dict[str, Any]) -> None:
    """One JSON object on standard output."""
    typer.echo(json.dumps(value, ensure_ascii=False))
