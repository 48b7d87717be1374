"""Plays the scenario: every document in every mode, each a run of its own with real processes.

All are written down in a journal. Nothing is remembered from run to run, so that all begin alike.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from conductor_agent.events import Decided, Event, Finished
from conductor_agent.journal import Journal
from conductor_agent.ledger import Ledger
from conductor_agent.runs import begin
from conductor_agent.scenario_1.documents import Kind, is_summary, make_document
from conductor_agent.workflow import Workflow, parse_workflow
from fqg_env.level import Responsibility
from fqg_env.outcome import Category, StandardError
from policies.recovery.base import Policy

WORKFLOW = Path(__file__).with_name("workflow.yaml")
GOAL, GIVEN = "summary", "document"
SUCCESS = "success"
STORY_SCALE = 100.0
"""At this scale seconds are those of the story: 5 minutes are 300 s."""


@dataclass(frozen=True)
class Try:
    """One attempt, as the conductor saw it."""

    call: str
    strategy: str
    outcome: str
    """`success`, or the category of the failure."""
    limit: str | None
    """The limit that ended it."""
    elapsed_s: float
    start_s: float
    """The part of `elapsed_s` in which a worker was started."""
    own_repeats: int
    own_recovery_s: float


@dataclass(frozen=True)
class Played:
    """One run, and what came of it."""

    mode: Responsibility
    kind: Kind
    seed: int
    run_id: str
    status: str
    """As `conductor run` says it."""
    good: bool
    """Whether what was delivered is a summary of the document."""
    elapsed_s: float
    cost: float
    tries: tuple[Try, ...]
    violations: int
    """Limits that its extensions broke, as the ledger has them."""


def scenario(mode: Responsibility, text: str, scale: float = 1.0) -> Workflow:
    """The workflow in a mode, with a document.

    Args:
        mode: who owns failures.
        text: the document.
        scale: multiplies the workflow's seconds. The 2 hours stay 2 hours.

    Raises:
        WorkflowError: at this scale a limit would be over its ceiling.
    """
    data = yaml.safe_load(WORKFLOW.read_text("utf-8"))
    data["responsibility"] = mode.value
    data["budget"]["time_s"] *= scale
    for function in data["functions"].values():
        for variant in function["variants"].values():
            variant.update({key: variant[key] * scale for key in ("latency_s", "p95_s")})
    entry = data["extensions"]["community_model"]
    entry["limits"]["wall_s"] *= scale
    load_s = float(entry["environment"]["ENGINE_LOAD_S"]) * scale
    entry["environment"]["ENGINE_LOAD_S"] = str(load_s)
    data["inputs"] = {GIVEN: {"text": text}}
    written = yaml.safe_dump(data, sort_keys=False)
    workflow = parse_workflow(data, written, WORKFLOW, ceiling=None, has_program=lambda _: True)
    return dataclasses.replace(workflow, inputs={GIVEN: text})


def play(
    policy: Policy,
    journal: Path,
    *,
    kinds: Iterable[Kind] = Kind,
    seeds: Sequence[int] = (0, 1),
    modes: Iterable[Responsibility] = Responsibility,
    scale: float = 1.0,
    watch: Callable[[Played], None] = lambda _: None,
) -> list[Played]:
    """Play every document in every mode.

    Args:
        policy: who decides.
        journal: where all runs are written down.
        kinds: kinds of documents.
        seeds: a document of each kind for each.
        modes: who owns failures.
        scale: multiplies the workflow's seconds.
        watch: told of each run.

    Raises:
        JournalError: the journal cannot be written.
        WorkflowError: at this scale a limit would be over its ceiling.
    """
    played, modes = [], tuple(modes)
    for kind in kinds:
        for seed in seeds:
            for mode in modes:
                played.append(play_one(policy, journal, mode, kind, seed, scale))
                watch(played[-1])
    return played


def play_one(
    policy: Policy, journal: Path, mode: Responsibility, kind: Kind, seed: int, scale: float = 1.0
) -> Played:
    """Play one document in one mode; arguments and errors as of `play`."""
    text = make_document(kind, seed)
    result = asyncio.run(begin(scenario(mode, text, scale), policy, journal, memory=False))
    with Journal.read(journal) as opened:
        events = opened.events(result.run_id)
        violations = violations_in(Ledger(opened), result.run_id)
    return Played(
        mode, kind, seed, result.run_id, result.status, is_summary(result.values.get(GOAL), text),
        result.elapsed_s, result.cost, tuple(tries_of(events)), violations,
    )  # fmt: skip


def violations_in(ledger: Ledger, run_id: str) -> int:
    """How many limits the extensions of a run broke."""
    broken = [one for extension in ledger.extensions() for one in ledger.violations(extension)]
    return sum(one["run_id"] == run_id for one in broken)


def tries_of(events: Iterable[Event]) -> Iterable[Try]:
    """The attempts of a run, one after the other."""
    strategy = ""
    for event in events:
        if isinstance(event, Decided):
            strategy = event.strategy
        elif isinstance(event, Finished):
            yield _try(event, strategy)


def _try(event: Finished, strategy: str) -> Try:
    outcome: Any = event.outcome
    failed = isinstance(outcome, StandardError)
    return Try(
        call=event.call,
        strategy=strategy,
        outcome=Category(outcome.category).value if failed else SUCCESS,
        limit=outcome.policy.name if failed and outcome.policy is not None else None,
        elapsed_s=event.elapsed_s,
        start_s=event.usage.get("start_s", 0.0),
        own_repeats=outcome.own_recovery.attempts,
        own_recovery_s=outcome.own_recovery.elapsed_s,
    )
