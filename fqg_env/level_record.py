"""A level as one record of arrays (arrays.level_dtype)."""

from __future__ import annotations

import math
from typing import Any

from fqg_env import arrays
from fqg_env.arrays import GoalClass, Kind, Mode
from fqg_env.level import Level, Recent


def number(value: float | None) -> float:
    """NaN for what is not known."""
    return math.nan if value is None else float(value)


def write_run(level: Level, out: Any) -> None:
    """Write budgets, shield and scoring."""
    out["key"] = level.key
    out["calls"], out["artifacts"] = len(level.calls), len(level.artifacts)
    out["functions"], out["providers"] = len(level.functions), len(level.providers)
    out["mode"] = Mode[level.responsibility.name]
    out["max_in_flight"] = level.max_in_flight
    out["time_budget_s"], out["cost_budget"] = level.budget.time_s, level.budget.cost
    out["attempt_budget"] = level.budget.attempts
    out["memory_limit_bytes"] = level.memory_limit_bytes
    out["wait_base"] = level.wait_base
    out["shield_retries"] = level.shield.retries_per_function
    out["shield_retry_share"] = level.shield.retry_share
    out["unsafe_repeats_allowed"] = level.shield.unsafe_repeats == "allowed"
    out["final_repeats_allowed"] = level.shield.final_repeats == "allowed"
    out["sealed"] = level.sealed
    out["wrong_weight"], out["cost_weight"] = level.scoring.wrong, level.scoring.cost
    out["time_weight"], out["unsafe_weight"] = level.scoring.time, level.scoring.unsafe


def write_calls(level: Level, out: Any) -> None:
    """Write calls, functions and the plan."""
    artifact = {name: a for a, name in enumerate(level.artifacts)}
    function_index = {name: f for f, name in enumerate(level.functions)}
    provider_index = {name: p for p, name in enumerate(level.providers)}
    recents = {level.calls_named(name)[0]: counts for name, counts in level.recent.items()}
    for c, call in enumerate(level.calls):
        function = level.functions[call.function]
        preset = function.variants[call.variant]
        out["function"][c] = function_index[call.function]
        out["provider"][c] = provider_index[level.provider_of(call.function)]
        out["variant"][c] = list(function.variants).index(call.variant)
        out["kind"][c] = Kind[function.kind.name]
        for field in ("latency_s", "cost", "memory_bytes", "quality"):
            out[field][c] = number(getattr(preset, field))
        out["p95_s"][c] = number(
            preset.p95_s or (preset.latency_s and preset.latency_s * arrays.P95_OF_TYPICAL)
        )
        out["idempotent"][c] = function.idempotent
        reputation = function.reputation
        out["reputation_mean"][c] = number(reputation.mean if reputation else None)
        out["reputation_strength"][c] = reputation.strength if reputation else 0.0
        out["fidelity"][c] = number(function.fidelity)
        recent = recents.get(c, Recent())
        out["recent_success"][c], out["recent_failure"][c] = recent.success, recent.failure
        for need in level.inputs_of(call):
            out["needs"][c, artifact[need]] = 1
        for field, names in (
            ("makes", function.outputs),
            ("consumes", set(function.consumes) & set(level.inputs_of(call))),
            ("probes", function.probes),
        ):
            for name in names:
                out[field][c, artifact[name]] = 1
    for f, function in enumerate(level.functions.values()):
        out["variants"][f] = len(function.variants)
    out["plan"][:] = -1
    out["plan"][: len(level.default_plan)] = level.default_plan


def write_artifacts(level: Level, out: Any) -> None:
    """Write artifacts and goals."""
    out["time_to_live_s"][:] = math.inf
    for a, artifact in enumerate(level.artifacts.values()):
        out["given"][a] = artifact.given
        out["gate"][a] = artifact.gate
        out["time_to_live_s"][a] = artifact.time_to_live_s or math.inf
        if artifact.goal:
            out["goal_class"][a] = GoalClass[artifact.goal.kind.name]
            out["goal_weight"][a] = artifact.goal.weight
