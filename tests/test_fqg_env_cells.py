"""The table of cells: every kind of fault is in one, and every fault and window has its kind."""

from __future__ import annotations

import pytest

from fqg_env.cells import CELLS, Cell, FaultKind, bits_of, kind_of_fault, kind_of_window
from fqg_env.faults import FAULTS, WINDOWS, Fault


def test_every_kind_has_its_cell_and_no_two_cells_share_one() -> None:
    assert set(CELLS) == set(FaultKind)
    assert sum(bits_of(cell) for cell in Cell) == (1 << len(FaultKind)) - 1
    assert all(bits_of(cell) for cell in Cell)


@pytest.mark.parametrize(
    "fault", [fault for fault in Fault if fault not in (Fault.OK, Fault.WRONG)]
)
def test_plain_faults_keep_their_names(fault: Fault) -> None:
    assert FaultKind(kind_of_fault(fault)).name == fault.name


def test_faults_of_variants_are_explicit_or_silent_in_turn() -> None:
    assert kind_of_fault(Fault.OK) == -1
    kinds = [kind_of_fault(fault) for fault in range(Fault.WRONG, FAULTS)]
    assert set(kinds[::2]) == {FaultKind.WRONG_PARAMETERS}
    assert set(kinds[1::2]) == {FaultKind.SILENT_PARAMETERS}


def test_windows_are_told_apart_by_cause_and_end() -> None:
    names = [FaultKind(kind_of_window(w)).name for w in range(1, WINDOWS)]
    assert names == [
        "PASSING_OUTAGE", "PASSING_OUTAGE", "PASSING_OUTAGE", "LASTING_OUTAGE", "LASTING_OUTAGE",
        "RATE_LIMIT", "RATE_LIMIT",
    ]  # fmt: skip
    assert kind_of_window(0) == -1
