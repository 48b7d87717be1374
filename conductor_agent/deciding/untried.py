"""What could still help a goal and has not been tried, as the rule and explanations both see it.

A policy gives up what it believes to be hopeless, and it believes as the game is made: there an input that is
bad is bad for every function. A real one may cope with what another refuses, such as a parser that was
written for damaged files. So one try of each is worth more than that belief before an essential goal is given
up, as long as the budgets last.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from conductor_agent.record.fold import Fold
from fqg_env.arrays import CANCELLED
from fqg_env.level_checks import essential
from fqg_env.row import function_of
from fqg_env.rules import FIRST_CALL

UNTRIED = "untried"
"""Whose choice such a call is, in the journal."""


def cheapest_untried(fold: Fold) -> int | None:
    """Of the calls that are untried for the essential goals the cheapest; None where there is none. What is
    not there comes before what is to be made otherwise.

    Args:
        fold: the run so far, looked at.
    """
    cost = np.nan_to_num(fold.record["cost"], nan=np.inf)  # NaN: it is not declared

    def order(call: int) -> tuple[bool, float]:
        again = all(map(fold.usable, function_of(fold.level, call).outputs))
        return again, float(cost[call])

    return min(untried(fold, essential(fold.level)), key=order, default=None)


def untried(fold: Fold, goals: Iterable[str]) -> list[int]:
    """Calls that may be made, have not been tried as things are, and make something that these goals lack.

    Args:
        fold: the run so far, looked at.
        goals: artifacts; of one that is usable nothing is lacking.
    """
    lacks = lacking(fold, goals)
    return [
        call
        for call in range(len(fold.level.calls))
        if fold.mask[0, FIRST_CALL + call]
        and (not tried(fold, call) or may_do_better(fold, call))
        and not lacks.isdisjoint(function_of(fold.level, call).outputs)
        and not too_slow(fold, call)
        and not spoils_a_goal(fold, call)
    ]


def tried(fold: Fold, call: int) -> bool:
    """It has answered, by the code that it has now, since what it reads was made otherwise. One that was
    cancelled or whose answer was lost has not.
    """
    board, level = fold.board, fold.level
    if board["last_category"][call] in (-1, CANCELLED) or call in fold.changed:
        return False
    reads, answered_s = level.inputs_of(level.calls[call]), float(board["last_at_s"][call])
    return not any(fold.new_at_s.get(name, 0.0) > answered_s for name in reads)


def may_do_better(fold: Fold, call: int) -> bool:
    """It was asked a single time, and what it made was blamed by who read it, or rejected where nobody else
    makes it: the next time it may be whole.
    """
    level, board = fold.level, fold.board
    if not board["answered_with"][call] or board["tries"][call] != 1:
        return False
    return bool(board["blamed"][call]) or any(
        board["rejected"][level.artifact_names.index(name)] and len(makers(fold, name)) == 1
        for name in function_of(level, call).outputs
    )


def makers(fold: Fold, artifact: str) -> list[int]:
    """Calls that make it."""
    calls = range(len(fold.level.calls))
    return [call for call in calls if artifact in function_of(fold.level, call).outputs]


def never_tried(fold: Fold, call: int) -> str:
    """In words, of a call that is untried: never, or not often enough."""
    tries = fold.board["tries"][call]
    return "this could be tried once more" if tries else "this was never tried"


def too_slow(fold: Fold, call: int) -> bool:
    """It declares to take longer than there is time."""
    left_s = fold.level.budget.time_s - fold.number("at_s")
    return bool(fold.record["latency_s"][call] > left_s)  # NaN, not declared: no


def spoils_a_goal(fold: Fold, call: int) -> bool:
    """It would use up a goal that is there."""
    used = fold.record["consumes"][call]
    return any(used[fold.level.artifact_names.index(goal)] for goal in fold.level.goals)


def lacking(fold: Fold, goals: Iterable[str]) -> set[str]:
    """Artifacts that are not usable now: of these goals, and of what those who make such an artifact read.
    What a maker has tried in vain is lacking, too: it may be made otherwise. A maker that needs what nobody
    can make any more asks for nothing else either.
    """
    level, may_be = fold.level, attainable(fold)
    ahead, lacks = [name for name in goals if not fold.usable(name)], set[str]()
    while ahead:
        name = ahead.pop()
        if name in lacks:
            continue
        lacks.add(name)
        for number in makers(fold, name):
            reads = level.inputs_of(level.calls[number])
            if may_be.issuperset(reads):
                in_vain = tried(fold, number)
                ahead += [read for read in reads if in_vain or not fold.usable(read)]
    return lacks


def attainable(fold: Fold) -> set[str]:
    """Artifacts that are usable now, are being made, or may be made: by a call that is allowed, or by one
    that would read something new then.
    """
    level = fold.level
    there = {name for name in level.artifact_names if fold.usable(name)}
    new = {name for call in fold.flights().values() for name in function_of(level, call).outputs}
    while True:
        more = {
            output
            for number, call in enumerate(level.calls)
            if (reads := set(level.inputs_of(call))) <= there | new
            and (fold.mask[0, FIRST_CALL + number] or not new.isdisjoint(reads))
            for output in function_of(level, number).outputs
        } - new
        if not more:
            return there | new
        new |= more
