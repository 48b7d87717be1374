"""Levels from a number: a compiled generator of workflows of five families.

A level is a function of its key, its tier and its family alone. Solvable by construction in its public
part: every artifact has a maker that reads only earlier ones, and the budget is a multiple of the cheapest
way. Faults are then drawn without rejecting any draw, so that the posterior stays exact; a draw can make a
level impossible, as in life. `witness` says by which calls it can be solved, if it can.
"""

from __future__ import annotations

import math
from enum import IntEnum
from typing import Any, NamedTuple

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
from fqg_env.chance import ONE, ZERO, Draw, mix, pick, unit
from fqg_env.compiled import kernel
from fqg_env.faults import FAULTS
from fqg_env.level import Scoring

TIERS = 20
MOST_PROVIDERS = 8  # of a generated level; sizes hold 4, 8 and 16
_SCORING = Scoring()
DEFAULT_SCORING = (_SCORING.wrong, _SCORING.cost, _SCORING.time, _SCORING.unsafe)
_STEPS = 32
SPREAD = np.array([round(4.0 ** (2.0 * i / (_STEPS - 1) - 1.0), 3) for i in range(_STEPS)])
"""[32] log-uniform multiples from 1/4 to 4, rounded so that they are the same on every machine."""


class Family(IntEnum):
    """How artifacts follow from each other."""

    CHAIN = 0  # one after the other
    LAYERED = 1  # each from some of the layer before
    TREE = 2  # two given ones, a branch each, joined at the end
    DIAMOND = 3  # one given one, branches, joined at the end
    HUB = 4  # one that all goals are made from


class Knob(IntEnum):
    """Fields of a tier's shape [KNOBS]: ranges of what a level has, chances of its features."""

    LAYERS_MIN = 0
    LAYERS_MAX = 1
    WIDTH_MAX = 2  # artifacts per layer
    MAKERS_MIN = 3  # functions per artifact
    MAKERS_MAX = 4
    VARIANTS_MAX = 5
    PROVIDERS_MAX = 6
    COST_SPREAD = 7  # 1: costs differ up to 16 times
    REPUTATION_MIN = 8
    REPUTATION_MAX = 9
    GATE = 10
    INSPECT = 11
    VERIFY = 12
    BUDGET_MIN = 13  # multiples of the cheapest way
    BUDGET_MAX = 14
    UNKNOWN = 15  # chance that a declared number, a reputation or a fidelity is not known
    NOT_IDEMPOTENT = 16
    PARALLEL = 17
    EXTRA_GOAL = 18
    REPAIR = 19  # of the given artifact, and of one that is made
    AGES = 20  # an artifact has a time to live
    CONSUMES = 21
    RECENT = 22  # the level comes with memories of recent runs
    UNSAFE_ALLOWED = 23


KNOBS = len(Knob)


def shapes() -> np.ndarray:
    """[TIERS, KNOBS] the shape of each tier, from a first sequence to the full mix."""
    easy = [1, 2, 1, 1, 2, 2, 1, 0.4, 0.75, 0.95, 0.3, 0, 0, 4, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    full = [
        2, 3, 2, 2, 4, 4, 4, 1.0, 0.3, 0.85, 0.65, 0.6, 0.4, 2.5, 8, 0.25, 0.15, 0.3, 0.3,
        0.4, 0.15, 0.1, 0.3, 0.2,
    ]  # fmt: skip
    ramp = np.minimum(1.0, np.arange(TIERS) / 15.0)[:, None]
    out = np.asarray(easy) * (1.0 - ramp) + np.asarray(full) * ramp
    whole = [
        Knob.LAYERS_MIN,
        Knob.LAYERS_MAX,
        Knob.WIDTH_MAX,
        Knob.MAKERS_MIN,
        Knob.MAKERS_MAX,
        Knob.VARIANTS_MAX,
        Knob.PROVIDERS_MAX,
    ]
    out[:, whole] = np.floor(out[:, whole] + 0.5)
    return np.round(out, 4)


SHAPES = shapes()


class Sketch(NamedTuple):
    """What a level is drawn with: the generator's working arrays, made once for many levels."""

    cursor: Any  # [2] u8: numbers drawn so far, and the state they all begin from
    layer: Any  # [A] i8 how far an artifact is from what is given
    feeds: Any  # [A] u8 the artifacts it is made from, a bit each; 0: some of the layers before
    heads: Any  # [A] i8 ends of the branches
    number: Any  # [MOST_PROVIDERS] i8 new numbers of providers
    shares: Any  # [K] f8 chances of the faults of one function


@kernel
def new_sketch(artifacts: int) -> Any:
    """Working arrays for levels of up to so many artifacts."""
    return Sketch(
        np.empty(2, np.uint64),
        np.empty(artifacts, np.int64),
        np.empty(artifacts, np.uint64),
        np.empty(artifacts, np.int64),
        np.empty(MOST_PROVIDERS, np.int64),
        np.empty(FAULTS, np.float64),
    )


@kernel
def chance(level: Any, cursor: Any) -> float:
    """The next random number of this level's generator."""
    cursor[0] += ONE
    return unit(mix(mix(cursor[1], cursor[0]), ZERO))


@kernel
def start(level: Any, cursor: Any, first: int) -> None:
    """Set a cursor [2] to a number of this level's generator."""
    cursor[0] = first
    cursor[1] = mix(level.key, np.uint64(Draw.LEVEL))


@kernel
def between(level: Any, cursor: Any, low: float, high: float) -> int:
    """A whole number in [low, high]."""
    return int(low) + pick(chance(level, cursor), int(high) - int(low) + 1)


@kernel
def add_artifact(level: Any, layer: Any, feeds: Any, after: int, feed: int) -> int:
    """Add an artifact in the layer `after`, fed by `feed` (or -1), and return its index."""
    a = level.artifacts
    level.artifacts += 1
    layer[a] = after
    feeds[a] = ONE << np.uint64(feed) if feed >= 0 else ZERO
    level.given[a] = 0
    level.gate[a] = 0
    level.time_to_live_s[a] = math.inf
    level.goal_class[a] = GoalClass.NONE
    level.goal_weight[a] = 0.0
    return a


@kernel
def lay_layers(level: Any, layers: int, width: int, cursor: Any, layer: Any, feeds: Any) -> None:
    """Artifacts in layers, of random width but for the last, which has one; fed by nothing in particular."""
    most = layer.shape[0]
    for i in range(1, layers + 1):
        wide = 1 if i == layers else between(level, cursor, 1, width)
        for _ in range(wide):
            if level.artifacts < most - (layers - i):
                add_artifact(level, layer, feeds, i, -1)


@kernel
def lay_branches(
    level: Any, family: int, layers: int, width: int, layer: Any, feeds: Any, heads: Any
) -> int:
    """Artifacts in branches of their own, joined in the last one unless they lead from a hub.

    Fills heads [A] with the ends of what was laid and returns how many there are.
    """
    most = layer.shape[0]
    n = max(2, width)
    first = 1
    heads[0] = 0
    if family == Family.TREE:
        n = 2
        heads[1] = add_artifact(level, layer, feeds, 0, -1)
        level.given[heads[1]] = 1
    elif family == Family.HUB:
        heads[0] = add_artifact(level, layer, feeds, 1, 0)
        first = 2
    if family != Family.TREE:
        for b in range(1, n):
            heads[b] = heads[0]
    joined = family != Family.HUB
    last = max(
        first, (layers + 1) // 2
    )  # so that branches are about as many artifacts as layers are
    for i in range(first, last + 1):
        for b in range(n):
            if level.artifacts < most - 1:
                heads[b] = add_artifact(level, layer, feeds, i, heads[b])
    if not joined:
        return n
    end = add_artifact(level, layer, feeds, last + 1, -1)
    for b in range(n):
        feeds[end] |= ONE << np.uint64(heads[b])
    heads[0] = end
    return 1


@kernel
def lay_artifacts(level: Any, shape: Any, family: int, extra: int, sketch: Any) -> None:
    """Lay the artifacts of a family; artifact 0 is given. Fills `layer` and `feeds` of the sketch."""
    cursor, layer, feeds, heads = sketch.cursor, sketch.layer, sketch.feeds, sketch.heads
    layers = between(level, cursor, shape[Knob.LAYERS_MIN], shape[Knob.LAYERS_MAX] + extra)
    width = int(shape[Knob.WIDTH_MAX]) + extra
    level.artifacts = 0
    level.given[add_artifact(level, layer, feeds, 0, -1)] = 1
    ends = 1
    if family == Family.CHAIN:
        for i in range(1, layers + 1):
            add_artifact(level, layer, feeds, i, i - 1)
        heads[0] = level.artifacts - 1
    elif family == Family.LAYERED:
        lay_layers(level, layers, width, cursor, layer, feeds)
        heads[0] = level.artifacts - 1
    else:
        ends = lay_branches(level, family, layers, width, layer, feeds, heads)
    for a in range(level.artifacts):
        if level.given[a] == 0:
            level.gate[a] = 1 if chance(level, cursor) < shape[Knob.GATE] else 0
    set_goals(level, shape, cursor, heads, ends)


@kernel
def set_goals(level: Any, shape: Any, cursor: Any, heads: Any, ends: int) -> None:
    """The first end is essential, the others less so; perhaps something on the way counts too."""
    rest = 1.0
    for b in range(1, ends):
        if level.goal_class[heads[b]] == GoalClass.NONE and heads[b] != heads[0]:
            optional = chance(level, cursor) < 0.5
            level.goal_class[heads[b]] = GoalClass.OPTIONAL if optional else GoalClass.RECOMMENDED
            level.goal_weight[heads[b]] = 0.1 if optional else 0.2
            rest -= level.goal_weight[heads[b]]
    main = heads[0]
    extra = pick(chance(level, cursor), level.artifacts)
    wanted = chance(level, cursor) < shape[Knob.EXTRA_GOAL]
    if (
        wanted
        and rest > 0.5
        and not level.given[extra]
        and level.goal_class[extra] == 0
        and extra != main
    ):
        level.goal_class[extra] = GoalClass.RECOMMENDED
        level.goal_weight[extra] = 0.2
        rest -= 0.2
    level.goal_class[main] = GoalClass.ESSENTIAL
    level.goal_weight[main] = rest


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
    base = 1.0 + spread * (SPREAD[pick(chance(level, cursor), _STEPS)] - 1.0)
    slow = SPREAD[pick(chance(level, cursor), _STEPS)]
    idempotent = 0 if chance(level, cursor) < shape[Knob.NOT_IDEMPOTENT] else 1
    consumes = chance(level, cursor) < shape[Knob.CONSUMES] and kind == Kind.WORK
    memory = 1e8 * SPREAD[pick(chance(level, cursor), _STEPS)]
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
def goals_of(level: Any) -> np.uint64:
    """The goals, a bit each."""
    goals = ZERO
    for a in range(level.artifacts):
        goals |= np.uint64(level.goal_class[a] > 0) << np.uint64(a)
    return goals


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
