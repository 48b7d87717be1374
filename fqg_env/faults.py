"""The generative model of hidden faults: one set of tables, read by `draw` and by `log_likelihood`.

Hidden per episode: for each provider a *window* of outage, for each function a *kind*; while it is played,
for each artifact whether it is truly bad. Given the windows the functions are independent, so the
posterior (belief.py) stays factored.

An attempt of call c = (function f, variant v) at provider p:

1. while p is down it is hit with chance HIT                                          -> cause OUTAGE
2. else the kind fails it: flaky, broken, over the limit, wrong parameters           -> cause of the kind
3. else a bad input is noticed with chance TAINT                                      -> cause BAD_INPUT
4. else it makes its outputs; they are bad if the kind is silent at v or an input was bad
5. the gate of an output rejects a bad one with chance GATE_CATCH, a good one with GATE_FALSE

A cause shows as a category: with the reporter's fidelity the clear one, else a confused one. How long an
attempt takes depends on its category alone, so time tells nothing that the category does not.
"""

from __future__ import annotations

import math
from enum import IntEnum
from typing import Any

import numpy as np

from fqg_env.arrays import (
    CANCELLED,
    CATEGORIES,
    CODES,
    GROUP,
    SUCCESS,
    VARIANTS,
    Effect,
    Gate,
    Kind,
    Verdict,
)
from fqg_env.chance import Draw, pick, uniform
from fqg_env.compiled import kernel
from fqg_env.outcome import WIRE, Blame, Category


class FunctionKind(IntEnum):
    """What is wrong with a function. From WRONG on, kinds come in pairs, one pair per variant v:
    WRONG + 2 v: only variant v works; WRONG + 2 v + 1: all answer, only variant v answers well.
    """

    OK = 0
    FLAKY = 1
    VERY_FLAKY = 2
    BROKEN = 3
    OVER_LIMIT = 4
    SILENT = 5
    WRONG = 6


class Cause(IntEnum):
    """Why an attempt failed."""

    OUTAGE = 0
    FLAKY = 1
    BROKEN = 2
    OVER_LIMIT = 3
    WRONG_PARAMETERS = 4
    BAD_INPUT = 5
    GATE = 6


KINDS = FunctionKind.WRONG + 2 * VARIANTS  # K

# Outage windows, shares of the time budget (from, until). Most real outages outlast a run: of 476
# published incidents 2 % ended within 5 minutes, 44 % within an hour.
WINDOW_FROM = np.array([2.0, 0.0, 0.0, 0.0, 0.0, 0.2])
WINDOW_UNTIL = np.array([2.0, 0.06, 0.15, 0.4, 2.0, 2.0])
WINDOWS = len(WINDOW_FROM)  # W
WINDOW_PRIOR = np.array([0.72, 0.05, 0.05, 0.05, 0.09, 0.04])

KIND_PRIOR = np.array([0.0, 0.17, 0.08, 0.13, 0.10, 0.08, 0.44])
"""Given that a function is not OK; the last entry is all wrong-parameter kinds together."""
SILENT_SHARE_OF_WRONG = 0.55
DEFAULT_REPUTATION = 0.65
DEFAULT_STRENGTH = 4.0
DEFAULT_FIDELITY = 0.6

FLAKY_FAILS = 0.35
VERY_FLAKY_FAILS = 0.7
HIT = 0.95
TAINT = 0.75
GATE_CATCH = 0.85
GATE_FALSE = 0.02
FALSE_BLAME = 0.1
HINTED_ERROR = 0.5
HINTED_INSPECT = 0.8
VERIFY_WRONG = 0.07
UNKNOWN_SHARE = 0.06
"""What a call of undeclared latency or cost takes, as a share of the budget."""

_CLEAR: dict[Cause, dict[Category, float]] = {
    Cause.OUTAGE: {Category.UNAVAILABLE: 0.65, Category.TIMEOUT: 0.3, Category.RATE_LIMITED: 0.05},
    Cause.FLAKY: {
        Category.UNAVAILABLE: 0.25,
        Category.TIMEOUT: 0.25,
        Category.RATE_LIMITED: 0.2,
        Category.CRASHED: 0.2,
        Category.CONFLICT: 0.1,
    },
    Cause.BROKEN: {
        Category.UNSUPPORTED: 0.25,
        Category.CRASHED: 0.3,
        Category.UNABLE: 0.2,
        Category.UNAUTHORIZED: 0.1,
        Category.FORBIDDEN: 0.1,
        Category.REFUSED: 0.05,
    },
    Cause.OVER_LIMIT: {
        Category.POLICY_VIOLATION: 0.4,
        Category.OUT_OF_RESOURCES: 0.3,
        Category.TIMEOUT: 0.2,
        Category.INPUT_TOO_LARGE: 0.1,
    },
    Cause.WRONG_PARAMETERS: {
        Category.INVALID_INPUT: 0.5,
        Category.UNSUPPORTED: 0.2,
        Category.INVALID_OUTPUT: 0.15,
        Category.UNABLE: 0.15,
    },
    Cause.BAD_INPUT: {
        Category.DEPENDENCY_FAILED: 0.45,
        Category.INVALID_INPUT: 0.3,
        Category.LOW_QUALITY: 0.25,
    },
    Cause.GATE: {Category.LOW_QUALITY: 0.7, Category.INVALID_OUTPUT: 0.3},
}
_CONFUSED: dict[Category, float] = {
    Category.UNKNOWN: 0.25,
    Category.CRASHED: 0.18,
    Category.TIMEOUT: 0.15,
    Category.UNAVAILABLE: 0.12,
    Category.INVALID_OUTPUT: 0.08,
    Category.UNABLE: 0.08,
}


def _tables() -> tuple[np.ndarray, np.ndarray]:
    clear = np.zeros((len(Cause), CATEGORIES))
    for cause, row in _CLEAR.items():
        for category, p in row.items():
            clear[cause, CODES[category]] = p
    confused = np.zeros(CATEGORIES)
    for category in Category:
        # every category is possible from every cause: the live world may say anything
        confused[CODES[category]] = _CONFUSED.get(category, 0.0)
    rest = [i for i in range(1, CATEGORIES) if confused[i] == 0.0 and i != CANCELLED]
    confused[rest] = (1.0 - confused.sum()) / len(rest)
    return clear, confused


CLEAR, CONFUSED = _tables()  # [cause, category], [category]

# Elapsed time as a multiple of the declared typical latency, four equally likely values per group.
ELAPSED = np.array(
    [
        [0.7, 0.9, 1.0, 1.3],  # SUCCESS
        [0.1, 0.2, 0.3, 0.5],  # TRANSIENT
        [0.4, 0.7, 1.0, 1.2],  # RESOURCE
        [0.05, 0.1, 0.1, 0.2],  # INPUT
        [0.7, 0.9, 1.0, 1.3],  # OUTPUT
        [0.2, 0.4, 0.7, 1.0],  # CRASH
        [0.05, 0.05, 0.1, 0.1],  # DENIED
        [0.5, 0.8, 1.0, 1.2],  # UNABLE
        [0.0, 0.0, 0.0, 0.0],  # CANCELLED
    ]
)
TIMEOUT_ELAPSED = 3.0
"""A timeout takes this many typical latencies: the caller waited for it."""

RETRYABLE = np.array(
    [1] + [{True: 1, False: 0, None: 2}[WIRE[category].retryable] for category in Category],
    np.int32,
)
BLAMES: dict[Blame, int] = {blame: i for i, blame in enumerate(Blame)}
_EXTENSION, _UPSTREAM = BLAMES[Blame.EXTENSION], BLAMES[Blame.UPSTREAM]
_TIMEOUT, _CRASHED, _UNKNOWN = (
    CODES[Category.TIMEOUT],
    CODES[Category.CRASHED],
    CODES[Category.UNKNOWN],
)
_LOW_QUALITY, _INVALID_OUTPUT = CODES[Category.LOW_QUALITY], CODES[Category.INVALID_OUTPUT]


# --- the tables as functions, read by draw and by likelihood -----------------------------------------


@kernel
def down(window: int, at_s: float, time_budget_s: float) -> bool:
    """A provider with this window is down now."""
    share = at_s / time_budget_s
    return WINDOW_FROM[window] <= share < WINDOW_UNTIL[window]


@kernel
def fails(kind: int, variant: int, lightest: int) -> float:
    """Chance that the kind itself fails an attempt of this variant."""
    if kind == FunctionKind.FLAKY:
        return FLAKY_FAILS
    if kind == FunctionKind.VERY_FLAKY:
        return VERY_FLAKY_FAILS
    if kind == FunctionKind.BROKEN:
        return 1.0
    if kind == FunctionKind.OVER_LIMIT:
        return 0.0 if variant == lightest else 1.0
    if kind >= FunctionKind.WRONG and (kind - FunctionKind.WRONG) % 2 == 0:
        return 0.0 if (kind - FunctionKind.WRONG) // 2 == variant else 1.0
    return 0.0


@kernel
def silent(kind: int, variant: int) -> bool:
    """The kind answers with something bad at this variant."""
    if kind == FunctionKind.SILENT:
        return True
    wrong = kind - FunctionKind.WRONG
    return wrong >= 0 and wrong % 2 == 1 and wrong // 2 != variant


@kernel
def cause_of(kind: int) -> int:
    """The cause that a failing kind shows as."""
    if kind == FunctionKind.FLAKY or kind == FunctionKind.VERY_FLAKY:
        return Cause.FLAKY
    if kind == FunctionKind.BROKEN:
        return Cause.BROKEN
    if kind == FunctionKind.OVER_LIMIT:
        return Cause.OVER_LIMIT
    return Cause.WRONG_PARAMETERS


@kernel
def kinds_of(level: Any, function: int, probe: bool) -> int:
    """How many kinds a function can be of: a probe is never silent and has no wrong parameters."""
    if probe:
        return FunctionKind.OVER_LIMIT
    return FunctionKind.WRONG + 2 * level.variants[function]


@kernel
def kind_prior(level: Any, call: int, kind: int) -> float:
    """Chance of a kind before the first move: the published mix and the level's public reputation."""
    mean, strength = level.reputation_mean[call], level.reputation_strength[call]
    if math.isnan(mean):
        mean, strength = DEFAULT_REPUTATION, 0.0
    good = (mean * strength + DEFAULT_REPUTATION * DEFAULT_STRENGTH) / (strength + DEFAULT_STRENGTH)
    if kind == FunctionKind.OK:
        return good
    if level.kind[call] >= Kind.VERIFY:
        if kind >= FunctionKind.OVER_LIMIT:
            return 0.0
        total = (
            KIND_PRIOR[FunctionKind.FLAKY]
            + KIND_PRIOR[FunctionKind.VERY_FLAKY]
            + KIND_PRIOR[FunctionKind.BROKEN]
        )
        return (1.0 - good) * KIND_PRIOR[kind] / total
    n = level.variants[level.function[call]]
    total = (
        1.0 if n > 1 else 1.0 - KIND_PRIOR[FunctionKind.OVER_LIMIT] - KIND_PRIOR[FunctionKind.WRONG]
    )
    if kind < FunctionKind.WRONG:
        if kind == FunctionKind.OVER_LIMIT and n < 2:
            return 0.0
        return (1.0 - good) * KIND_PRIOR[kind] / total
    if n < 2:
        return 0.0
    share = (
        SILENT_SHARE_OF_WRONG
        if (kind - FunctionKind.WRONG) % 2 == 1
        else 1.0 - SILENT_SHARE_OF_WRONG
    )
    return (1.0 - good) * KIND_PRIOR[FunctionKind.WRONG] * share / (n * total)


@kernel
def category_chance(cause: int, category: int, fidelity: float) -> float:
    """Chance that a cause shows as this category."""
    return fidelity * CLEAR[cause, category] + (1.0 - fidelity) * CONFUSED[category]


@kernel
def hint_chance(kind: int, variant: int, variants: int, confidence: float) -> float:
    """Chance that somebody who is asked about a function of this kind names this variant.

    Where one variant is needed it is named with the giver's confidence, else another one; where none is,
    an honest giver is silent. To be multiplied by how often the giver says anything at all.
    """
    if kind >= FunctionKind.WRONG:
        if (kind - FunctionKind.WRONG) // 2 == variant:
            return confidence
        return (1.0 - confidence) / (variants - 1) if variants > 1 else 0.0
    return (1.0 - confidence) / variants


@kernel
def silence_chance(kind: int, share: float, confidence: float) -> float:
    """Chance that a giver who speaks with chance `share` names no variant of a function of this kind."""
    return 1.0 - share * (1.0 if kind >= FunctionKind.WRONG else 1.0 - confidence)


@kernel
def gate_passes(bad: bool) -> float:
    """Chance that a gate lets an output through."""
    return 1.0 - GATE_CATCH if bad else 1.0 - GATE_FALSE


@kernel
def fidelity_of(level: Any, call: int) -> float:
    """The reporter's known fidelity, or the default where it is not known."""
    return DEFAULT_FIDELITY if math.isnan(level.fidelity[call]) else level.fidelity[call]


@kernel
def lightest_variant(level: Any, function: int) -> int:
    """The variant with the least declared memory; the first of equals."""
    best, least = 0, math.inf
    for c in range(level.calls):
        if level.function[c] != function:
            continue
        memory, variant = level.memory_bytes[c], level.variant[c]
        if memory < least or (memory == least and variant < best):
            best, least = variant, memory
    return best


@kernel
def taints(level: Any, call: int, artifact: int) -> bool:
    """A bad version of this artifact spoils what the call makes. A repair is not spoiled by what it mends."""
    mends = level.kind[call] == Kind.REPAIR and level.makes[call, artifact]
    return level.needs[call, artifact] == 1 and not mends


@kernel
def false_blame(level: Any, call: int) -> float:
    """Chance that a failure with another cause is blamed on an input; nothing can be where none is read."""
    for a in range(level.artifacts):
        if level.needs[call, a]:
            return FALSE_BLAME * (1.0 - fidelity_of(level, call))
    return 0.0


# --- draw ---------------------------------------------------------------------------------------------


@kernel
def draw_faults(level: Any, faults: Any) -> None:
    """Draw one episode from the published prior: windows, kinds, and what calls really take."""
    for p in range(level.providers):
        u = uniform(level.key, Draw.WINDOW, p, 0)
        window = 0
        while window < WINDOWS - 1 and u >= WINDOW_PRIOR[window]:
            u -= WINDOW_PRIOR[window]
            window += 1
        faults.window[p] = window
    for c in range(level.calls):
        if level.variant[c] > 0:
            continue
        f = level.function[c]
        u = uniform(level.key, Draw.KIND, f, 0)
        n = kinds_of(level, f, level.kind[c] >= Kind.VERIFY)
        kind = 0
        while kind < n - 1 and u >= kind_prior(level, c, kind):
            u -= kind_prior(level, c, kind)
            kind += 1
        # rounding may carry u past the last kind that is possible
        while kind_prior(level, c, kind) == 0.0:
            kind -= 1
        faults.kind[f] = kind
    for c in range(level.calls):
        known = not math.isnan(level.latency_s[c])
        faults.latency_s[c] = level.latency_s[c] if known else UNKNOWN_SHARE * level.time_budget_s
        known = not math.isnan(level.cost[c])
        faults.cost[c] = level.cost[c] if known else UNKNOWN_SHARE * level.cost_budget


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
def draw_category(level: Any, call: int, nth: int, cause: int) -> int:
    """The category that a cause shows as, for the nth attempt of a call."""
    clear = uniform(level.key, Draw.SOURCE, call, nth) < fidelity_of(level, call)
    u = uniform(level.key, Draw.CATEGORY, call, nth)
    for category in range(1, CATEGORIES):
        p = CLEAR[cause, category] if clear else CONFUSED[category]
        if u < p:
            return category
        u -= p
    return CATEGORIES - 1


@kernel
def draw_hint(level: Any, faults: Any, row: Any, giver: int, function: int, share: float) -> None:
    """Perhaps name a variant of the function: the right one with the giver's fidelity.

    The same giver says the same of the same function however often it is asked.
    """
    n = level.variants[function]
    confidence = fidelity_of(level, giver)
    kind = faults.kind[function]
    if uniform(level.key, Draw.HINTED, giver, function) < silence_chance(kind, share, confidence):
        return
    u = uniform(level.key, Draw.HINT, giver, function)
    if kind < FunctionKind.WRONG:
        u *= 1.0 - confidence  # a false alarm: any variant
    for v in range(n):
        p = hint_chance(kind, v, n, confidence)
        if u < p or v == n - 1:
            for c in range(level.calls):
                if level.function[c] == function and level.variant[c] == v:
                    row.hint[c] = confidence
            return
        u -= p


@kernel
def draw_blame(level: Any, row: Any, truth: Any, call: int, nth: int, cause: int) -> None:
    """Perhaps name an input: a truly bad one if that was the cause, else sometimes the first one, wrongly."""
    by_input = cause == Cause.BAD_INPUT
    chance = fidelity_of(level, call) if by_input else false_blame(level, call)
    if uniform(level.key, Draw.BLAME, call, nth) >= chance:
        return
    for a in range(level.artifacts):
        guilty = taints(level, call, a) and truth.bad[a] == 1
        if level.needs[call, a] and (guilty or not by_input):
            row.blamed[a] = 1
            row.blame = _UPSTREAM
            return


@kernel
def elapsed_share(category: int, u: float) -> float:
    """How long an attempt took, as a multiple of the typical latency."""
    if category == _TIMEOUT:
        return TIMEOUT_ELAPSED
    return ELAPSED[GROUP[category], pick(u, 4)]


@kernel
def failing_cause(level: Any, faults: Any, truth: Any, call: int, nth: int, at_s: float) -> int:
    """Why the attempt fails before it makes anything, or -1."""
    kind = faults.kind[level.function[call]]
    if down(faults.window[level.provider[call]], at_s, level.time_budget_s):
        if uniform(level.key, Draw.HIT, call, nth) < HIT:
            return Cause.OUTAGE
    limited = kind == FunctionKind.OVER_LIMIT  # nothing else asks for the lightest
    lightest = lightest_variant(level, level.function[call]) if limited else 0
    if uniform(level.key, Draw.FLAKE, call, nth) < fails(kind, level.variant[call], lightest):
        return cause_of(kind)
    if level.kind[call] < Kind.VERIFY:
        for a in range(level.artifacts):
            if taints(level, call, a) and truth.bad[a]:
                if uniform(level.key, Draw.TAINT, call, nth) < TAINT:
                    return Cause.BAD_INPUT
                break
    return -1


@kernel
def effect_of(category: int) -> int:
    """Side effects of a failed attempt of a non-idempotent call: possible or none."""
    ambiguous = category == _TIMEOUT or category == _CRASHED or category == _UNKNOWN
    return Effect.POSSIBLE if ambiguous else Effect.NONE


@kernel
def draw_outputs(
    level: Any, faults: Any, truth: Any, call: int, nth: int, row: Any, bad: Any
) -> bool:
    """Make the outputs, judge them by their gates. Returns True if a gate rejected one; fills `bad` [A]."""
    is_bad = silent(faults.kind[level.function[call]], level.variant[call])
    for a in range(level.artifacts):
        if taints(level, call, a) and truth.bad[a]:
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
def draw_probe(level: Any, faults: Any, board: Any, truth: Any, call: int, row: Any) -> None:
    """What a probe answers: verdicts, or hints on the functions that read what it looked at."""
    for a in range(level.artifacts):
        if level.probes[call, a]:
            if level.kind[call] == Kind.VERIFY:
                wrong = (
                    uniform(level.key, Draw.VERDICT, call * 64 + a, board.version[a]) < VERIFY_WRONG
                )
                says_bad = (truth.bad[a] == 1) != wrong
                row.verdict[a] = Verdict.BAD if says_bad else Verdict.GOOD
            elif level.kind[call] == Kind.INSPECT:
                for c in range(level.calls):
                    other = level.function[c]
                    if level.variant[c] == 0 and level.needs[c, a] and level.variants[other] > 1:
                        draw_hint(level, faults, row, call, other, HINTED_INSPECT)


@kernel
def draw(
    level: Any,
    faults: Any,
    board: Any,
    truth: Any,
    call: int,
    nth: int,
    at_s: float,
    row: Any,
    bad: Any,
) -> None:
    """Draw the outcome of the nth attempt (from 1) of a call begun at `at_s`; `bad` [A]: of its outputs."""
    clear_row(level, row)
    cause = failing_cause(level, faults, truth, call, nth, at_s)
    function = level.function[call]
    if cause >= 0:
        row.category = draw_category(level, call, nth, cause)
        draw_blame(level, row, truth, call, nth, cause)
        if level.variants[function] > 1:
            draw_hint(level, faults, row, call, function, HINTED_ERROR)
    elif level.kind[call] >= Kind.VERIFY:
        draw_probe(level, faults, board, truth, call, row)
    elif draw_outputs(level, faults, truth, call, nth, row, bad):
        u = uniform(level.key, Draw.CATEGORY, call, nth)
        row.category = _LOW_QUALITY if u < CLEAR[Cause.GATE, _LOW_QUALITY] else _INVALID_OUTPUT
    row.retryable = RETRYABLE[row.category]
    if level.idempotent[call] == 0:
        made = cause < 0 and level.kind[call] < Kind.VERIFY
        row.effect = Effect.COMMITTED if made else effect_of(row.category)
    share = elapsed_share(row.category, uniform(level.key, Draw.ELAPSED, call, nth))
    row.elapsed_s = share * faults.latency_s[call]
    row.cost = min(2.0, share) * faults.cost[call]


# --- likelihood ---------------------------------------------------------------------------------------


@kernel
def gate_likelihood(level: Any, row: Any, bad: bool) -> float:
    """Chance of what the gates said, given that the outputs are bad (or good)."""
    p = 1.0
    for a in range(level.artifacts):
        if row.made[a] and row.gate[a] == Gate.PASSED:
            p *= gate_passes(bad)
        elif row.made[a] and row.gate[a] == Gate.REJECTED:
            p *= 1.0 - gate_passes(bad)
    return p


@kernel
def made_something(level: Any, row: Any) -> bool:
    """The attempt put something on the board, or was a probe that answered."""
    if row.category == SUCCESS:
        return True
    for a in range(level.artifacts):
        if row.made[a]:
            return True
    return False


@kernel
def evidence(level: Any, call: int, row: Any) -> Any:
    """What an outcome says whatever the kind of the function is.

    (made something, what its gates said if the outputs are bad, if they are good; else: the likelihoods of
    an outage, of a fault of the function but for its category, of a bad input)
    """
    if made_something(level, row):
        if_bad, if_good = gate_likelihood(level, row, True), gate_likelihood(level, row, False)
        return True, if_bad, if_good, 0.0, 0.0, 0.0
    fidelity = fidelity_of(level, call)
    blamed = False
    for a in range(level.artifacts):
        if row.blamed[a]:
            blamed = True
    falsely = false_blame(level, call)
    other = falsely if blamed else 1.0 - falsely
    truly = fidelity if blamed else 1.0 - fidelity
    outage = category_chance(Cause.OUTAGE, row.category, fidelity) * other
    tainted = category_chance(Cause.BAD_INPUT, row.category, fidelity) * truly
    return False, 0.0, 0.0, outage, other, tainted


@kernel
def likelihood(
    level: Any, call: int, kind: int, lightest: int, is_down: bool, bad_input: float, row: Any
) -> float:
    """Chance of an outcome, given the kind of the function, its provider, and how likely an input is bad.

    Linear in `bad_input`. Hints are not part of it: see `hint_chance`.
    """
    seen = evidence(level, call, row)
    return likelihood_of(level, call, kind, lightest, is_down, bad_input, row, seen)


@kernel
def likelihood_of(
    level: Any,
    call: int,
    kind: int,
    lightest: int,
    is_down: bool,
    bad_input: float,
    row: Any,
    seen: Any,
) -> float:
    """`likelihood`, where `evidence` is at hand."""
    made, if_bad, if_good, outage, other, tainted = seen
    hit = HIT if is_down else 0.0
    variant = level.variant[call]
    own = fails(kind, variant, lightest)
    taint = 0.0 if level.kind[call] >= Kind.VERIFY else TAINT
    if made:
        if level.kind[call] >= Kind.VERIFY:
            return (1.0 - hit) * (1.0 - own)
        noticed = bad_input * taint
        if silent(kind, variant):
            output = (1.0 - noticed) * if_bad
        else:
            output = (bad_input - noticed) * if_bad + (1.0 - bad_input) * if_good
        return (1.0 - hit) * (1.0 - own) * output
    failed = category_chance(cause_of(kind), row.category, fidelity_of(level, call)) * other
    return hit * outage + (1.0 - hit) * (own * failed + (1.0 - own) * bad_input * taint * tainted)


@kernel
def log_likelihood(
    level: Any, call: int, kind: int, lightest: int, is_down: bool, bad_input: float, row: Any
) -> float:
    """Logarithm of `likelihood`; -inf where the outcome is impossible."""
    p = likelihood(level, call, kind, lightest, is_down, bad_input, row)
    return math.log(p) if p > 0.0 else -math.inf
