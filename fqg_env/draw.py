"""What each attempt answers, drawn: every number is named by the level's key, the call, the nth attempt of
it and what it decides, so policies that diverge meet the same luck.
"""

from __future__ import annotations

import math
from typing import Any

from fqg_env.arrays import (
    CANCELLED,
    CATEGORIES,
    CODES,
    GROUP,
    SUCCESS,
    Effect,
    Gate,
    Kind,
    Verdict,
)
from fqg_env.chance import Draw, pick, pick_by, uniform
from fqg_env.compiled import kernel
from fqg_env.faults import (
    ANNOUNCED,
    BLAMES,
    CLEAR,
    CONFUSED,
    ELAPSED,
    FLAKE_PASSES,
    HINTED_ERROR,
    HINTED_INSPECT,
    HIT,
    NOT_EXAMINED,
    RECOVERY_SHARE,
    RETRYABLE,
    TAINT,
    TIMEOUT_ELAPSED,
    VERIFY_WRONG,
    WINDOW_CAUSE,
    WINDOW_UNTIL,
    Cause,
    Fault,
    cause_of,
    clashes,
    down,
    fails,
    false_blame,
    fidelity_of,
    gate_passes,
    hint_chance,
    is_probe,
    lightest_variant,
    recovers,
    silence_chance,
    silent,
    taints,
    truly_bad,
)
from fqg_env.outcome import Blame, Category
from fqg_env.reading import over_ripe

_EXTENSION, _UPSTREAM = BLAMES[Blame.EXTENSION], BLAMES[Blame.UPSTREAM]
_TIMEOUT, _CRASHED, _UNKNOWN = (
    CODES[Category.TIMEOUT],
    CODES[Category.CRASHED],
    CODES[Category.UNKNOWN],
)
_LOW_QUALITY, _INVALID_OUTPUT = CODES[Category.LOW_QUALITY], CODES[Category.INVALID_OUTPUT]


RIPE_ASKED = 1000
"""Sets the luck of verdicts on a version that is past half its time to live apart from those before."""


@kernel
def clear_row(level: Any, row: Any) -> None:
    """An empty outcome."""
    row.category = SUCCESS
    row.retryable = 1
    row.retry_after_s = 0.0
    row.blame = _EXTENSION
    row.elapsed_s = 0.0
    row.cost = 0.0
    row.effect = 0
    row.own_recovery = 0
    for a in range(level.artifacts):
        row.blamed[a] = 0
        row.made[a] = 0
        row.quality[a] = math.nan
        row.gate[a] = 0
        row.verdict[a] = 0
    for c in range(level.calls):
        row.hint[c] = 0.0
        row.not_examined[c] = 0


@kernel
def input_cause(level: Any, hidden: Any, board: Any, truth: Any, call: int, nth: int) -> int:
    """CLASH or BAD_INPUT where what the call reads stops it, else -1."""
    f = level.function[call]
    bad = False
    for a in range(level.artifacts):
        if level.needs[call, a] == 0:
            continue
        maker = board.maker[a]
        if maker >= 0 and clashes(level, hidden, f, level.function[maker]):
            return Cause.CLASH
        if taints(level, call, a) and truly_bad(level, board, truth, a):
            bad = True
    noticed = bad and uniform(level.key, Draw.TAINT, call, nth) < TAINT
    return Cause.BAD_INPUT if noticed else -1


@kernel
def failing_cause(
    level: Any, hidden: Any, board: Any, truth: Any, call: int, nth: int, row: Any
) -> int:
    """Why the attempt fails before it makes anything, or -1. Notes own recovery in the row."""
    window = hidden.window[level.provider[call]]
    again = uniform(level.key, Draw.RECOVERY, call, nth)
    if down(window, board.at_s, level.time_budget_s):
        if uniform(level.key, Draw.HIT, call, nth) < HIT:
            cause = WINDOW_CAUSE[window]
            row.own_recovery = 1 if again < recovers(level, cause) else 0
            return cause
    f = level.function[call]
    fault, uses = hidden.fault[f], board.function_tries[f]
    limited = fault == Fault.OVER_LIMIT  # nothing else asks for the lightest
    fail = fails(level, call, fault, lightest_variant(level, f) if limited else 0, uses)
    if uniform(level.key, Draw.FLAKE, call, nth) < fail:
        cause = cause_of(fault)
        row.own_recovery = 1 if again < recovers(level, cause) else 0
        lasting = cause != Cause.FLAKY or row.own_recovery == 0
        if lasting or uniform(level.key, Draw.SECOND, call, nth) < fail:
            return cause
    if is_probe(level, call):
        return -1
    cause = input_cause(level, hidden, board, truth, call, nth)
    if cause >= 0 and fail == 0.0:
        row.own_recovery = 1 if again < recovers(level, cause) else 0
    return cause


@kernel
def draw_category(level: Any, hidden: Any, call: int, nth: int, cause: int) -> int:
    """The category that a cause shows as, for the nth attempt of a call."""
    clear_share = fidelity_of(level, call) * (1.0 - hidden.miscoded)
    clear = uniform(level.key, Draw.SOURCE, call, nth) < clear_share
    u = uniform(level.key, Draw.CATEGORY, call, nth)
    category = pick_by(u, CLEAR[cause] if clear else CONFUSED, CLEAR.shape[1])
    return in_dialect(level, call, category) if hidden.dialects else category


@kernel
def in_dialect(level: Any, call: int, category: int) -> int:
    """The code that the provider of a call has for a failure: the one some places further, by provider."""
    codes = CATEGORIES - 2  # all but success and CANCELLED, which is ours to say
    further = 1 + pick(uniform(level.key, Draw.DIALECT, level.provider[call], 0), codes - 1)
    place = category - 1 if category < CANCELLED else category - 2
    place = (place + further) % codes
    return place + 1 if place + 1 < CANCELLED else place + 2


@kernel
def draw_announcement(
    level: Any, hidden: Any, call: int, nth: int, cause: int, ended_s: float
) -> float:
    """Seconds after which to come back, as a failure at `ended_s` says; 0: it does not say."""
    if cause > Cause.FLAKY or uniform(level.key, Draw.ANNOUNCED, call, nth) >= ANNOUNCED[cause]:
        return 0.0
    if cause == Cause.FLAKY:
        return FLAKE_PASSES * level.time_budget_s
    until = WINDOW_UNTIL[hidden.window[level.provider[call]]]
    return max(0.0, until * level.time_budget_s - ended_s)


@kernel
def draw_hint(level: Any, hidden: Any, row: Any, giver: int, function: int, share: float) -> None:
    """Perhaps name a variant of the function: the right one with the giver's fidelity.

    The same giver says the same of the same function however often it is asked.
    """
    n = level.variants[function]
    confidence = fidelity_of(level, giver)
    fault = hidden.fault[function]
    if uniform(level.key, Draw.HINTED, giver, function) < silence_chance(fault, share, confidence):
        return
    true = confidence * (1.0 - hidden.false_hints)
    u = uniform(level.key, Draw.HINT, giver, function)
    if fault < Fault.WRONG:
        u *= 1.0 - true  # a false alarm: any variant
    for v in range(n):
        p = hint_chance(fault, v, n, true)
        if u < p or v == n - 1:
            for c in range(level.calls):
                if level.function[c] == function and level.variant[c] == v:
                    row.hint[c] = confidence
            return
        u -= p


@kernel
def draw_blame(
    level: Any, row: Any, board: Any, truth: Any, call: int, nth: int, cause: int
) -> None:
    """Perhaps name an input: a truly bad one if that was the cause, else sometimes the first one, wrongly."""
    by_input = cause == Cause.BAD_INPUT
    chance = fidelity_of(level, call) if by_input else false_blame(level, call)
    if uniform(level.key, Draw.BLAME, call, nth) >= chance:
        return
    for a in range(level.artifacts):
        guilty = taints(level, call, a) and truly_bad(level, board, truth, a)
        if level.needs[call, a] and (guilty or not by_input):
            row.blamed[a] = 1
            row.blame = _UPSTREAM
            return


@kernel
def elapsed_share(category: int, u: float) -> float:
    """How long an attempt took, as a multiple of the typical latency."""
    if category == _TIMEOUT:
        return TIMEOUT_ELAPSED
    return ELAPSED[GROUP[category], pick(u, ELAPSED.shape[1])]


@kernel
def effect_of(category: int) -> int:
    """Side effects of a failed attempt of a non-idempotent call: possible or none."""
    ambiguous = category == _TIMEOUT or category == _CRASHED or category == _UNKNOWN
    return Effect.POSSIBLE if ambiguous else Effect.NONE


@kernel
def draw_outputs(
    level: Any, hidden: Any, board: Any, truth: Any, call: int, nth: int, row: Any, bad: Any
) -> bool:
    """Make the outputs, judge them by their gates. Returns True if a gate rejected one; fills `bad` [A]."""
    is_bad = silent(hidden.fault[level.function[call]], level.variant[call])
    for a in range(level.artifacts):
        if taints(level, call, a) and truly_bad(level, board, truth, a):
            is_bad = True
    rejected = False
    for a in range(level.artifacts):
        bad[a] = 0
        if level.makes[call, a]:
            row.made[a] = 1
            bad[a] = 1 if is_bad else 0
            if not math.isnan(level.quality[call]):
                jitter = 0.1 * (uniform(level.key, Draw.QUALITY, call, nth) - 0.5)
                row.quality[a] = min(1.0, max(0.0, level.quality[call] + jitter))
            if level.gate[a]:
                passes = uniform(level.key, Draw.GATE, call * 64 + a, nth) < gate_passes(is_bad)
                row.gate[a] = Gate.PASSED if passes else Gate.REJECTED
                rejected = rejected or not passes
    return rejected


@kernel
def draw_probe(level: Any, hidden: Any, board: Any, truth: Any, call: int, row: Any) -> None:
    """What a probe answers: verdicts, or hints on the functions that read what it looked at."""
    for a in range(level.artifacts):
        if level.probes[call, a] == 0:
            continue
        if level.kind[call] == Kind.VERIFY:
            # asked again it says the same, until what it looks at may have gone off
            nth = board.version[a] + (RIPE_ASKED if over_ripe(level, board, a) else 0)
            wrong = uniform(level.key, Draw.VERDICT, call * 64 + a, nth) < VERIFY_WRONG
            says_bad = truly_bad(level, board, truth, a) != wrong
            row.verdict[a] = Verdict.BAD if says_bad else Verdict.GOOD
            continue
        for c in range(level.calls):
            other = level.function[c]
            if level.variant[c] > 0 or level.needs[c, a] == 0 or level.variants[other] < 2:
                continue
            if uniform(level.key, Draw.EXAMINED, call, other) >= NOT_EXAMINED:
                draw_hint(level, hidden, row, call, other, HINTED_INSPECT)
                continue
            for d in range(level.calls):
                if level.function[d] == other:
                    row.not_examined[d] = 1


@kernel
def draw(level: Any, hidden: Any, board: Any, truth: Any, call: int, row: Any, bad: Any) -> None:
    """Draw the outcome of the attempt of a call that has just begun; `bad` [A]: of its outputs."""
    clear_row(level, row)
    nth, function = board.tries[call], level.function[call]
    cause = failing_cause(level, hidden, board, truth, call, nth, row)
    if cause >= 0:
        row.category = draw_category(level, hidden, call, nth, cause)
        draw_blame(level, row, board, truth, call, nth, cause)
        if level.variants[function] > 1:
            draw_hint(level, hidden, row, call, function, HINTED_ERROR)
    elif is_probe(level, call):
        draw_probe(level, hidden, board, truth, call, row)
    elif draw_outputs(level, hidden, board, truth, call, nth, row, bad):
        u = uniform(level.key, Draw.CATEGORY, call, nth)
        row.category = _LOW_QUALITY if u < CLEAR[Cause.GATE, _LOW_QUALITY] else _INVALID_OUTPUT
    row.retryable = RETRYABLE[row.category]
    if level.idempotent[call] == 0:
        made = cause < 0 and not is_probe(level, call)
        row.effect = Effect.COMMITTED if made else effect_of(row.category)
    share = elapsed_share(row.category, uniform(level.key, Draw.ELAPSED, call, nth))
    again = 1.0 + RECOVERY_SHARE * row.own_recovery
    row.elapsed_s = share * again * hidden.latency_s[call]
    row.cost = min(2.0, share) * again * hidden.cost[call]
    if cause >= 0:
        ended_s = board.at_s + row.elapsed_s
        row.retry_after_s = draw_announcement(level, hidden, call, nth, cause, ended_s)
