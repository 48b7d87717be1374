"""What could still help a goal and has never been tried, as the rule and explanations both see it.

A policy gives up what it believes to be hopeless, and it believes as the game is made: there an input that is
bad is bad for every function. A real one may cope with what another refuses, such as a parser that was
written for damaged files. So one try of each is worth more than that belief before an essential goal is given
up, as long as the budgets last.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from conductor_agent.record.fold import Fold
from fqg_env.level_checks import essential
from fqg_env.row import function_of
from fqg_env.rules import FIRST_CALL

UNTRIED = "untried"
"""Whose choice such a call is, in the journal."""


def first_untried(fold: Fold) -> int | None:
    """Of the calls that are untried for the essential goals the cheapest; None where there is none.

    Args:
        fold: the run so far, looked at.
    """
    cost = np.nan_to_num(fold.record["cost"], nan=np.inf)  # NaN: it is not declared
    found = untried(fold, essential(fold.level))
    return min(found, key=lambda call: float(cost[call]), default=None)


def untried(fold: Fold, goals: Iterable[str]) -> list[int]:
    """Calls that may be made now, were never attempted, and make something that these goals lack.

    Args:
        fold: the run so far, looked at.
        goals: artifacts; of one that is usable nothing is lacking.
    """
    lacks, board = lacking(fold, goals), fold.board
    return [
        call
        for call in range(len(fold.level.calls))
        if fold.mask[0, FIRST_CALL + call]
        and not board["tries"][call]
        and not lacks.isdisjoint(function_of(fold.level, call).outputs)
    ]


def lacking(fold: Fold, goals: Iterable[str]) -> set[str]:
    """Artifacts that are not usable now: of these goals, and of what those who make such an artifact read."""
    ahead, lacks = list(goals), set[str]()
    while ahead:
        name = ahead.pop()
        if name in lacks or fold.usable(name):
            continue
        lacks.add(name)
        for number, call in enumerate(fold.level.calls):
            if name in function_of(fold.level, number).outputs:
                ahead += fold.level.inputs_of(call)
    return lacks
