"""What a program's exit code says, where it says nothing else: the table of command extensions.

Codes 64 to 78 are those of BSD's sysexits; 126, 127 and 128 + signal those of shells.
"""

from __future__ import annotations

from typing import NamedTuple

from conductor_agent.hosting import classify
from fqg_env.outcome import Blame, BlamedInput, Category, Phase, StandardError, error

LAST_SIGNAL = 64


class Exit(NamedTuple):
    """How one exit code appears."""

    category: Category
    blame: Blame
    message: str
    phase: Phase = Phase.EXECUTE


_BAD = Category.INVALID_INPUT
EXITS: dict[int, Exit] = {
    64: Exit(_BAD, Blame.CALLER, "The program was used wrongly.", Phase.INPUT),
    65: Exit(_BAD, Blame.UPSTREAM, "The program cannot use its input.", Phase.INPUT),
    66: Exit(_BAD, Blame.UPSTREAM, "The program lacks an input.", Phase.INPUT),
    69: Exit(Category.UNAVAILABLE, Blame.EXTENSION, "A service of the program is unreachable."),
    71: Exit(Category.OUT_OF_RESOURCES, Blame.PLATFORM, "The system gave the program too little."),
    73: Exit(Category.FORBIDDEN, Blame.PLATFORM, "The program could not write its file."),
    74: Exit(Category.UNAVAILABLE, Blame.PLATFORM, "The program could not read or write."),
    75: Exit(Category.UNAVAILABLE, Blame.EXTENSION, "The program failed for now."),
    77: Exit(Category.FORBIDDEN, Blame.PLATFORM, "The program lacks a permission."),
    78: Exit(Category.UNSUPPORTED, Blame.PLATFORM, "The program is not set up."),
    124: Exit(Category.TIMEOUT, Blame.EXTENSION, "Something the program ran took too long."),
    126: Exit(Category.UNSUPPORTED, Blame.PLATFORM, "The program cannot be executed."),
    127: Exit(Category.UNSUPPORTED, Blame.PLATFORM, "A program is not installed."),
}


def from_exit_code(status: int, log: str, inputs: tuple[str, ...]) -> StandardError:
    """A program that ended with a code or by a signal.

    Args:
        status: exit code, or the negative number of the signal.
        log: the last of its standard error.
        inputs: names of its inputs; the only one is to blame where the code blames an input.
    """
    if 128 < status <= 128 + LAST_SIGNAL:
        status = 128 - status
    row = EXITS.get(status)
    if row is None:
        return classify.from_exit(status, log=log)
    blamed: tuple[BlamedInput, ...] = ()
    if row.blame is Blame.UPSTREAM and len(inputs) == 1:
        blamed = (BlamedInput(inputs[0], row.message),)
    return error(
        row.category,
        row.message,
        blame=row.blame,
        blamed_inputs=blamed,
        phase=row.phase,
        code=f"EXIT_{status}",
        domain=classify.DOMAIN,
        detail=log,
    )
