"""A proof that a level cannot be solved: under its own faults and luck, no calls make an Essential goal good.

The draws of an attempt are keyed by the call and its number, and the shield allows a function only so many
attempts; so it can be looked up whether any of them would go well. Budgets, gates, age and what is used up
are left out: whatever could be made if they were more generous counts as makeable. Hence a level that is
called unsolvable is; one that is not may still be.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fqg_env.arrays import GoalClass
from fqg_env.blocks import fill
from fqg_env.chance import Draw, uniform
from fqg_env.compiled import kernel
from fqg_env.faults import (
    HIT,
    WINDOW_FROM,
    WINDOW_UNTIL,
    clashes,
    fails,
    is_probe,
    lightest_variant,
    silent,
    taints,
)


@kernel
def can_answer(level: Any, hidden: Any, call: int) -> bool:
    """Some attempt of the call that the shield allows is not failed by its provider or its function."""
    f = level.function[call]
    window = hidden.window[level.provider[call]]
    always_down = WINDOW_FROM[window] <= 0.0 and WINDOW_UNTIL[window] > 1.0
    fail = fails(level, call, hidden.fault[f], lightest_variant(level, f), 1)
    most = min(level.shield_retries + 1, level.attempt_budget)
    for nth in range(1, most + 1):
        if always_down and uniform(level.key, Draw.HIT, call, nth) < HIT:
            continue
        if uniform(level.key, Draw.FLAKE, call, nth) >= fail:
            return True
        if fail < 1.0 and uniform(level.key, Draw.SECOND, call, nth) >= fail:  # own recovery
            return True
    return False


@kernel
def input_can_be_good(level: Any, hidden: Any, call: int, artifact: int, good: Any) -> bool:
    """A good version of an input can be had that the call can read; good [A, F + 1] by maker, 0 is given."""
    if good[artifact, 0]:
        return True
    f = level.function[call]
    for g in range(level.functions):
        if good[artifact, 1 + g] and not clashes(level, hidden, f, g):
            return True
    return False


@kernel
def can_make_good(level: Any, hidden: Any, call: int, good: Any) -> bool:
    """The call can make something good from what can be had."""
    fault = hidden.fault[level.function[call]]
    if is_probe(level, call) or silent(fault, level.variant[call]):
        return False
    for a in range(level.artifacts):
        if taints(level, call, a) and not input_can_be_good(level, hidden, call, a, good):
            return False
    return can_answer(level, hidden, call)


@kernel
def unsolvable(level: Any, hidden: Any, good: Any) -> bool:
    """An Essential goal cannot be made good; `good` [A, F + 1] is scratch."""
    fill(good, 0)
    for a in range(level.artifacts):
        if level.given[a] and not hidden.defect[a]:
            good[a, 0] = 1
    for _ in range(level.artifacts + level.calls):
        grown = False
        for c in range(level.calls):
            f = level.function[c]
            for a in range(level.artifacts):
                new = level.makes[c, a] == 1 and good[a, 1 + f] == 0
                if new and can_make_good(level, hidden, c, good):
                    good[a, 1 + f] = 1
                    grown = True
        if not grown:
            break
    for a in range(level.artifacts):
        if level.goal_class[a] == GoalClass.ESSENTIAL and not good[a].any():
            return True
    return False


@kernel
def find_unsolvable(levels: Any, hidden: Any, out: Any) -> None:
    """Mark in out [N] the levels that cannot be solved."""
    good = np.zeros((levels[0].given.shape[0], 1 + levels[0].variants.shape[0]), np.uint8)
    for n in range(len(levels)):
        out[n] = unsolvable(levels[n], hidden[n], good)
