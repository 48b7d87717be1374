"""The posterior over hidden faults given the events, the same in the game and in production.

Given the outage window of its provider a function is independent of all others, so the posterior is
`provider` [P, W] times `function` [F, W, K]: exact. What couples across edges, whether an artifact is bad and
whether two functions clash, is kept as one chance each and updated as if it were independent
(assumed-density filtering), badness along its lineage. It starts from the published prior and the level's
two public memories, never from what was drawn.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

from fqg_env import faults
from fqg_env.arrays import CANCELLED, FLIGHTS, SUCCESS, Kind, Size, Verdict
from fqg_env.compiled import kernel
from fqg_env.faults import (
    CLASH,
    DEFECT,
    FALSE_NEWS,
    FAULTS,
    HIT,
    INPUTS,
    SIGNALLED,
    STALE,
    VERIFY_WRONG,
    WINDOW_PRIOR,
    WINDOW_UNTIL,
    WINDOWS,
    Inputs,
    faults_of,
)
from fqg_env.likelihood import (
    evidence,
    hit_chance,
    made_something,
    own_chance,
)
from fqg_env.rules import current, over_ripe

DOUBTED = 0.05
"""How far news that does not fit is believed all the same."""
FLOOR = 1e-9
"""Least likelihood of anything: the live world may say what the model holds impossible."""
ONE = np.uint64(1)


@cache
def belief_dtype(size: Size) -> np.dtype:
    """What is believed of one level."""
    c, a, f, p = size.calls, size.artifacts, size.functions, size.providers
    return np.dtype(
        [
            ("provider", "f8", (p, WINDOWS)),  # chance of each outage window
            ("function", "f8", (f, WINDOWS, FAULTS)),  # chance of each fault, given the window
            ("bad", "f8", (a,)),  # chance that the version held is bad
            ("ripe", "u1", (a,)),  # that it may have gone off since is in `bad` already
            ("clash", "f4", (f, f)),  # [reader, maker] log of the evidence for a clash
            ("lightest", "i2", (f,)),
            # per call and window, from `function`: kept so that an observation is a few products
            ("works", "f8", (c, WINDOWS)),  # chance that the fault does not fail the next attempt
            ("works_well", "f8", (c, WINDOWS)),  # ... and is not silently bad
            ("hopeless", "f8", (c, WINDOWS)),  # chance that the call can never work
            # of the inputs of each flight, as they were when it began
            ("flight_bad", "f8", (FLIGHTS,)),  # chance that one is bad
            ("flight_clash", "f8", (FLIGHTS,)),  # chance that one cannot be read
            (
                "flight_named",
                "f8",
                (FLIGHTS, a),
            ),  # chance that this is the first bad one, if one is bad
            # scratch of one step
            ("likelihood", "f8", (WINDOWS, FAULTS)),
            ("own", "f8", (FAULTS, len(Inputs))),
            ("hit", "f8", (WINDOWS,)),
            ("up", "f8", (WINDOWS,)),
            ("prior", "f8", (FAULTS,)),
            ("open", "f8", (p, WINDOWS)),  # chance of the window, and that no outage hits now
            ("later", "f8", (p, WINDOWS, WINDOWS)),  # the same at the end of each window
            ("outage", "f8", (p,)),  # chance that an outage hits now
            ("hinted_by", "u8", (c,)),  # givers heard on this function, a bit each
            (
                "judged",
                "u8",
                (c,),
            ),  # artifacts whose held version this call has verified, a bit each
        ],
        align=True,
    )


@kernel
def reset(level: Any, belief: Any) -> None:
    """The prior."""
    for p in range(level.providers):
        for w in range(WINDOWS):
            belief.provider[p, w] = WINDOW_PRIOR[w]
    for c in range(level.calls):
        belief.hinted_by[c] = 0
        belief.judged[c] = 0
        if level.variant[c] > 0:
            continue
        f = level.function[c]
        belief.lightest[f] = faults.lightest_variant(level, f)
        faults.prior(level, c, 0, belief.prior)
        for k in range(faults_of(level, c)):
            for w in range(WINDOWS):
                belief.function[f, w, k] = belief.prior[k]
        for g in range(level.functions):
            belief.clash[f, g] = 0.0
    for c in range(level.calls):
        summarise_prior(level, belief, c)
    for a in range(level.artifacts):
        belief.bad[a] = DEFECT if faults.mendable(level, a) else 0.0
        belief.ripe[a] = 0


@kernel
def summarise_prior(level: Any, belief: Any, call: int) -> None:
    """`summarise_call` before the first move, when every window says the same."""
    f, v = level.function[call], level.variant[call]
    works, well, hopeless = 0.0, 0.0, 0.0
    for k in range(faults_of(level, call)):
        p = belief.function[f, 0, k]
        ok = p * faults.works(level, call, k, belief.lightest[f], 1)
        works += ok
        well += 0.0 if faults.silent(k, v) else ok
        hopeless += p if ok == 0.0 else 0.0
    for w in range(WINDOWS):
        belief.works[call, w] = works
        belief.works_well[call, w] = well
        belief.hopeless[call, w] = hopeless


@kernel
def summarise_call(level: Any, belief: Any, call: int, uses: int) -> None:
    """Refresh what an observation needs of one call, whose next attempt is the uses-th of its function."""
    f, v = level.function[call], level.variant[call]
    for w in range(WINDOWS):
        belief.works[call, w] = 0.0
        belief.works_well[call, w] = 0.0
        belief.hopeless[call, w] = 0.0
    for k in range(faults_of(level, call)):
        ok = faults.works(level, call, k, belief.lightest[f], uses)
        if ok == 0.0:
            for w in range(WINDOWS):
                belief.hopeless[call, w] += belief.function[f, w, k]
            continue
        well = 0.0 if faults.silent(k, v) else ok
        for w in range(WINDOWS):
            belief.works[call, w] += belief.function[f, w, k] * ok
            belief.works_well[call, w] += belief.function[f, w, k] * well


@kernel
def summarise(level: Any, board: Any, belief: Any, function: int) -> None:
    """Refresh the calls of a function after what is believed of it, or how often it was used, has moved."""
    for c in range(level.calls):
        if level.function[c] == function:
            summarise_call(level, belief, c, board.function_tries[function] + 1)


@kernel
def never_works(level: Any, belief: Any, call: int) -> float:
    """Chance that a call can never work (again)."""
    never = 0.0
    for w in range(WINDOWS):
        never += belief.provider[level.provider[call], w] * belief.hopeless[call, w]
    return never


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
def clash_chance(belief: Any, reader: int, maker: int) -> float:
    """Chance that function `reader` cannot read what function `maker` makes."""
    if reader == maker:
        return 0.0
    odds = CLASH / (1.0 - CLASH) * math.exp(belief.clash[reader, maker])
    return odds / (1.0 + odds)


@kernel
def clashing(level: Any, board: Any, belief: Any, call: int) -> float:
    """Chance that a call cannot read one of the versions held now."""
    fits = 1.0
    for a in range(level.artifacts):
        if level.needs[call, a] and board.maker[a] >= 0:
            maker = level.function[board.maker[a]]
            fits *= 1.0 - clash_chance(belief, level.function[call], maker)
    return 1.0 - fits


@kernel
def normalise_provider(belief: Any, provider: int) -> None:
    """Let the windows of a provider sum to 1."""
    total = 0.0
    for w in range(WINDOWS):
        total += belief.provider[provider, w]
    for w in range(WINDOWS):
        belief.provider[provider, w] /= total


@kernel
def weigh(level: Any, board: Any, belief: Any, call: int, likelihood: Any) -> None:
    """Multiply in `likelihood` [W, K] of what a call has shown; windows learn from its mean over faults."""
    f, p = level.function[call], level.provider[call]
    n = faults_of(level, call)
    for w in range(WINDOWS):
        total = 0.0
        for k in range(n):
            belief.function[f, w, k] *= max(FLOOR, likelihood[w, k])
            total += belief.function[f, w, k]
        for k in range(n):
            belief.function[f, w, k] /= total
        belief.provider[p, w] *= total
    normalise_provider(belief, p)
    summarise(level, board, belief, f)


@kernel
def silent_chance(level: Any, belief: Any, call: int) -> float:
    """Chance that what this call makes is bad by its own doing, given that it answers."""
    p = level.provider[call]
    works = 0.0
    well = 0.0
    for w in range(WINDOWS):
        works += belief.provider[p, w] * belief.works[call, w]
        well += belief.provider[p, w] * belief.works_well[call, w]
    return max(0.0, 1.0 - well / max(works, FLOOR))


@kernel
def was_silent(level: Any, belief: Any, call: int) -> float:
    """Chance that what this call has made is bad by its own doing; that it answered is folded already."""
    f, v, p = level.function[call], level.variant[call], level.provider[call]
    chance = 0.0
    for k in range(faults_of(level, call)):
        if faults.silent(k, v):
            for w in range(WINDOWS):
                chance += belief.provider[p, w] * belief.function[f, w, k]
    return min(1.0, chance)


@kernel
def bad_input(level: Any, belief: Any, call: int) -> float:
    """Chance that at least one input of a call, as held now, is bad."""
    good = 1.0
    for a in range(level.artifacts):
        if faults.taints(level, call, a):
            good *= 1.0 - belief.bad[a]
    return 1.0 - good


@kernel
def doubt(
    level: Any, board: Any, belief: Any, artifact: int, if_bad: float, if_good: float
) -> None:
    """Fold evidence about one held artifact, and pass it up its lineage: maker, then the maker's inputs.

    Args:
        if_bad: likelihood of the evidence if the artifact is bad.
        if_good: likelihood if it is good.
    """
    # a stack of messages; each artifact is visited once at most, so its length is bounded
    n = level.artifacts
    message = np.empty((n, 2))
    state = np.zeros(n, np.int8)  # 0 untouched, 1 waiting, 2 done
    message[artifact, 0], message[artifact, 1] = if_bad, if_good
    state[artifact] = 1
    likelihood = belief.likelihood
    while True:
        a = -1
        for i in range(n):  # the newest first, so that evidence gathers before it moves up
            if state[i] == 1 and (a < 0 or board.made_at_s[i] > board.made_at_s[a]):
                a = i
        if a < 0:
            return
        state[a] = 2
        bad, good = message[a, 0], message[a, 1]
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
            if held and state[i] < 2 and belief.bad[i] > 0.0:
                others = clean / max(FLOOR, 1.0 - belief.bad[i])
                otherwise = 1.0 - (1.0 - own) * min(1.0, others)
                if state[i] == 0:
                    message[i, 0], message[i, 1] = 1.0, 1.0
                    state[i] = 1
                message[i, 0] *= bad
                message[i, 1] *= otherwise * bad + (1.0 - otherwise) * good
        v = level.variant[call]
        for k in range(faults_of(level, call)):
            if faults.silent(k, v):
                p = bad
            else:
                p = (1.0 - clean) * bad + clean * good
            for w in range(WINDOWS):
                likelihood[w, k] = p
        weigh(level, board, belief, call, likelihood)


@kernel
def hear(level: Any, board: Any, belief: Any, giver: int, row: Any) -> None:
    """Fold the hints of an outcome, and its silence; a giver that repeats itself says nothing new."""
    likelihood = belief.likelihood
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
            for w in range(WINDOWS):
                likelihood[w, k] = p
        learn(level, board, belief, c, likelihood)


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
def learn(level: Any, board: Any, belief: Any, call: int, likelihood: Any) -> None:
    """`weigh`, and let what the function has made and is still held follow."""
    f = level.function[call]
    before = np.zeros(level.artifacts)
    for a in range(level.artifacts):
        maker = board.maker[a]
        if maker >= 0 and level.function[maker] == f:
            before[a] = silent_chance(level, belief, maker)
    weigh(level, board, belief, call, likelihood)
    for a in range(level.artifacts):
        maker = board.maker[a]
        if maker >= 0 and level.function[maker] == f and belief.bad[a] < 1.0:
            good = (1.0 - silent_chance(level, belief, maker)) / max(FLOOR, 1.0 - before[a])
            belief.bad[a] = min(1.0, max(0.0, 1.0 - (1.0 - belief.bad[a]) * good))


@kernel
def output_bad(level: Any, belief: Any, call: int, bad_in: float) -> float:
    """Chance that what an attempt has made is bad, from its appraised outcome: own doing, or a bad input."""
    p, f, v = level.provider[call], level.function[call], level.variant[call]
    bad, good = 0.0, 0.0
    for w in range(WINDOWS):
        weight = belief.provider[p, w] * belief.up[w]
        for k in range(faults_of(level, call)):
            fine = weight * belief.function[f, w, k] * (1.0 - bad_in) * belief.own[k, Inputs.FINE]
            bad += weight * belief.function[f, w, k] * bad_in * belief.own[k, Inputs.BAD]
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
    mean = belief.likelihood
    for k in range(faults_of(level, call)):
        own = (1.0 - bad_in) * belief.own[k, Inputs.FINE] + bad_in * belief.own[k, Inputs.BAD]
        own = (1.0 - clash) * own + clash * belief.own[k, Inputs.CLASH]
        for w in range(WINDOWS):
            mean[w, k] = belief.hit[w] + belief.up[w] * own
    fine = total(level, belief, call, Inputs.FINE)
    bad = total(level, belief, call, Inputs.BAD)
    if_clash = total(level, belief, call, Inputs.CLASH)
    weigh(level, board, belief, call, mean)
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
    for k in range(faults_of(level, call)):
        for i in range(INPUTS):
            belief.own[k, i] = own_chance(level, call, k, lightest, uses, i, row, seen)


@kernel
def total(level: Any, belief: Any, call: int, inputs: int) -> float:
    """Chance of the outcome that was appraised, if this is what its inputs were."""
    f, p = level.function[call], level.provider[call]
    chance = 0.0
    for w in range(WINDOWS):
        own = 0.0
        for k in range(faults_of(level, call)):
            own += belief.function[f, w, k] * belief.own[k, inputs]
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
                belief.clash[f, g] += math.log(max(FLOOR, if_clash) / max(FLOOR, otherwise))
                belief.clash[f, g] = min(12.0, max(-12.0, belief.clash[f, g]))


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
    ends = math.inf  # of the window that is down now and ends next after the time that is told
    for w in range(WINDOWS):
        if faults.down(w, at_s, level.time_budget_s):
            until = WINDOW_UNTIL[w] * level.time_budget_s
            if until >= until_s * (1.0 - 1e-9) and until < ends:
                ends = until
    for w in range(WINDOWS):
        is_down = faults.down(w, at_s, level.time_budget_s)
        if up:
            belief.provider[provider, w] *= DOUBTED if is_down else 1.0
        elif is_down:
            told = WINDOW_UNTIL[w] * level.time_budget_s == ends
            belief.provider[provider, w] *= SIGNALLED * (1.0 if told else DOUBTED)
        else:
            belief.provider[provider, w] *= FALSE_NEWS
    normalise_provider(belief, provider)


@kernel
def up_chance(window: int, at_s: float, time_budget_s: float) -> float:
    """Chance that an outage does not hit an attempt begun at `at_s`, if this were the window."""
    return 1.0 - HIT if faults.down(window, at_s, time_budget_s) else 1.0
