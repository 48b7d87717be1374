"""What makes a level sound: every check answers with one sentence and the path inside the file."""

from __future__ import annotations

import math

from fqg_env.arrays import VARIANTS
from fqg_env.errors import suggest
from fqg_env.level import CallKind, Function, GoalKind, Level


def check(level: Level) -> None:
    """Every check below.

    Raises:
        ValueError: the first that fails; `level_file` makes a `LevelError` of it.
    """
    check_names(level)
    check_plan(level)
    check_goals(level)
    check_budget(level)
    check_scoring(level)


def check_names(level: Level) -> None:
    """Every name that is used is declared."""
    for name, function in level.functions.items():
        where = f"functions.{name}"
        if len(function.variants) > VARIANTS or not function.variants:
            raise ValueError(
                f"{where}.variants: {len(function.variants)} variants; 1 to {VARIANTS} can be played"
            )
        for field in ("inputs", "outputs", "consumes", "probes"):
            for artifact in getattr(function, field):
                if artifact not in level.artifacts:
                    raise ValueError(
                        f"{where}.{field}: {artifact!r} is no artifact of this level."
                        + suggest(artifact, level.artifacts)
                    )
        for variant, preset in function.variants.items():
            for artifact in preset.inputs or ():
                if artifact not in level.artifacts:
                    raise ValueError(
                        f"{where}.variants.{variant}.inputs: {artifact!r} is no artifact of this level."
                        + suggest(artifact, level.artifacts)
                    )
        check_reads(level, name, function)
        probing = function.kind in (CallKind.VERIFY, CallKind.INSPECT)
        if probing and (function.outputs or not function.probes):
            raise ValueError(
                f"{where}: a {function.kind.value} makes nothing and needs `probes`; drop its outputs"
            )
        if not probing and not function.outputs:
            raise ValueError(f"{where}.outputs: a {function.kind.value} has to make something")
    _ = level.size  # it fits one


def check_reads(level: Level, name: str, function: Function) -> None:
    """What a function consumes it also reads, and only a probe probes."""
    where = f"functions.{name}"
    if function.probes and function.kind not in (CallKind.VERIFY, CallKind.INSPECT):
        raise ValueError(f"{where}.probes: only a verify or an inspect probes; list it as an input")
    read = {need for call in level.calls if call.function == name for need in level.inputs_of(call)}
    for artifact in function.consumes:
        if artifact not in read:
            raise ValueError(
                f"{where}.consumes: {artifact!r} is no input of it; add it to `inputs` or drop it here"
            )


def check_plan(level: Level) -> None:
    """What `plan` and `recent` name are calls, and the plan has each once."""
    for field, names in (("plan", level.plan), ("recent", tuple(level.recent))):
        for name in names:
            if not level.calls_named(name):
                raise ValueError(
                    f"{field}: {name!r} is no call of this level." + suggest(name, level.call_names)
                )
    plan = level.default_plan
    for place, call in enumerate(plan):
        if call in plan[:place]:
            raise ValueError(f"plan: {level.call_names[call]!r} stands in it twice; once is enough")


def check_goals(level: Level) -> None:
    """There is a goal, none is given at the start, and each can be made."""
    if not level.goals:
        raise ValueError("artifacts: none has a `goal`; mark what has to be delivered")
    for name in level.goals:
        if level.artifacts[name].given:
            raise ValueError(f"artifacts.{name}: a goal cannot be given at the start")
    if all(goal.kind is not GoalKind.ESSENTIAL for goal in level.goals.values()):
        raise ValueError("artifacts: no goal is essential; without one a run cannot succeed")
    total = math.fsum(goal.weight for goal in level.goals.values())
    if abs(total - 1.0) > 1e-6:
        raise ValueError(f"artifacts: the goal weights sum to {total:g}; they have to sum to 1")
    have = {name for name, artifact in level.artifacts.items() if artifact.given}
    while True:
        new = {
            output
            for call in level.calls
            if set(level.inputs_of(call)) <= have
            for output in level.functions[call.function].outputs
        } - have
        if not new:
            break
        have |= new
    for name in level.goals:
        if name not in have:
            raise ValueError(
                f"artifacts.{name}: the goal cannot be reached: no order of calls makes it from what is given"
            )


def check_budget(level: Level) -> None:
    """The plan has attempts enough, some way to the goals fits cost and time, no call is far over memory."""
    plan = level.default_plan
    if len(plan) > level.budget.attempts:
        raise ValueError(
            f"budget.attempts: {level.budget.attempts} attempts, and the plan alone takes {len(plan)}"
        )
    presets = [
        level.functions[level.calls[i].function].variants[level.calls[i].variant] for i in plan
    ]
    least_cost = cheapest(level, "cost")
    if least_cost > level.budget.cost:
        raise ValueError(
            f"budget.cost: {level.budget.cost:g}, and the cheapest way to the goals costs {least_cost:g}"
        )
    least_s = cheapest(level, "latency_s")
    if level.max_in_flight == 1 and least_s > level.budget.time_s:
        raise ValueError(
            f"budget.time_s: {level.budget.time_s:g} s, and the fastest way to the goals takes {least_s:g} s"
        )
    for call, preset in zip((level.calls[i] for i in plan), presets, strict=True):
        if preset.memory_bytes is not None and preset.memory_bytes > level.memory_limit_bytes * 64:
            raise ValueError(f"functions.{call.function}: memory_bytes is over 64 times the limit")


def cheapest(level: Level, field: str) -> float:
    """A lower bound on what the dearest goal takes: the sum along its cheapest longest chain."""
    best = {name: 0.0 if a.given else math.inf for name, a in level.artifacts.items()}
    for _ in level.artifacts:
        for call in level.calls:
            preset = level.functions[call.function].variants[call.variant]
            own = getattr(preset, field) or 0.0
            total = own + max((best[need] for need in level.inputs_of(call)), default=0.0)
            for output in level.functions[call.function].outputs:
                best[output] = min(best[output], total)
    return max(best[goal] for goal in level.goals)


def check_scoring(level: Level) -> None:
    """A return cannot fall below -1: the weights of all that takes from it sum to 1 at most."""
    total = math.fsum(level.scoring.model_dump().values())
    if total > 1.0 + 1e-6:
        raise ValueError(f"scoring: the weights sum to {total:g}; they may sum to 1 at most")
