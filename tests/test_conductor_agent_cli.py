"""The command `conductor`: what it prints, its exit codes, bad input in one sentence."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conductor_cli import command, finished, ran
from hand_written import FOLDER

from conductor_agent.conductor import Conductor
from conductor_agent.hosting.watch import tree
from policies.recovery.registry import BUILT_IN, PLANNERS

PAGE = FOLDER / "page.yaml"
ONCE = FOLDER / "once.yaml"


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


def test_the_help_of_run_names_the_policies_that_can_decide(capsys):
    told = " ".join(ran(capsys, "run", "--help")[1].split())
    named = told.partition("One of ")[2].partition(";")[0].split(", ")
    assert named == [name for name in BUILT_IN if name not in PLANNERS]


def test_a_policy_that_cannot_decide_is_not_suggested(capsys):
    *_, err = ran(capsys, "run", PAGE, "--policy", "oracel")
    assert "there is no policy 'oracel'." in err
    assert "oracle" not in err and "index" in err


def test_a_fault_of_ours_is_said_without_a_traceback(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Conductor, "run", None)
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
