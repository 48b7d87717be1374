"""Runs that were cut or are over: nothing acknowledged is lost, nothing is done twice."""

import asyncio
import json
import os
import signal
import sqlite3
import threading
from pathlib import Path

import pytest
from conductor_cli import command, finished, ran
from hand_written import FOLDER, work, workflow

from conductor_agent.files.workflow import read_workflow
from conductor_agent.hosting.testing import FakeHost
from conductor_agent.record.events import CodeChanged, Decided, Finished, Lost, Started
from conductor_agent.record.fold import replay
from conductor_agent.record.journal import Journal, content
from conductor_agent.results import summaries
from conductor_agent.runs import begin, resume
from fqg_env.level import Level
from fqg_env.outcome import Category, error
from policies.recovery.rules import HandRule, Rule

PAGE = FOLDER / "page.yaml"
ONCE = FOLDER / "once.yaml"


def in_flight(process, fifo_folder):
    """Wait until the extension says that it is in flight; it cannot be missed, however slow we are."""
    started = fifo_folder / "started"
    while not (started.exists() and started.read_text()):
        assert process.poll() is None, process.stderr.read()
        threading.Event().wait(0.01)
    return int(started.read_text())


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_killed_in_flight_and_gone_on_with(tmp_path, how):
    (tmp_path / "given").write_text(str(tmp_path))
    process = command("run", ONCE, "--input", "folder=given", "--json", cwd=tmp_path)
    worker = in_flight(process, tmp_path)
    process.send_signal(how)
    out, err = process.communicate(timeout=30)
    assert out == ""
    if how is not signal.SIGKILL:
        assert process.returncode == 130
        assert err.splitlines()[-1].startswith(
            "conductor: interrupted; go on with: conductor resume "
        )
    resumed = command("resume", "last", "--json", cwd=tmp_path)
    out, err = resumed.communicate(timeout=60)
    assert resumed.returncode == 0, err
    result = json.loads(out)
    with Journal.read(tmp_path / "conductor.sqlite") as journal:
        events = journal.events(result["run_id"])
        value = journal.value(result["goals"]["text"]["value_sha256"])
        level = Level.model_validate_json(journal.run(result["run_id"]).level)
    begun = [e for e in events if isinstance(e, Started)]
    assert [e.call for e in begun] == ["prepare", "once", "once"]
    assert [e.attempt for e in events if isinstance(e, Lost)] == [1]
    assert begun[1].key == begun[2].key == value  # a service that kept it would not do it twice
    assert [e.observation for e in events if isinstance(e, Decided)] == replay(level, events)
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


def test_a_run_that_is_being_played_is_left_alone(tmp_path):
    (tmp_path / "given").write_text(str(tmp_path))
    process = command("run", ONCE, "--input", "folder=given", "--json", cwd=tmp_path)
    in_flight(process, tmp_path)
    code, _, err = finished(command("resume", "last", cwd=tmp_path))
    assert (code, f"is being played by process {process.pid}" in err) == (2, True)
    process.kill()
    process.communicate()


def test_a_crash_after_any_event_loses_nothing_and_repeats_only_what_was_in_flight(tmp_path):
    flow = workflow(
        {
            "prepare": {"inputs": ["page"], "outputs": ["note"]},
            "flaky": work(inputs=["note"]),
            "echo": work(inputs=["note"]),
        },
        {"prepare": {}, "flaky": {}, "echo": {}},
        {"note": {}},
    )

    def host():
        return FakeHost(
            {
                "prepare": lambda _: {"note": "n"},
                "flaky": lambda request: error(Category.CRASHED, "no"),
                "echo": lambda request: {"text": request.idempotency_key},
            }
        )

    class Cut(BaseException):
        """As if the process ended there."""

    def cut(event):
        if isinstance(event, Finished):
            raise Cut

    policy = HandRule(Rule.CASCADE)
    here = tmp_path / "here"
    with pytest.raises(Cut):
        asyncio.run(begin(flow, policy, here, host=host(), watch=cut))
    assert asyncio.run(resume("last", here, lambda _: policy, host=host())).status == "succeeded"
    whole = tmp_path / "whole"
    result = asyncio.run(begin(flow, policy, whole, host=host()))
    with Journal.read(whole) as journal:
        record, events = journal.run(result.run_id), journal.events(result.run_id)
        key = next(e.key for e in events if isinstance(e, Started) and e.call == "echo")
        values = (flow.inputs["page"], "n", key)
        contents = [content(value) for value in values]
    calls = [e.call for e in events if isinstance(e, Started)]
    assert calls == ["prepare", "flaky", "echo"]
    for k in range(len(events)):
        path = tmp_path / str(k)
        with Journal.create(path) as journal:
            journal.begin(record, contents)
            journal.write(result.run_id, 0, events[:k])
        done = asyncio.run(resume("last", path, lambda _: policy, host=host()))
        with Journal.read(path) as journal:
            after = journal.events(result.run_id)
            assert journal.run(result.run_id) == record
        assert done.status == "succeeded"
        assert after[:k] == events[:k]
        assert [e.at_s for e in after] == sorted(e.at_s for e in after)
        lost = [e for e in after if isinstance(e, Lost)]
        ended = {e.attempt for e in after if isinstance(e, Finished | Lost)}
        started = [e for e in after if isinstance(e, Started)]
        assert {e.attempt for e in started} == ended
        answered = [e.key for e in started if e.attempt not in {e.attempt for e in lost}]
        assert len(set(answered)) == len(answered)
        assert len(started) <= 3 + len(lost)


CODE = """
workflow: conductor-workflow/1
name: Two ways
artifacts:
  note: {}
  text: {goal: {weight: 1}, gate: true, check: {quality: 'gates.py:good'}}
functions:
  first: {inputs: [note], outputs: [text], variants: {default: {cost: 1, latency_s: 0.1}}}
  second: {inputs: [note], outputs: [text], variants: {default: {cost: 2, latency_s: 0.1}}}
budget: {time_s: 30, cost: 20}
extensions:
  first: {source: first.py, class: motif}
  second: {source: second.py, class: motif}
inputs: {note: {text: hey}}
"""


@pytest.mark.parametrize("edited", [True, False])
def test_who_goes_on_is_told_whose_code_is_another_one(tmp_path: Path, edited: bool) -> None:
    for name in ("first", "second"):
        (tmp_path / f"{name}.py").write_text("# never started: the host is a fake\n")
    (tmp_path / "gates.py").write_text("def good(text):\n    return 0.9\n")
    (tmp_path / "flow.yaml").write_text(CODE)

    class Cut(BaseException):
        """As if the process ended there."""

    def cut(event):
        if isinstance(event, Decided):
            raise Cut

    policy, journal = HandRule(Rule.CASCADE), tmp_path / "journal"
    host = FakeHost({name: lambda _: {"text": "HEY"} for name in ("first", "second")})
    with pytest.raises(Cut):
        asyncio.run(
            begin(read_workflow(tmp_path / "flow.yaml"), policy, journal, host=host, watch=cut)
        )
    if edited:
        (tmp_path / "second.py").write_text("# mended\n")
        (tmp_path / "gates.py").write_text("def good(text):\n    return 0.8\n")
    with pytest.raises(Cut):
        asyncio.run(resume("last", journal, lambda _: policy, host=host, watch=cut))
    done = asyncio.run(resume("last", journal, lambda _: policy, host=host))
    assert done.status == "succeeded"
    with Journal.read(journal) as opened:
        told = [list(e.code) for e in opened.events(done.run_id) if isinstance(e, CodeChanged)]
    assert told == ([["second", "the gate of text"]] if edited else [])


def test_a_run_that_is_over_is_told_again(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    first = json.loads(ran(capsys, "run", PAGE, "--json")[1])
    before = Path("conductor.sqlite").read_bytes()
    code, out, _ = ran(capsys, "resume", "last", "--json", "--out", "delivered")
    assert (code, json.loads(out)) == (0, {**first, "fsync_ms_p50": None})
    assert Path("conductor.sqlite").read_bytes() == before
    assert Path("delivered", "text.txt").read_text() == "the quick brown fox"


def test_one_run_that_cannot_be_read_hides_no_other(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run_id = json.loads(ran(capsys, "run", PAGE, "--json")[1])["run_id"]
    ran(capsys, "run", PAGE, "--json")
    connection = sqlite3.connect("conductor.sqlite")
    connection.execute(f"INSERT INTO events VALUES ('{run_id}', 99, 0.0, 'danced', '{{}}')")
    connection.commit()
    connection.close()
    with Journal.read("conductor.sqlite") as journal:
        assert [row["status"] for row in summaries(journal)] == ["succeeded", "unreadable"]
    code, out, _ = ran(capsys, "runs")
    assert code == 0 and f"events of the run {run_id} are missing" in out
