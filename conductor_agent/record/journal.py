"""The journal: runs and their events in one SQLite file, append-only, durable before anything depends on it.

Its tables are in `tables.py`. A journal of version 1 is brought up to date when it is next written to.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Self

import msgspec
from pydantic import ValidationError

from conductor_agent.files.folders import no_journal
from conductor_agent.record.events import Event, from_json, kind_of, to_json
from conductor_agent.record.tables import APPLICATION_ID, VERSION, statements_from
from conductor_agent.record.unusable import file_at, why_unusable
from fqg_env.level import Level
from fqg_env.level_file import explain

NOBODY = 0
"""As a process that holds a run: it has been released."""
Content = tuple[str, bytes]
"""SHA-256 and the bytes it is of."""
Row = tuple[str, tuple[Any, ...]]
"""An INSERT and its values."""


class JournalError(ValueError):
    """A journal that cannot be used, or a run that is not in it. The text is one sentence."""


class RunRecord(msgspec.Struct, frozen=True):
    """What is fixed when a run begins."""

    run_id: str
    created: str
    """RFC 3339."""
    path: str
    """Of the workflow file; sources in it are relative to its folder."""
    workflow: str
    """Its text."""
    level: str
    """The level that is played, as JSON."""
    inputs: dict[str, str]
    """Given artifact -> SHA-256 of its value."""
    limits: dict[str, dict[str, Any]]
    """Function -> what it may use."""
    ceiling: dict[str, dict[str, Any]]
    """The operator's limits, by class."""
    policy: str
    versions: dict[str, str]
    code: dict[str, str] = {}
    """Function -> SHA-256 of the file of its extension; empty where it could not be read."""


def content(value: Any) -> Content:
    """A value of plain data as it is stored."""
    body = msgspec.msgpack.encode(value)
    return hashlib.sha256(body).hexdigest(), body


class Journal:
    """One journal file. Every `write` is durable when it returns; use it from one thread at a time."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self.commits_ms: list[float] = []
        """How long each commit took, its fsync included."""
        self._connection = connection
        self._file = file_at(path)

    @classmethod
    def create(cls, path: str | Path) -> Journal:
        """Open a journal for writing; it is made where there is none.

        Raises:
            JournalError: the file is something else, damaged, of a newer version, or cannot be written.
        """
        path = _no_folder(path)
        if str(path) == ":memory:":
            raise JournalError("a journal is a file, `:memory:` is none; name a file")
        new = not path.exists()
        try:
            connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            try:
                connection.execute("PRAGMA busy_timeout = 10000")
                if not _blank(connection):  # before anything is written into what may not be ours
                    _check(path, connection)
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("BEGIN IMMEDIATE")
                found = 0 if _blank(connection) else _version(connection)
                for statement in statements_from(found):
                    connection.execute(statement)
                connection.execute("COMMIT")
            except BaseException:
                connection.close()
                if new:
                    _remove(path)
                raise
        except (sqlite3.Error, OSError, UnicodeDecodeError) as problem:
            raise JournalError(why_unusable(path, problem)) from None
        return cls(path, connection)

    @classmethod
    def read(cls, path: str | Path) -> Journal:
        """Open a journal to look into it.

        Raises:
            JournalError: there is none, or it cannot be used.
        """
        path = _no_folder(path)
        if not path.is_file():
            raise JournalError(f"{path}: there is no journal; `conductor run FILE` makes one here")
        try:
            connection = sqlite3.connect(
                _to_be_read(path.resolve()), uri=True, check_same_thread=False
            )
            try:
                _check(path, connection)
            except BaseException:
                connection.close()
                raise
        except (sqlite3.Error, OSError, UnicodeDecodeError) as problem:
            raise JournalError(why_unusable(path, problem)) from None
        return cls(path, connection)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        """Use it in a `with` block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    # Writing

    def begin(self, run: RunRecord, contents: Iterable[Content] = ()) -> None:
        """Enter a new run and the values it is given.

        Raises:
            JournalError: there is such a run, or the file cannot be written.
        """
        body = msgspec.json.encode(run).decode()
        self._transact(
            contents,
            [("INSERT INTO runs VALUES (?, ?, ?)", (run.run_id, run.created, body))],
            f"the run {run.run_id} is there already",
        )

    def take(self, run_id: str) -> None:
        """Enter this process as the one that plays a run.

        Raises:
            JournalError: another one still does.
        """
        rows = self.rows("SELECT pid, born FROM holders WHERE run_id = ? ORDER BY nth", run_id)
        pid, born = rows[-1] if rows else (NOBODY, "")
        if pid != NOBODY and _born(pid) == born:
            raise JournalError(f"{self.path}: the run {run_id} is being played by process {pid}")
        self._hold(run_id, len(rows), os.getpid())

    def release(self, run_id: str) -> None:
        """Enter that this process plays a run no longer, so that it can go on with it itself."""
        rows = self.rows("SELECT count(*) FROM holders WHERE run_id = ?", run_id)
        self._hold(run_id, rows[0][0], NOBODY)

    def _hold(self, run_id: str, nth: int, pid: int) -> None:
        statement = "INSERT INTO holders VALUES (?, ?, ?, ?)"
        taken = f"another conductor goes on with the run {run_id}"
        self._transact((), [(statement, (run_id, nth, pid, _born(pid)))], taken)

    def write(
        self,
        run_id: str,
        seq: int,
        events: Sequence[Event],
        contents: Iterable[Content] = (),
        entries: Sequence[Row] = (),
    ) -> None:
        """Append events, numbered from `seq`, with the values they name and what the ledger says of them, all
        or nothing.

        Raises:
            JournalError: somebody else goes on with this run, or the file cannot be written.
        """
        rows = [
            (
                "INSERT INTO events VALUES (?, ?, ?, ?, ?)",
                (run_id, seq + i, event.at_s, kind_of(event), to_json(event)),
            )
            for i, event in enumerate(events)
        ]
        taken = f"another conductor goes on with the run {run_id}"
        self._transact(contents, [*rows, *entries], taken)

    def enter(self, entries: Sequence[Row]) -> None:
        """Append rows of the ledger, all or nothing.

        Raises:
            JournalError: the file cannot be written.
        """
        self._transact((), entries, "an entry of the ledger does not fit")

    def _transact(self, contents: Iterable[Content], rows: Sequence[Row], taken: str) -> None:
        run = self._connection
        if file_at(self.path) != self._file:  # SQLite would write on into a file without a name
            raise JournalError(
                f"{self.path}: the journal was removed, and what was written is lost"
            )
        began = time.perf_counter()
        try:
            run.execute("BEGIN IMMEDIATE")
            try:
                run.executemany("INSERT OR IGNORE INTO contents VALUES (?, ?)", contents)
                for statement, values in rows:
                    run.execute(statement, values)
                run.execute("COMMIT")
            except BaseException:
                if run.in_transaction:
                    run.execute("ROLLBACK")
                raise
        except sqlite3.IntegrityError:
            raise JournalError(f"{self.path}: {taken}") from None
        except (sqlite3.Error, UnicodeDecodeError) as problem:
            raise JournalError(why_unusable(self.path, problem)) from None
        self.commits_ms.append((time.perf_counter() - began) * 1e3)

    # Reading

    def run_ids(self) -> list[str]:
        """All runs, the newest first."""
        return [
            row[0] for row in self.rows("SELECT run_id FROM runs ORDER BY created DESC, rowid DESC")
        ]

    def find(self, name: str) -> str:
        """The run that an id, the beginning of one, or `last` names.

        Raises:
            JournalError: none, or more than one.
        """
        known = self.run_ids()
        if not known:
            raise JournalError(f"{self.path}: there are no runs in it yet")
        if name in known:
            return name
        if name == "last":
            return known[0]
        found = [run_id for run_id in known if run_id.startswith(name)] if name else []
        if len(found) == 1:
            return found[0]
        what = f"{len(found)} runs begin with" if found else "there is no run"
        some = ", ".join((found or known)[:5])
        raise JournalError(f"{self.path}: {what} {name!r}; there are {some}")

    def run(self, run_id: str) -> RunRecord:
        """What was fixed when a run began.

        Raises:
            JournalError: there is no such run, or it cannot be read.
        """
        rows = self.rows("SELECT body FROM runs WHERE run_id = ?", run_id)
        if not rows:
            raise JournalError(f"{self.path}: there is no run {run_id!r}")
        try:
            return msgspec.json.decode(rows[0][0], type=RunRecord)
        except msgspec.MsgspecError as problem:
            raise JournalError(
                f"{self.path}: the run {run_id} cannot be read ({problem})"
            ) from None

    def level(self, run_id: str) -> Level:
        """The level that a run plays.

        Raises:
            JournalError: there is no such run, or another version wrote it.
        """
        try:
            return Level.model_validate_json(self.run(run_id).level)
        except ValidationError as problem:
            raise JournalError(explain(problem, f"{self.path}: the level of {run_id}")) from None

    def events(self, run_id: str) -> list[Event]:
        """The events of a run, in order.

        Raises:
            JournalError: one cannot be read, or some are missing.
        """
        rows = self.rows("SELECT seq, body FROM events WHERE run_id = ? ORDER BY seq", run_id)
        if [row[0] for row in rows] != list(range(len(rows))):
            raise JournalError(f"{self.path}: events of the run {run_id} are missing")
        try:
            return [from_json(body) for _, body in rows]
        except (msgspec.MsgspecError, RecursionError) as problem:
            raise JournalError(
                f"{self.path}: an event of the run {run_id} cannot be read ({problem})"
            ) from None

    def value(self, sha256: str) -> Any:
        """A stored value.

        Raises:
            JournalError: it is not there, or damaged.
        """
        rows = self.rows("SELECT body FROM contents WHERE sha256 = ?", sha256)
        if not rows or hashlib.sha256(rows[0][0]).hexdigest() != sha256:
            raise JournalError(f"{self.path}: the value {sha256[:12]} is missing or damaged")
        return msgspec.msgpack.decode(rows[0][0])

    @property
    def has_ledger(self) -> bool:
        """False for one of version 1 that is only looked into."""
        return _version(self._connection) > 1

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """What a SELECT finds.

        Raises:
            JournalError: the file cannot be read.
        """
        try:
            with closing(self._connection.execute(statement, values)) as cursor:
                return cursor.fetchall()
        except (sqlite3.Error, UnicodeDecodeError) as problem:
            raise JournalError(why_unusable(self.path, problem)) from None


def _born(pid: int) -> str:
    """What tells a process from a later one of the same number; empty where there is none."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else f"{boot}:{fields[19]}"


def _blank(connection: sqlite3.Connection) -> bool:
    """Nobody has written anything into the file, not even whose it is."""
    marks = ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
    return not any(connection.execute(mark).fetchone()[0] for mark in marks)


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _check(path: Path, connection: sqlite3.Connection) -> None:
    """The file is a journal of ours.

    Raises:
        JournalError: it is not, or of a newer version.
    """
    found = connection.execute("PRAGMA application_id").fetchone()[0]
    version = _version(connection)
    if found != APPLICATION_ID:
        raise JournalError(f"{path}: this is no journal of a conductor; name another file")
    if not 1 <= version <= VERSION:
        raise JournalError(
            f"{path}: the journal is of version {version}, this program reads 1 to {VERSION}; "
            "use the program that wrote it, or another file"
        )


def _to_be_read(path: Path) -> str:
    """The address of a journal that is only read. Where its folder cannot be written, SQLite may not make its
    files beside it; then nobody writes it either, and all of it lies in the one file.
    """
    log = path.with_name(f"{path.name}-wal")
    still = not os.access(path.parent, os.W_OK) and not (log.exists() and log.stat().st_size)
    return f"{path.as_uri()}?mode=ro" + ("&immutable=1" if still else "")


def _remove(path: Path) -> None:
    """Take away a journal that could not be made whole, so that it is in nobody's way."""
    for ending in ("", "-wal", "-shm", "-journal"):
        with suppress(OSError):
            path.with_name(path.name + ending).unlink()


def _no_folder(path: str | Path) -> Path:
    if Path(path).is_dir():
        raise JournalError(no_journal(Path(path)))
    return Path(path)
