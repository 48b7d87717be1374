"""Facts: what of a board matters for a decision on a template, and what may come of an attempt.

The rules of fqg_env/rules.py as far as templates use them, on one row of whole numbers. A test plays both.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from fqg_env.arrays import CATEGORIES, CODES, SUCCESS, Kind
from fqg_env.blocks import overlap
from fqg_env.compiled import kernel
from fqg_env.faults import fidelity_of, is_probe
from fqg_env.outcome import Category
from policies.recovery.weigh import (
    FLAKE_TICKS,
    TICKS,
    UNSEEN,
    UNTIL,
    Outcome,
    What,
    gated,
    may_say,
)

MOST_OUTCOMES = 512
OUTPUT = CODES[Category.LOW_QUALITY]


class Fact(IntEnum):
    """Facts on the board that matter, one row of whole numbers; then tries [F] and announced ticks [C]."""

    TICK = 0
    WAITS = 1  # in a row
    USED = 2  # attempts
    PART = 3  # 1 + source of what is held between the stages, 0: nothing
    WORK = 4  # 1 + call that has made the goal as it is held, 0: nothing
    WORK_SOURCE = 5  # 1 + source of what it was made from, 0: what was given
    REJECTED = 6
    JUDGED = 7  # the goal as it is held has been verified
    HEARD = 8  # calls that have hinted, or have been silent, a bit each


FACTS = len(Fact)


@kernel
def wait_ends(level: Any, facts: Any, functions: int) -> int:
    """The tick at which a wait ends."""
    end = facts[Fact.TICK] + int(level.wait_base * TICKS * 2.0 ** facts[Fact.WAITS] + 0.5)
    for i in range(FACTS + functions, len(facts)):
        if facts[i] > facts[Fact.TICK]:
            end = min(end, facts[i])
    return min(end, TICKS)


@kernel
def may_call(level: Any, facts: Any, call: int) -> bool:
    """The rules allow the call: its inputs are there, and the shield leaves it an attempt."""
    f = level.function[call]
    functions = level.functions
    tries, retries = facts[FACTS + f], 0
    for g in range(functions):
        retries += max(0, facts[FACTS + g] - 1)
    if tries > level.shield_retries:
        return False
    if tries > 0 and retries >= level.shield_retry_share * level.attempt_budget:
        return False
    for a in range(level.artifacts):
        reads = level.needs[call, a] or level.probes[call, a]
        if reads and not level.given[a]:
            goal = level.goal_class[a] > 0
            if (goal and facts[Fact.WORK] == 0) or (not goal and facts[Fact.PART] == 0):
                return False
    return True


@kernel
def hinted_function(level: Any, call: int) -> int:
    """The function that a call may hint at: its own, or the one that an inspect looks at; or -1."""
    if level.kind[call] == Kind.INSPECT:
        for c in range(level.calls):
            if level.variants[level.function[c]] > 1:
                return level.function[c]
        return -1
    return level.function[call] if level.variants[level.function[call]] > 1 else -1


@kernel
def source_read(level: Any, facts: Any, call: int) -> int:
    """The source of what a call reads, or -1 where that was given."""
    for a in range(level.artifacts):
        if level.needs[call, a] and not level.given[a]:
            return facts[Fact.PART] - 1
    return -1


@kernel
def add(out: Any, n: int, what: int, category: int, says: int, hint: int, blamed: int) -> int:
    """Write an outcome to a list [MOST_OUTCOMES, 5] and return how many there are."""
    out[n, 0], out[n, 1], out[n, 2], out[n, 3], out[n, 4] = what, category, says, hint, blamed
    return n + 1


@kernel
def list_outcomes(level: Any, facts: Any, call: int, out: Any) -> int:
    """List all that an attempt may come to, possible or not; returns how many."""
    function = hinted_function(level, call)
    heard = (facts[Fact.HEARD] >> call) & 1
    hints = function >= 0 and not heard
    inspects = level.kind[call] == Kind.INSPECT
    most = 2 + level.variants[function] if hints else 1
    n = 0
    if is_probe(level, call):
        verdicts = level.kind[call] == Kind.VERIFY and not facts[Fact.JUDGED]
        if verdicts:
            n = add(out, n, What.ANSWERED, SUCCESS, 0, 1, 0)
            n = add(out, n, What.ANSWERED, SUCCESS, 0, 2, 0)
        elif inspects and hints:
            for hint in range(1, most):
                n = add(out, n, What.ANSWERED, SUCCESS, 0, hint, 0)
            n = add(out, n, What.ANSWERED, SUCCESS, 0, UNSEEN, 0)
        else:
            n = add(out, n, What.ANSWERED, SUCCESS, 0, 0, 0)
    else:
        n = add(out, n, What.MADE, SUCCESS, 0, 0, 0)
        if gated(level, call):
            n = add(out, n, What.REJECTED, OUTPUT, 0, 0, 0)
    read = source_read(level, facts, call) >= 0
    own = hints and not inspects
    sure = fidelity_of(level, call)
    for category in range(1, CATEGORIES):
        for says in range(2 + len(UNTIL)):
            if not may_say(category, says, facts[Fact.TICK], sure):
                continue
            for hint in range(1 if own else 0, most if own else 1):
                for blamed in range(2 if read and says == 0 else 1):
                    n = add(out, n, What.FAILED, category, says, hint, blamed)
    return n


@kernel
def follow(level: Any, facts: Any, call: int, o: Outcome, after: Any) -> None:
    """Write the facts after an attempt."""
    functions = level.functions
    after[:] = facts
    f = level.function[call]
    after[Fact.USED] += 1
    after[Fact.WAITS] = 0
    after[FACTS + f] += 1
    until = 0
    if o.says == 1:
        until = facts[Fact.TICK] + FLAKE_TICKS
    elif o.says >= 2:
        until = UNTIL[o.says - 2]
    after[FACTS + functions + call] = until
    if o.hint > 0 and level.kind[call] != Kind.VERIFY:
        after[Fact.HEARD] |= 1 << call
    if o.what == What.ANSWERED and level.kind[call] == Kind.VERIFY:
        after[Fact.JUDGED] = 1
    made = not is_probe(level, call) and o.what != What.FAILED
    if made:
        make(level, facts, call, o, after)


@kernel
def make(level: Any, facts: Any, call: int, o: Outcome, after: Any) -> None:
    """Write the facts of what an attempt has made."""
    for a in range(level.artifacts):
        if level.makes[call, a] and level.goal_class[a] > 0:
            after[Fact.WORK] = 1 + call
            after[Fact.WORK_SOURCE] = 1 + source_read(level, facts, call)
            after[Fact.REJECTED] = 1 if o.what == What.REJECTED else 0
            after[Fact.JUDGED] = 0
        elif level.makes[call, a]:
            number = 0  # of the makers of what lies between, in the order of functions
            for c in range(level.calls):
                if level.makes[c, a] and level.function[c] < level.function[call]:
                    number += 1
            after[Fact.PART] = 1 + number


@kernel
def drop_past(facts: Any, functions: int) -> None:
    """Forget announced times that have come."""
    for i in range(FACTS + functions, len(facts)):
        if facts[i] <= facts[Fact.TICK] or facts[i] >= TICKS:
            facts[i] = 0


@kernel
def other_function(level: Any, facts: Any, call: int) -> int:
    """The function besides its own whose table an attempt of a call may change, or -1."""
    if level.kind[call] == Kind.VERIFY:
        return level.function[facts[Fact.WORK] - 1]
    if level.kind[call] == Kind.INSPECT:
        return hinted_function(level, call)
    return -1


@kernel
def makes_goal(level: Any, call: int) -> bool:
    """The call makes a goal."""
    return overlap(level.makes[call], level.goal_class)


@kernel
def wait_on(level: Any, facts: Any, after: Any) -> float:
    """Write the facts after a wait; returns its price."""
    end = wait_ends(level, facts, level.functions)
    after[:] = facts
    after[Fact.TICK] = end
    after[Fact.WAITS] += 1
    drop_past(after, level.functions)
    return level.time_weight * (end - facts[Fact.TICK]) / TICKS
