"""What a manifest declares of outputs, held against what came: in runs, single calls and checks alike."""

from __future__ import annotations

from collections.abc import Mapping

from conductor_agent.files.checks import IS, kind_of
from conductor_agent.files.manifest import Slot
from fqg_env.outcome import Blame, Category, Outcome, Phase, StandardError, Success, error


def as_declared(outcome: Outcome, slots: Mapping[str, Slot]) -> Outcome:
    """The outcome, or `INVALID_OUTPUT` where an output is missing or of another type than declared.

    Args:
        outcome: what an extension answered; a failure stays as it is.
        slots: output -> what its manifest declares of it.
    """
    if isinstance(outcome, StandardError):
        return outcome
    for name, slot in slots.items():
        wrong = _wrong(outcome.outputs.get(name), slot)
        if wrong is not None:
            return unusable(outcome, name, wrong)
    return outcome


def _wrong(value: object, slot: Slot) -> str | None:
    if value is None:
        return None if slot.optional else "it is missing"
    if IS[slot.type](value):
        return None
    return f"it is {kind_of(value)}, its manifest declares {slot.type.value}"


def unusable(success: Success, name: str, wrong: str) -> StandardError:
    """A success with an output that is none, and why."""
    text = f"The output {name} is not usable: {wrong}."
    return failed(success, Category.INVALID_OUTPUT, text, Phase.OUTPUT)


def failed(success: Success, category: Category, message: str, phase: Phase) -> StandardError:
    """A success that is none: what it reported of itself is kept."""
    return error(
        category,
        message,
        detail=success.message,
        blame=Blame.EXTENSION,
        phase=phase,
        side_effects=success.side_effects,
        own_recovery=success.own_recovery,
        cost=success.cost,
        hints=success.hints,
        not_examined=success.not_examined,
    )
