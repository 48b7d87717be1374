"""What an attempt comes to that has no usable answer of its own: cancelled, or not fit to be written down."""

from __future__ import annotations

from msgspec.structs import replace

from conductor_agent.hosting.classify import from_answer, from_cancel
from conductor_agent.live_world import Answer
from conductor_agent.plain import said_by
from conductor_agent.record.fold import Fold
from fqg_env.arrays import UNKNOWN_SHARE, Stopped
from fqg_env.outcome import SideEffects, StandardError
from fqg_env.row import function_of, preset_of

REDUNDANT = "Another call has made what it was to make."


def why_cancelled(fold: Fold, reason: Stopped) -> str:
    """Why an attempt was cancelled when the run ended for this reason."""
    budget = fold.level.budget
    spent = {
        Stopped.TIME: f"The run's time budget of {budget.time_s:g} s was used up",
        Stopped.COST: f"The run's cost budget of {budget.cost:g} was used up",
        Stopped.ATTEMPTS: f"The run's {budget.attempts} attempts were used up",
        Stopped.STEPS: "The run came to its last decision",
    }
    return f"{spent.get(reason, 'The policy ended the run')} before it answered."


def cancelled(fold: Fold, call: int, ran_s: float, why: str) -> StandardError:
    """The outcome of an attempt that was cancelled after so long."""
    level = fold.level
    preset = preset_of(level, call)
    planned_s = preset.latency_s or UNKNOWN_SHARE * level.budget.time_s
    cost = UNKNOWN_SHARE * level.budget.cost if preset.cost is None else preset.cost
    return replace(
        from_cancel(why),
        cost=cost * min(1.0, ran_s / planned_s),
        side_effects=untold_effects(fold, call),
    )


def unfit(fold: Fold, call: int, answer: Answer, problem: Exception) -> Answer:
    """What an answer comes to that cannot be written down."""
    failure = from_answer(f"It cannot be written down ({said_by(problem)}).")
    failure = replace(failure, side_effects=untold_effects(fold, call))
    return Answer(failure, answer.elapsed_s, usage=answer.usage)


def untold_effects(fold: Fold, call: int) -> SideEffects:
    """What an attempt that cannot say so may have changed."""
    return SideEffects.NONE if function_of(fold.level, call).idempotent else SideEffects.POSSIBLE
