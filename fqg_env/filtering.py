"""Filtering: how each event moves what is believed, by Bayes' rule where it factors (see belief.py).

`begin` when an attempt begins, `update` when it ends, `hear_signal` for news, `ripen` as time passes.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fqg_env import faults
from fqg_env.arrays import CANCELLED, SUCCESS, Kind, Verdict
from fqg_env.belief import (
    FLOOR,
    bad_input,
    clash_chance,
    clashing,
    row_of,
    silent_chance,
    summarise,
    up_chance,
    was_silent,
)
from fqg_env.chance import ONE
from fqg_env.compiled import kernel
from fqg_env.faults import (
    FALSE_NEWS,
    FALSELY_TOLD,
    INPUTS,
    LONGEST,
    SIGNALLED,
    STALE,
    VERIFY_WRONG,
    WINDOW_UNTIL,
    WINDOWS,
    Inputs,
    acts_like,
    faults_of,
)
from fqg_env.likelihood import (
    evidence,
    hit_chance,
    made_something,
    own_chance,
)
from fqg_env.reading import current, over_ripe

DOUBTED = 0.05
"""How far news that does not fit is believed all the same."""
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
def normalise_provider(belief: Any, provider: int) -> None:
    """Let the windows of a provider sum to 1."""
    total = 0.0
    for w in range(WINDOWS):
        total += belief.provider[provider, w]
    for w in range(WINDOWS):
        belief.provider[provider, w] /= total


@kernel
def fold_row(belief: Any, function: int, window: int, n: int, hit: float, up: float) -> float:
    """Multiply the likelihood of each of n faults in one window into its row; returns its mean before.

    It is `hit` + `up` * `belief.likelihood`: an outage hits, or it does not and the fault shows itself.
    """
    shares = belief.function[window, function]
    total = 0.0
    for k in range(n):
        shares[k] *= max(FLOOR, hit + up * belief.likelihood[k])
        total += shares[k]
    scale = 1.0 / total
    for k in range(n):
        shares[k] *= scale
    return total


@kernel
def weigh(level: Any, board: Any, belief: Any, call: int) -> None:
    """Multiply in `belief.likelihood` [K] of what a call has shown, in every window alike."""
    f, p = level.function[call], level.provider[call]
    n = faults_of(level, call)
    if belief.mixed[f]:
        for w in range(WINDOWS):
            belief.provider[p, w] *= fold_row(belief, f, w, n, 0.0, 1.0)
        normalise_provider(belief, p)
    else:
        fold_row(belief, f, 0, n, 0.0, 1.0)
    summarise(level, board, belief, f)


@kernel
def weigh_outcome(level: Any, board: Any, belief: Any, call: int) -> None:
    """Multiply in the appraised outcome of a call; windows learn from its mean over faults."""
    f, p = level.function[call], level.provider[call]
    n = faults_of(level, call)
    explained = (
        False  # by an outage in some window: then windows differ in what they say of the fault
    )
    for w in range(WINDOWS):
        explained = explained or belief.hit[w] > 0.0
    if explained and belief.mixed[f] == 0:
        belief.mixed[f] = 1
        for w in range(1, WINDOWS):
            for k in range(n):
                belief.function[w, f, k] = belief.function[0, f, k]
    if belief.mixed[f]:
        for w in range(WINDOWS):
            belief.provider[p, w] *= fold_row(belief, f, w, n, belief.hit[w], belief.up[w])
    else:
        fold_row(belief, f, 0, n, 0.0, 1.0)
        for w in range(WINDOWS):
            belief.provider[p, w] *= belief.up[w]
    normalise_provider(belief, p)
    summarise(level, board, belief, f)


@kernel
def doubt(
    level: Any, board: Any, belief: Any, artifact: int, if_bad: float, if_good: float
) -> None:
    """Fold evidence about one held artifact, and pass it up its lineage: maker, then the maker's inputs.

    Args:
        if_bad: likelihood of the evidence if the artifact is bad.
        if_good: likelihood if it is good.
    """
    # messages wait their turn; each artifact is visited once at most, so there is an end
    n = level.artifacts
    waiting, done = ONE << np.uint64(artifact), np.uint64(0)
    belief.if_bad[artifact], belief.if_good[artifact] = if_bad, if_good
    while True:
        a = -1
        for i in range(n):  # the newest first, so that evidence gathers before it moves up
            if (waiting >> np.uint64(i)) & ONE:
                if a < 0 or board.made_at_s[i] > board.made_at_s[a]:
                    a = i
        if a < 0:
            return
        waiting &= ~(ONE << np.uint64(a))
        done |= ONE << np.uint64(a)
        bad, good = belief.if_bad[a], belief.if_good[a]
        b = belief.bad[a]
        evidence = b * bad + (1.0 - b) * good
        if evidence <= 0.0:
            continue
        belief.bad[a] = b * bad / evidence
        call = board.maker[a]
        if call < 0:  # it was given
            continue
        own = was_silent(level, belief, call)
        clean = 1.0
        for i in range(n):
            if board.source_version[a, i] > 0 and board.source_version[a, i] == board.version[i]:
                clean *= 1.0 - belief.bad[i]
        for i in range(n):
            held = board.source_version[a, i] > 0 and board.source_version[a, i] == board.version[i]
            seen = (done >> np.uint64(i)) & ONE
            if held and not seen and belief.bad[i] > 0.0:
                others = clean / max(FLOOR, 1.0 - belief.bad[i])
                otherwise = 1.0 - (1.0 - own) * min(1.0, others)
                if not (waiting >> np.uint64(i)) & ONE:
                    belief.if_bad[i], belief.if_good[i] = 1.0, 1.0
                    waiting |= ONE << np.uint64(i)
                belief.if_bad[i] *= bad
                belief.if_good[i] *= otherwise * bad + (1.0 - otherwise) * good
        v = level.variant[call]
        for k in range(faults_of(level, call)):
            mixed = (1.0 - clean) * bad + clean * good
            belief.likelihood[k] = bad if faults.silent(k, v) else mixed
        weigh(level, board, belief, call)


@kernel
def hear(level: Any, board: Any, belief: Any, giver: int, row: Any) -> None:
    """Fold the hints of an outcome, and its silence; a giver that repeats itself says nothing new."""
    bit = ONE << np.uint64(giver)
    spoke = False
    for c in range(level.calls):
        spoke = spoke or row.hint[c] > 0.0 or row.not_examined[c] != 0
    for c in range(level.calls):
        f = level.function[c]
        n = level.variants[f]
        if level.variant[c] > 0 or n < 2 or faults.is_probe(level, c):
            continue
        if (belief.hinted_by[c] & bit) != 0:
            continue
        said, confidence, examined = -1, 0.0, True
        if spoke:
            said, confidence, examined = strongest_hint(level, row, f)
        share = silence_share(level, giver, c, row) if examined else 0.0
        if said < 0 and share == 0.0:
            continue
        sure = min(0.95, max(0.05, confidence))
        for other in range(level.calls):
            if level.function[other] == f:
                belief.hinted_by[other] |= bit
        for k in range(faults_of(level, c)):
            if said >= 0:
                p = faults.hint_chance(k, said, n, sure)
            else:
                p = faults.silence_chance(k, share, faults.fidelity_of(level, giver))
            belief.likelihood[k] = p
        learn(level, board, belief, c)


@kernel
def strongest_hint(level: Any, row: Any, function: int) -> Any:
    """(variant named with most confidence or -1, that confidence, whether the function was examined).

    A hint that names several variants alike names none: it says nothing of which one is needed.
    """
    said, confidence, examined, alike = -1, 0.0, True, False
    for c in range(level.calls):
        if level.function[c] == function:
            if row.hint[c] > confidence:
                said, confidence, alike = level.variant[c], row.hint[c], False
            elif row.hint[c] == confidence and confidence > 0.0:
                alike = True
            if row.not_examined[c]:
                examined = False
    if alike:
        return -1, 0.0, False
    return said, confidence, examined


@kernel
def silence_share(level: Any, giver: int, call: int, row: Any) -> float:
    """How often the giver would have spoken of this call's function, had it seen a need; 0: not asked."""
    if level.kind[giver] == Kind.INSPECT and row.category == SUCCESS:
        for a in range(level.artifacts):
            if level.probes[giver, a] and level.needs[call, a]:
                return faults.HINTED_INSPECT
    if level.function[giver] == level.function[call] and not made_something(level, row):
        return faults.HINTED_ERROR
    return 0.0


@kernel
def learn(level: Any, board: Any, belief: Any, call: int) -> None:
    """`weigh`, and let what the function has made and is still held follow."""
    f = level.function[call]
    for a in range(level.artifacts):
        maker = board.maker[a]
        if maker >= 0 and level.function[maker] == f:
            belief.before[a] = silent_chance(level, belief, maker)
    weigh(level, board, belief, call)
    for a in range(level.artifacts):
        maker = board.maker[a]
        if maker >= 0 and level.function[maker] == f and belief.bad[a] < 1.0:
            good = (1.0 - silent_chance(level, belief, maker)) / max(FLOOR, 1.0 - belief.before[a])
            belief.bad[a] = min(1.0, max(0.0, 1.0 - (1.0 - belief.bad[a]) * good))


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
    seen = evidence(level, call, row, share)
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
def judge(level: Any, board: Any, belief: Any, call: int, artifact: int, bad: bool) -> None:
    """Fold a verdict; a verify that looks at the same version again says nothing new."""
    bit = ONE << np.uint64(artifact)
    if (belief.judged[call] & bit) != 0:
        return
    belief.judged[call] |= bit
    right, wrong = 1.0 - VERIFY_WRONG, VERIFY_WRONG
    doubt(level, board, belief, artifact, right if bad else wrong, wrong if bad else right)


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


@kernel
def hear_signal(
    level: Any, belief: Any, provider: int, up: int, until_s: float, at_s: float
) -> None:
    """Fold news from outside: down until a time, or up again; it is seldom wrong."""
    told_s = min(until_s, LONGEST * level.time_budget_s)
    ends = math.inf  # of the window that is down now and ends next after the time that is told
    for w in range(WINDOWS):
        if faults.down(w, at_s, level.time_budget_s):
            until = WINDOW_UNTIL[w] * level.time_budget_s
            if until >= told_s * (1.0 - 1e-9) and until < ends:
                ends = until
    falsely = 0.0  # how often false news tells just this
    for w in range(WINDOWS):
        if (
            faults.down(w, at_s, level.time_budget_s)
            and WINDOW_UNTIL[w] * level.time_budget_s == ends
        ):
            falsely += FALSELY_TOLD[w]
    for w in range(WINDOWS):
        is_down = faults.down(w, at_s, level.time_budget_s)
        if up:
            belief.provider[provider, w] *= DOUBTED if is_down else 1.0
        elif is_down:
            told = WINDOW_UNTIL[w] * level.time_budget_s == ends
            belief.provider[provider, w] *= SIGNALLED * (1.0 if told else DOUBTED)
        else:
            belief.provider[provider, w] *= FALSE_NEWS * falsely
    normalise_provider(belief, provider)
