"""Worker processes: answers come from them, whoever dies costs only what it had, and none is left over."""

from __future__ import annotations

import os
from multiprocessing import active_children

import pytest

from training.judging.processes import NoAnswer, Workers


def answer(item: int) -> int:
    if item < 0:
        os._exit(3)
    if item == 100:
        raise KeyboardInterrupt
    if item > 100:
        raise ValueError(f"{item} is too much")
    print("not for the parent's standard output")
    return item * item


def test_answers_come_and_who_dies_costs_its_own(capfd: pytest.CaptureFixture[str]) -> None:
    """-1 takes its process with it; the others are answered."""
    with Workers(2) as staff:
        got = dict(staff.run(answer, [-1, 2, 4, 3, 6]))
        assert got == {-1: NoAnswer.DIED, 2: 4, 4: 16, 3: 9, 6: 36}
        assert dict(staff.run(answer, [3])) == {3: 9}  # the same processes go on
        with pytest.raises(ValueError, match="101 is too much"):
            dict(staff.run(answer, [101]))
    assert active_children() == []
    assert capfd.readouterr().out == ""


def test_who_interrupts_itself_ends_without_a_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    with Workers(1) as staff:
        assert dict(staff.run(answer, [100, 2])) == {100: NoAnswer.DIED, 2: 4}
    assert "Traceback" not in capfd.readouterr().err


def test_what_is_known_by_then_is_not_asked() -> None:
    """The answer to 3 is learnt to be that to all that is odd: -5, over which a process would die, and 7."""
    learnt = dict[int, int]()
    got = []
    with Workers(1) as staff:
        for item, told in staff.run(answer, [3, -5, 4, 7], known=lambda item: learnt.get(item % 2)):
            got.append((item, told))
            if item == 3:
                learnt[1] = told
    assert got == [(3, 9), (-5, 9), (7, 9), (4, 16)]


def test_nothing_to_do_starts_nothing() -> None:
    with Workers(3) as staff:
        assert dict(staff.run(answer, [])) == {}
        assert staff.staff == []
