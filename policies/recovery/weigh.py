"""What outcomes say of the tables of joint.py: the likelihoods that fqg_env/draw.py draws from, exactly.

Times are whole ticks, `TICKS` to the time budget: attempts of a template take next to no time, so that time
is what was waited.

fqg_env/likelihood.py says the same of one row that was drawn. Here it is written a second time: over outcomes
that have not happened yet, over all categories at once where only the end counts, and with sources and
clashes jointly. Both read the tables of fqg_env/faults.py; a cause that is added there is added to both.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np

from fqg_env.arrays import CATEGORIES
from fqg_env.blocks import overlap
from fqg_env.compiled import kernel
from fqg_env.draw import elapsed_share
from fqg_env.faults import (
    ANNOUNCED,
    CLEAR,
    ELAPSED,
    FLAKE_PASSES,
    HINTED_ERROR,
    HINTED_INSPECT,
    HIT,
    NOT_EXAMINED,
    TAINT,
    VERIFY_WRONG,
    WINDOW_CAUSE,
    WINDOW_FROM,
    WINDOW_UNTIL,
    WINDOWS,
    Cause,
    category_chance,
    cause_of,
    fails,
    false_blame,
    fidelity_of,
    gate_passes,
    hint_chance,
    lightest_variant,
    silence_chance,
    silent,
)
from policies.recovery.joint import sum_up

TICKS = 4000
FROM = np.rint(WINDOW_FROM * TICKS).astype(np.int64)
UNTIL = np.rint(WINDOW_UNTIL * TICKS).astype(np.int64)
FLAKE_TICKS = int(np.rint(FLAKE_PASSES * TICKS))
LAST_END = int(UNTIL[UNTIL < TICKS].max())
"""No outage ends, and none begins, after this tick within the budget: then there is nothing to wait for."""


class What(IntEnum):
    """What an attempt came to."""

    FAILED = 0
    MADE = 1  # and no gate rejected it
    REJECTED = 2
    ANSWERED = 3  # a probe


class Outcome(NamedTuple):
    """All that an attempt shows, besides what it costs."""

    what: int
    category: int
    says: int
    """When to come back: 0 nothing, 1 after a passing failure, 2 + w: at the end of window w."""
    hint: int
    """0 nothing new, 1 silence, 2 + v: variant v, `UNSEEN`: not examined. Of a verify: 1 good, 2 bad."""
    blamed: int
    """1: the input is blamed."""


UNSEEN = 99
ANY, PRICED = -1, -2
"""In place of a category: all of them together; all of them, each weighed with what it costs."""


@kernel
def is_down(window: int, tick: int) -> bool:
    """A provider with this window fails at this tick."""
    return FROM[window] <= tick < UNTIL[window]


@kernel
def window_says(cause: int, window: int, tick: int, says: int) -> float:
    """Chance that a failure in a window, at a tick, says this of when to come back."""
    if says == ANY:
        return 1.0
    if says == 1:
        return 0.0
    if says >= 2:
        return ANNOUNCED[cause] if UNTIL[says - 2] == UNTIL[window] else 0.0
    return 1.0 - ANNOUNCED[cause]


@kernel
def fault_says(cause: int, says: int) -> float:
    """Chance that a failure by a fault, or by an input, says this of when to come back."""
    if says == ANY:
        return 1.0
    often = ANNOUNCED[cause] if cause <= Cause.FLAKY else 0.0
    if says == 0:
        return 1.0 - often
    return often if says == 1 else 0.0


@kernel
def hint_share(level: Any, call: int, function: int, fault: int, hint: int) -> float:
    """Chance that a failed call, or an inspect that answers, hints this at a function with this fault."""
    if hint == 0:
        return 1.0
    inspects = level.function[call] != function
    looked = 1.0 - NOT_EXAMINED if inspects else 1.0
    if hint == UNSEEN:
        return 1.0 - looked
    share = HINTED_INSPECT if inspects else HINTED_ERROR
    sure = fidelity_of(level, call)
    if hint == 1:
        return looked * silence_chance(fault, share, sure)
    return looked * share * hint_chance(fault, hint - 2, level.variants[function], sure)


@kernel
def first_end(window: int, tick: int) -> bool:
    """The window is down now, and none before it in the list ends when it does."""
    if not is_down(window, tick):
        return False
    for w in range(window):
        if UNTIL[w] == UNTIL[window] and is_down(w, tick):
            return False
    return True


@kernel
def may_say(category: int, says: int, tick: int, fidelity: float) -> bool:
    """A failure at a tick may show as this category and say this of when to come back."""
    if says == 1:
        return category_chance(Cause.FLAKY, category, fidelity) > 0.0
    if says >= 2:
        shown = category_chance(WINDOW_CAUSE[says - 2], category, fidelity)
        return first_end(says - 2, tick) and shown > 0.0
    for cause in range(len(CLEAR)):
        if category_chance(cause, category, fidelity) > 0.0:
            return True
    return False


@kernel
def mean_price(level: Any, call: int, category: int) -> float:
    """What an attempt that ends like this costs on average, in units of return."""
    cost, time, n = 0.0, 0.0, ELAPSED.shape[1]
    for i in range(n):
        share = elapsed_share(category, (i + 0.5) / n)
        cost += min(2.0, share) / n
        time += share / n
    cost *= level.cost_weight * level.cost[call] / level.cost_budget
    return cost + level.time_weight * time * level.latency_s[call] / level.time_budget_s


@kernel
def shows(level: Any, call: int, cause: int, category: int) -> float:
    """Chance that a cause shows as a category, or 1 for `ANY`, or the mean price for `PRICED`."""
    sure = fidelity_of(level, call)
    if category >= 0:
        return category_chance(cause, category, sure)
    if category == ANY:
        return 1.0
    mean = 0.0
    for c in range(1, CATEGORIES):
        mean += category_chance(cause, c, sure) * mean_price(level, call, c)
    return mean


@kernel
def weigh_failure(
    level: Any, t: Any, before: Any, call: int, tick: int, uses: int, source: int, o: Outcome
) -> None:
    """Fold a failure into the table of its function; `before` [S, W, K, X] is that table until now.

    `source`: the bit number of the maker of what it reads, or -1.
    """
    f = level.function[call]
    table, sure, light = t.chance[f], fidelity_of(level, call), lightest_variant(level, f)
    unknown, known = 1.0, 1.0  # chance of the blame where it is a false one, where it is right
    if o.category >= 0:
        falsely = false_blame(level, call)
        unknown = falsely if o.blamed else 1.0 - falsely
        known = sure if o.blamed else 1.0 - sure
    quiet = o.says <= 0
    clash, tainted = 0.0, 0.0
    if quiet and source >= 0:
        clash = shows(level, call, Cause.CLASH, o.category) * unknown
        tainted = TAINT * shows(level, call, Cause.BAD_INPUT, o.category) * known
    for k in range(t.faults[f]):
        fail = fails(level, call, k, light, uses)
        cause = cause_of(k)
        own = 0.0
        if fail > 0.0:
            own = fail * shows(level, call, cause, o.category) * unknown
            own *= fault_says(cause, o.says)
        hinted = hint_share(level, call, f, k, o.hint)
        for w in range(WINDOWS):
            hit, up = 0.0, 1.0
            if is_down(w, tick):
                up = 1.0 - HIT
                hit = HIT * shows(level, call, WINDOW_CAUSE[w], o.category) * unknown
                hit *= window_says(WINDOW_CAUSE[w], w, tick, o.says)
            for s in range(table.shape[0]):
                bad = source >= 0 and (s >> source) & 1
                for x in range(table.shape[3]):
                    clashes = source >= 0 and (x >> source) & 1
                    by_input = clash if clashes else (tainted if bad else 0.0)
                    p = hit + up * (own + (1.0 - fail) * by_input)
                    table[s, w, k, x] = before[s, w, k, x] * p * hinted
    sum_up(t, f)


@kernel
def gated(level: Any, call: int) -> bool:
    """A gate judges what the call makes."""
    return overlap(level.makes[call], level.gate)


@kernel
def weigh_work(
    level: Any, t: Any, before: Any, call: int, tick: int, uses: int, source: int, o: Outcome
) -> None:
    """Fold into the table of its function that an attempt has made something, or that a probe answered."""
    f, v = level.function[call], level.variant[call]
    table, light = t.chance[f], lightest_variant(level, f)
    judged = gated(level, call)
    for w in range(WINDOWS):
        up = 1.0 - HIT if is_down(w, tick) else 1.0
        for k in range(t.faults[f]):
            works = up * (1.0 - fails(level, call, k, light, uses))
            for s in range(table.shape[0]):
                bad = source >= 0 and ((s >> source) & 1) == 1
                spoiled = bad or silent(k, v)
                p = works * (1.0 - TAINT if bad else 1.0)
                if judged:
                    passes = gate_passes(spoiled)
                    p *= passes if o.what == What.MADE else 1.0 - passes
                for x in range(table.shape[3]):
                    clashes = source >= 0 and (x >> source) & 1
                    table[s, w, k, x] = 0.0 if clashes else before[s, w, k, x] * p
    sum_up(t, f)


@kernel
def weigh_verdict(level: Any, t: Any, maker: int, source: int, says_bad: bool) -> None:
    """Fold a verdict on what call `maker` has made from what the first-stage maker `source` made."""
    f, v = level.function[maker], level.variant[maker]
    table = t.chance[f]
    for s in range(table.shape[0]):
        for k in range(t.faults[f]):
            bad = silent(k, v) or (source >= 0 and ((s >> source) & 1) == 1)
            p = 1.0 - VERIFY_WRONG if bad == says_bad else VERIFY_WRONG
            for w in range(WINDOWS):
                for x in range(table.shape[3]):
                    table[s, w, k, x] *= p
    sum_up(t, f)


@kernel
def weigh_hint(level: Any, t: Any, giver: int, function: int, hint: int) -> None:
    """Fold what an inspect says of a function, or that it says nothing, or that it did not look."""
    table = t.chance[function]
    for k in range(t.faults[function]):
        p = hint_share(level, giver, function, k, hint)
        for s in range(table.shape[0]):
            for w in range(WINDOWS):
                for x in range(table.shape[3]):
                    table[s, w, k, x] *= p
    sum_up(t, function)
