"""Cells: each kind of what can be wrong is explicit or implicit, and transient or permanent.

The two axes are those of ToolMaze (2026): a fault is *explicit* where the attempt that meets it fails, and
*implicit* where it answers something bad as if all were well; it is *transient* where the same attempt, made
later or made anew, can go well, and *permanent* where another call, another input or a repair is needed.
`CELLS` is the one table; whoever reports by cell reads it.
"""

from __future__ import annotations

from enum import Enum, IntEnum

from fqg_env.compiled import kernel
from fqg_env.faults import WINDOW_CAUSE, WINDOW_UNTIL, Cause, Fault


class FaultKind(IntEnum):
    """What can be wrong, as it is reported; the number is a bit in a set of kinds."""

    FLAKY = 0
    VERY_FLAKY = 1
    BROKEN = 2
    OVER_LIMIT = 3
    SILENT = 4
    QUOTA_1 = 5
    QUOTA_3 = 6
    WRONG_PARAMETERS = 7
    SILENT_PARAMETERS = 8  # all variants answer, one alone answers well
    RATE_LIMIT = 9
    PASSING_OUTAGE = 10
    LASTING_OUTAGE = 11  # to the end of the run
    CLASH = 12  # it cannot read what this maker makes
    DEFECT = 13  # a given artifact is bad from the start
    STALE = 14  # an artifact has gone bad with age
    LOST = 15  # the answer was swallowed by a crash


class Cell(str, Enum):
    """One of the four cells."""

    EXPLICIT_TRANSIENT = "explicit_transient"
    EXPLICIT_PERMANENT = "explicit_permanent"
    IMPLICIT_TRANSIENT = "implicit_transient"
    IMPLICIT_PERMANENT = "implicit_permanent"


CELLS: dict[FaultKind, Cell] = {
    FaultKind.FLAKY: Cell.EXPLICIT_TRANSIENT,
    FaultKind.VERY_FLAKY: Cell.EXPLICIT_TRANSIENT,
    FaultKind.BROKEN: Cell.EXPLICIT_PERMANENT,
    FaultKind.OVER_LIMIT: Cell.EXPLICIT_PERMANENT,
    FaultKind.SILENT: Cell.IMPLICIT_PERMANENT,
    FaultKind.QUOTA_1: Cell.EXPLICIT_PERMANENT,
    FaultKind.QUOTA_3: Cell.EXPLICIT_PERMANENT,
    FaultKind.WRONG_PARAMETERS: Cell.EXPLICIT_PERMANENT,
    FaultKind.SILENT_PARAMETERS: Cell.IMPLICIT_PERMANENT,
    FaultKind.RATE_LIMIT: Cell.EXPLICIT_TRANSIENT,
    FaultKind.PASSING_OUTAGE: Cell.EXPLICIT_TRANSIENT,
    FaultKind.LASTING_OUTAGE: Cell.EXPLICIT_PERMANENT,
    FaultKind.CLASH: Cell.EXPLICIT_PERMANENT,
    FaultKind.DEFECT: Cell.IMPLICIT_PERMANENT,
    FaultKind.STALE: Cell.IMPLICIT_TRANSIENT,
    FaultKind.LOST: Cell.EXPLICIT_TRANSIENT,
}


def bits_of(cell: Cell) -> int:
    """The kinds of a cell, a bit each."""
    return sum(1 << kind for kind, its in CELLS.items() if its is cell)


@kernel
def kind_of_fault(fault: int) -> int:
    """The kind of what is wrong with a function; -1 where nothing is."""
    if fault == Fault.OK:
        return -1
    if fault < Fault.WRONG:
        return fault - 1
    odd = (fault - Fault.WRONG) % 2 == 1
    return FaultKind.SILENT_PARAMETERS if odd else FaultKind.WRONG_PARAMETERS


@kernel
def kind_of_window(window: int) -> int:
    """The kind of a span in which a provider fails; -1 where it never does."""
    if window == 0:
        return -1
    if WINDOW_CAUSE[window] == Cause.LIMIT:
        return FaultKind.RATE_LIMIT
    lasting = WINDOW_UNTIL[window] >= 1.0
    return FaultKind.LASTING_OUTAGE if lasting else FaultKind.PASSING_OUTAGE
