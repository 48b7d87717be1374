"""What others wrote, fit for a terminal: nothing in it is obeyed, and a line stays one line."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from policies.said import UNSEEN, one_line

MAX_SAID = 300


def clean(text: str) -> str:
    """The text with a blank for each character that a terminal would obey."""
    return UNSEEN.sub(" ", text)


def said_by(problem: BaseException) -> str:
    """What an exception of somebody else's says, as one line for a terminal."""
    return one_line(problem, MAX_SAID)


def counted(n: int, noun: str) -> str:
    """A number with its noun: `1 level`, `2,048 levels`."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def to_json(data: dict[str, Any]) -> str:
    """Data as one line of JSON; what is no plain letter is written as its number."""
    text = json.dumps(data, ensure_ascii=False)
    return UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def fall_silent() -> None:
    """Let standard output lead nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_json(data: dict[str, Any]) -> None:
    """Data as one line of JSON on standard output; where nobody can read it, the exit code still tells."""
    try:
        print(to_json(data), flush=True)  # noqa: T201  (commands print)
    except OSError:
        fall_silent()
