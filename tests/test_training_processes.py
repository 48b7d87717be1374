"""Worker processes: answers come from them, whoever dies costs only what it had, and none is left over."""

from __future__ import annotations

import os
from multiprocessing import active_children

import pytest

from training.judging.processes import NoAnswer, Workers


def answer(item: int) -> int:
    if item < 0:
        os._exit(3)
    if item > 100:
        raise ValueError(f"{item} is too much")
    print("not for the parent's standard output")
    return item * item


def test_answers_come_and_who_dies_costs_its_own_group(capfd: pytest.CaptureFixture[str]) -> None:
    """-1 takes its process with it; -3 is of its group and is not begun; the others are answered."""
    with Workers(2) as staff:
        got = dict(staff.run(answer, [-1, 2, 4, -3, 6], lambda item: item % 2))
        assert got == {-1: NoAnswer.DIED, 2: 4, 4: 16, -3: NoAnswer.DIED, 6: 36}
        assert dict(staff.run(answer, [3])) == {3: 9}  # the same processes go on
        with pytest.raises(ValueError, match="101 is too much"):
            dict(staff.run(answer, [101]))
    assert active_children() == []
    assert capfd.readouterr().out == ""


def test_an_answer_that_ends_its_group_is_that_of_all_that_nobody_has_begun() -> None:
    """9 is the answer to 3, after which 5 and 7 are not asked; 4 is of another group."""
    with Workers(1) as staff:
        got = staff.run(answer, [3, 5, 4, 7], lambda item: item % 2, ends=lambda told: told == 9)
        assert list(got) == [(3, 9), (5, 9), (7, 9), (4, 16)]


def test_nothing_to_do_starts_nothing() -> None:
    with Workers(3) as staff:
        assert dict(staff.run(answer, [])) == {}
        assert staff.staff == []
