"""Why a run went as it did: each decision with what was believed then, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from conductor_agent.events import (
    Decided,
    Ended,
    Event,
    Finished,
    Lost,
    Refused,
    Signal,
    Started,
    Waited,
)
from conductor_agent.fold import Fold
from fqg_env import faults
from fqg_env.faults import WINDOWS
from fqg_env.fields import Belief, Doubt
from fqg_env.level import Level
from fqg_env.outcome import StandardError
from fqg_env.rules import FIRST_CALL

SURE = 0.005
"""Shares below this are not worth telling."""


@dataclass
class Step:
    """One decision."""

    at_s: float
    action: str
    strategy: str
    source: str
    probability: float
    """How likely the policy was to choose this."""
    success: float | None
    """Chance that the run succeeds if it goes on so, where the policy tells it."""
    why: str
    """Why the floor decided; empty where it did not."""
    believed: dict[str, Any]
    """Of the chosen call: its provider, chance that it answers, answers well, can never work. Of providers:
    chance that each is down. Of artifacts: chance that the version held is bad."""
    same_observation: bool
    """Folded again, the events give the observation that was logged."""
    outcome: list[dict[str, Any]] = field(default_factory=list)
    """What happened until the next decision."""


def explain(level: Level, events: Iterable[Event]) -> list[Step]:
    """The decisions of a run, in order."""
    run, steps = Fold(level), []
    for event in events:
        if isinstance(event, Decided):
            run.look()
            steps.append(_step(run, event))
        elif steps:
            steps[-1].outcome.extend(_told(event))
        run.apply(event)
    return steps


def providers_down(run: Fold) -> dict[str, float]:
    """Provider -> chance that it is down now."""
    budget_s, at_s = run.plan.budget.time_s, run.number("at_s")
    windows = [w for w in range(WINDOWS) if faults.down(w, at_s, budget_s)]
    return {
        name: float(sum(run.belief["provider"][p][w] for w in windows))
        for p, name in enumerate(run.plan.providers)
    }


def _step(run: Fold, event: Decided) -> Step:
    return Step(
        at_s=event.at_s,
        action=event.action,
        strategy=event.strategy,
        source=event.source,
        probability=event.probabilities.get(event.action, 0.0),
        success=None if event.success is None else round(event.success, 3),
        why=event.why,
        believed=_believed(run, run.action(event.action) - FIRST_CALL),
        same_observation=run.digest() == event.observation,
    )


def _believed(run: Fold, call: int) -> dict[str, Any]:
    down = {name: round(p, 3) for name, p in providers_down(run).items() if p > SURE}
    doubt = run.seen[0]["doubt"][:, Doubt.BAD]
    bad = {
        name: round(float(doubt[a]), 3)
        for a, name in enumerate(run.plan.artifact_names)
        if doubt[a] > SURE
    }
    believed: dict[str, Any] = {"provider_down": down, "artifact_bad": bad}
    if call >= 0:
        believed["provider"] = run.plan.provider_of(run.plan.calls[call].function)
        of_call = run.seen[0]["belief"][call]
        believed["answers"] = round(float(of_call[Belief.ANSWERS]), 3)
        believed["answers_well"] = round(float(of_call[Belief.ANSWERS_WELL]), 3)
        believed["never_works"] = round(float(of_call[Belief.NEVER]), 3)
    return believed


def _told(event: Event) -> list[dict[str, Any]]:
    """An event as an outcome for people; nothing for what the decision already says."""
    match event:
        case Finished():
            outcome = event.outcome
            failure = outcome if isinstance(outcome, StandardError) else None
            told: dict[str, Any] = {
                "event": "finished",
                "call": event.call,
                "category": failure.category.value if failure else "SUCCESS",
                "message": outcome.message,
                "elapsed_s": round(event.elapsed_s, 6),
                "made": {name: made.passed is not False for name, made in event.made.items()},
            }
            if failure and failure.detail:
                told["detail"] = failure.detail
            if failure and failure.cause:
                told["cause"] = msgspec.to_builtins(failure.cause)
            if failure and failure.policy:
                told["policy"] = msgspec.to_builtins(failure.policy)
            if outcome.hints:
                told["hints"] = [
                    {"for": hint.call or hint.strategy, "p": hint.p, "reason": hint.reason}
                    for hint in outcome.hints
                ]
            return [told]
        case Waited():
            return [{"event": "waited", "until_s": round(event.at_s, 6)}]
        case Lost():
            return [{"event": "lost", "attempt": event.attempt}]
        case Signal():
            return [{"event": "signal", "provider": event.provider, "up": event.up}]
        case Refused():
            return [{"event": "refused", "action": event.action}]
        case Ended():
            return [{"event": "stopped", "reason": event.reason}]
        case Decided() | Started():
            return []
