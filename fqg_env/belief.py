"""What is believed of the hidden faults, the same in the game and in production: state, prior and readings.

Given the outage window of its provider a function is independent of all others, so the posterior is
`provider` [P, W] times `function` [W, F, K]: exact. What couples across edges, whether an artifact is bad and
whether two functions clash, is kept as one chance each and updated as if it were independent
(assumed-density filtering), badness along its lineage. It starts from the published prior and the level's
two public memories, never from what was drawn; `filtering` moves it on with each event.

Most functions have shown nothing yet that a window could explain: then every window says the same of them,
and row 0 stands for all until `mixed` says otherwise.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from fqg_env import faults
from fqg_env.arrays import FLIGHTS, Size
from fqg_env.blocks import fill
from fqg_env.compiled import kernel
from fqg_env.faults import (
    CLASH,
    DEFECT,
    FAULTS,
    HIT,
    WINDOW_PRIOR,
    WINDOWS,
    Fault,
    Inputs,
    faults_of,
)
from fqg_env.prior import prior

FIRST_WRONG = int(Fault.WRONG)
FLOOR = 1e-9
"""Least likelihood of anything: the live world may say what the model holds impossible."""


@cache
def belief_dtype(size: Size) -> np.dtype:
    """What is believed of one level."""
    c, a, f, p = size.calls, size.artifacts, size.functions, size.providers
    return np.dtype(
        [
            ("provider", "f8", (p, WINDOWS)),  # chance of each outage window
            ("function", "f8", (WINDOWS, f, FAULTS)),  # chance of each fault, given the window
            ("mixed", "u1", (f,)),  # the windows differ in what they say of it; else row 0 is all
            ("bad", "f8", (a,)),  # chance that the version held is bad
            ("ripe", "u1", (a,)),  # that it may have gone off since is in `bad` already
            ("clash", "f4", (f, f)),  # [reader, maker] how much likelier a clash has become
            ("lightest", "i2", (f,)),
            # per call and window, from `function`: kept so that an observation is a few products
            ("works", "f8", (WINDOWS, c)),  # chance that the fault does not fail the next attempt
            ("works_well", "f8", (WINDOWS, c)),  # ... and is not silently bad
            ("hopeless", "f8", (WINDOWS, c)),  # chance that the call can never work
            # of the inputs of each flight, as they were when it began
            ("flight_bad", "f8", (FLIGHTS,)),  # chance that one is bad
            ("flight_clash", "f8", (FLIGHTS,)),  # chance that one cannot be read
            ("flight_named", "f8", (FLIGHTS, a)),  # that this is the first bad one, if one is bad
            ("hinted_by", "u8", (c,)),  # givers heard on this function, a bit each
            ("judged", "u8", (c,)),  # artifacts whose held version it has verified, a bit each
            # scratch of one step
            ("likelihood", "f8", (FAULTS,)),
            ("own", "f8", (FAULTS, len(Inputs))),
            ("hit", "f8", (WINDOWS,)),
            ("up", "f8", (WINDOWS,)),
            ("later", "f8", (p, WINDOWS)),  # chance that no outage hits at the end of each window
            ("outage", "f8", (p,)),  # chance that an outage hits now
            ("before", "f8", (a,)),
            ("if_bad", "f8", (a,)),
            ("if_good", "f8", (a,)),
        ],
        align=True,
    )


@kernel
def reset(level: Any, belief: Any) -> None:
    """The prior."""
    for p in range(level.providers):
        for w in range(WINDOWS):
            belief.provider[p, w] = WINDOW_PRIOR[w]
    fill(belief.mixed, 0)
    fill(belief.clash, 1.0)
    for c in range(level.calls):
        belief.hinted_by[c] = 0
        belief.judged[c] = 0
        if level.variant[c] == 0:
            f = level.function[c]
            belief.lightest[f] = faults.lightest_variant(level, f)
            prior(level, c, 0, belief.function[0, f])
    for c in range(level.calls):
        summarise_call(level, belief, c, 1)
    for a in range(level.artifacts):
        belief.bad[a] = DEFECT if faults.mendable(level, a) else 0.0
        belief.ripe[a] = 0


@kernel
def row_of(belief: Any, function: int, window: int) -> int:
    """The row of `function`, or of what is kept of its calls, that speaks for a window."""
    return window if belief.mixed[function] else 0


@kernel
def summarise_call(level: Any, belief: Any, call: int, uses: int) -> None:
    """Refresh what an observation needs of one call, whose next attempt is the uses-th of its function."""
    f, v = level.function[call], level.variant[call]
    n = faults_of(level, call)
    for w in range(WINDOWS if belief.mixed[f] else 1):
        shares = belief.function[w, f]
        works, well, hopeless = 0.0, 0.0, 0.0
        for k in range(min(n, FIRST_WRONG)):
            ok = faults.works(level, call, k, belief.lightest[f], uses)
            works += shares[k] * ok
            well += 0.0 if k == Fault.SILENT else shares[k] * ok
            hopeless += shares[k] if ok == 0.0 else 0.0
        for k in range(FIRST_WRONG, n, 2):  # only this variant works; only this one works well
            if k == FIRST_WRONG + 2 * v:
                works += shares[k] + shares[k + 1]
                well += shares[k] + shares[k + 1]
            else:
                works += shares[k + 1]
                hopeless += shares[k]
        belief.works[w, call] = works
        belief.works_well[w, call] = well
        belief.hopeless[w, call] = hopeless


@kernel
def summarise(level: Any, board: Any, belief: Any, function: int) -> None:
    """Refresh the calls of a function after what is believed of it, or how often it was used, has moved."""
    for c in range(level.calls):
        if level.function[c] == function:
            summarise_call(level, belief, c, board.function_tries[function] + 1)


# --- readings -----------------------------------------------------------------------------------------


@kernel
def over_windows(level: Any, belief: Any, call: int, kept: Any) -> float:
    """The mean over the windows of a call's provider of what is kept of it in `kept` [W, C]."""
    if belief.mixed[level.function[call]] == 0:
        return kept[0, call]
    mean, p = 0.0, level.provider[call]
    for w in range(WINDOWS):
        mean += belief.provider[p, w] * kept[w, call]
    return mean


@kernel
def never_works(level: Any, belief: Any, call: int) -> float:
    """Chance that a call can never work (again)."""
    return over_windows(level, belief, call, belief.hopeless)


@kernel
def silent_chance(level: Any, belief: Any, call: int) -> float:
    """Chance that what this call makes is bad by its own doing, given that it answers."""
    works = over_windows(level, belief, call, belief.works)
    well = over_windows(level, belief, call, belief.works_well)
    return max(0.0, 1.0 - well / max(works, FLOOR))


@kernel
def was_silent(level: Any, belief: Any, call: int) -> float:
    """Chance that what this call has made is bad by its own doing; that it answered is folded already."""
    f, v, p = level.function[call], level.variant[call], level.provider[call]
    chance = 0.0
    for w in range(WINDOWS if belief.mixed[f] else 1):
        silent = 0.0
        for k in range(faults_of(level, call)):
            silent += belief.function[w, f, k] if faults.silent(k, v) else 0.0
        chance += silent * (belief.provider[p, w] if belief.mixed[f] else 1.0)
    return min(1.0, chance)


@kernel
def bad_input(level: Any, belief: Any, call: int) -> float:
    """Chance that at least one input of a call, as held now, is bad."""
    good = 1.0
    for a in range(level.artifacts):
        if belief.bad[a] > 0.0 and faults.taints(level, call, a):
            good *= 1.0 - belief.bad[a]
    return 1.0 - good


@kernel
def clash_chance(belief: Any, reader: int, maker: int) -> float:
    """Chance that function `reader` cannot read what function `maker` makes."""
    if reader == maker:
        return 0.0
    odds = CLASH / (1.0 - CLASH) * belief.clash[reader, maker]
    return odds / (1.0 + odds)


@kernel
def clashing(level: Any, board: Any, belief: Any, call: int) -> float:
    """Chance that a call cannot read one of the versions held now."""
    fits = 1.0
    for a in range(level.artifacts):
        if board.maker[a] >= 0 and level.needs[call, a]:
            maker = level.function[board.maker[a]]
            fits *= 1.0 - clash_chance(belief, level.function[call], maker)
    return 1.0 - fits


@kernel
def up_chance(window: int, at_s: float, time_budget_s: float) -> float:
    """Chance that an outage does not hit an attempt begun at `at_s`, if this were the window."""
    return 1.0 - HIT if faults.down(window, at_s, time_budget_s) else 1.0
