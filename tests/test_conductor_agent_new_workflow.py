"""`conductor new`: what it writes runs at once, fails, recovers, passes its own test, and replaces nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from conductor_agent.cli import main

ROOT = Path(__file__).resolve().parents[1]


def ran(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main([*arguments])
    told = capsys.readouterr()
    assert isinstance(end.value.code, int)
    return end.value.code, told.out, told.err


@pytest.fixture
def made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Path:
    monkeypatch.chdir(tmp_path)
    code, out, _ = ran(capsys, "new", "my-flow", "--json")
    assert code == 0
    files = [Path(file) for file in json.loads(out)["files"]]
    assert sorted(file.relative_to("my-flow").as_posix() for file in files) == [
        "README.md", "my_flow.py", "receipt.txt", "schemas/workflow.json", "test_my_flow.py", "workflow.yaml",
    ]  # fmt: skip
    return tmp_path / "my-flow"


def test_it_runs_at_once_fails_and_recovers(made: Path, capsys: pytest.CaptureFixture[str]):
    code, out, _ = ran(capsys, "run", "my-flow/workflow.yaml", "--json", "--out", "delivered")
    told = json.loads(out)
    assert (code, told["status"], told["attempts"]) == (0, "succeeded", 2)
    assert json.loads(Path("delivered/total.json").read_text()) == 6.75
    code, out, _ = ran(capsys, "explain", "last", "--json")
    steps = json.loads(out)["steps"]
    assert [step["action"] for step in steps] == ["read_total", "add_up", "STOP"]
    assert steps[0]["outcome"][0]["category"] == "UNABLE"
    assert steps[1]["strategy"] == "follow_hint"


def test_its_own_test_passes(made: Path):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(made)],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        cwd=made,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and "3 passed" in done.stdout, done.stdout


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("taken", "taken: something is there already; name a new folder"),
        ("file", "file: something is there already; name a new folder"),
        ("2nd", "2nd: '2nd' is no name for a module; use letters and `_`"),
        ("class", "class: 'class' is no name for a module; use letters and `_`"),
        ("x" * 61, "its name is longer than 60 letters; choose a shorter one"),
        ("file/inside", "file/inside: it cannot be written (Not a directory)"),
    ],
)
def test_nothing_is_replaced_and_no_wrong_name_taken(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    says: str,
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/mine.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    code, out, err = ran(capsys, "new", name)
    assert (code, out) == (2, "") and says in err and err.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before
