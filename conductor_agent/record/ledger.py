"""The ledger: what is known of each extension from all runs of a journal, and what operators said of it.

    with Journal.create(path) as journal:
        ledger = Ledger(journal)
        extension = ledger.meet([version_of(source, "operator")])[0]
        ledger.record_check(extension, mean=0.9, strength=6)
        ledger.health(extension).state

Nothing in it is ever changed or removed: a pardon is one row more. A journal of version 1 that is only looked
into knows nothing of any extension.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from conductor_agent.files.workflow import Workflow
from conductor_agent.record.account import Account, utc_now
from conductor_agent.record.identity import Version, version_of
from conductor_agent.record.journal import Journal, JournalError, Row
from conductor_agent.record.tables import SUCCESS
from fqg_env.errors import suggest
from fqg_env.outcome import Category
from policies.resource.health import Conduct, Health, conduct, health

LOOKS_BACK = 2000
"""Calls that health is told from: 20 good ones in a row make everybody healthy who is called at all, so what
was before so many hardly ever makes a difference."""


@dataclass(frozen=True)
class Tally:
    """How the calls of an extension went."""

    successes: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    """Category -> failures that speak against it."""
    excused: int = 0
    """Failures that do not: outages, cancelled calls, bad input, the run's own deadline."""

    @property
    def failed(self) -> int:
        """Failures that speak against it."""
        return sum(self.failures.values())

    @property
    def success_rate(self) -> float | None:
        """Share of successes where it succeeded or was to blame; None where neither happened."""
        counted = self.successes + self.failed
        return self.successes / counted if counted else None


class Ledger:
    """The ledger of a journal, to be read and, where the journal may be written to, added to."""

    def __init__(self, journal: Journal, now: Callable[[], str] = utc_now) -> None:
        self.journal = journal
        self._now = now

    # Who

    def known(self, version: Version) -> str | None:
        """The id of an extension that was met before, see `identity.py`."""
        by_place = (
            "SELECT extension FROM versions WHERE source = ? AND (name = ? OR ?) "
            "ORDER BY nth DESC LIMIT 1"
        )
        rows = self._rows(by_place, version.place, version.name, version.by_manifest)
        if not rows and version.digest:
            by_digest = by_place.replace("source", "digest")
            rows = self._rows(by_digest, version.digest, version.name, False)
        return rows[0][0] if rows else None

    def meet(self, versions: Iterable[Version]) -> list[str]:
        """The ids of extensions; those that were never met get one, and what is new of them is noted."""
        ids = []
        for version in versions:
            extension = self.known(version) or self._fresh(version.label)
            ids.append(extension)
            latest = self.versions(extension)[-1:]
            if [version] != latest:
                values = (extension, version.place, version.name, version.digest, version.kind)
                self._enter("versions", "extension, source, name, digest, class, met", values)
        return ids

    def versions(self, extension: str) -> list[Version]:
        """An extension as it was met, the latest last."""
        statement = (
            "SELECT source, name, digest, class FROM versions WHERE extension = ? ORDER BY nth"
        )
        return [Version(*row) for row in self._rows(statement, extension)]

    def extensions(self) -> list[str]:
        """The ids of all extensions that were met."""
        return [row[0] for row in self._rows("SELECT DISTINCT extension FROM versions ORDER BY 1")]

    def named(self, name: str) -> str:
        """The extension that an id or, where only one bears it, a name means.

        Raises:
            JournalError: none, or more than one.
        """
        known = self.extensions()
        if name in known:
            return name
        bearing = {one for one in known if any(v.name == name for v in self.versions(one))}
        if len(bearing) == 1:
            return bearing.pop()
        if bearing:
            raise JournalError(
                f"{self.journal.path}: {len(bearing)} extensions are called {name!r}; "
                f"name one of {', '.join(sorted(bearing))}"
            )
        hint = suggest(name, known) if known else " It knows none yet."
        raise JournalError(f"{self.journal.path}: there is no extension {name!r} in it." + hint)

    # What is written

    def account(self, run_id: str, workflow: Workflow) -> Account:
        """Where a run of a workflow enters what its extensions do."""
        bound = workflow.extensions
        ids = self.meet(version_of(one.source, one.kind) for one in bound.values())
        by_function = dict(zip(bound, ids, strict=True))
        return Account(
            run_id,
            {call.name: by_function[call.function] for call in workflow.level.calls},
            {one.source: by_function[name] for name, one in bound.items()},
            self._now,
        )

    def pardon(self, extension: str, reason: str = "") -> None:
        """Let an extension be called again, on trial. What it did stays written down."""
        last = self._rows("SELECT coalesce(max(nth), 0) FROM outcomes")[0][0]
        self._enter("pardons", "extension, after, reason, pardoned", (extension, last, reason))

    def record_check(self, extension: str, mean: float, strength: float) -> None:
        """How an extension fared when it was checked: the share of good outcomes to expect, and how many
        outcomes that is worth. The latest check counts.

        Raises:
            ValueError: it is no share, or no number of outcomes.
        """
        if not (0.0 <= mean <= 1.0 and 0.0 <= strength < float("inf")):
            raise ValueError(f"a check of mean {mean} and strength {strength} is none")
        self._enter("checks", "extension, mean, strength, checked", (extension, mean, strength))

    def _enter(self, table: str, columns: str, values: tuple[Any, ...]) -> None:
        """One row; its last column is the time."""
        marks = ", ".join("?" * (len(values) + 1))
        row: Row = (
            f"INSERT INTO {table} ({columns}) VALUES ({marks})",  # noqa: S608  (our own words)
            (*values, self._now()),
        )
        self.journal.enter([row])

    def _fresh(self, label: str) -> str:
        """An id that no other extension bears."""
        known, nth, extension = set(self.extensions()), 1, label
        while extension in known:
            nth += 1
            extension = f"{label}~{nth}"
        return extension

    # What is known

    def tally(self, extension: str, without: Sequence[str] = ()) -> Tally:
        """How its calls went.

        Args:
            extension: its id.
            without: runs that do not count.
        """
        rows = self._rows(
            "SELECT category, blamed, count(*) FROM outcomes WHERE extension = ? "
            "AND run_id NOT IN (SELECT value FROM json_each(?)) GROUP BY category, blamed",
            extension,
            json.dumps(list(without)),
        )
        return Tally(
            sum(n for category, _, n in rows if category == SUCCESS),
            {category: n for category, blamed, n in rows if blamed},
            sum(n for category, blamed, n in rows if category != SUCCESS and not blamed),
        )

    def checked(self, extension: str) -> tuple[float, float] | None:
        """Mean and strength of its latest check."""
        statement = (
            "SELECT mean, strength FROM checks WHERE extension = ? ORDER BY nth DESC LIMIT 1"
        )
        rows = self._rows(statement, extension)
        return (rows[0][0], rows[0][1]) if rows else None

    def health(self, extension: str) -> Health:
        """What is thought of it, after all of its calls."""
        return health(self.conduct(extension))

    def conduct(self, extension: str) -> list[list[Conduct]]:
        """How it behaved in its last calls, the oldest first: up to its first pardon, then to the second."""
        broken: dict[tuple[str, int], tuple[str, ...]] = defaultdict(tuple)
        for run_id, attempt, name in self._rows(
            "SELECT run_id, attempt, name FROM violations WHERE extension = ? AND blamed "
            "ORDER BY nth DESC LIMIT ?",
            extension,
            LOOKS_BACK,
        ):
            broken[run_id, attempt] += (name,)
        pardons = [pardon["after"] for pardon in self.pardons(extension)]
        stretches: list[list[Conduct]] = [[] for _ in range(len(pardons) + 1)]
        rows = self._rows(
            "SELECT nth, run_id, attempt, category, blamed FROM outcomes WHERE extension = ? "
            "ORDER BY nth DESC LIMIT ?",
            extension,
            LOOKS_BACK,
        )
        for nth, run_id, attempt, category, blamed in reversed(rows):
            behaved = _behaved(category, bool(blamed), broken.get((run_id, attempt), ()))
            if behaved is not None:
                stretches[sum(nth > after for after in pardons)].append(behaved)
        return stretches

    def violations(self, extension: str, *, blamed: bool = True) -> list[dict[str, Any]]:
        """The limits it broke, the oldest first; with `blamed` false those that others are to blame for:
        a run's deadline, a request that was too large, the time for repeats.
        """
        keys = "limit allowed seen unit enforcer action evidence run_id call attempt when".split()
        rows = self._rows(
            "SELECT name, allowed, seen, unit, enforcer, action, evidence, run_id, call, attempt, broken "
            "FROM violations WHERE extension = ? AND blamed = ? ORDER BY nth",
            extension,
            int(blamed),
        )
        return [dict(zip(keys, row, strict=True)) for row in rows]

    def pardons(self, extension: str) -> list[dict[str, Any]]:
        """When it was let back in and why, the oldest first."""
        statement = "SELECT after, reason, pardoned FROM pardons WHERE extension = ? ORDER BY nth"
        rows = self._rows(statement, extension)
        return [{"after": row[0], "reason": row[1], "when": row[2]} for row in rows]

    def runs_of(self, path: Path, most: int) -> list[str]:
        """The last runs of a workflow file, the newest first."""
        statement = (
            "SELECT run_id FROM runs WHERE json_valid(body) AND json_extract(body, '$.path') = ? "
            "ORDER BY created DESC, rowid DESC LIMIT ?"
        )
        return [row[0] for row in self._rows(statement, str(path.resolve()), most)]

    def outcomes_of(self, run_id: str) -> list[tuple[str, str, bool]]:
        """Call, category and blame of each attempt of a run that ended, in order."""
        statement = "SELECT call, category, blamed FROM outcomes WHERE run_id = ? ORDER BY nth"
        return [(row[0], row[1], bool(row[2])) for row in self._rows(statement, run_id)]

    def _rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        return self.journal.rows(statement, *values) if self.journal.has_ledger else []


@cache
def _behaved(category: str, blamed: bool, broken: tuple[str, ...]) -> Conduct | None:
    """How it behaved in one call: the worst of what it broke, else as the outcome says."""
    failure = None if category == SUCCESS else Category(category)
    found = [conduct(failure, blamed=blamed, limit=limit) for limit in broken or (None,)]
    return max((one for one in found if one is not None), default=None)
