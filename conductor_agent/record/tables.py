"""The tables of a journal's database, version by version. Nothing in them can be changed or removed.

runs         one row per run: workflow, level, settings
events       one row per event, numbered per run
contents     values of artifacts by their SHA-256
holders      processes that have played a run, so that two never play one at once

and of the ledger, which says what each extension did for as long as the file lives:

versions     who an extension is: one row whenever its file, its place or its class is another one
outcomes     one row per attempt that ended, written with its event
violations   one row per limit broken, as seen from outside; its `attempt` is that of an outcome
pardons      an operator lets a quarantined extension back in; `after` is the last outcome it forgives
checks       how an extension fared when it was checked before anybody used it
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

APPLICATION_ID = 0x46514743  # "FQGC"
SUCCESS = "SUCCESS"
"""As a category of `outcomes`: there was no failure."""
RUNS = f"""
PRAGMA application_id = {APPLICATION_ID};
CREATE TABLE runs (
    run_id TEXT PRIMARY KEY, created TEXT NOT NULL, body TEXT NOT NULL
) STRICT;
CREATE TABLE events (
    run_id TEXT NOT NULL REFERENCES runs, seq INTEGER NOT NULL, at_s REAL NOT NULL, kind TEXT NOT NULL,
    body TEXT NOT NULL, PRIMARY KEY (run_id, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE contents (sha256 TEXT PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE holders (
    run_id TEXT NOT NULL REFERENCES runs, nth INTEGER NOT NULL, pid INTEGER NOT NULL, born TEXT NOT NULL,
    PRIMARY KEY (run_id, nth)
) STRICT, WITHOUT ROWID;
"""
LEDGER = """
CREATE TABLE versions (
    nth INTEGER PRIMARY KEY, extension TEXT NOT NULL, source TEXT NOT NULL, name TEXT NOT NULL,
    digest TEXT NOT NULL, class TEXT NOT NULL, met TEXT NOT NULL
) STRICT;
CREATE INDEX versions_by_place ON versions (source, name);
CREATE INDEX versions_by_digest ON versions (digest, name);
CREATE TABLE outcomes (
    nth INTEGER PRIMARY KEY, extension TEXT NOT NULL, run_id TEXT NOT NULL REFERENCES runs,
    attempt INTEGER NOT NULL, call TEXT NOT NULL, category TEXT NOT NULL, blamed INTEGER NOT NULL,
    ended TEXT NOT NULL, UNIQUE (run_id, attempt)
) STRICT;
CREATE INDEX outcomes_in_order ON outcomes (extension);
CREATE INDEX outcomes_of ON outcomes (extension, run_id, category, blamed);
CREATE TABLE violations (
    nth INTEGER PRIMARY KEY, extension TEXT NOT NULL, run_id TEXT NOT NULL REFERENCES runs,
    attempt INTEGER NOT NULL, call TEXT NOT NULL, name TEXT NOT NULL, allowed REAL NOT NULL,
    seen REAL NOT NULL, unit TEXT NOT NULL, enforcer TEXT NOT NULL, action TEXT NOT NULL,
    evidence TEXT NOT NULL, blamed INTEGER NOT NULL, broken TEXT NOT NULL
) STRICT;
CREATE INDEX violations_of ON violations (extension);
CREATE INDEX violations_in ON violations (run_id, attempt);
CREATE TABLE pardons (
    nth INTEGER PRIMARY KEY, extension TEXT NOT NULL, after INTEGER NOT NULL, reason TEXT NOT NULL,
    pardoned TEXT NOT NULL
) STRICT;
CREATE TABLE checks (
    nth INTEGER PRIMARY KEY, extension TEXT NOT NULL, mean REAL NOT NULL, strength REAL NOT NULL,
    checked TEXT NOT NULL
) STRICT;
CREATE INDEX runs_by_path ON runs (json_extract(body, '$.path')) WHERE json_valid(body);
"""


def _append_only(*tables: str) -> str:
    """Nothing in these tables can be changed or removed."""
    return "".join(
        f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
        "BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;\n"
        for table in tables
        for verb in ("UPDATE", "DELETE")
    )


STEPS = (
    RUNS + _append_only("runs", "events", "contents", "holders"),
    LEDGER + _append_only("versions", "outcomes", "violations", "pardons", "checks"),
)
"""What makes a journal of version 1 out of nothing, one of version 2 out of that, and so on."""
VERSION = len(STEPS)


def statements_from(version: int) -> Iterable[str]:
    """What brings a journal up to date, one by one: `executescript` would end the transaction."""
    if version == VERSION:
        return
    part = ""
    for line in "".join(STEPS[version:]).splitlines(keepends=True):
        part += line
        if sqlite3.complete_statement(part):
            yield part
            part = ""
    yield f"PRAGMA user_version = {VERSION}"
