"""An outcome and its numeric face: `row` is the one function that both worlds' outcomes go through.

    row(level, call, outcome, elapsed_s, made)       ->  OutcomeRow, see arrays.row_dtype
    outcome(level, call, row), versions(level, row)  ->  what the row was made from, as far as numbers tell

Names in hints, blame and verdicts that the level does not have are dropped: a reporter may say anything.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any

import msgspec
import numpy as np

from fqg_env import arrays
from fqg_env.arrays import CODES, UNKNOWN_SHARE, Effect, Gate, Size, Verdict
from fqg_env.faults import BLAMES
from fqg_env.level import CallKind, Function, Level, Variant
from fqg_env.outcome import (
    Blame,
    BlamedInput,
    Category,
    Hint,
    Outcome,
    OwnRecovery,
    SideEffects,
    StandardError,
    Success,
)

CATEGORY_OF: dict[int, Category] = {number: category for category, number in CODES.items()}
BLAME_OF: dict[int, Blame] = {number: blame for blame, number in BLAMES.items()}
RETRYABLE: dict[bool | None, int] = {False: 0, True: 1, None: 2}


class Strategy(str, Enum):
    """What a choice amounts to in the light of what happened before: a label, not an action."""

    FIRST_TRY = "first_try"
    RETRY = "retry"
    BACK_OFF = "back_off"
    AWAIT = "await"
    OTHER_PARAMETERS = "other_parameters"
    LIGHTER_VARIANT = "lighter_variant"
    FALLBACK = "fallback"
    HEDGE = "hedge"
    REBUILD_UPSTREAM = "rebuild_upstream"
    REPAIR = "repair"
    REVERSE_RECONSTRUCT = "reverse_reconstruct"
    VERIFY = "verify"
    INSPECT = "inspect"
    FOLLOW_HINT = "follow_hint"
    DEGRADE = "degrade"
    SKIP = "skip"
    DELIVER = "deliver"
    GIVE_UP = "give_up"


class Made(msgspec.Struct, frozen=True):
    """A version of an artifact that an attempt has put on the board."""

    quality: float | None = None
    """What its maker claims, in [0, 1]; None: nothing."""
    passed: bool | None = None
    """What its gate says; None: it has none."""
    measured: float | None = None
    """The quality that its gate has measured, in [0, 1]; None: it has none, or could not measure it."""


def row(
    level: Level,
    call: int,
    outcome: Outcome,
    elapsed_s: float,
    made: Mapping[str, Made] | None = None,
    size: Size | None = None,
) -> np.ndarray:
    """The numeric face of an outcome, shape [1].

    Args:
        level: gives names their numbers.
        call: the call that was attempted.
        outcome: what it answered, or what the conductor made of that.
        elapsed_s: how long the attempt took, own recovery included.
        made: artifact -> version made; None: what a success says it made, ungated.
        size: padding; None: the smallest that holds the level.
    """
    out = arrays.new(arrays.row_dtype(size or level.size), 1)
    r = out[0]
    r["quality"] = math.nan
    r["elapsed_s"] = elapsed_s
    r["cost"] = cost_of(level, call, outcome)
    r["effect"] = Effect[outcome.side_effects.name]
    r["own_recovery"] = outcome.own_recovery.attempts
    match outcome:
        case Success():
            write_success(level, call, outcome, r)
            made = claimed(level, call, outcome) if made is None else made
        case StandardError():
            write_error(level, outcome, r)
    write_made(level, made or {}, r)
    write_hints(level, call, outcome, r)
    return out


def write_success(level: Level, call: int, success: Success, r: Any) -> None:
    """Category, and what a probe says of what it looks at."""
    r["category"], r["retryable"] = arrays.SUCCESS, 1
    r["blame"] = BLAMES[Blame.EXTENSION]
    for name, good in success.verdicts.items():
        if name in function_of(level, call).probes:
            a = level.artifact_names.index(name)
            r["verdict"][a] = Verdict.GOOD if good else Verdict.BAD


def write_error(level: Level, failure: StandardError, r: Any) -> None:
    """Category, blame and what the error announces."""
    r["category"] = CODES[failure.category]
    r["retryable"] = RETRYABLE[failure.retryable]
    r["retry_after_s"] = failure.retry_after_s or 0.0
    r["blame"] = BLAMES[failure.blame]
    for blamed in failure.blamed_inputs:
        if blamed.artifact in level.artifacts:
            r["blamed"][level.artifact_names.index(blamed.artifact)] = 1


def write_made(level: Level, made: Mapping[str, Made], r: Any) -> None:
    """Versions made, with claim and gate."""
    for name, version in made.items():
        a = level.artifact_names.index(name)
        r["made"][a] = 1
        r["quality"][a] = math.nan if version.quality is None else version.quality
        if version.passed is not None:
            r["gate"][a] = Gate.PASSED if version.passed else Gate.REJECTED


def write_hints(level: Level, call: int, outcome: Outcome, r: Any) -> None:
    """Hints per call, the surest of each; a strategy goes to the calls that would bear its label."""
    for hint in outcome.hints:
        named = level.calls_named(hint.call) if hint.call else bearing(level, call, hint.strategy)
        for c in named:
            r["hint"][c] = max(r["hint"][c], hint.p)
    for name in outcome.not_examined:
        for c in level.calls_named(name) or bearing(level, call, name):
            r["not_examined"][c] = 1


def claimed(level: Level, call: int, success: Success) -> dict[str, Made]:
    """What a success says it made: the outputs of its function that it holds."""
    outputs = function_of(level, call).outputs
    return {name: Made(success.quality.get(name)) for name in outputs if name in success.outputs}


def cost_of(level: Level, call: int, outcome: Outcome) -> float:
    """What is charged: the reported cost, else the declared one with that of own recovery on top."""
    if outcome.cost is not None:
        return outcome.cost
    declared = preset_of(level, call).cost
    if declared is None:
        declared = UNKNOWN_SHARE * level.budget.cost
    return declared + outcome.own_recovery.cost


# --- strategies as calls ------------------------------------------------------------------------------


def bearing(level: Level, call: int, strategy: str | None) -> list[int]:
    """The calls that would bear a strategy's label after `call`; none for what is no call or unknown."""
    others = [c for c in range(len(level.calls)) if c != call]
    match strategy:
        case Strategy.RETRY | Strategy.BACK_OFF:
            return [call]
        case Strategy.OTHER_PARAMETERS:
            return [c for c in others if same_function(level, c, call)]
        case Strategy.LIGHTER_VARIANT:
            return [c for c in others if same_function(level, c, call) and lighter(level, c, call)]
        case Strategy.FALLBACK | Strategy.HEDGE:
            return [
                c
                for c in others
                if alternative(level, c, call) and not same_function(level, c, call)
            ]
        case Strategy.REBUILD_UPSTREAM | Strategy.REVERSE_RECONSTRUCT:
            return makers(level, level.inputs_of(level.calls[call]), but=call)
        case Strategy.REPAIR:
            found = makers(level, level.inputs_of(level.calls[call]), but=call)
            return [c for c in found if function_of(level, c).kind == CallKind.REPAIR]
        case Strategy.VERIFY | Strategy.INSPECT:
            return [c for c in others if function_of(level, c).kind.value == strategy]
        case _:
            return []


def function_of(level: Level, call: int) -> Function:
    """The function of a call."""
    return level.functions[level.calls[call].function]


def preset_of(level: Level, call: int) -> Variant:
    """The variant of a call."""
    return function_of(level, call).variants[level.calls[call].variant]


def same_function(level: Level, one: int, other: int) -> bool:
    """Both are variants of one function."""
    return level.calls[one].function == level.calls[other].function


def lighter(level: Level, one: int, other: int) -> bool:
    """Declared to take less memory; False where either is not known."""
    mine, its = preset_of(level, one).memory_bytes, preset_of(level, other).memory_bytes
    return mine is not None and its is not None and mine < its


def alternative(level: Level, one: int, other: int) -> bool:
    """They make something in common."""
    return bool(set(function_of(level, one).outputs) & set(function_of(level, other).outputs))


def makers(level: Level, artifacts: Iterable[str], but: int) -> list[int]:
    """The calls that make any of these artifacts, without one of them."""
    wanted = set(artifacts)
    return [
        c
        for c in range(len(level.calls))
        if c != but and wanted & set(function_of(level, c).outputs)
    ]


# --- back again ---------------------------------------------------------------------------------------


def outcome(level: Level, call: int, r: Any, text: str = "") -> Outcome:
    """The outcome that a row (one record) is the face of, with a text for people.

    With `versions(level, r)` it gives the same row again.
    """
    common: dict[str, Any] = {
        "hints": tuple(
            Hint(p=float(r["hint"][c]), call=full_name(level, c))
            for c in range(len(level.calls))
            if r["hint"][c] > 0.0
        ),
        "not_examined": tuple(
            full_name(level, c) for c in range(len(level.calls)) if r["not_examined"][c]
        ),
        "cost": float(r["cost"]),
        "own_recovery": OwnRecovery(attempts=int(r["own_recovery"])),
        "side_effects": SideEffects[Effect(int(r["effect"])).name],
    }
    if r["category"] == arrays.SUCCESS:
        held = versions(level, r)
        return Success(
            outputs=dict.fromkeys(held),
            quality={k: v.quality for k, v in held.items() if v.quality is not None},
            verdicts={
                name: bool(r["verdict"][a] == Verdict.GOOD)
                for a, name in enumerate(level.artifact_names)
                if r["verdict"][a] != Verdict.NONE
            },
            message=text,
            **common,
        )
    return StandardError(
        category=CATEGORY_OF[int(r["category"])],
        message=text or f"{level.call_names[call]} failed.",
        retryable={number: word for word, number in RETRYABLE.items()}[int(r["retryable"])],
        retry_after_s=float(r["retry_after_s"]) or None,
        blame=BLAME_OF[int(r["blame"])],
        blamed_inputs=tuple(
            BlamedInput(name) for a, name in enumerate(level.artifact_names) if r["blamed"][a]
        ),
        **common,
    )


def versions(level: Level, r: Any) -> dict[str, Made]:
    """The versions that a row says were made."""
    passed = {Gate.NONE: None, Gate.PASSED: True, Gate.REJECTED: False}
    return {
        name: Made(
            None if math.isnan(r["quality"][a]) else float(r["quality"][a]),
            passed[Gate(int(r["gate"][a]))],
        )
        for a, name in enumerate(level.artifact_names)
        if r["made"][a]
    }


def full_name(level: Level, call: int) -> str:
    """`function/variant`: names this call and no other."""
    return f"{level.calls[call].function}/{level.calls[call].variant}"
