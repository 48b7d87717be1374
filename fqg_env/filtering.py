"""Filtering: how each event moves what is believed, by Bayes' rule where it factors (see belief.py).

`begin` when an attempt begins, `update` when it ends, `ripen` as time passes. What is said is heard in
hearing.py; how evidence is folded is in revising.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fqg_env import faults
from fqg_env.arrays import CANCELLED, Verdict
from fqg_env.belief import (
    FLOOR,
    bad_input,
    clash_chance,
    clashing,
    row_of,
    summarise,
    up_chance,
)
from fqg_env.chance import ONE
from fqg_env.compiled import kernel
from fqg_env.faults import (
    INPUTS,
    STALE,
    WINDOWS,
    Inputs,
    acts_like,
    faults_of,
)
from fqg_env.hearing import hear, judge
from fqg_env.likelihood import (
    evidence,
    hit_chance,
    made_something,
    own_chance,
)
from fqg_env.reading import current, over_ripe
from fqg_env.revising import doubt, weigh_outcome

SUREST = 1e5
"""How much likelier than before a clash can become, or the opposite."""


@kernel
def ripen(level: Any, board: Any, belief: Any) -> None:
    """Let what has grown old be doubted: it may have gone off."""
    for a in range(level.artifacts):
        if board.present[a] and belief.ripe[a] == 0 and over_ripe(level, board, a):
            belief.bad[a] += (1.0 - belief.bad[a]) * STALE
            belief.ripe[a] = 1
            for c in range(level.calls):  # a verdict on it was of a time before
                belief.judged[c] &= ~(ONE << np.uint64(a))


@kernel
def output_bad(level: Any, belief: Any, call: int, bad_in: float) -> float:
    """Chance that what an attempt has made is bad, from its appraised outcome: own doing, or a bad input."""
    p, f, v = level.provider[call], level.function[call], level.variant[call]
    bad, good = 0.0, 0.0
    for w in range(WINDOWS):
        weight = belief.provider[p, w] * belief.up[w]
        for k in range(faults_of(level, call)):
            share = weight * belief.function[row_of(belief, f, w), f, k]
            fine = share * (1.0 - bad_in) * belief.own[k, Inputs.FINE]
            bad += share * bad_in * belief.own[k, Inputs.BAD]
            if faults.silent(k, v):
                bad += fine
            else:
                good += fine
    return bad / max(FLOOR, bad + good)


@kernel
def begin(level: Any, board: Any, belief: Any, slot: int) -> None:
    """Keep what is believed of what an attempt that has just begun reads; count the use of its function.

    Call it just after `rules.begin`.
    """
    call = board.flight_call[slot]
    ripen(level, board, belief)
    belief.flight_bad[slot] = bad_input(level, belief, call)
    belief.flight_clash[slot] = clashing(level, board, belief, call)
    good = 1.0
    for a in range(level.artifacts):
        belief.flight_named[slot, a] = 0.0
        if faults.taints(level, call, a):
            first = good * belief.bad[a]
            belief.flight_named[slot, a] = first / max(FLOOR, belief.flight_bad[slot])
            good *= 1.0 - belief.bad[a]
    summarise(level, board, belief, level.function[call])


@kernel
def update(level: Any, board: Any, belief: Any, slot: int, row: Any) -> None:
    """Fold the outcome of the attempt in a flight slot. Call it just before `rules.finish`."""
    if row.category == CANCELLED:
        return
    call = board.flight_call[slot]
    bad_in, clash = belief.flight_bad[slot], belief.flight_clash[slot]
    appraise(level, board, belief, slot, row)
    made_bad = output_bad(level, belief, call, bad_in) if made_something(level, row) else 0.0
    for k in range(faults_of(level, call)):
        own = (1.0 - bad_in) * belief.own[k, Inputs.FINE] + bad_in * belief.own[k, Inputs.BAD]
        belief.likelihood[k] = (1.0 - clash) * own + clash * belief.own[k, Inputs.CLASH]
    fine = total(level, belief, call, Inputs.FINE)
    bad = total(level, belief, call, Inputs.BAD)
    if_clash = total(level, belief, call, Inputs.CLASH)
    weigh_outcome(level, board, belief, call)
    if_fits = (1.0 - bad_in) * fine + bad_in * bad
    if_bad = (1.0 - clash) * bad + clash * if_clash
    if_good = (1.0 - clash) * fine + clash * if_clash
    tell_inputs(level, board, belief, slot, row, if_bad, if_good)
    tell_makers(level, board, belief, slot, if_clash, if_fits)
    for a in range(level.artifacts):
        if row.made[a]:
            belief.bad[a] = made_bad
            belief.ripe[a] = 0
            for c in range(level.calls):
                belief.judged[c] &= ~(ONE << np.uint64(a))
        elif row.verdict[a] != Verdict.NONE and current(board, slot, a):
            judge(level, board, belief, call, a, row.verdict[a] == Verdict.BAD)
    hear(level, board, belief, call, row)


@kernel
def appraise(level: Any, board: Any, belief: Any, slot: int, row: Any) -> None:
    """Fill `own` [K, inputs], `hit` [W] and `up` [W] of `belief`: how likely the outcome is, by its parts."""
    call, began_s = board.flight_call[slot], board.flight_since_s[slot]
    lightest, uses = belief.lightest[level.function[call]], board.flight_uses[slot]
    share = 1.0
    for a in range(level.artifacts):
        if row.blamed[a]:
            share = belief.flight_named[slot, a]
            break
    seen = evidence(level, call, began_s, row, share)
    for w in range(WINDOWS):
        belief.hit[w] = hit_chance(level, call, w, began_s, row, seen)
        belief.up[w] = up_chance(w, began_s, level.time_budget_s)
    reads = belief.flight_bad[slot] > 0.0, belief.flight_clash[slot] > 0.0
    for k in range(faults_of(level, call)):
        like = acts_like(k, level.variant[call])
        for i in range(INPUTS):
            if like < k:
                belief.own[k, i] = belief.own[like, i]
            elif i == Inputs.FINE or reads[i - 1]:
                belief.own[k, i] = own_chance(level, call, k, lightest, uses, i, row, seen)
            else:
                belief.own[k, i] = 0.0  # it cannot be


@kernel
def total(level: Any, belief: Any, call: int, inputs: int) -> float:
    """Chance of the outcome that was appraised, if this is what its inputs were."""
    f, p = level.function[call], level.provider[call]
    chance = 0.0
    for w in range(WINDOWS):
        own = 0.0
        for k in range(faults_of(level, call)):
            own += belief.function[row_of(belief, f, w), f, k] * belief.own[k, inputs]
        chance += belief.provider[p, w] * (belief.hit[w] + belief.up[w] * own)
    return chance


@kernel
def tell_makers(
    level: Any, board: Any, belief: Any, slot: int, if_clash: float, if_none: float
) -> None:
    """Pass the evidence of an outcome to each pair of reader and maker, as if the others were as before."""
    call = board.flight_call[slot]
    f = level.function[call]
    fits = 1.0 - clashing(level, board, belief, call)
    for a in range(level.artifacts):
        if level.needs[call, a] and board.maker[a] >= 0 and current(board, slot, a):
            g = level.function[board.maker[a]]
            if g != f:
                others = min(1.0, fits / (1.0 - clash_chance(belief, f, g)))
                otherwise = others * if_none + (1.0 - others) * if_clash
                odds = belief.clash[f, g] * max(FLOOR, if_clash) / max(FLOOR, otherwise)
                belief.clash[f, g] = min(SUREST, max(1.0 / SUREST, odds))


@kernel
def tell_inputs(
    level: Any, board: Any, belief: Any, slot: int, row: Any, if_bad: float, if_good: float
) -> None:
    """Pass the evidence of an outcome to the inputs it read: to the one that is blamed, else to all."""
    call = board.flight_call[slot]
    named = False
    for a in range(level.artifacts):
        if row.blamed[a]:
            named = True
    clean = 1.0 - bad_input(level, belief, call)
    for a in range(level.artifacts):
        held = faults.taints(level, call, a) and current(board, slot, a)
        if held and belief.bad[a] > 0.0 and (not named or row.blamed[a]):
            others = min(1.0, clean / max(FLOOR, 1.0 - belief.bad[a]))
            doubt(level, board, belief, a, if_bad, others * if_good + (1.0 - others) * if_bad)
