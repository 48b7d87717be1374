"""Levels from a number: a compiled generator of workflows of five families.

A level is a function of its key, tier, family, size and mix alone. Solvable by construction in its public
part: every artifact has a maker that reads only earlier ones, and the budget is a multiple of the cheapest
way. Faults are then drawn (`hide.py`, joined in `lanes.py`) without rejecting any draw, so that the posterior
stays exact; a draw can make a level impossible, as in life. `witness` looks for calls that solve it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fqg_env import arrays
from fqg_env.arrays import (
    FLIGHTS,
    MAX_ATTEMPTS,
    P95_OF_TYPICAL,
    VARIANTS,
    GoalClass,
    Kind,
)
from fqg_env.blocks import fill
from fqg_env.chance import ONE, ZERO, pick
from fqg_env.compiled import kernel
from fqg_env.layout import goals_of, lay_artifacts
from fqg_env.level import Scoring
from fqg_env.shapes import SPREAD, SPREAD_STEPS, Knob, between, chance, start

_SCORING = Scoring()
DEFAULT_SCORING = (_SCORING.wrong, _SCORING.cost, _SCORING.time, _SCORING.unsafe)


@kernel
def begin_call(level: Any, function: int, variant: int, kind: int, provider: int) -> int:
    """Add a call that reads and makes nothing yet, and return its index."""
    c = level.calls
    level.calls += 1
    level.function[c] = function
    level.variant[c] = variant
    level.kind[c] = kind
    level.provider[c] = provider
    level.idempotent[c] = 1
    level.recent_success[c] = 0.0
    level.recent_failure[c] = 0.0
    return c


@kernel
def declare(
    level: Any, c: int, cost: float, latency_s: float, memory: float, quality: float
) -> None:
    """Declare what a call takes."""
    level.cost[c] = cost
    level.latency_s[c] = latency_s
    level.p95_s[c] = latency_s * P95_OF_TYPICAL
    level.memory_bytes[c] = memory
    level.quality[c] = quality


@kernel
def reputation(level: Any, shape: Any, cursor: Any, first: int) -> None:
    """Give all calls of the newest function, from `first` on, their public reputation and fidelity."""
    low, high = shape[Knob.REPUTATION_MIN], shape[Knob.REPUTATION_MAX]
    mean = low + (high - low) * pick(chance(level, cursor), 16) / 15.0
    strength = 2.0 + 6.0 * pick(chance(level, cursor), 8)
    unknown = chance(level, cursor) < shape[Knob.UNKNOWN]
    fidelity = 0.3 + 0.05 * pick(chance(level, cursor), 13)
    unreported = chance(level, cursor) < shape[Knob.UNKNOWN]
    for c in range(first, level.calls):
        level.reputation_mean[c] = math.nan if unknown else mean
        level.reputation_strength[c] = 0.0 if unknown else strength
        level.fidelity[c] = math.nan if unreported else fidelity


@kernel
def sources(level: Any, a: int, sketch: Any) -> np.uint64:
    """The artifacts that a maker of `a` reads, as bits: those that feed it, or some of the layers before."""
    cursor, layer, feeds = sketch.cursor, sketch.layer, sketch.feeds
    if feeds[a] != ZERO:
        return feeds[a]
    before = 0  # artifacts of earlier layers come first
    while layer[before] < layer[a]:
        before += 1
    start = 0
    while layer[start] < layer[a] - 1:
        start += 1
    read = ONE << np.uint64(start + pick(chance(level, cursor), before - start))
    if chance(level, cursor) < 0.25:
        read |= ONE << np.uint64(pick(chance(level, cursor), before))
    return read


@kernel
def add_function(
    level: Any, shape: Any, cursor: Any, kind: int, a: int, read: np.uint64, room: int
) -> None:
    """Add one function, with its variants, that makes artifact `a` from those in `read`, a bit each."""
    function = level.functions
    variants = min(room, VARIANTS, between(level, cursor, 1, shape[Knob.VARIANTS_MAX]))
    provider = pick(chance(level, cursor), level.providers)
    spread = shape[Knob.COST_SPREAD]
    base = 1.0 + spread * (SPREAD[pick(chance(level, cursor), SPREAD_STEPS)] - 1.0)
    slow = SPREAD[pick(chance(level, cursor), SPREAD_STEPS)]
    idempotent = 0 if chance(level, cursor) < shape[Knob.NOT_IDEMPOTENT] else 1
    consumes = chance(level, cursor) < shape[Knob.CONSUMES] and kind == Kind.WORK
    memory = 1e8 * SPREAD[pick(chance(level, cursor), SPREAD_STEPS)]
    first = level.calls
    for v in range(variants):
        c = begin_call(level, function, v, kind, provider)
        factor = SPREAD[8 + pick(chance(level, cursor), 16)]
        quality = 0.5 + 0.4 * pick(chance(level, cursor), 9) / 8.0
        declare(level, c, base * factor, base * slow * factor, memory * factor, quality)
        level.idempotent[c] = idempotent
        for need in range(level.artifacts):
            if (read >> np.uint64(need)) & ONE:
                level.needs[c, need] = 1
                if consumes and level.given[need] == 0 and level.goal_class[need] == 0:
                    level.consumes[c, need] = 1
        level.makes[c, a] = 1
    level.variants[function] = variants
    level.functions += 1
    reputation(level, shape, cursor, first)


@kernel
def add_probe(level: Any, shape: Any, cursor: Any, kind: int, a: int) -> None:
    """Add a function that looks at an artifact and makes nothing."""
    function = level.functions
    first = level.calls
    c = begin_call(level, function, 0, kind, pick(chance(level, cursor), level.providers))
    cheap = 0.1 + 0.1 * pick(chance(level, cursor), 4)
    declare(level, c, cheap, cheap, 2e7, math.nan)
    level.probes[c, a] = 1
    level.variants[function] = 1
    level.functions += 1
    reputation(level, shape, cursor, first)


@kernel
def needs_of(level: Any, call: int) -> np.uint64:
    """The artifacts that a call reads, a bit each."""
    needs = ZERO
    for a in range(level.artifacts):
        needs |= np.uint64(level.needs[call, a] != 0) << np.uint64(a)
    return needs


@kernel
def cheapest_way(level: Any, costs: Any) -> float:
    """Sum of the cheapest makers of every artifact that the goals need."""
    wanted = goals_of(level)
    total = 0.0
    for a in range(level.artifacts - 1, 0, -1):
        if (wanted >> np.uint64(a)) & ONE == ZERO or level.given[a]:
            continue
        best = -1
        for c in range(level.calls):
            work = level.makes[c, a] and level.kind[c] == Kind.WORK
            if work and (best < 0 or costs[c] < costs[best]):
                best = c
        total += costs[best]
        wanted |= needs_of(level, best)
    return total


@kernel
def set_budget(level: Any, shape: Any, cursor: Any) -> None:
    """Budgets as multiples of the cheapest way, shield and scoring."""
    low, high = shape[Knob.BUDGET_MIN], shape[Knob.BUDGET_MAX]
    tight = low + (high - low) * pick(chance(level, cursor), 16) / 15.0
    level.cost_budget = tight * cheapest_way(level, level.cost)
    loose = low + (high - low) * pick(chance(level, cursor), 16) / 15.0
    level.time_budget_s = (1.0 + loose) * cheapest_way(level, level.latency_s)
    level.attempt_budget = min(MAX_ATTEMPTS, 8 + between(level, cursor, 0, 16))
    level.memory_limit_bytes = 4e8
    parallel = chance(level, cursor) < shape[Knob.PARALLEL]
    level.max_in_flight = between(level, cursor, 2, FLIGHTS) if parallel else 1
    level.wait_base = 1.0 / 32.0
    level.shield_retries = between(level, cursor, 2, 6)
    level.shield_retry_share = 0.8
    level.final_repeats_allowed = 1
    level.unsafe_repeats_allowed = 1 if chance(level, cursor) < shape[Knob.UNSAFE_ALLOWED] else 0
    level.wrong_weight = DEFAULT_SCORING[0]
    level.cost_weight = DEFAULT_SCORING[1]
    level.time_weight = DEFAULT_SCORING[2]
    level.unsafe_weight = DEFAULT_SCORING[3]
    level.mode = arrays.Mode.HYBRID
    level.sealed = 0
    for a in range(1, level.artifacts):
        ages = chance(level, cursor) < shape[Knob.AGES]
        if ages and level.goal_class[a] == GoalClass.NONE and level.given[a] == 0:
            share = 0.15 + 0.05 * pick(chance(level, cursor), 10)
            level.time_to_live_s[a] = share * level.time_budget_s


@kernel
def forget(level: Any, shape: Any, cursor: Any) -> None:
    """Blank some declared numbers; what calls really take has been drawn before."""
    for c in range(level.calls):
        if chance(level, cursor) < 0.5 * shape[Knob.UNKNOWN]:
            level.latency_s[c] = math.nan
            level.p95_s[c] = math.nan
        if chance(level, cursor) < 0.5 * shape[Knob.UNKNOWN]:
            level.cost[c] = math.nan
        if chance(level, cursor) < shape[Knob.UNKNOWN]:
            level.quality[c] = math.nan


@kernel
def first_maker(level: Any, artifact: int) -> int:
    """The first call that makes an artifact anew."""
    for c in range(level.calls):
        if level.makes[c, artifact] and level.kind[c] == Kind.WORK:
            return c
    return -1


@kernel
def plan(level: Any) -> None:
    """The default order: the first maker of every artifact that the goals need."""
    fill(level.plan, -1)
    wanted = goals_of(level)
    for a in range(level.artifacts - 1, 0, -1):
        if (wanted >> np.uint64(a)) & ONE == ZERO or level.given[a]:
            continue
        maker = first_maker(level, a)
        level.plan[a] = maker
        wanted |= needs_of(level, maker)
    n = 0  # closed up, in the order of the artifacts
    for a in range(level.artifacts):
        maker = level.plan[a]
        level.plan[a] = -1
        if maker >= 0:
            level.plan[n] = maker
            n += 1
    level.attempt_budget = min(MAX_ATTEMPTS, max(level.attempt_budget, n + 2))


@kernel
def generate(level: Any, sketch: Any, shapes_: Any, tier: int, family: int, key: np.uint64) -> None:
    """Write the level of this key, tier (1 to TIERS) and family, every declared number known.

    Larger sizes have more layers, more width and more providers.
    """
    shape = shapes_[tier - 1]
    level.key = key
    cursor = sketch.cursor
    start(level, cursor, 0)
    level.calls = 0
    level.functions = 0
    fill(level.needs, 0)
    fill(level.makes, 0)
    fill(level.consumes, 0)
    fill(level.probes, 0)
    most = level.given.shape[0]
    extra = 0 if most <= 8 else (1 if most <= 16 else 2)
    lay_artifacts(level, shape, family, extra, sketch)
    level.providers = between(level, cursor, 1, shape[Knob.PROVIDERS_MAX] + 2 * extra)
    mends_given = 2 if chance(level, cursor) < shape[Knob.REPAIR] else 0
    mends_made = 1 if chance(level, cursor) < shape[Knob.REPAIR] else 0
    room = level.function.shape[0] - 2 - mends_given - mends_made  # two are kept for probes
    waiting = 0
    for a in range(level.artifacts):
        waiting += 1 - level.given[a]
    for a in range(level.artifacts):
        if level.given[a]:
            continue
        share = (room - level.calls) // waiting
        waiting -= 1
        makers = between(level, cursor, shape[Knob.MAKERS_MIN], shape[Knob.MAKERS_MAX])
        makers = max(1, min(makers, share))
        end = level.calls + share
        for m in range(makers):  # alternatives come before variants where there is little room
            read = sources(level, a, sketch)
            left = (end - level.calls) // (makers - m)
            add_function(level, shape, cursor, Kind.WORK, a, read, max(1, left))
    made = pick(chance(level, cursor), level.artifacts)
    if mends_given > 0:
        add_function(level, shape, cursor, Kind.REPAIR, 0, ONE, mends_given)
    if mends_made > 0 and level.given[made] == 0:
        add_function(level, shape, cursor, Kind.REPAIR, made, ONE << np.uint64(made), mends_made)
    goal = 0
    for a in range(level.artifacts):
        if level.goal_class[a] == GoalClass.ESSENTIAL:
            goal = a
    if chance(level, cursor) < shape[Knob.INSPECT]:
        add_probe(level, shape, cursor, Kind.INSPECT, 0)
    if chance(level, cursor) < shape[Knob.VERIFY]:
        add_probe(level, shape, cursor, Kind.VERIFY, goal)
    renumber_providers(level, sketch.number)
    set_budget(level, shape, cursor)
    plan(level)


@kernel
def renumber_providers(level: Any, number: Any) -> None:
    """Number providers by their first call and forget those without one, as `Level` does."""
    fill(number, -1)
    level.providers = 0
    for c in range(level.calls):
        p = level.provider[c]
        if number[p] < 0:
            number[p] = level.providers
            level.providers += 1
        level.provider[c] = number[p]


@kernel
def conceal(level: Any, sketch: Any, shapes_: Any, tier: int) -> None:
    """Blank what is not declared. Call it after the faults are drawn."""
    start(level, sketch.cursor, 100_000)
    forget(level, shapes_[tier - 1], sketch.cursor)
