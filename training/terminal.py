"""What the commands share: bad input is one sentence on standard error and exit code 2, no traceback."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Annotated, Any, NoReturn, ParamSpec

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from conductor_agent import interrupts
from conductor_agent.commands.compiling import told_of_compiling
from conductor_agent.distribution import DISTRIBUTION
from fqg_env.errors import LevelError
from training.disk import NO_ROOM, NotWritten

P = ParamSpec("P")
DONE, OURS, BAD_INPUT, PARTLY, NOT_ACHIEVED, INTERRUPTED = 0, 1, 2, 3, 4, interrupts.INTERRUPTED
"""Exit codes."""

CONSOLE = Console(stderr=True)
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
RunSeedOption = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of the run.")]
EXTRAS = {
    "train": ("sb3_contrib", "torch", "onnx"),
    "datasets": ("h5py", "minari"),
    "models": ("cv2", "py3langid", "rapidocr", "sklearn"),
}
"""Extra -> modules that it brings."""


def fail(sentence: str, code: int = BAD_INPUT) -> NoReturn:
    """Say what is wrong on standard error and leave."""
    typer.echo(f"fqg: {sentence}", err=True)
    raise typer.Exit(code)


def say(sentence: str) -> None:
    """Tell people something on standard error, above a progress bar that is shown."""
    CONSOLE.print(f"fqg: {sentence}", markup=False, highlight=False, soft_wrap=True)


def need(*extras: str) -> None:
    """Leave with one sentence where an extra that a command needs is missing."""
    missing = [
        extra for extra in extras if any(find_spec(module) is None for module in EXTRAS[extra])
    ]
    if missing:
        way = f'pip install "{DISTRIBUTION}[{",".join(extras)}]"'
        fail(f"this needs the extra {' and '.join(missing)}; install with: {way}")


def given(context: typer.Context, *names: str) -> bool:
    """One of these options was written on the command line."""
    sources = [context.get_parameter_source(name) for name in names]
    return any(source is not None and source.name == "COMMANDLINE" for source in sources)


def command(function: Callable[P, None]) -> Callable[P, None]:
    """A command whose bad input is answered with one sentence, and which says so where it compiles first."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            with told_of_compiling(say):
                function(*args, **kwargs)
        except LevelError as problem:
            fail(str(problem))
        except KeyboardInterrupt:
            fail("interrupted; run the same command to start again", INTERRUPTED)
        except BrokenPipeError:  # somebody reads only the first lines
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(DONE) from None
        except OSError as problem:
            if problem.errno not in NO_ROOM:
                raise
            fail(f"{NotWritten(problem, 'a file')}, then run the same command again")

    return run


def print_json(value: dict[str, Any]) -> None:
    """One JSON object on standard output."""
    typer.echo(json.dumps(value, ensure_ascii=False))


@contextlib.contextmanager
def bar(description: str, total: float) -> Iterator[Any]:
    """A progress bar on standard error with time left; yields a function(completed, note).

    Where standard error is no terminal, a line after each tenth instead.
    """
    if not CONSOLE.is_terminal:
        yield in_lines(description, total)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with Progress(*columns, console=CONSOLE) as progress:
        task = progress.add_task(description, total=total, note="")

        def update(completed: float, note: str = "") -> None:
            progress.update(task, completed=min(completed, total), note=note)

        yield update


def in_lines(description: str, total: float) -> Callable[..., None]:
    """Progress as lines for a log: one when it begins, and one after each tenth."""
    began, told = time.monotonic(), -1

    def update(completed: float, note: str = "") -> None:
        nonlocal told
        tenth = int(10.0 * min(1.0, completed / total)) if total > 0 else 10  # a rollout ends late
        if tenth > told:
            told = tenth
            took = f"{time.monotonic() - began:.0f} s"
            typer.echo(f"{description} {10 * tenth}% after {took} {note}".rstrip(), err=True)

    update(0.0)
    return update
