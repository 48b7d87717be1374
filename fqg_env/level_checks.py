"""What makes a level sound: every check answers with one sentence and the path inside the file."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from fqg_env.arrays import VARIANTS
from fqg_env.errors import suggest
from fqg_env.level import CallKind, Function, GoalKind, Level, Responsibility, Variant

HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""What is not seen and yet moves, colours or turns round what is: control characters, of terminals too."""


def check(level: Level) -> None:
    """Every check below.

    Raises:
        ValueError: the first that fails; `level_file` makes a `LevelError` of it.
    """
    check_texts(level)
    check_names(level)
    check_plan(level)
    check_recent(level)
    check_goals(level)
    check_order(level)
    check_budget(level)
    check_scoring(level)


def check_texts(level: Level) -> None:
    """What people are told can be shown to them; a story may have lines."""
    check_text("name", level.name)
    check_text("story", level.story.replace("\n", " ").replace("\t", " "))
    for name, artifact in level.artifacts.items():
        check_text(f"artifacts.{name}.description", artifact.description)
    for name, function in level.functions.items():
        check_text(f"functions.{name}.description", function.description)


def check_text(where: str, text: str) -> None:
    """It holds no control character."""
    found = HIDDEN.search(text)
    if found:
        raise ValueError(f"{where}: it holds the control character {found[0]!r}; remove it")


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
            check_latency(f"{where}.variants.{variant}", preset)
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


def check_latency(where: str, preset: Variant) -> None:
    """The 95th percentile of a latency is no less than what is typical."""
    typical, late = preset.latency_s, preset.p95_s
    if typical is not None and late is not None and late < typical:
        raise ValueError(
            f"{where}.p95_s: {late:g} s, and typically it takes latency_s, {typical:g} s; raise it"
        )


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


def check_recent(level: Level) -> None:
    """What `recent` names is one call each, and another each time."""
    named: dict[int, str] = {}
    for name in level.recent:
        calls = level.calls_named(name)
        if len(calls) > 1:
            raise ValueError(
                f"recent: {name!r} has {len(calls)} variants; name one, as {level.call_names[calls[0]]!r}"
            )
        if calls[0] in named:
            raise ValueError(
                f"recent: {named[calls[0]]!r} and {name!r} are one call; once is enough"
            )
        named[calls[0]] = name


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


def essential(level: Level) -> list[str]:
    """The goals without which a run does not succeed."""
    return [name for name, goal in level.goals.items() if goal.kind is GoalKind.ESSENTIAL]


def check_order(level: Level) -> None:
    """A plan that is written can be followed, and makes every essential goal. What a call of it uses up
    counts as there still: plans name a call once, and who follows one makes again what is gone.
    """
    if not level.plan:
        return
    have = {name for name, artifact in level.artifacts.items() if artifact.given}
    for name, c in zip(level.plan, level.default_plan, strict=True):
        call = level.calls[c]
        function, inputs = level.functions[call.function], level.inputs_of(call)
        for need in (*inputs, *function.probes):
            if need not in have:
                raise ValueError(
                    f"plan: {name!r} reads {need!r}, which is not there by then; put what makes it before"
                )
        have |= set(function.outputs)
    for goal in essential(level):
        if goal not in have:
            raise ValueError(
                f"plan: the essential goal {goal!r} is not there at its end; add what makes it"
            )


def check_budget(level: Level) -> None:
    """Some way to the goals fits attempts, cost and time, and a plan to be followed fits attempts.

    No call is far over memory.
    """
    plan, attempts = level.default_plan, level.budget.attempts
    followed = level.plan or level.responsibility is Responsibility.COMMUNITY
    if followed and len(plan) > attempts:
        raise ValueError(
            f"budget.attempts: {attempts} attempts, and the plan alone takes {len(plan)}"
        )
    fewest = cheapest(level, "attempts", essential(level))
    if fewest > attempts:
        raise ValueError(
            f"budget.attempts: {attempts} attempts, and the shortest way to the goals takes {fewest:g}"
        )
    presets = [
        level.functions[level.calls[i].function].variants[level.calls[i].variant] for i in plan
    ]
    least_cost = cheapest(level, "cost", level.goals)
    if least_cost > level.budget.cost:
        raise ValueError(
            f"budget.cost: {level.budget.cost:g}, and the cheapest way to the goals costs {least_cost:g}"
        )
    least_s = cheapest(level, "latency_s", level.goals)
    if least_s > level.budget.time_s:
        raise ValueError(
            f"budget.time_s: {level.budget.time_s:g} s, and the fastest way to the goals takes {least_s:g} s"
        )
    for call, preset in zip((level.calls[i] for i in plan), presets, strict=True):
        if preset.memory_bytes is not None and preset.memory_bytes > level.memory_limit_bytes * 64:
            raise ValueError(f"functions.{call.function}: memory_bytes is over 64 times the limit")


def cheapest(level: Level, field: str, goals: Iterable[str]) -> float:
    """A lower bound on what the dearest of these goals takes: the sum along its cheapest longest chain.

    However many attempts run at once, those of a chain run one after the other.
    """
    best = {name: 0.0 if a.given else math.inf for name, a in level.artifacts.items()}
    for _ in level.artifacts:
        for call in level.calls:
            preset = level.functions[call.function].variants[call.variant]
            own = 1.0 if field == "attempts" else getattr(preset, field) or 0.0
            total = own + max((best[need] for need in level.inputs_of(call)), default=0.0)
            for output in level.functions[call.function].outputs:
                best[output] = min(best[output], total)
    return max(best[goal] for goal in goals)


def check_scoring(level: Level) -> None:
    """A return cannot fall below -1: the weights of all that takes from it sum to 1 at most."""
    total = math.fsum(level.scoring.model_dump().values())
    if total > 1.0 + 1e-6:
        raise ValueError(f"scoring: the weights sum to {total:g}; they may sum to 1 at most")
