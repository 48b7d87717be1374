"""Before an essential goal is given up: what could still help it and has never been tried.

A policy gives up what it believes to be hopeless, and it believes as the game is made: there an input that is
bad is bad for every function. A real one may cope with what another refuses, such as a parser that was
written for damaged files. So one try of each is worth more than that belief, as long as the budgets last.
"""

from __future__ import annotations

import numpy as np

from conductor_agent.record.fold import Fold
from fqg_env.level import GoalKind
from fqg_env.row import function_of
from fqg_env.rules import FIRST_CALL

UNTRIED = "untried"
"""Whose choice such a call is, in the journal."""


def first_untried(fold: Fold) -> int | None:
    """The cheapest call that may be made now, was never attempted, and makes something that an essential
    goal lacks; None where there is none.

    Args:
        fold: the run so far, looked at.
    """
    lacking, board = lacking_for_essentials(fold), fold.board
    found = [
        call
        for call in range(len(fold.level.calls))
        if fold.mask[0, FIRST_CALL + call]
        and not board["tries"][call]
        and not lacking.isdisjoint(function_of(fold.level, call).outputs)
    ]
    cost = np.nan_to_num(fold.record["cost"], nan=np.inf)  # NaN: it is not declared
    return min(found, key=lambda call: float(cost[call]), default=None)


def lacking_for_essentials(fold: Fold) -> set[str]:
    """Artifacts that are not usable now: essential goals, and what those who make such an artifact read."""
    goals = fold.level.goals.items()
    ahead = [name for name, goal in goals if goal.kind is GoalKind.ESSENTIAL]
    lacking: set[str] = set()
    while ahead:
        name = ahead.pop()
        if name in lacking or fold.usable(name):
            continue
        lacking.add(name)
        for number, call in enumerate(fold.level.calls):
            if name in function_of(fold.level, number).outputs:
                ahead += fold.level.inputs_of(call)
    return lacking
