"""Plays cases in every mode, each a run of its own with real processes, all in one journal.

Nothing is remembered from run to run, and no process lives on, so that all begin alike.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conductor_agent.by_mode.cases import MODES, Case
from conductor_agent.record.events import Decided, Event, Finished
from conductor_agent.record.journal import Journal
from conductor_agent.record.ledger import Ledger
from conductor_agent.runs import begin
from fqg_env.level import Responsibility
from fqg_env.outcome import Category, StandardError
from policies.recovery.base import Policy
from policies.recovery.registry import PolicyError

SUCCESS = "success"
FAILED = "the policy "
"""How the reason begins why the floor decided, where the policy failed and did not hand over by itself."""
DEGRADED = "degrade:"
"""How `own_recovery.tried` names a lighter preset."""


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
    tried: tuple[str, ...] = ()
    """Means of own recovery, as the extension names them."""

    @property
    def failures_inside(self) -> int:
        """Failures inside the extension, met or foreseen: repeats, or lighter presets if those are more."""
        return max(self.own_repeats, sum(one.startswith(DEGRADED) for one in self.tried))


@dataclass(frozen=True)
class Played:
    """One run, and what came of it."""

    mode: Responsibility
    case: str
    """Name of the case."""
    run_id: str
    status: str
    """As `conductor run` says it."""
    good: bool
    """Whether what was delivered is truly good enough."""
    quality: float
    """True quality of what was delivered, in [0, 1]; 0 where nothing was."""
    elapsed_s: float
    cost: float
    tries: tuple[Try, ...]
    violations: int
    """Limits that its extensions broke, as the ledger has them."""


def play(
    cases: Iterable[Case],
    policy: Policy,
    journal: Path,
    *,
    modes: Iterable[Responsibility] = MODES,
    watch: Callable[[Played], None] = lambda _: None,
) -> list[Played]:
    """Play every case in every mode.

    Args:
        cases: what is played.
        policy: who decides.
        journal: where all runs are written down.
        modes: who owns failures.
        watch: told of each run.

    Raises:
        JournalError: the journal cannot be written.
        PolicyError: the policy failed, so that what came of the run is the floor's.
        WorkflowError: a workflow cannot be had in a mode.
    """
    played, modes = [], tuple(modes)
    for case in cases:
        for mode in modes:
            played.append(play_one(case, mode, policy, journal))
            watch(played[-1])
    return played


def play_one(case: Case, mode: Responsibility, policy: Policy, journal: Path) -> Played:
    """Play one case in one mode; arguments and errors as of `play`."""
    result = asyncio.run(begin(case.workflow(mode), policy, journal, memory=False))
    with Journal.read(journal) as opened:
        events = opened.events(result.run_id)
        violations = violations_in(Ledger(opened), result.run_id)
    if failure := failure_of_policy(events):
        raise PolicyError(
            f"the floor had to decide in {case.name}, {mode.value}: {failure}; mend the policy"
        )
    quality = case.good(result.values) if result.values else 0.0
    return Played(
        mode, case.name, result.run_id, result.status, quality > 0 and quality >= case.enough, quality,
        result.elapsed_s, result.cost, tuple(tries_of(events)), violations,
    )  # fmt: skip


def violations_in(ledger: Ledger, run_id: str) -> int:
    """How many limits the extensions of a run broke."""
    broken = [one for extension in ledger.extensions() for one in ledger.violations(extension)]
    return sum(one["run_id"] == run_id for one in broken)


def failure_of_policy(events: Iterable[Event]) -> str:
    """How the policy first failed to decide, in a run; empty: it decided, or handed over by itself."""
    told = (event.why for event in events if isinstance(event, Decided))
    return next((why for why in told if why.startswith(FAILED)), "")


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
        tried=tuple(outcome.own_recovery.tried),
    )
