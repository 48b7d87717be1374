"""Why a run went as it did: each decision with what was known and believed then, what else was weighed, what
could not be asked again, what speaks for the choice, and what came of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from conductor_agent.bad_input import BadInput
from conductor_agent.deciding.mask import Mask
from conductor_agent.deciding.reasons import missing, providers_down, reasons, said_in_vain
from conductor_agent.record.events import (
    CodeChanged,
    Decided,
    Ended,
    Event,
    Finished,
    Lost,
    Signal,
    Started,
    Waited,
)
from conductor_agent.record.fold import Fold
from fqg_env.fields import Belief, Doubt
from fqg_env.level import Level
from fqg_env.outcome import StandardError
from fqg_env.rules import FIRST_CALL

LEAST_SHARE = 0.005
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
    """Why not the policy decided; empty where it did."""
    believed: dict[str, Any]
    """Of the chosen call: its provider, chance that it answers, answers well, can never work. Of providers:
    chance that each is down. Of artifacts: chance that the version held is bad."""
    same_observation: bool
    """Folded again, the events give the observation that was logged."""
    outcome: list[dict[str, Any]] = field(default_factory=list)
    """What happened until the next decision."""
    number: int = 1
    """Of the decision, from 1."""
    attempt: int | None = None
    """Which attempt it began, from 1; None: it began none."""
    known: dict[str, Any] = field(default_factory=dict)
    """The board: `attempts` and `failures` so far, artifacts `held`, `rejected` by their gate and `missing`
    goals, calls `in_flight`, and `left` of the budgets (`time_s`, `cost`, `attempts`)."""
    considered: dict[str, float] = field(default_factory=dict)
    """What else the policy might have chosen, the likeliest first."""
    reasons: list[str] = field(default_factory=list)
    """What speaks for the choice, see `deciding/reasons.py`."""
    barred: dict[str, str] = field(default_factory=dict)
    """Calls out of the mask as in vain, or as a second way to do the same, with why as after `which`."""


def explain(level: Level, events: Iterable[Event]) -> list[Step]:
    """The decisions of a run, in order."""
    run, bars = Fold(level), Mask(level)
    steps: list[Step] = []
    for event in events:
        if isinstance(event, Decided):
            barred = bars.look(run) | said_in_vain(run)
            steps.append(_step(run, event, len(steps) + 1, barred))
        elif steps:
            if isinstance(event, Started):
                steps[-1].attempt = event.attempt + 1
            steps[-1].outcome.extend(_told(event))
        run.apply(event)
        bars.apply(event)
    return steps


def asked_for(
    steps: list[Step], run_id: str, decision: int | None, attempt: int | None
) -> list[Step]:
    """The steps that are asked for: all, one decision, or the one that began an attempt.

    Raises:
        BadInput: there is no such one, or both are given.
    """
    if decision is not None and attempt is not None:
        raise BadInput("--decision and --attempt each name one decision; give one of them")
    if decision is None and attempt is None:
        return steps
    found = [s for s in steps if decision in (None, s.number) and attempt in (None, s.attempt)]
    if not found:
        what, of = (
            ("decision", len(steps))
            if decision
            else ("attempt", max(s.attempt or 0 for s in steps))
        )
        raise BadInput(
            f"--{what} {decision or attempt}: the run {run_id} has {of} {what}s, numbered from 1"
        )
    return found


def _step(run: Fold, event: Decided, number: int, barred: dict[str, str]) -> Step:
    action, others = run.action(event.action), dict(event.probabilities)
    chosen = others.pop(event.action, 0.0)
    weighed = sorted(others.items(), key=lambda pair: -pair[1])
    return Step(
        number=number,
        known=_known(run),
        considered={name: round(p, 3) for name, p in weighed if p > LEAST_SHARE},
        reasons=reasons(run, action, chosen),
        barred={call: why for call, why in barred.items() if call != event.action},
        at_s=event.at_s,
        action=event.action,
        strategy=event.strategy,
        source=event.source,
        probability=chosen,
        success=None if event.success is None else round(event.success, 3),
        why=event.why,
        believed=_believed(run, action - FIRST_CALL),
        same_observation=run.digest() == event.observation,
    )


def _known(run: Fold) -> dict[str, Any]:
    """What the board says: nothing of it is believed only."""
    names, budget, number = run.level.artifact_names, run.level.budget, run.number
    present = [name for a, name in enumerate(names) if run.board["present"][a]]
    return {
        "attempts": number("attempts"),
        "failures": number("failed"),
        "held": [name for name in present if run.usable(name)],
        "rejected": [
            name for a, name in enumerate(names) if name in present and run.board["rejected"][a]
        ],
        "missing": missing(run),
        "in_flight": [run.level.call_names[c] for c in run.flights().values()],
        "left": {
            "time_s": round(max(0.0, budget.time_s - number("at_s")), 6),
            "cost": round(max(0.0, budget.cost - number("cost")), 6),
            "attempts": max(0, budget.attempts - number("attempts")),
        },
    }


def _believed(run: Fold, call: int) -> dict[str, Any]:
    down = {name: round(p, 3) for name, p in providers_down(run).items() if p > LEAST_SHARE}
    doubt = run.seen[0]["doubt"][:, Doubt.BAD]
    bad = {
        name: round(float(doubt[a]), 3)
        for a, name in enumerate(run.level.artifact_names)
        if doubt[a] > LEAST_SHARE
    }
    believed: dict[str, Any] = {"provider_down": down, "artifact_bad": bad}
    if call >= 0:
        believed["provider"] = run.level.provider_of(run.level.calls[call].function)
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
            return [{"event": "lost", "attempt": event.attempt + 1}]
        case Signal():
            return [{"event": "signal", "provider": event.provider, "up": event.up}]
        case CodeChanged():
            return [{"event": "code_changed", "of": list(event.code)}]
        case Ended():
            return [{"event": "stopped", "reason": event.reason}]
        case Decided() | Started():
            return []
