"""Levels from a number: a compiled generator of chains and layered graphs, and names for what it made.

A level is a function of its key and its tier alone. Solvable by construction in its public part: every
artifact has a maker that reads only earlier ones, and the budget is a multiple of the cheapest way. Faults
are then drawn from the published prior, without rejecting any draw, so that the posterior stays exact; a
draw can make a level impossible, as in life. `witness` says by which calls it can be solved, if it can.
"""

from __future__ import annotations

import math
from enum import IntEnum
from typing import Any

import numpy as np

from fqg_env import arrays
from fqg_env.arrays import MAX_ATTEMPTS, P95_OF_TYPICAL, VARIANTS, GoalClass, Kind
from fqg_env.chance import ONE, ZERO, Draw, mix, pick, unit
from fqg_env.compiled import kernel
from fqg_env.level import (
    Artifact,
    Budget,
    CallKind,
    Function,
    Goal,
    GoalKind,
    Level,
    Reputation,
    Responsibility,
    Scoring,
    Shield,
    Variant,
    call_names,
)

TIERS = 20
MAX_PROVIDERS = 4  # the smallest size holds them
_STEPS = 32
SPREAD = np.array([round(4.0 ** (2.0 * i / (_STEPS - 1) - 1.0), 3) for i in range(_STEPS)])
"""[32] log-uniform multiples from 1/4 to 4, rounded so that they are the same on every machine."""


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


KNOBS = len(Knob)


def shapes() -> np.ndarray:
    """[TIERS, KNOBS] the shape of each tier, from a first sequence to the full mix."""
    easy = [1, 2, 1, 1, 2, 2, 1, 0.4, 0.75, 0.95, 0.3, 0.0, 0.0, 4, 10, 0.0, 0.0, 0.0, 0.0]
    full = [2, 4, 2, 1, 4, 4, 4, 1.0, 0.3, 0.85, 0.65, 0.6, 0.35, 2.5, 9, 0.25, 0.1, 0.1, 0.3]
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


@kernel
def chance(level: Any, cursor: Any) -> float:
    """The next random number of this level's generator."""
    cursor[0] += ONE
    return unit(mix(mix(cursor[1], cursor[0]), ZERO))


@kernel
def cursor_at(level: Any, start: int) -> Any:
    """A cursor [2] of the level's generator: numbers drawn so far, and the state they all begin from."""
    cursor = np.empty(2, np.uint64)
    cursor[0] = start
    cursor[1] = mix(level.key, np.uint64(Draw.LEVEL))
    return cursor


@kernel
def between(level: Any, cursor: Any, low: float, high: float) -> int:
    """A whole number in [low, high]."""
    return int(low) + pick(chance(level, cursor), int(high) - int(low) + 1)


@kernel
def lay_artifacts(level: Any, shape: Any, cursor: Any, layer: Any) -> int:
    """Choose layers of artifacts; artifact 0 is given. Fills layer [A] and returns the number of layers."""
    most = layer.shape[0]
    layers = between(level, cursor, shape[Knob.LAYERS_MIN], shape[Knob.LAYERS_MAX])
    layer[0] = 0
    n = 1
    for i in range(1, layers + 1):
        width = 1 if i == layers else between(level, cursor, 1, shape[Knob.WIDTH_MAX])
        for _ in range(width):
            if n < most - (layers - i):
                layer[n] = i
                n += 1
    level.artifacts = n
    for a in range(most):
        level.given[a] = 1 if a == 0 else 0
        level.gate[a] = 0
        level.time_to_live_s[a] = math.inf
        level.goal_class[a] = GoalClass.NONE
        level.goal_weight[a] = 0.0
    for a in range(1, n):
        level.gate[a] = 1 if chance(level, cursor) < shape[Knob.GATE] else 0
    level.goal_class[n - 1] = GoalClass.ESSENTIAL
    level.goal_weight[n - 1] = 1.0
    if n > 2 and chance(level, cursor) < shape[Knob.EXTRA_GOAL]:
        extra = 1 + pick(chance(level, cursor), n - 2)
        level.goal_class[extra] = GoalClass.RECOMMENDED
        level.goal_weight[extra] = 0.2
        level.goal_weight[n - 1] = 0.8
    return layers


@kernel
def begin_call(level: Any, function: int, variant: int, kind: int, provider: int) -> int:
    """Add an empty call and return its index."""
    c = level.calls
    level.calls += 1
    level.function[c] = function
    level.variant[c] = variant
    level.kind[c] = kind
    level.provider[c] = provider
    level.idempotent[c] = 1
    level.recent_success[c] = 0.0
    level.recent_failure[c] = 0.0
    for a in range(level.needs.shape[1]):
        level.needs[c, a] = 0
        level.makes[c, a] = 0
        level.consumes[c, a] = 0
        level.probes[c, a] = 0
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
def add_maker(level: Any, shape: Any, cursor: Any, a: int, layer: Any, room: int) -> None:
    """Add one function, with its variants, that makes artifact `a` from earlier ones."""
    function = level.functions
    variants = min(room, VARIANTS, between(level, cursor, 1, shape[Knob.VARIANTS_MAX]))
    provider = pick(chance(level, cursor), level.providers)
    before = 0  # artifacts of earlier layers come first
    while layer[before] < layer[a]:
        before += 1
    start = 0
    while layer[start] < layer[a] - 1:
        start += 1
    source = start + pick(chance(level, cursor), before - start)
    second = pick(chance(level, cursor), before) if chance(level, cursor) < 0.25 else -1
    spread = shape[Knob.COST_SPREAD]
    base = 1.0 + spread * (SPREAD[pick(chance(level, cursor), _STEPS)] - 1.0)
    slow = SPREAD[pick(chance(level, cursor), _STEPS)]
    idempotent = 0 if chance(level, cursor) < shape[Knob.NOT_IDEMPOTENT] else 1
    memory = 1e8 * SPREAD[pick(chance(level, cursor), _STEPS)]
    first = level.calls
    for v in range(variants):
        c = begin_call(level, function, v, Kind.WORK, provider)
        factor = SPREAD[8 + pick(chance(level, cursor), 16)]
        quality = 0.5 + 0.4 * pick(chance(level, cursor), 9) / 8.0
        declare(level, c, base * factor, base * slow * factor, memory * factor, quality)
        level.idempotent[c] = idempotent
        level.needs[c, source] = 1
        if second >= 0:
            level.needs[c, second] = 1
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
def cheapest_way(level: Any, costs: Any) -> float:
    """Sum of the cheapest makers of every artifact that the goals need."""
    wanted = np.zeros(level.artifacts, np.uint8)
    total = 0.0
    for a in range(level.artifacts - 1, 0, -1):
        if level.goal_class[a] > 0:
            wanted[a] = 1
        if wanted[a] == 0:
            continue
        best = -1
        for c in range(level.calls):
            if level.makes[c, a] and (best < 0 or costs[c] < costs[best]):
                best = c
        total += costs[best]
        for need in range(level.artifacts):
            if level.needs[best, need] and level.given[need] == 0:
                wanted[need] = 1
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
    level.max_in_flight = 2 if chance(level, cursor) < shape[Knob.PARALLEL] else 1
    level.wait_base = 1.0 / 32.0
    level.shield_retries = between(level, cursor, 2, 6)
    level.shield_retry_share = 0.8
    level.unsafe_repeats_allowed = 0
    level.wrong_weight = 0.6
    level.cost_weight = 0.15
    level.time_weight = 0.15
    level.unsafe_weight = 0.1
    level.mode = arrays.Mode.HYBRID


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
def plan(level: Any) -> None:
    """The default order: the first maker of every artifact that the goals need."""
    wanted = np.zeros(level.artifacts, np.uint8)
    maker = np.full(level.artifacts, -1, np.int64)
    for a in range(level.artifacts - 1, 0, -1):
        if level.goal_class[a] > 0:
            wanted[a] = 1
        if wanted[a] == 0:
            continue
        for c in range(level.calls):
            if level.makes[c, a]:
                maker[a] = c
                break
        for need in range(level.artifacts):
            if level.needs[maker[a], need] and level.given[need] == 0:
                wanted[need] = 1
    n = 0
    for i in range(level.plan.shape[0]):
        level.plan[i] = -1
    for a in range(level.artifacts):
        if maker[a] >= 0:
            level.plan[n] = maker[a]
            n += 1


@kernel
def generate(level: Any, shapes_: Any, tier: int, key: np.uint64) -> None:
    """Write the level of this key and tier (1 to TIERS), every declared number known."""
    shape = shapes_[tier - 1]
    level.key = key
    cursor = cursor_at(level, 0)
    level.calls = 0
    level.functions = 0
    layer = np.zeros(level.given.shape[0], np.int64)
    lay_artifacts(level, shape, cursor, layer)
    most = min(MAX_PROVIDERS, int(shape[Knob.PROVIDERS_MAX]))
    level.providers = between(level, cursor, 1, most)
    room = level.function.shape[0] - 2  # two calls are kept for probes
    for a in range(1, level.artifacts):
        makers = between(level, cursor, shape[Knob.MAKERS_MIN], shape[Knob.MAKERS_MAX])
        for _ in range(makers):
            left = room - level.calls - (level.artifacts - 1 - a)
            if left > 0:
                add_maker(level, shape, cursor, a, layer, left)
    if chance(level, cursor) < shape[Knob.INSPECT]:
        add_probe(level, shape, cursor, Kind.INSPECT, 0)
    if chance(level, cursor) < shape[Knob.VERIFY]:
        add_probe(level, shape, cursor, Kind.VERIFY, level.artifacts - 1)
    renumber_providers(level)
    set_budget(level, shape, cursor)
    plan(level)


@kernel
def renumber_providers(level: Any) -> None:
    """Number providers by their first call and forget those without one, as `Level` does."""
    number = np.full(MAX_PROVIDERS, -1, np.int64)
    level.providers = 0
    for c in range(level.calls):
        p = level.provider[c]
        if number[p] < 0:
            number[p] = level.providers
            level.providers += 1
        level.provider[c] = number[p]


@kernel
def conceal(level: Any, shapes_: Any, tier: int) -> None:
    """Blank what is not declared. Call it after the faults are drawn."""
    cursor = cursor_at(level, 100_000)
    forget(level, shapes_[tier - 1], cursor)


_MAKERS = ("cut", "forge", "weave", "brew", "carve", "print", "cast", "knit")
_PARTS = ("bridge", "lantern", "ledger", "engine", "garden", "mirror", "wheel", "song")
_HOUSES = ("north", "south", "east", "west")


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def artifact_name(level: Any, a: int) -> str:
    """A name for an artifact of a generated level."""
    if level["given"][a]:
        return "material"
    stem = _PARTS[(a - 1) % len(_PARTS)]
    return stem if a <= len(_PARTS) else f"{stem}_{(a - 1) // len(_PARTS) + 1}"


def _artifacts(level: Any) -> dict[str, Artifact]:
    kinds = {3: GoalKind.ESSENTIAL, 2: GoalKind.RECOMMENDED, 1: GoalKind.OPTIONAL}
    out = {}
    for a in range(level["artifacts"]):
        goal = int(level["goal_class"][a])
        out[artifact_name(level, a)] = Artifact(
            given=bool(level["given"][a]),
            gate=bool(level["gate"][a]),
            goal=Goal(kind=kinds[goal], weight=float(level["goal_weight"][a])) if goal else None,
        )
    return out


def _functions(level: Any) -> dict[str, Function]:
    names = [artifact_name(level, a) for a in range(level["artifacts"])]

    def listed(field: str, c: int) -> tuple[str, ...]:
        return tuple(names[a] for a in range(level["artifacts"]) if level[field][c, a])

    out: dict[str, Function] = {}
    made: dict[str, int] = {}
    for f in range(level["functions"]):
        calls = [c for c in range(level["calls"]) if level["function"][c] == f]
        c = calls[0]
        kind = list(CallKind)[level["kind"][c]]
        object_ = (listed("makes", c) or listed("probes", c))[0]
        if kind in (CallKind.VERIFY, CallKind.INSPECT):
            name = f"{kind.value}_{object_}"
        else:
            made[object_] = made.get(object_, -1) + 1
            name = f"{_MAKERS[made[object_] % len(_MAKERS)]}_{object_}"
        mean = _known(level["reputation_mean"][c])
        out[name] = Function(
            provider=_HOUSES[level["provider"][c]],
            kind=kind,
            inputs=listed("needs", c),
            outputs=listed("makes", c),
            probes=listed("probes", c),
            idempotent=bool(level["idempotent"][c]),
            reputation=None
            if mean is None
            else Reputation(mean=mean, strength=float(level["reputation_strength"][c])),
            fidelity=_known(level["fidelity"][c]),
            variants={
                ("default" if len(calls) == 1 else "abcdef"[level["variant"][i]]): Variant(
                    latency_s=_known(level["latency_s"][i]),
                    p95_s=_known(level["p95_s"][i]),
                    cost=_known(level["cost"][i]),
                    memory_bytes=_known(level["memory_bytes"][i]),
                    quality=_known(level["quality"][i]),
                )
                for i in calls
            },
        )
    return out


def describe(level: Any, name: str) -> Level:
    """A generated record as a `Level` with names, to read, to print and to write to a file."""
    functions = _functions(level)
    names = call_names(functions)
    return Level(
        name=name,
        story="A workshop has orders to fill. Some hands fail, and nobody says why.",
        artifacts=_artifacts(level),
        functions=functions,
        plan=tuple(names[c] for c in level["plan"] if c >= 0),
        budget=Budget(
            time_s=float(level["time_budget_s"]),
            cost=float(level["cost_budget"]),
            attempts=int(level["attempt_budget"]),
        ),
        shield=Shield(
            retries_per_function=int(level["shield_retries"]),
            retry_share=float(level["shield_retry_share"]),
        ),
        scoring=Scoring(
            wrong=float(level["wrong_weight"]),
            cost=float(level["cost_weight"]),
            time=float(level["time_weight"]),
            unsafe=float(level["unsafe_weight"]),
        ),
        responsibility=list(Responsibility)[level["mode"]],
        max_in_flight=int(level["max_in_flight"]),
        memory_limit_bytes=float(level["memory_limit_bytes"]),
        wait_base=float(level["wait_base"]),
        key=int(level["key"]),
    )
