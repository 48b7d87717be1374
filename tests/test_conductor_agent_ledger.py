"""The ledger: who an extension is, what it did, and that no crash gets between."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from ledgers import (
    breach,
    journal_path,  # noqa: F401 (a fixture)
    looked_into,
    new_ledger,  # noqa: F401 (a fixture)
    played,
)

from conductor_agent.files.bindings import source_of
from conductor_agent.files.manifest import FILE as MANIFEST
from conductor_agent.files.manifest import read_manifest
from conductor_agent.hosting.contract import ExtensionSource
from conductor_agent.record.events import Finished
from conductor_agent.record.identity import version_of
from conductor_agent.record.journal import Journal, JournalError
from conductor_agent.record.ledger import Ledger, Tally
from conductor_agent.record.standing import standings
from conductor_agent.record.tables import STEPS, statements_from
from fqg_env.outcome import Blame, Category, PolicyEvidence, error

# Who


def test_a_new_text_or_a_new_place_keeps_the_record_and_both_are_a_stranger(tmp_path, ledger):
    file = tmp_path / "reader.py"
    file.write_text("one")

    def met(name="read"):
        return ledger.meet([version_of(ExtensionSource(str(file), name), "operator")])[0]

    first = met()
    assert first == "reader:read"
    assert met("other") == "reader:other"
    file.write_text("two")
    assert met() == first
    file = file.rename(tmp_path / "renamed.py")
    assert met() == first
    file = file.rename(tmp_path / "scribe.py")
    file.write_text("three")
    assert met() == "scribe:read"
    assert [Path(v.place).name for v in ledger.versions(first)] == [
        "reader.py", "reader.py", "renamed.py",
    ]  # fmt: skip
    elsewhere = tmp_path / "b"
    elsewhere.mkdir()
    file = elsewhere / "scribe.py"
    file.write_text("four")
    assert met() == "scribe:read~2"
    assert ledger.named("other") == "reader:other"
    with pytest.raises(JournalError, match="3 extensions are called 'read'; name one of reader:re"):
        ledger.named("read")
    with pytest.raises(JournalError, match="no extension 'reeder:read' in it.*reader:read"):
        ledger.named("reeder:read")


def test_an_author_cannot_shed_the_record_of_a_manifest(tmp_path, ledger):
    """File, function and text are renamed and edited at once, which makes a stranger of anybody else."""
    folder = tmp_path / "counting"
    folder.mkdir()

    def met(file, function, text, at=folder):
        (at / file).write_text(text)
        manifest = f'[extension]\nsource = "{file}"\nfunction = "{function}"\nclass = "motif"\n'
        (at / MANIFEST).write_text(manifest)
        return ledger.meet([version_of(source_of(read_manifest(at), at / MANIFEST), "motif")])[0]

    first = met("count.py", "count", "one")
    assert first == "counting:count"
    assert met("sum.py", "total", "two") == first
    (folder / "add").write_text("three")
    (folder / "add").chmod(0o755)
    (folder / MANIFEST).write_text('[extension]\ncommand = ["./add"]\nclass = "motif"\n')
    command = version_of(source_of(read_manifest(folder), folder / MANIFEST), "motif")
    assert ledger.meet([command]) == [first]
    elsewhere = tmp_path / "adding"
    elsewhere.mkdir()
    assert met("sum.py", "total", "two", elsewhere) == first, "its text is known"
    other = tmp_path / "new"
    other.mkdir()
    assert met("sum.py", "total", "four", other) == "new:total", (
        "whoever writes the workflow moved it"
    )
    by_hand = ExtensionSource(str(folder / "sum.py"), "total")
    assert ledger.meet([version_of(by_hand, "motif")]) == [first]


def test_modules_and_commands_are_somebody_too():
    module = version_of(ExtensionSource("conductor_agent.clock", "tick"))
    assert (module.label, len(module.digest)) == ("conductor_agent.clock:tick", 64)
    assert version_of(ExtensionSource("no.such.module", "x")).digest == ""
    assert version_of(ExtensionSource("/no/such/file.py", "x")).digest == ""
    command = ExtensionSource("adapter", "ocr", command=("/usr/bin/ocr", "--fast"))
    assert version_of(command).label == "ocr:ocr"
    assert version_of(command).place == "/usr/bin/ocr --fast"


# What


def test_a_run_enters_what_each_attempt_came_to_and_what_was_broken(path):
    answers = {
        "down": error(Category.UNAVAILABLE, "no", blame=Blame.EXTENSION),
        "input": error(Category.INVALID_INPUT, "no"),
        "bad": breach(),
        "silent": error(Category.CRASHED, "no"),
        "good": {"text": "hi"},
    }
    result = played(path, answers)

    def look(ledger):
        assert ledger.outcomes_of(result.run_id) == [
            ("down", "UNAVAILABLE", False),
            ("input", "INVALID_INPUT", False),
            ("bad", "POLICY_VIOLATION", True),
            ("silent", "CRASHED", True),
            ("good", "SUCCESS", False),
        ]
        (found,) = ledger.violations("small:bad")
        assert found["when"] > "2026"
        assert {**found, "when": ""} == {
            "limit": "memory_bytes", "allowed": 100.0, "seen": 130.0, "unit": "bytes", "enforcer": "watchdog",
            "action": "killed", "evidence": "the log", "run_id": result.run_id, "call": "bad", "attempt": 2, "when": "",
        }  # fmt: skip
        assert ledger.tally("small:down") == Tally(excused=1)
        assert ledger.tally("small:bad") == Tally(failures={"POLICY_VIOLATION": 1})
        assert ledger.tally("small:bad", [result.run_id]) == Tally()
        assert ledger.tally("small:good").success_rate == 1.0

    looked_into(path, look)


def test_what_others_are_to_blame_for_is_written_down_and_held_against_nobody(path):
    proof = PolicyEvidence("deadline_s", 1.0, 1.1, "s", "killed", "watchdog")
    late = error(Category.TIMEOUT, "no", policy=proof, blame=Blame.POLICY)
    played(path, {"late": late, "good": {"text": "hi"}})

    def look(ledger):
        assert ledger.violations("small:late") == []
        assert [v["limit"] for v in ledger.violations("small:late", blamed=False)] == ["deadline_s"]
        assert ledger.tally("small:late") == Tally(excused=1)
        assert ledger.conduct("small:late") == [[]]

    looked_into(path, look)


@pytest.mark.parametrize("table", ["versions", "outcomes", "violations", "pardons", "checks"])
@pytest.mark.parametrize("verb", ["UPDATE {} SET extension = 'x'", "DELETE FROM {}"])
def test_nothing_can_be_changed_or_removed(path, table, verb):
    played(path, {"bad": breach(), "good": {"text": "hi"}})
    with Journal.create(path) as journal:
        Ledger(journal).pardon("small:bad", "mended")
        Ledger(journal).record_check("small:bad", 0.5, 4)
    other = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        other.execute(verb.format(table))
    other.close()


# The file


def test_a_journal_of_version_1_is_read_and_brought_up_to_date(path):
    connection = sqlite3.connect(path)
    connection.executescript(STEPS[0] + "PRAGMA user_version = 1;")
    connection.close()
    before = path.read_bytes()
    with Journal.read(path) as journal:
        assert Ledger(journal).extensions() == []
        assert standings(Ledger(journal)) == []
        assert journal.run_ids() == []
    assert path.read_bytes() == before
    played(path, {"good": {"text": "hi"}})
    assert looked_into(path, lambda ledger: ledger.extensions()) == ["small:good"]
    assert list(statements_from(2)) == []


WRITER = """
import asyncio, sys
sys.path.insert(0, {tests!r})
from hand_written import work, workflow
from conductor_agent.record.events import Finished
from conductor_agent.hosting.testing import FakeHost
from conductor_agent.runs import begin
from policies.recovery.rules import HandRule, Rule
from ledgers import breach

def say(event):
    if isinstance(event, Finished):
        print(run_id, event.attempt, flush=True)

flow = workflow({{"bad": work(), "good": work()}}, max_in_flight=2)
for n in range(10_000):
    run_id = f"run-{{n:05}}"
    host = FakeHost({{"bad": lambda _: breach(), "good": lambda _: {{"text": "hi"}}}})
    asyncio.run(begin(flow, HandRule(Rule.CASCADE), {path!r}, host=host, watch=say, run_id=run_id, memory=False))
"""


@pytest.mark.parametrize("lines", [1, 6, 17])
def test_killed_while_writing_nothing_acknowledged_is_lost(path, lines):
    code = WRITER.format(tests=str(Path(__file__).parent), path=str(path))
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment
    )
    told = [process.stdout.readline() for _ in range(lines)]
    process.send_signal(signal.SIGKILL)
    told += process.communicate()[0].splitlines()
    told = {(run_id, int(n)) for run_id, n in (line.decode().split() for line in told)}
    with Journal.read(path) as journal:
        finished = {
            (run_id, event.attempt)
            for run_id in journal.run_ids()
            for event in journal.events(run_id)
            if isinstance(event, Finished)
        }
        entered = set(journal.rows("SELECT run_id, attempt FROM outcomes"))
        broken = set(journal.rows("SELECT run_id, attempt FROM violations"))
        ledger = Ledger(journal)
        failed = ledger.tally("small:bad").failed
    assert len(told) >= lines
    assert told <= finished == entered
    assert len(broken) == failed > 0
