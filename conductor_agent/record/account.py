"""What one run tells the ledger: rows that are written together with its events, or not at all.

A limit counts as broken where something outside the extension saw it. What an extension says of limits itself
is its word (`classify.as_told` marks it): it can neither write a violation nor talk one away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

from conductor_agent.hosting.classify import TOLD
from conductor_agent.hosting.contract import ExtensionSource
from conductor_agent.record.events import Event, Finished, Started
from conductor_agent.record.journal import Row
from conductor_agent.record.tables import SUCCESS
from fqg_env.outcome import Blame, PolicyEvidence, StandardError
from policies.resource.health import blames
from policies.resource.violations import Limit

OUTCOME = (
    "INSERT INTO outcomes (extension, run_id, attempt, call, category, blamed, ended) "
    "VALUES (?, ?, ?, ?, ?, ?, ?)"
)
VIOLATION = (
    "INSERT INTO violations (extension, run_id, attempt, call, name, allowed, seen, unit, enforcer, "
    "action, evidence, blamed, broken) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
MAX_EVIDENCE = 500
"""Letters of the evidence that are kept: the end of a log, or where it wanted to go."""
CLOCKS = frozenset({Limit.START_WALL.value, Limit.WALL.value, Limit.DEADLINE.value})


def utc_now() -> str:
    """RFC 3339."""
    return datetime.now(UTC).isoformat()


class Account:
    """The rows of one run."""

    def __init__(
        self,
        run_id: str,
        extensions: Mapping[str, str],
        functions: Mapping[ExtensionSource, str],
        now: Callable[[], str] = utc_now,
    ) -> None:
        """
        Args:
            run_id: the run.
            extensions: call -> the extension that makes it.
            functions: source -> the extension that it is of.
            now: stamps rows.
        """
        self._run_id = run_id
        self._extensions = extensions
        self._functions = functions
        self._now = now
        self._latest: dict[str, tuple[int, str]] = {}
        self._late: list[Row] = []

    def entries(self, events: Iterable[Event] = ()) -> list[Row]:
        """What these events say of extensions, and what has come in since the last time."""
        rows, self._late = self._late, []
        for event in events:
            if isinstance(event, Started):
                self._latest[self._extensions[event.call]] = (event.attempt, event.call)
            elif isinstance(event, Finished):
                rows += self._finished(event)
        return rows

    def unheard(self, source: ExtensionSource, failure: StandardError) -> None:
        """A limit that was broken when no call answered for it any more: it belongs to the latest one.

        That the clock ran out says nothing then: there was an answer, and it was we who read it late.
        """
        extension = self._functions.get(source)
        proof = failure.policy
        if extension not in self._latest or proof is None or proof.name in CLOCKS:
            return
        attempt, call = self._latest[extension]
        self._late.append(self._violation(extension, attempt, call, failure, proof))

    def _finished(self, event: Finished) -> list[Row]:
        extension, outcome = self._extensions[event.call], event.outcome
        head = (extension, self._run_id, event.attempt, event.call)
        if not isinstance(outcome, StandardError):
            return [(OUTCOME, (*head, SUCCESS, 0, self._now()))]
        values = (*head, outcome.category.value, int(blames(outcome)), self._now())
        rows: list[Row] = [(OUTCOME, values)]
        proof = outcome.policy
        if proof is not None and not proof.enforcer.startswith(TOLD):
            rows.append(self._violation(extension, event.attempt, event.call, outcome, proof))
        return rows

    def _violation(
        self,
        extension: str,
        attempt: int,
        call: str,
        failure: StandardError,
        proof: PolicyEvidence,
    ) -> Row:
        return VIOLATION, (
            extension, self._run_id, attempt, call,
            proof.name, proof.limit, proof.observed, proof.unit, proof.enforcer, proof.action,
            proof.evidence[-MAX_EVIDENCE:], int(failure.blame is Blame.EXTENSION), self._now(),
        )  # fmt: skip
