"""How a program ends: with the exit code of its command, or with one sentence where something cut that."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import typer

from conductor_agent.commands.usage import usage_sentence
from conductor_agent.interrupts import INTERRUPTED, hear_no_more
from conductor_agent.plain import clean

FAULT_OF_OURS, BAD_INPUT = 1, 2
"""Exit codes."""


class Interrupted(Exception):
    """A command was interrupted; the message is a sentence that says how to go on."""


def to_its_end(
    name: str,
    command: Callable[[], Any],
    *,
    is_bad_input: Callable[[Exception], bool] = lambda _: False,
    interrupted: str = "interrupted",
) -> NoReturn:
    """Run a command and leave the process as it ends; whatever it raises is one sentence.

    Args:
        name: of the program, as it begins its sentences.
        command: gives its exit code, or something else where it is done.
        is_bad_input: an error is about what the user gave, beside those that Typer raises.
        interrupted: the sentence after Ctrl-C where the command has none of its own.

    Raises:
        Exception: a fault of ours, as it is, where `FQG_DEBUG` is set.
    """
    try:
        code = command()
    except (Interrupted, KeyboardInterrupt) as stop:
        say(name, str(stop) or interrupted)
        code = INTERRUPTED
    except Exception as problem:
        if _of_the_command_line(problem) or is_bad_input(problem):
            _tell_bad_input(name, problem)
            sys.exit(BAD_INPUT)
        if os.environ.get("FQG_DEBUG"):
            raise
        text = _in_a_line(f"{type(problem).__name__}: {problem}")
        say(name, f"a fault of ours: {text} (set FQG_DEBUG=1 to see where)")
        sys.exit(FAULT_OF_OURS)
    if code == INTERRUPTED:
        hear_no_more()
    sys.exit(code if isinstance(code, int) else 0)


def say(name: str, text: str) -> None:
    """Tell people something on standard error."""
    with contextlib.suppress(OSError):  # nobody can read it; the exit code still tells
        typer.echo(f"{name}: {clean(text)}", err=True)


def _of_the_command_line(problem: Exception) -> bool:
    """Typer's own errors bear a message that is made for users."""
    return hasattr(problem, "format_message")


def _tell_bad_input(name: str, problem: Exception) -> None:
    if type(problem).__name__ == "NoArgsIsHelpError":  # the help, which has lines
        with contextlib.suppress(OSError):
            typer.echo(str(problem), err=True)
    elif _of_the_command_line(problem):
        say(name, usage_sentence(problem))
    else:
        say(name, _in_a_line(str(problem)))


def _in_a_line(text: str) -> str:
    return " ".join(text.split())
