"""The generative model of hidden faults, as tables: what `draw` samples from and `likelihood` reads.

Hidden per episode: for each provider a *window* in which it fails, for each function a *fault* of its own,
for pairs of functions whether they *clash*; while it is played, for each artifact whether it is truly bad.
Given the windows the functions are independent, so the posterior stays factored.

An attempt of call c = (function f, variant v) at provider p, the uses-th of f:

1. while p fails it is hit with chance HIT                                   -> cause OUTAGE or LIMIT
2. else the fault of f fails it, see `fails`                                 -> cause of the fault
3. else what it reads was made by a function it clashes with                 -> cause CLASH
4. else a bad input is noticed with chance TAINT                             -> cause BAD_INPUT
5. else it makes its outputs; they are bad if the fault is silent at v or an input was bad
6. the gate of an output rejects a bad one with chance GATE_CATCH, a good one with GATE_FALSE

After a failure the extension may try once more by itself: seldom where that is in vain. A cause shows as a
category: with the reporter's fidelity the clear one, else a confused one. How long an attempt takes depends
on its category and on whether it tried again alone, so time tells nothing that these do not.
"""

from __future__ import annotations

import math
from enum import IntEnum
from typing import Any

import numpy as np

from fqg_env.arrays import CANCELLED, CATEGORIES, CODES, VARIANTS, Clash, Group, Kind
from fqg_env.chance import Draw, uniform
from fqg_env.compiled import kernel
from fqg_env.frequencies import CLEAR as CLEAR_WORDS
from fqg_env.frequencies import CONFUSED as CONFUSED_WORDS
from fqg_env.frequencies import PUBLISHED
from fqg_env.frequencies import WINDOWS as WINDOW_LIST
from fqg_env.outcome import WIRE, Blame, Category
from fqg_env.reading import over_ripe


class Fault(IntEnum):
    """What is wrong with a function. From WRONG on they come in pairs, one pair per variant v:
    WRONG + 2 v: only variant v works; WRONG + 2 v + 1: all answer, only variant v answers well.
    """

    OK = 0
    FLAKY = 1
    VERY_FLAKY = 2
    BROKEN = 3
    OVER_LIMIT = 4
    SILENT = 5
    QUOTA_1 = 6
    QUOTA_3 = 7
    WRONG = 8


class Cause(IntEnum):
    """Why an attempt failed."""

    OUTAGE = 0
    LIMIT = 1
    FLAKY = 2
    BROKEN = 3
    OVER_LIMIT = 4
    QUOTA = 5
    WRONG_PARAMETERS = 6
    CLASH = 7
    BAD_INPUT = 8
    GATE = 9


class Inputs(IntEnum):
    """What an attempt meets in what it reads."""

    FINE = 0
    BAD = 1
    CLASH = 2


FAULTS = Fault.WRONG + 2 * VARIANTS  # K
INPUTS = len(Inputs)

WINDOW_FROM = np.array([w.from_share for w in WINDOW_LIST])
WINDOW_UNTIL = np.array([w.until_share for w in WINDOW_LIST])
WINDOW_CAUSE = np.array([Cause.LIMIT if w.limit else Cause.OUTAGE for w in WINDOW_LIST])
WINDOWS = len(WINDOW_LIST)  # W
LONGEST = float(WINDOW_UNTIL.max())
"""Share of the budget: what is told to last longer lasts as long as the longest window."""
WINDOW_PRIOR = np.array(PUBLISHED.windows)
FALSELY_TOLD = np.where(WINDOW_FROM < 1.0, WINDOW_PRIOR, 0.0)
FALSELY_TOLD /= FALSELY_TOLD.sum()
"""[W] what false news tells: a window as often as it is there, or it could be told from what is true."""
_P = PUBLISHED
FIDELITY = _P.fidelity
FLAKY_FAILS, VERY_FLAKY_FAILS = _P.flaky_fails, _P.very_flaky_fails
HIT, TAINT, CLASH, DEFECT, STALE = _P.hit, _P.taint, _P.clash, _P.defect, _P.stale
GATE_CATCH, GATE_FALSE, VERIFY_WRONG = _P.gate_catch, _P.gate_false, _P.verify_wrong
FALSE_BLAME, NOT_EXAMINED = _P.false_blame, _P.not_examined
HINTED_ERROR, HINTED_INSPECT = _P.hinted_error, _P.hinted_inspect
ANNOUNCED = np.array([_P.announced_outage, _P.announced_limit, _P.announced_flake])  # by Cause
FLAKE_PASSES = _P.flake_passes
RECOVERS, RECOVERS_IN_VAIN = np.array(_P.recovers), _P.recovers_in_vain  # [modes]
RECOVERY_SHARE = _P.recovery_share
SIGNALLED, FALSE_NEWS = _P.signalled, _P.false_news


def _tables() -> tuple[np.ndarray, np.ndarray]:
    clear = np.zeros((len(Cause), CATEGORIES))
    for cause, row in CLEAR_WORDS.items():
        for category, p in row.items():
            clear[Cause[cause], CODES[category]] = p
    confused = np.zeros(CATEGORIES)
    for category, p in CONFUSED_WORDS.items():
        confused[CODES[category]] = p
    rest = [i for i in range(1, CATEGORIES) if confused[i] == 0.0 and i != CANCELLED]
    confused[rest] = (1.0 - confused.sum()) / len(rest)
    return clear, confused


CLEAR, CONFUSED = _tables()  # [cause, category], [category]


def _elapsed() -> np.ndarray:
    usual = {
        Group.SUCCESS: (0.7, 0.9, 1.0, 1.3),
        Group.TRANSIENT: (0.1, 0.2, 0.3, 0.5),
        Group.RESOURCE: (0.4, 0.7, 1.0, 1.2),
        Group.INPUT: (0.05, 0.1, 0.1, 0.2),
        Group.OUTPUT: (0.7, 0.9, 1.0, 1.3),
        Group.CRASH: (0.2, 0.4, 0.7, 1.0),
        Group.DENIED: (0.05, 0.05, 0.1, 0.1),
        Group.UNABLE: (0.5, 0.8, 1.0, 1.2),
        Group.CANCELLED: (0.0, 0.0, 0.0, 0.0),
    }
    out = np.array([usual[group] * 4 for group in Group])
    out[:, -1] *= PUBLISHED.tail
    return out


ELAPSED = _elapsed()
"""[GROUPS, 16] time as a multiple of the declared typical latency, equally likely; the last is the tail."""
TIMEOUT_ELAPSED = 3.0
"""A timeout takes this many typical latencies: the caller waited for it."""

RETRYABLE = np.array(
    [1] + [{True: 1, False: 0, None: 2}[WIRE[category].retryable] for category in Category],
    np.int32,
)


BLAMES: dict[Blame, int] = {blame: i for i, blame in enumerate(Blame)}


# --- functions of the tables --------------------------------------------------------------------------


@kernel
def is_probe(level: Any, call: int) -> bool:
    """The call looks at something and makes nothing."""
    return level.kind[call] >= Kind.VERIFY


@kernel
def down(window: int, at_s: float, time_budget_s: float) -> bool:
    """A provider with this window fails now."""
    share = at_s / time_budget_s
    return WINDOW_FROM[window] <= share < WINDOW_UNTIL[window]


@kernel
def faults_of(level: Any, call: int) -> int:
    """How many faults the function of a call can have: a probe is never silent or of wrong parameters."""
    if is_probe(level, call):
        return Fault.OVER_LIMIT
    n = level.variants[level.function[call]]
    return Fault.WRONG + (2 * n if n > 1 else 0)


@kernel
def fails(level: Any, call: int, fault: int, lightest: int, uses: int) -> float:
    """Chance that the fault fails each try of an attempt, the uses-th of its function (from 1)."""
    if fault == Fault.OK or fault == Fault.SILENT:
        return 0.0
    if fault == Fault.FLAKY:
        return FLAKY_FAILS
    if fault == Fault.VERY_FLAKY:
        return VERY_FLAKY_FAILS
    if fault == Fault.BROKEN:
        return 1.0
    if fault == Fault.OVER_LIMIT:
        return 0.0 if level.variant[call] == lightest else 1.0
    if fault == Fault.QUOTA_1:
        return 1.0 if uses > 1 else 0.0
    if fault == Fault.QUOTA_3:
        return 1.0 if uses > 3 else 0.0
    wrong = fault - Fault.WRONG
    return 1.0 if wrong % 2 == 0 and wrong // 2 != level.variant[call] else 0.0


@kernel
def recovers(level: Any, cause: int) -> float:
    """Chance that the extension tries once more by itself after a failure of this cause."""
    share = RECOVERS[level.mode]
    return share if cause <= Cause.FLAKY else share * RECOVERS_IN_VAIN


@kernel
def works(level: Any, call: int, fault: int, lightest: int, uses: int) -> float:
    """Chance that the fault does not fail an attempt, own recovery included."""
    p = fails(level, call, fault, lightest, uses)
    if p == 0.0 or p == 1.0:
        return 1.0 - p
    return (1.0 - p) * (1.0 + p * recovers(level, Cause.FLAKY))


@kernel
def silent(fault: int, variant: int) -> bool:
    """A function with this fault answers with something bad at this variant."""
    if fault == Fault.SILENT:
        return True
    wrong = fault - Fault.WRONG
    return wrong >= 0 and wrong % 2 == 1 and wrong // 2 != variant


@kernel
def acts_like(fault: int, variant: int) -> int:
    """The first fault that is the same for this variant: of wrong parameters only three can be told apart."""
    if fault < Fault.WRONG:
        return fault
    if (fault - Fault.WRONG) // 2 == variant:
        return Fault.OK
    if (fault - Fault.WRONG) % 2 == 1:
        return Fault.SILENT
    return Fault.WRONG + (0 if variant > 0 else 2)


@kernel
def cause_of(fault: int) -> int:
    """The cause that a failing fault shows as."""
    if fault == Fault.FLAKY or fault == Fault.VERY_FLAKY:
        return Cause.FLAKY
    if fault == Fault.BROKEN:
        return Cause.BROKEN
    if fault == Fault.OVER_LIMIT:
        return Cause.OVER_LIMIT
    if fault == Fault.QUOTA_1 or fault == Fault.QUOTA_3:
        return Cause.QUOTA
    return Cause.WRONG_PARAMETERS


@kernel
def category_chance(cause: int, category: int, fidelity: float) -> float:
    """Chance that a cause shows as this category."""
    return fidelity * CLEAR[cause, category] + (1.0 - fidelity) * CONFUSED[category]


@kernel
def hint_chance(fault: int, variant: int, variants: int, confidence: float) -> float:
    """Chance that somebody who is asked about a function with this fault names this variant.

    Where one variant is needed it is named with the giver's confidence, else another one; where none is,
    an honest giver is silent. To be multiplied by how often the giver says anything at all.
    """
    if fault >= Fault.WRONG:
        if (fault - Fault.WRONG) // 2 == variant:
            return confidence
        return (1.0 - confidence) / (variants - 1) if variants > 1 else 0.0
    return (1.0 - confidence) / variants


@kernel
def silence_chance(fault: int, share: float, confidence: float) -> float:
    """Chance that a giver who speaks with chance `share` names no variant of a function with this fault."""
    return 1.0 - share * (1.0 if fault >= Fault.WRONG else 1.0 - confidence)


@kernel
def gate_passes(bad: bool) -> float:
    """Chance that a gate lets an output through."""
    return 1.0 - GATE_CATCH if bad else 1.0 - GATE_FALSE


@kernel
def fidelity_of(level: Any, call: int) -> float:
    """The reporter's known fidelity, or the default where it is not known."""
    return FIDELITY if math.isnan(level.fidelity[call]) else level.fidelity[call]


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


# --- artifacts ----------------------------------------------------------------------------------------


@kernel
def mendable(level: Any, artifact: int) -> bool:
    """It is given, and something can repair it: so it may be bad from the start."""
    if level.given[artifact] == 0:
        return False
    for c in range(level.calls):
        if level.kind[c] == Kind.REPAIR and level.makes[c, artifact]:
            return True
    return False


@kernel
def truly_bad(level: Any, board: Any, truth: Any, artifact: int) -> bool:
    """The version held is bad: it was made so, or it has gone off."""
    if truth.bad[artifact]:
        return True
    if not over_ripe(level, board, artifact):
        return False
    return uniform(level.key, Draw.STALE, artifact, board.version[artifact]) < STALE


@kernel
def clashes(level: Any, hidden: Any, reader: int, maker: int) -> bool:
    """Function `reader` cannot read what function `maker` makes: as the key has it, or as it was set."""
    if hidden.clash[reader, maker] != Clash.BY_KEY:
        return hidden.clash[reader, maker] == Clash.CLASHES
    return reader != maker and uniform(level.key, Draw.CLASH, reader * 64 + maker, 0) < CLASH
