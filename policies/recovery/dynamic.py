"""Dynamic programming over beliefs: the best expected return of a template, and the action that gets it.

Expectimax with a memo: a game with something hidden is a Markov decision process over beliefs (Kaelbling,
Littman and Cassandra 1998). What is remembered is named by a digest of the facts on the board that still
matter and of the posterior, so that histories which leave the same belief are solved once, in whatever order
they came about. Return is counted from now on: what has been spent is spent.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fqg_env.arrays import SUCCESS, Kind
from fqg_env.blocks import copy_all
from fqg_env.compiled import kernel
from fqg_env.rules import FIRST_CALL, STOP, WAIT
from policies.recovery.facts import (
    FACTS,
    MOST_OUTCOMES,
    OUTPUT,
    Fact,
    drop_past,
    follow,
    hinted_function,
    list_outcomes,
    makes_goal,
    may_call,
    source_read,
    wait_on,
)
from policies.recovery.joint import Tables, digest_of, fold_in, name_table, share_bad, sum_up, total
from policies.recovery.weigh import (
    ANY,
    LAST_END,
    PRICED,
    TICKS,
    Outcome,
    What,
    gated,
    mean_price,
    weigh_failure,
    weigh_hint,
    weigh_verdict,
    weigh_work,
)

MOST_BELIEFS = 250_000
"""A template with more beliefs than this is refused."""
LEAST = 1e-14
"""Outcomes with less chance than this do not happen."""
DEPTH = 48
"""Decisions on one path, at most: attempts are few, and waits double."""


class Memo(NamedTuple):
    """What has been solved: a hash table with open addresses, [2 * MOST_BELIEFS] each."""

    digest: Any
    """u8; 0: free."""
    value: Any
    action: Any
    known: Any
    """[1] how many beliefs there are."""


class Stack(NamedTuple):
    """Working space of one path of decisions."""

    facts: Any
    """[D, FACTS + F + C]"""
    before: Any
    """[D, 2, S, W, K, X] the tables that an attempt changes, as they were"""
    outcomes: Any
    """[D, MOST_OUTCOMES, 5]"""


@kernel
def belief_digest(t: Any, facts: Any) -> np.uint64:
    """A digest of what is believed and of the facts that matter; never 0."""
    digest = digest_of(t)
    for i in range(len(facts)):
        digest = fold_in(digest, np.uint64(facts[i]))
    return digest | np.uint64(1)


@kernel
def place_of(memo: Any, digest: np.uint64) -> int:
    """Where a belief stands in the memo, or the free place where it would."""
    n = len(memo.digest)
    i: Any = np.int64((digest >> np.uint64(8)) % np.uint64(n))
    while memo.digest[i] != 0 and memo.digest[i] != digest:
        i = i + 1 if i + 1 < n else 0
    return i


@kernel
def worth(level: Any, t: Any, facts: Any) -> float:
    """The expected return of delivering what is held, with what was seen so far as its weight."""
    if facts[Fact.WORK] == 0 or facts[Fact.REJECTED]:
        return 0.0
    call = facts[Fact.WORK] - 1
    bad = share_bad(level, t, call, facts[Fact.WORK_SOURCE] - 1)
    for a in range(level.artifacts):
        if level.makes[call, a]:
            return level.goal_weight[a] * (total(t) - (1.0 + level.wrong_weight) * bad)
    return 0.0


@kernel
def fold(level: Any, t: Any, facts: Any, call: int, o: Outcome, before: Any) -> None:
    """Fold an outcome into the posterior; `before` [2, S, W, K, X] as `keep` has left it."""
    f, tick = level.function[call], facts[Fact.TICK]
    uses = facts[FACTS + f] + 1
    source = source_read(level, facts, call)
    if o.what == What.FAILED:
        weigh_failure(level, t, before[0], call, tick, uses, source, o)
        return
    weigh_work(level, t, before[0], call, tick, uses, source, o)
    if o.what == What.ANSWERED and o.hint > 0:
        if level.kind[call] == Kind.VERIFY:
            weigh_verdict(level, t, facts[Fact.WORK] - 1, facts[Fact.WORK_SOURCE] - 1, o.hint == 2)
        else:
            weigh_hint(level, t, call, hinted_function(level, call), o.hint)


@kernel
def other_function(level: Any, facts: Any, call: int) -> int:
    """The function besides its own whose table an attempt of a call may change, or -1."""
    if level.kind[call] == Kind.VERIFY:
        return level.function[facts[Fact.WORK] - 1]
    if level.kind[call] == Kind.INSPECT:
        return hinted_function(level, call)
    return -1


@kernel
def keep(level: Any, t: Any, facts: Any, call: int, before: Any) -> None:
    """Copy the tables that an attempt may change to `before` [2, S, W, K, X]."""
    copy_all(t.chance[level.function[call]], before[0])
    other = other_function(level, facts, call)
    if other >= 0:
        copy_all(t.chance[other], before[1])


@kernel
def put_back(t: Any, f: int, before: Any) -> None:
    """Take a function's table back as it was; -1: there is none."""
    if f >= 0:
        copy_all(before, t.chance[f])
        sum_up(t, f)
        name_table(t, f)


@kernel
def last_call(level: Any, t: Any, facts: Any, call: int, before: Any) -> float:
    """What the last attempt is worth, times what the tables weigh: its end alone counts, not why."""
    f, tick = level.function[call], facts[Fact.TICK]
    uses, source = facts[FACTS + f] + 1, source_read(level, facts, call)
    copy_all(t.chance[f], before)
    weigh_failure(level, t, before, call, tick, uses, source, Outcome(0, PRICED, ANY, 0, 0))
    value = -total(t)
    weigh_failure(level, t, before, call, tick, uses, source, Outcome(0, ANY, ANY, 0, 0))
    value += worth(level, t, facts)
    weigh_work(level, t, before, call, tick, uses, source, Outcome(What.MADE, 0, 0, 0, 0))
    made = total(t)
    bad = share_bad(level, t, call, source)
    for a in range(level.artifacts):
        if level.makes[call, a]:
            value += level.goal_weight[a] * (made - (1.0 + level.wrong_weight) * bad)
    value -= made * mean_price(level, call, SUCCESS)
    if gated(level, call):
        weigh_work(level, t, before, call, tick, uses, source, Outcome(What.REJECTED, 0, 0, 0, 0))
        value -= total(t) * mean_price(level, call, OUTPUT)
    put_back(t, f, before)
    return value


@kernel
def best_last(level: Any, t: Any, facts: Any, before: Any) -> Any:
    """(value times what the tables weigh, action) of the best last attempt; action -1: there is none.

    Only what makes a goal counts: there is no attempt left to use what others make or say.
    """
    best, action = 0.0, -1
    for call in range(level.calls):
        if may_call(level, facts, call) and makes_goal(level, call):
            value = last_call(level, t, facts, call, before)
            if action < 0 or value > best:
                best, action = value, FIRST_CALL + call
    return best, action


@kernel
def solve(level: Any, t: Any, stack: Any, memo: Any, depth: int) -> float:
    """The best expected return from the belief at `depth` of the stack on, given what was seen."""
    facts, after = stack.facts[depth], stack.facts[depth + 1]
    before, outcomes = stack.before[depth], stack.outcomes[depth]
    whole, left = total(t), level.attempt_budget - facts[Fact.USED]
    best, action = worth(level, t, facts) / whole, STOP
    if left <= 0 or facts[Fact.TICK] >= TICKS:
        return best
    digest = belief_digest(t, facts)
    place = place_of(memo, digest)
    if memo.digest[place] != 0:
        return memo.value[place]
    if memo.known[0] >= len(memo.digest) // 2:
        return 0.0  # there is no room; who asked refuses the level
    if facts[Fact.TICK] < LAST_END:
        value = -wait_on(level, facts, after)
        value += solve(level, t, stack, memo, depth + 1)
        if value > best:
            best, action = value, WAIT
    if left == 1:
        value, last = best_last(level, t, facts, before[0])
        if last >= 0 and value / whole > best:
            best, action = value / whole, last
    for call in range(level.calls if left > 1 else 0):
        if not may_call(level, facts, call):
            continue
        value = 0.0
        f, other = level.function[call], other_function(level, facts, call)
        keep(level, t, facts, call, before)
        for i in range(list_outcomes(level, facts, call, outcomes)):
            u = outcomes[i]
            o = Outcome(u[0], u[1], u[2], u[3], u[4])
            put_back(t, other, before[1])
            fold(level, t, facts, call, o, before)
            p = total(t) / whole
            if p > LEAST:
                follow(level, facts, call, o, after)
                drop_past(after, level.functions)
                name_table(t, f)
                name_table(t, other)
                value -= p * mean_price(level, call, o.category)
                value += p * solve(level, t, stack, memo, depth + 1)
        put_back(t, f, before[0])
        put_back(t, other, before[1])
        if value > best:
            best, action = value, FIRST_CALL + call
    remember(memo, digest, best, action)
    return best


@kernel
def remember(memo: Any, digest: np.uint64, value: float, action: int) -> None:
    """Keep what has been solved."""
    place = place_of(memo, digest)
    memo.digest[place] = digest
    memo.value[place] = value
    memo.action[place] = action
    memo.known[0] += 1


@kernel
def recall(t: Any, facts: Any, memo: Any) -> int:
    """The best action from a belief that has been solved, or -1."""
    place = place_of(memo, belief_digest(t, facts))
    return memo.action[place] if memo.digest[place] != 0 else -1


@kernel
def refill(memo: Any, digests: Any, values: Any, actions: Any) -> None:
    """Remember again what was kept, [N] each."""
    for i in range(len(digests)):
        remember(memo, digests[i], values[i], actions[i])


def new_memo(beliefs: int = MOST_BELIEFS) -> Memo:
    """An empty memo with room for so many beliefs."""
    n = 2 * beliefs
    return Memo(np.zeros(n, np.uint64), np.zeros(n), np.zeros(n, np.int8), np.zeros(1, np.int64))


def new_stack(level: Any, t: Tables) -> Stack:
    """Working space for a level record; its first row is the board before the first move."""
    rows = FACTS + int(level["functions"]) + int(level["calls"])
    return Stack(
        np.zeros((DEPTH, rows), np.int64),
        np.zeros((DEPTH, 2, *t.chance.shape[1:])),
        np.zeros((DEPTH, MOST_OUTCOMES, 5), np.int64),
    )
