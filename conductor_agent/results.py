"""What a run came to, and how far one has gone: told from the journal alone."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from conductor_agent.live_world import Held
from conductor_agent.record.events import Decided, Event, Finished
from conductor_agent.record.fold import Fold, FoldError, fold
from conductor_agent.record.journal import Journal, JournalError, RunRecord
from fqg_env.arrays import Stopped
from fqg_env.level import GoalKind, Level


@dataclass(frozen=True)
class Goal:
    """What became of a goal."""

    delivered: bool
    quality: float | None
    """As its maker claims."""
    measured: float | None
    """As its gate has measured."""
    sha256: str | None


@dataclass(frozen=True)
class Result:
    """What a run came to."""

    run_id: str
    status: str
    """`succeeded`: every essential goal is delivered; `partial`: some goal is; `failed`: none is."""
    goals: dict[str, Goal]
    stopped: str
    attempts: int
    elapsed_s: float
    cost: float
    decisions: int
    decision_ms_p50: float | None
    fsync_ms_p50: float | None = None
    """One durable write of the journal."""
    values: dict[str, Any] = field(default_factory=dict)
    """Goal -> what is delivered."""

    def as_json(self) -> dict[str, Any]:
        """The keys of `conductor run --json`."""
        goals = {
            name: {
                "delivered": g.delivered,
                "quality": g.quality,
                "measured": g.measured,
                "value_sha256": g.sha256,
            }
            for name, g in self.goals.items()
        }
        rest = {k: v for k, v in vars(self).items() if k not in ("goals", "values")}
        return {**rest, "goals": goals}


def holdings(journal: Journal, record: RunRecord, events: Iterable[Event]) -> dict[str, Held]:
    """The current version of every artifact, as the journal has it."""
    held = {name: Held(sha, journal.value(sha)) for name, sha in record.inputs.items()}
    for event in events:
        if isinstance(event, Finished):
            for name, sha in event.values.items():
                held[name] = Held(sha, journal.value(sha), event.made[name].passed is False)
    return held


def result_of(run_id: str, state: Fold, events: Iterable[Event], held: dict[str, Held]) -> Result:
    """What a run has come to, as far as it went."""
    goals, values = {}, {}
    events = list(events)
    made = {name: m for e in events if isinstance(e, Finished) for name, m in e.made.items()}
    for name in state.level.goals:
        delivered = state.usable(name)
        claimed = float(state.board["claimed"][state.level.artifact_names.index(name)])
        quality = claimed if delivered and not np.isnan(claimed) else None
        sha = held[name].sha256 if delivered and name in held else None
        measured = made[name].measured if delivered and name in made else None
        goals[name] = Goal(delivered, quality, measured, sha)
        if delivered and name in held:
            values[name] = held[name].value
    took = [event.took_ms for event in events if isinstance(event, Decided)]
    return Result(
        run_id=run_id,
        status=status_of(state, goals),
        goals=goals,
        stopped=state.stopped().name.lower(),
        attempts=state.number("attempts"),
        elapsed_s=state.number("at_s"),
        cost=state.number("cost"),
        decisions=len(took),
        decision_ms_p50=statistics.median(took) if took else None,
        values=values,
    )


def status_of(state: Fold, goals: dict[str, Goal]) -> str:
    """`succeeded`, `partial` or `failed`; `unfinished` while it may go on."""
    if state.stopped() is Stopped.NO:
        return "unfinished"
    delivered = {name for name, goal in goals.items() if goal.delivered}
    essential = {
        name for name, goal in state.level.goals.items() if goal.kind is GoalKind.ESSENTIAL
    }
    if not delivered:
        return "failed"
    return "succeeded" if essential <= delivered else "partial"


def folded(journal: Journal, run_id: str) -> tuple[Level, list[Event], Fold]:
    """The level of a run, its events and what they come to.

    Raises:
        JournalError: there is no such run, or it cannot be read.
    """
    level, events = journal.level(run_id), journal.events(run_id)
    try:
        return level, events, fold(level, events)
    except FoldError as problem:
        raise JournalError(
            f"{journal.path}: the run {run_id} cannot be told: {problem}"
        ) from problem


def summary(journal: Journal, run_id: str) -> dict[str, Any]:
    """One run in a line: what it is and how far it went.

    Raises:
        JournalError: there is no such run, or it cannot be read.
    """
    record, (level, events, state) = journal.run(run_id), folded(journal, run_id)
    result = result_of(run_id, state, events, {})
    return {
        "run_id": run_id,
        "name": level.name,
        "path": record.path,
        "created": record.created,
        "policy": record.policy,
        "status": result.status,
        "stopped": result.stopped,
        "attempts": result.attempts,
        "elapsed_s": result.elapsed_s,
        "cost": result.cost,
    }


def summaries(journal: Journal) -> list[dict[str, Any]]:
    """Every run in a line, the newest first. One that cannot be read has `status` "unreadable" and the
    sentence why under `problem`; the others are told all the same.
    """
    rows = []
    for run_id in journal.run_ids():
        try:
            rows.append(summary(journal, run_id))
        except Exception as problem:  # noqa: BLE001  (whatever is wrong with one run, the others are told)
            rows.append({"run_id": run_id, "status": "unreadable", "problem": str(problem)})
    return rows
