"""What is hidden in an episode: windows, faults, defects; and what recent runs tell of them. All by key."""

from __future__ import annotations

import math
from typing import Any

from fqg_env.arrays import Clash
from fqg_env.blocks import fill
from fqg_env.chance import Draw, pick, pick_by, uniform
from fqg_env.compiled import kernel
from fqg_env.faults import DEFECT, WINDOWS, Fault, faults_of, lightest_variant, mendable, works
from fqg_env.prior import (
    MIX_DIALECTS,
    MIX_FALSE_HINTS,
    MIX_MISCODED,
    MIX_SPREAD,
    MIX_WELL,
    MIX_WINDOWS,
    RECENT_UP,
    STILL,
    prior,
)
from fqg_env.reading import typical_cost, typical_s


@kernel
def draw_hidden(level: Any, hidden: Any, mix: int, shares: Any) -> None:
    """Draw one episode from a mix: windows, faults, defects, and what calls really take.

    `shares` [K] is working space.
    """
    spread = MIX_SPREAD[mix]
    for w in range(WINDOWS):
        shares[w] = MIX_WINDOWS[mix, w]
    lean(level, shares, WINDOWS, spread, 0)
    for p in range(level.providers):
        u = uniform(level.key, Draw.WINDOW, p, 0)
        hidden.window[p] = pick_by(u, shares, WINDOWS)
    for c in range(level.calls):
        if level.variant[c] == 0:
            f = level.function[c]
            prior(level, c, mix, shares)
            lean(level, shares, faults_of(level, c), spread, 1)
            u = uniform(level.key, Draw.FAULT, f, 0)
            hidden.fault[f] = pick_by(u, shares, faults_of(level, c))
    for c in range(level.calls):
        hidden.latency_s[c] = typical_s(level, c)
        hidden.cost[c] = typical_cost(level, c)
    fill(hidden.clash, Clash.BY_KEY)
    for a in range(level.artifacts):
        defect = mendable(level, a) and uniform(level.key, Draw.DEFECT, a, 0) < DEFECT
        hidden.defect[a] = 1 if defect else 0
    hidden.miscoded = MIX_MISCODED[mix]
    hidden.false_hints = MIX_FALSE_HINTS[mix]
    hidden.dialects = MIX_DIALECTS[mix]
    if spread > 1.0:
        hidden.miscoded *= uniform(level.key, Draw.MISTOLD, 0, 0)
        hidden.false_hints *= uniform(level.key, Draw.MISTOLD, 1, 0)


@kernel
def lean(level: Any, shares: Any, n: int, spread: float, about: int) -> None:
    """Let each of n shares be up to `spread` times more or less likely in this level; their sum stays."""
    if spread == 1.0:
        return
    before, after = 0.0, 0.0
    for i in range(n):
        before += shares[i]
        # of the faults of single variants, those of one sort lean together
        sort = Fault.WRONG + (i - Fault.WRONG) % 2 if about == 1 and i >= Fault.WRONG else i
        shares[i] *= spread ** (2.0 * uniform(level.key, Draw.LEAN, about, sort) - 1.0)
        after += shares[i]
    for i in range(n):
        shares[i] *= before / after


@kernel
def set_reputations(level: Any, mix: int) -> None:
    """Let reputations be true in a mix that says how many functions are well."""
    low, high = MIX_WELL[mix, 0], MIX_WELL[mix, 1]
    for c in range(level.calls):
        if not math.isnan(low) and not math.isnan(level.reputation_mean[c]):
            u = uniform(level.key, Draw.WELL, level.function[c], 0)
            level.reputation_mean[c] = low + (high - low) * pick(u, 16) / 15.0


@kernel
def draw_recent(level: Any, hidden: Any, runs: int, shares: Any) -> None:
    """Write into the level how its planned calls went in recent runs, under causes that mostly still hold.

    `shares` [K] is working space.
    """
    for c in range(level.calls):
        level.recent_success[c] = 0.0
        level.recent_failure[c] = 0.0
    for i in range(level.calls):
        c = level.plan[i]
        if c < 0:
            return
        f = level.function[c]
        fault, lightest = hidden.fault[f], lightest_variant(level, f)
        if uniform(level.key, Draw.RECENT, f, 0) >= STILL:
            prior(level, c, 0, shares)
            u = uniform(level.key, Draw.RECENT, f, 1)
            fault = pick_by(u, shares, faults_of(level, c))
        answers = RECENT_UP * works(level, c, fault, lightest, 1)
        for run in range(runs):
            if uniform(level.key, Draw.RECENT, c, 2 + run) < answers:
                level.recent_success[c] += 1.0
            else:
                level.recent_failure[c] += 1.0
