"""Whole runs: YAML, real processes, a real journal, and the command itself."""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import yaml
from hand_written import FOLDER, work, workflow

from conductor_agent.cli import main
from conductor_agent.explain import explain
from conductor_agent.files.checks import measured_within
from conductor_agent.hosting import tree
from conductor_agent.hosting.supervisor import Supervisor
from conductor_agent.hosting.testing import FakeHost
from conductor_agent.record.events import Decided, Finished, Lost, Started
from conductor_agent.record.fold import replay
from conductor_agent.record.journal import Journal, content
from conductor_agent.runs import begin, resume, summaries
from fqg_env.fields import Call
from fqg_env.level import Level
from fqg_env.outcome import Category, OwnRecovery, Phase, SideEffects, StandardError, error
from policies.recovery.base import certain
from policies.recovery.index import Index
from policies.recovery.rules import HandRule, Rule

PAGE = FOLDER / "page.yaml"
ONCE = FOLDER / "once.yaml"


class Run:
    """One finished run and its journal."""

    def __init__(self, tmp_path, flow, policy=None):
        self.path = tmp_path / "conductor.sqlite"
        self.result = asyncio.run(begin(flow, policy or HandRule(Rule.CASCADE), self.path))
        with Journal.read(self.path) as journal:
            self.events = journal.events(self.result.run_id)
            self.level = Level.model_validate_json(journal.run(self.result.run_id).level)

    @property
    def finished(self):
        return [event for event in self.events if isinstance(event, Finished)]

    @property
    def errors(self):
        return [e.outcome for e in self.finished if isinstance(e.outcome, StandardError)]


def test_a_run_with_failures_ends_well_and_its_replay_gives_the_logged_observations(tmp_path):
    from conductor_agent.files.workflow import read_workflow

    run = Run(tmp_path, read_workflow(PAGE), Index())
    assert run.result.status == "succeeded"
    assert run.result.values == {"text": "the quick brown fox"}
    assert {e.category for e in run.errors} == {Category.CRASHED, Category.LOW_QUALITY}
    logged = [event.observation for event in run.events if isinstance(event, Decided)]
    assert len(set(logged)) == len(logged)
    assert replay(run.level, run.events) == logged
    assert all(step.same_observation for step in explain(run.level, run.events))


def test_a_bad_200_is_a_failure_and_the_fallback_works(tmp_path):
    flow = workflow(
        {
            "empty": work(parameters={"outputs": {}}),
            "wrong": work(parameters={"outputs": {"text": 7}}),
            "short": work(parameters={"outputs": {"text": "a"}}),
            "poor": work(parameters={"outputs": {"text": "abc"}, "quality": {"text": 1.0}}),
            "echo": work(),
        },
        {name: {"extension": "fixed"} for name in ("empty", "wrong", "short", "poor")}
        | {"echo": {}},
        {
            "text": {
                "goal": {"weight": 1},
                "check": {
                    "type": "text",
                    "schema": {"minLength": 2},
                    "quality": "gates.py:length",
                    "minimum": 0.5,
                },
            }
        },
    )
    run = Run(tmp_path, flow)
    said = [(e.category, e.phase) for e in run.errors]
    assert said == [(Category.INVALID_OUTPUT, Phase.OUTPUT)] * 3 + [
        (Category.LOW_QUALITY, Phase.QUALITY)
    ]
    assert [e.made.get("text") is not None for e in run.finished] == [False] * 3 + [True] * 2
    assert run.finished[3].made["text"].passed is False
    assert run.finished[3].made["text"].quality == 1.0
    assert run.result.values == {"text": "a page"}


def test_a_gate_that_cannot_measure_rejects(tmp_path):
    check = {"quality": "gates.py:fails", "minimum": 0}
    flow = workflow(
        {"echo": work()}, {"echo": {}}, {"text": {"goal": {"weight": 1}, "check": check}}
    )
    run = Run(tmp_path, flow)
    assert run.result.status == "failed"
    assert "could not be measured (RuntimeError: no scale)" in run.errors[0].message


def test_a_gate_that_never_answers_has_not_measured():
    ended = threading.Event()
    try:
        found = asyncio.run(measured_within(0.01, lambda _: ended.wait(), "a page"))
    finally:
        ended.set()
    assert found == (0.0, "the quality could not be measured within 0.01 s")


def test_limits_crashes_and_hints_become_outcomes(tmp_path):
    flow = workflow(
        {
            "look": {"kind": "inspect", "probes": ["page"], "variants": {"default": {"parameters": {"advises": "echo"}}}},
            "unable": work(parameters={"hint": "echo"}),
            "crash": work(),
            "slow": work(0.1),
            "echo": work(),
        },
        {"look": {"extension": "inspect"}, "slow": {"limits": {"wall_s": 0.3}}}
        | {name: {} for name in ("unable", "crash", "echo")},
    )  # fmt: skip

    class InOrder:
        name = "in_order"

        def decide(self, observation, mask):
            tried = observation["calls"][0][:, Call.TRIES] > 0
            legal = [i for i in range(2, mask.shape[1]) if mask[0, i] and not tried[i - 2]]
            return certain(np.array([legal[0] if legal else 1]), mask.shape[1], self.name)

    run = Run(tmp_path, flow, InOrder())
    assert [e.category for e in run.errors] == [Category.UNABLE, Category.CRASHED, Category.TIMEOUT]
    assert run.finished[0].outcome.hints[0].call == "echo"
    steps = explain(run.level, run.events)
    assert [s.strategy for s in steps] == [
        "inspect", "first_try", "fallback", "fallback", "follow_hint", "deliver",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("mode", "recover"), [("hybrid", True), ("conductor", False), ("community", True)]
)
def test_own_recovery_is_switched_by_responsibility(tmp_path, mode, recover):
    run = Run(tmp_path, workflow({"recover": work()}, {"recover": {}}, responsibility=mode))
    assert run.result.values["text"] == f"recover={recover} key={run.result.run_id}/recover/1"


def test_a_call_that_is_not_idempotent_is_committed_and_not_repeated(tmp_path):
    flow = workflow(
        {"crash": work(idempotent=False), "echo": work(idempotent=False)}, {"crash": {}, "echo": {}}
    )
    run = Run(tmp_path, flow, HandRule(Rule.RETRY_FALLBACK))
    assert [e.call for e in run.finished] == ["crash", "echo"]
    assert [e.outcome.side_effects for e in run.finished] == [
        SideEffects.POSSIBLE,
        SideEffects.COMMITTED,
    ]


def test_of_two_at_once_the_first_success_ends_the_other_with_its_process(tmp_path):
    flow = workflow(
        {"slow": work(parameters={"started": str(tmp_path / "pid")}), "echo": work()},
        {"slow": {"limits": {"write_paths": [str(tmp_path)]}}, "echo": {}},
        max_in_flight=2,
    )
    before = set(tree.descendants(os.getpid()))

    class Both:
        name = "both"

        def decide(self, observation, mask):
            legal = [
                i for i in (2, 3) if mask[0, i] and not observation["calls"][0][i - 2, Call.TRIES]
            ]
            if legal == [3] and not (tmp_path / "pid").exists():
                legal = [0]  # not before the other is in flight for sure
            return certain(np.array([legal[0] if legal else 1]), mask.shape[1], self.name)

    run = Run(tmp_path, flow, Both())
    assert [e.call for e in run.finished] == ["echo", "slow"]
    assert run.errors[0].category is Category.CANCELLED
    assert run.result.status == "succeeded"
    assert set(tree.descendants(os.getpid())) <= before
    logged = [event.observation for event in run.events if isinstance(event, Decided)]
    assert replay(run.level, run.events) == logged


def test_flaky_is_retried(tmp_path):
    flow = workflow({"flaky": work(parameters={"from_attempt": 2})}, {"flaky": {}})
    run = Run(tmp_path, flow, HandRule(Rule.CODE_AWARE))
    assert run.result.values == {"text": "at last"}
    assert [e.call for e in run.finished] == ["flaky", "flaky"]


def test_total_retry_time_is_kept_by_the_conductor(tmp_path):
    flow = workflow(
        {"flaky": work(parameters={"from_attempt": 9})},
        {"flaky": {"limits": {"total_retry_s": 1e-4}}},
        shield={"retries_per_function": 3},
    )
    run = Run(tmp_path, flow, HandRule(Rule.RETRY))
    assert run.errors[0].category is Category.UNAVAILABLE
    refused = run.errors[2]
    assert (refused.category, refused.code, refused.cost) == (
        Category.POLICY_VIOLATION, "LIMIT_TOTAL_RETRY", 0.0,
    )  # fmt: skip


def test_a_deadline_is_what_the_run_has_left_and_for_repeats_what_they_have_left(tmp_path):
    own = OwnRecovery(attempts=3, elapsed_s=4.0)
    answers = [error(Category.UNAVAILABLE, "no", own_recovery=own)] * 2 + [{"text": "yes"}]
    host = FakeHost({"flaky": answers}, wall_s=3.0)
    flow = workflow(
        {"flaky": work()},
        {"flaky": {"limits": {"total_retry_s": 10}}},
        budget={"time_s": 90, "cost": 50},
    )
    done = asyncio.run(begin(flow, HandRule(Rule.CODE_AWARE), tmp_path / "j", host=host))
    assert done.status == "succeeded"
    first, second, third = (request.deadline_s for _, request in host.requests)
    assert 89 < first <= 90
    assert (second, third) == (10 - 4, 10 - 4 - 3)


def test_a_missing_or_rejected_input_is_refused_before_anything_starts():
    from conductor_agent.live_world import Attempt, Held, LiveWorld

    flow = workflow({"echo": work()}, {"echo": {}})
    host = FakeHost({})
    world = LiveWorld(flow, host)
    for inputs in ({}, {"page": Held("", "x", rejected=True)}):
        answer = asyncio.run(world.attempt(Attempt("run", 0, 1, "key", inputs, 9.0)))
        assert answer.outcome.category is Category.DEPENDENCY_FAILED
        assert answer.outcome.blamed_inputs[0].artifact == "page"
    assert host.requests == []


# --- the command --------------------------------------------------------------------------------------


def command(*arguments, cwd, **more):
    """Start `conductor` as a user would; Ctrl-C reaches it even where whoever runs the tests ignores it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    environment["CONDUCTOR_PROFILE"] = "group"  # these extensions tell through files what they do
    return subprocess.Popen(
        [sys.executable, "-m", "conductor_agent.start", *map(str, arguments)],
        cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more,
    )  # fmt: skip


def ran(capsys, *arguments):
    """(exit code, standard output, standard error) of the command in this process."""
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    return stop.value.code, said.out, said.err


def test_run_runs_explain_and_out(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code, out, _ = ran(capsys, "run", PAGE, "--json", "--out", "delivered")
    result = json.loads(out)
    assert code == 0
    assert result["status"] == "succeeded"
    assert result["goals"]["text"]["delivered"] is True
    assert set(result) >= {
        "run_id",
        "status",
        "goals",
        "attempts",
        "elapsed_s",
        "cost",
        "decision_ms_p50",
    }
    assert (tmp_path / "delivered" / "text.txt").read_text() == "the quick brown fox"
    code, out, _ = ran(capsys, "runs", "--json")
    assert [run["run_id"] for run in json.loads(out)["runs"]] == [result["run_id"]]
    code, out, _ = ran(capsys, "explain", "last", "--json")
    told = json.loads(out)
    assert all(step["same_observation"] for step in told["steps"])
    assert told["steps"][-1]["action"] == "STOP"
    for shown in (("runs",), ("explain",), ("limits",)):
        assert ran(capsys, *shown)[0] == 0
    code, out, _ = ran(capsys, "run", PAGE)
    assert "CRASHED" in out
    assert "succeeded" in out


def test_exit_codes_of_partial_and_failed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    data = yaml.safe_load(PAGE.read_text())
    data["artifacts"]["text"]["goal"] = {"weight": 0.5, "kind": "recommended"}
    data["artifacts"]["book"] = {"goal": {"weight": 0.5}}
    data["functions"]["bind"] = {"inputs": ["text"], "outputs": ["book"]}
    data["plan"].append("bind")  # a plan that is named reaches every essential goal
    data["extensions"]["bind"] = {"source": "small.py", "extension": "crash", "class": "operator"}
    for entry in data["extensions"].values():
        entry["source"] = str(FOLDER / "small.py")
    data["artifacts"]["text"]["check"]["quality"] = f"{FOLDER / 'gates.py'}:length"
    path = tmp_path / "w.yaml"
    path.write_text(yaml.safe_dump(data))
    code, out, _ = ran(capsys, "run", path, "--json", "--policy", "cascade")
    assert (code, json.loads(out)["status"]) == (3, "partial")
    data["extensions"]["echo"]["extension"] = data["extensions"]["short"]["extension"] = "crash"
    path.write_text(yaml.safe_dump(data))
    code, out, _ = ran(capsys, "run", path, "--json", "--policy", "cascade")
    assert (code, json.loads(out)["status"]) == (4, "failed")


def test_a_dry_run_shows_the_plan_and_writes_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code, out, _ = ran(capsys, "run", PAGE, "--dry-run", "--json")
    told = json.loads(out)
    assert (code, told["plan"]) == (0, ["crash"])
    assert told["limits"]["memory_bytes"]["level"]
    assert ran(capsys, "run", PAGE, "--dry-run")[0] == 0
    assert list(tmp_path.iterdir()) == []


HEAD = "from conductor_agent.hosting.extension import extension\n"
LOADS_NOT = "The extension does not load: "
FINE = "@extension\ndef one():\n    return {}\n@extension\ndef two():\n    return {}\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (FINE.replace("two()", "two("), f"extensions.one, two: {LOADS_NOT}SyntaxError: invalid syntax (mine.py, line 6)"),
        ("import no_such_module\n" + FINE, "extensions.one, two: The Python package no_such_module is missing"),
        (FINE.replace("two", "too"), "extensions.two: mine.py has no extension 'two'. Did you mean 'too'?"),
        ("", "extensions.one, two: mine.py has no extension: decorate a function with @extension"),
        (FINE + "@two.load\ndef load():\n    open('model.bin')\n",
         f"extensions.two: {LOADS_NOT}FileNotFoundError: [Errno 2] No such file or directory: 'model.bin' (mine.py, line 10)"),
        (FINE + "import os, sys\nprint('model gone', flush=True)\nos._exit(3)\n",
         "extensions.one, two: The extension ended without an answer (exit code 3) (model gone)"),
    ],
)  # fmt: skip
def test_a_dry_run_says_which_extension_does_not_load(tmp_path, monkeypatch, capsys, text, says):
    monkeypatch.chdir(tmp_path)
    flow = {
        "workflow": "conductor-workflow/1",
        "name": "mine",
        "artifacts": {"text": {"goal": {"weight": 1}}},
        "functions": {name: {"outputs": ["text"]} for name in ("one", "two")},
        "budget": {"time_s": 10, "cost": 10},
        "extensions": {name: {"source": "mine.py", "class": "motif"} for name in ("one", "two")},
    }
    Path("mine.py").write_text(HEAD + text)
    Path("flow.yaml").write_text(yaml.safe_dump(flow))
    code, out, err = ran(capsys, "run", "flow.yaml", "--dry-run", "--json")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"conductor: flow.yaml: {says}")
    assert {path.name for path in tmp_path.iterdir()} == {"mine.py", "flow.yaml"}


def test_a_dry_run_asks_no_extension_and_leaves_no_process(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    before = set(tree.children(os.getpid()))
    assert ran(capsys, "run", ONCE, "--dry-run")[0] == 0
    assert list(tmp_path.iterdir()) == []
    assert set(tree.descendants(os.getpid())) <= before


BAD = [
    ("run", "nowhere.yaml"),
    ("run",),
    ("run", PAGE, "--bogus"),
    ("run", PAGE, "--policy", "indx"),
    ("run", PAGE, "--policy", "oracle"),
    ("run", PAGE, "--policy", "no.module:Thing"),
    ("run", PAGE, "--policy", "no/such/file"),
    ("run", PAGE, "--limits", "nowhere.yaml"),
    ("run", PAGE, "--input", "page"),
    ("run", PAGE, "--input", "pge=x"),
    ("run", PAGE, "--input", "page=nowhere"),
    ("run", PAGE, "--journal", "no/folder/j.sqlite"),
    ("run", PAGE, "--out", PAGE),
    ("resume", "last"),
    ("runs",),
    ("explain", "last"),
    ("runs", "--journal", PAGE),
    ("dance",),
]


@pytest.mark.parametrize(
    "arguments", BAD, ids=lambda a: " ".join(map(str, a)).replace(str(FOLDER), "")
)
def test_bad_input_is_one_sentence_and_nothing_is_written(tmp_path, monkeypatch, capsys, arguments):
    monkeypatch.chdir(tmp_path)
    code, out, err = ran(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("conductor: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_a_policy_that_cannot_decide_is_not_suggested(capsys):
    *_, err = ran(capsys, "run", PAGE, "--policy", "oracel")
    assert "there is no policy 'oracel'." in err
    assert "oracle" not in err and "index" in err


def test_a_fault_of_ours_is_said_without_a_traceback(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Supervisor, "call", None)
    code, out, err = ran(capsys, "run", PAGE, "--json")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("conductor: a fault of ours: TypeError")


def test_nobody_need_look_on(tmp_path):
    """Standard output is closed at once, as by `| head -0`; the run goes on and its exit code tells."""
    process = command("run", PAGE, cwd=tmp_path)
    process.stdout.close()
    with process.stderr:
        said = process.stderr.read()  # at most that rules are being compiled
        assert ("Traceback" in said, "fault" in said, process.wait(timeout=60)) == (False, False, 0)
    assert finished(command("runs", "--json", cwd=tmp_path))[0] == 0


def test_running_needs_no_trainer(tmp_path):
    code = (
        "import sys, conductor_agent.runs, conductor_agent.cli, conductor_agent.commands.show; "
        "sys.exit(', '.join({'torch', 'stable_baselines3', 'onnxruntime'} & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    environment["CONDUCTOR_PROFILE"] = "group"  # these extensions tell through files what they do
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stderr.strip() == ""


def test_an_operators_ceiling_holds(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("limits.yaml").write_text("operator: {wall_s: 5}")
    code, _, err = ran(capsys, "run", PAGE, "--limits", "limits.yaml", "--dry-run")
    assert (code, "asked for 10, the ceiling is 5" in err) == (2, True)
    Path("limits.yaml").write_text("operator: {wall_s: 12}")
    code, out, _ = ran(capsys, "run", PAGE, "--limits", "limits.yaml", "--dry-run", "--json")
    assert json.loads(out)["functions"]["crash"]["limits"]["wall_s"] == 12


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
    assert [e.call for e in events if isinstance(e, Started)] == ["prepare", "once", "once"]
    assert [e.attempt for e in events if isinstance(e, Lost)] == [1]
    assert value == f"{result['run_id']}/once/2"
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


def finished(process):
    """(exit code, standard output, standard error) of a process."""
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


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
        values = (flow.inputs["page"], "n", f"{result.run_id}/echo/1")
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
        assert len({e.key for e in started}) == len(started)
        assert len(started) <= 3 + len(lost)


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
