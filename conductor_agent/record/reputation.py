"""The two memories that a level starts with, from the ledger: reputation, over the long run, and recent runs.

recent       of each call, in the last runs of the same workflow file. A run counts as one outcome, shared out
             by how often the call succeeded and failed in it; each run before weighs less by `DECAY`
reputation   of each function's extension, in all other runs of the journal: the share of its outcomes that
             were good, and the number of outcomes that rests on. What the workflow declares and what a check
             found are outcomes too, as many as their strength says

Both are snapshotted into the level when a run begins and never change in it, so that the run, resumed or told
again, sees what it saw.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from conductor_agent.files.workflow import Workflow
from conductor_agent.record.identity import version_of
from conductor_agent.record.ledger import Ledger, Tally
from conductor_agent.record.tables import SUCCESS
from fqg_env.level import Level, Recent, Reputation
from fqg_env.outcome import Category

RUNS, DECAY = 8, 0.7
"""At most 3.1 outcomes of a call; conductors are trained on 4 at most."""
STRONGEST = 20.0
"""Outcomes that the longest record is worth: extensions change, and training knows no stronger ones."""
NOT_OF_THE_CALL = frozenset(
    c.value
    for c in (
        Category.CANCELLED,
        Category.DEPENDENCY_FAILED,
        Category.INVALID_INPUT,
        Category.INPUT_TOO_LARGE,
    )
)
"""Failures that say nothing of how the call would go another time. An outage does: it may still last."""


@dataclass(frozen=True)
class Beta:
    """A share of good outcomes and the number of outcomes it rests on."""

    mean: float
    strength: float


def pooled(*known: Beta | None) -> Beta | None:
    """What several records come to together; None where there is none."""
    found = [one for one in known if one is not None and one.strength > 0.0]
    strength = sum(one.strength for one in found)
    if strength == 0.0:
        return None
    mean = sum(one.mean * one.strength for one in found) / strength
    return Beta(min(1.0, max(0.0, mean)), min(strength, STRONGEST))


def observed(tally: Tally) -> Beta | None:
    """What the calls of an extension say of it."""
    rate = tally.success_rate
    return None if rate is None else Beta(rate, tally.successes + tally.failed)


def reputation_of(ledger: Ledger, extension: str, without: Sequence[str] = ()) -> Beta | None:
    """The reputation of an extension from its calls, but for those in some runs, and its check."""
    check = ledger.checked(extension)
    return pooled(observed(ledger.tally(extension, without)), Beta(*check) if check else None)


def recent_of(ledger: Ledger, runs: Sequence[str]) -> dict[str, Recent]:
    """Decayed outcome counts of each call over some runs, the newest first."""
    good: Counter[str] = Counter()
    bad: Counter[str] = Counter()
    for age, run_id in enumerate(runs):
        outcomes = [o for o in ledger.outcomes_of(run_id) if o[1] not in NOT_OF_THE_CALL]
        times = Counter(call for call, _, _ in outcomes)
        for call, category, _ in outcomes:
            (good if category == SUCCESS else bad)[call] += DECAY**age / times[call]  # type: ignore[assignment]
    return {call: Recent(success=good[call], failure=bad[call]) for call in {**good, **bad}}


def remembered(workflow: Workflow, ledger: Ledger) -> Workflow:
    """A workflow whose level begins with what the ledger remembers."""
    runs = ledger.runs_of(workflow.path, RUNS)
    level = workflow.level
    functions: dict[str, Any] = {}
    for name, function in level.functions.items():
        bound = workflow.extensions[name]
        extension = ledger.known(version_of(bound.source, bound.kind))
        if extension is None:
            functions[name] = function
            continue
        told = function.reputation
        declared = None if told is None else Beta(told.mean, told.strength)
        beta = pooled(declared, reputation_of(ledger, extension, runs))
        snapshot = None if beta is None else Reputation(mean=beta.mean, strength=beta.strength)
        functions[name] = function.model_copy(update={"reputation": snapshot or told})
    recent = {**_by_call(level), **_known_calls(level, recent_of(ledger, runs))}
    return dataclasses.replace(
        workflow, level=level.model_copy(update={"functions": functions, "recent": recent})
    )


def _by_call(level: Level) -> dict[str, Recent]:
    """What the workflow says of recent runs, by the names of calls."""
    return {level.call_names[level.calls_named(name)[0]]: r for name, r in level.recent.items()}


def _known_calls(level: Level, recent: dict[str, Recent]) -> dict[str, Recent]:
    """Of these calls those that the level still has."""
    return {call: recent[call] for call in level.call_names if call in recent}
