"""The journal: append-only, checked when opened, and honest about what it cannot read."""

import os
import sqlite3
import subprocess
from contextlib import closing

import pytest
from full_disk import largest_file

from conductor_agent.record.events import Decided, Ended, Started, Waited
from conductor_agent.record.journal import Journal, JournalError, RunRecord, _born, content


def record(run_id="one", created="2026-01-01"):
    """A run that says nothing."""
    return RunRecord(run_id, created, "w.yaml", "", "{}", {}, {}, {}, "index", {})


@pytest.fixture
def path(tmp_path):
    return tmp_path / "conductor.sqlite"


@pytest.fixture
def journal(path):
    with Journal.create(path) as opened:
        yield opened


def test_what_was_written_comes_back_in_order(journal, path):
    sha, body = content({"a": b"\x00", "b": [1.5, None]})
    journal.begin(record(), [(sha, body)])
    events = [Started(at_s=0.1, attempt=0, call="a", key="k"), Waited(at_s=1 / 3)]
    journal.write("one", 0, events)
    journal.write("one", 2, [Ended(at_s=2.0, reason="policy")], [(sha, body)])
    with Journal.read(path) as again:
        assert again.events("one")[:2] == events
        assert again.value(sha) == {"a": b"\x00", "b": [1.5, None]}
        assert again.run("one") == record()
    assert len(journal.commits_ms) == 3


def test_a_write_is_on_the_disk_when_it_returns(journal):
    ask = journal._connection.execute
    assert ask("PRAGMA journal_mode").fetchone() == ("wal",)
    assert ask("PRAGMA synchronous").fetchone() == (2,)  # FULL


@pytest.mark.parametrize("table", ["runs", "events", "contents", "holders"])
@pytest.mark.parametrize("verb", ["UPDATE {0} SET {1} = {1}", "DELETE FROM {}"])
def test_nothing_can_be_changed_or_removed(journal, path, table, verb):
    journal.begin(record(), [content(1)])
    journal.write("one", 0, [Waited(at_s=1.0)])
    journal.take("one")
    other = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        other.execute(verb.format(table, "sha256" if table == "contents" else "run_id"))
    other.close()


def test_two_conductors_cannot_write_the_same_event(journal, path):
    journal.begin(record())
    with Journal.create(path) as other:
        other.write("one", 0, [Waited(at_s=1.0)])
    with pytest.raises(JournalError, match="another conductor goes on with the run one"):
        journal.write("one", 0, [Waited(at_s=1.0)], [content("not kept")])
    with pytest.raises(JournalError, match="missing or damaged"):
        journal.value(content("not kept")[0])


def test_a_run_is_played_by_one_process_at_a_time(journal, path):
    journal.begin(record())
    journal.take("one")
    with pytest.raises(JournalError, match=f"is being played by process {os.getpid()}"):
        journal.take("one")
    process = subprocess.Popen(["sleep", "60"])
    other = sqlite3.connect(path)
    born = _born(process.pid)
    other.execute("INSERT INTO holders VALUES ('one', 1, ?, ?)", (process.pid, born))
    other.commit()
    other.close()
    with pytest.raises(JournalError, match=f"by process {process.pid}"):
        journal.take("one")
    process.kill()
    process.wait()
    journal.take("one")
    journal.release("one")
    journal.take("one")


def test_runs_are_found_by_a_beginning(journal):
    with pytest.raises(JournalError, match="no runs in it yet"):
        journal.find("last")
    for i, name in enumerate(("abc", "abd", "xyz")):
        journal.begin(record(name, f"2026-01-0{i + 1}"))
    assert (journal.find("x"), journal.find("abc"), journal.find("last")) == ("xyz", "abc", "xyz")
    with pytest.raises(JournalError, match="2 runs begin with 'ab'"):
        journal.find("ab")
    with pytest.raises(JournalError, match="no run 'q'"):
        journal.find("q")


def test_files_that_are_no_journal(tmp_path):
    text = tmp_path / "text"
    text.write_text("hello, this is no database at all" * 100)
    foreign = tmp_path / "foreign"
    connection = sqlite3.connect(foreign)
    connection.execute("CREATE TABLE t (a)")
    connection.commit()
    connection.close()
    before = foreign.read_bytes()
    for path in (text, foreign):
        for opened in (Journal.create, Journal.read):
            with pytest.raises(JournalError, match="no journal"):
                opened(path)
    assert foreign.read_bytes() == before
    for mark in ("application_id", "user_version"):
        empty = tmp_path / mark
        connection = sqlite3.connect(empty)
        connection.execute(f"PRAGMA {mark} = 7")
        connection.close()
        with pytest.raises(JournalError):
            Journal.create(empty)
    with pytest.raises(JournalError, match="name a file"):
        Journal.create(":memory:")
    with pytest.raises(JournalError, match="there is no journal"):
        Journal.read(tmp_path / "nowhere")
    with pytest.raises(JournalError, match="cannot be used"):
        Journal.create(tmp_path / "no" / "folder" / "x")
    assert not (tmp_path / "no").exists()


def test_a_newer_journal_is_left_alone(journal, path):
    journal.close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 3")
    connection.close()
    with pytest.raises(JournalError, match="of version 3, this program reads 1 to 2"):
        Journal.read(path)


def test_a_gap_or_an_unknown_event_is_said(journal, path):
    journal.begin(record())
    journal.begin(record("two"))
    journal.write("one", 1, [Waited(at_s=1.0)])
    with pytest.raises(JournalError, match="are missing"):
        journal.events("one")
    other = sqlite3.connect(path)
    other.execute("""INSERT INTO events VALUES ('two', 0, 0.0, 'danced', '{"kind": "danced"}')""")
    other.commit()
    other.close()
    with pytest.raises(JournalError, match="an event of the run two cannot be read"):
        journal.events("two")


def test_a_decision_keeps_its_exact_numbers(journal):
    decided = Decided(
        at_s=0.1 + 0.2, action="a", probabilities={"a": 1 / 3}, policy="p", source="s",
        strategy="retry", observation="0" * 64, took_ms=1e-3,
    )  # fmt: skip
    journal.begin(record())
    journal.write("one", 0, [decided])
    assert journal.events("one") == [decided]


def test_a_number_that_another_process_bears_by_now_holds_nothing(journal, path):
    """Our own process lives, and was not born when the holder of this number was."""
    journal.begin(record())
    other = sqlite3.connect(path)
    other.execute("INSERT INTO holders VALUES ('one', 0, ?, 'boot:1')", (os.getpid(),))
    other.commit()
    other.close()
    journal.take("one")


def test_a_process_that_is_over_and_not_yet_waited_for_holds_nothing(journal, path):
    process = subprocess.Popen(["sleep", "60"])
    born = _born(process.pid)
    process.kill()
    os.waitid(
        os.P_PID, process.pid, os.WEXITED | os.WNOWAIT
    )  # it is over, and still has its number
    assert (bool(born), _born(process.pid)) == (True, "")
    journal.begin(record())
    other = sqlite3.connect(path)
    other.execute("INSERT INTO holders VALUES ('one', 0, ?, ?)", (process.pid, born))
    other.commit()
    other.close()
    journal.take("one")
    process.wait()


def test_who_writes_waits_for_others_who_write(journal):
    ask = journal._connection.execute
    assert ask("PRAGMA busy_timeout").fetchone() == (10_000,)


# --- places that cannot be written --------------------------------------------------------------------


def test_a_journal_that_could_not_be_made_whole_is_in_nobodys_way(tmp_path, monkeypatch):
    def full(version):
        yield "CREATE TABLE half (a)"
        raise sqlite3.OperationalError("database or disk is full")

    path = tmp_path / "j.sqlite"
    monkeypatch.setattr("conductor_agent.record.journal.statements_from", full)
    with pytest.raises(JournalError, match=r"\(database or disk is full\); make room"):
        Journal.create(path)
    assert list(tmp_path.iterdir()) == []


def test_no_room_for_a_journal_is_said_to_be_that(tmp_path):
    """A limit on files is to SQLite what a full file system is to it: an error of the disk."""
    says = r"\(disk I/O error\); make room \(`conductor resume`"
    with largest_file(100), pytest.raises(JournalError, match=says):
        Journal.create(tmp_path / "j.sqlite")
    assert list(tmp_path.iterdir()) == []


def test_a_journal_that_is_removed_while_it_is_used_is_said_to_be_gone(tmp_path):
    path = tmp_path / "j.sqlite"
    journal = Journal.create(path)
    for file in tmp_path.iterdir():
        file.unlink()
    with pytest.raises(JournalError, match="was removed, and what was written is lost"):
        journal.begin(record(), [])
    journal.close()


def test_a_journal_that_another_program_holds_is_said_to_be_held(tmp_path):
    path = tmp_path / "j.sqlite"
    journal = Journal.create(path)
    journal._connection.execute("PRAGMA busy_timeout = 0")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalError, match="another program holds it: try again later"):
            journal.begin(record("run"), [])
    journal.close()


def test_a_journal_in_a_folder_that_cannot_be_written_is_read(tmp_path, monkeypatch):
    path = tmp_path / "j.sqlite"
    Journal.create(path).close()
    monkeypatch.setattr("conductor_agent.record.journal.os.access", lambda *_: False)
    with Journal.read(path) as journal:
        assert list(journal.run_ids()) == []
    assert [file.name for file in tmp_path.iterdir()] == ["j.sqlite"]


def test_what_lies_in_the_log_alone_is_read_there_too(tmp_path, monkeypatch):
    path = tmp_path / "j.sqlite"
    with Journal.create(path) as writing:
        writing.begin(record(), [])
        assert path.with_name("j.sqlite-wal").stat().st_size
        monkeypatch.setattr("conductor_agent.record.journal.os.access", lambda *_: False)
        with Journal.read(path) as journal:
            assert list(journal.run_ids()) == ["one"]


def test_a_damaged_schema_is_told_though_what_sqlite_says_of_it_is_no_text(path):
    Journal.create(path).close()
    body = path.read_bytes()
    path.write_bytes(body.replace(b"CREATE TABLE runs", b"CREATE \xa0ABLE runs", 1))
    with Journal.read(path) as looked_into, pytest.raises(JournalError, match="damaged"):
        looked_into.run_ids()
    with pytest.raises(JournalError, match="damaged"):
        Journal.create(path)
