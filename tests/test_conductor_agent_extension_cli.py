"""`conductor extension new | run | check`: what they write, run and answer, and how mistakes are told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conductor_agent import cli

ROOT = Path(__file__).resolve().parents[1]


def conductor(capsys, *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        cli.main(["extension", *arguments])
    told = capsys.readouterr()
    return end.value.code, told.out, told.err


def answered(capsys, *arguments: str) -> tuple[int, dict[str, Any]]:
    code, out, _ = conductor(capsys, *arguments, "--json")
    return code, json.loads(out)


@pytest.fixture(params=["function", "program"])
def made(request, tmp_path: Path, capsys, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    more = ["--command"] if request.param == "program" else []
    code, told = answered(capsys, "new", "count-words", *more)
    assert code == 0 and len(told["files"]) == 7
    assert all(Path(file).is_file() for file in told["files"])
    return tmp_path / "count-words"


def test_what_new_writes_works_is_tested_runs_and_gets_the_best_grade(made: Path, capsys):
    code, told = answered(capsys, "run", str(made), "--input", "text=so it is")
    assert (code, told["status"], told["outcome"]["outputs"]) == (0, "succeeded", {"words": 3})
    assert told["elapsed_s"] > told["start_s"] > 0 < told["peak_memory_bytes"]
    with pytest.raises(SystemExit) as end:
        cli.main(["run", str(made / "workflow.yaml"), "--json"])
    assert end.value.code == 0 and json.loads(capsys.readouterr().out)["status"] == "succeeded"
    code, report = answered(capsys, "check", str(made))
    assert (code, report["letter"], report["number"]) == (0, "A", 1.0), report
    assert report["reputation"] == {"mean": 0.75, "strength": 4.0}  # two variants of one scenario


def test_the_test_that_new_writes_passes(made: Path):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(made)],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        cwd=made,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and "2 passed" in done.stdout, done.stdout


def test_a_run_reads_files_parameters_and_variants(made: Path, capsys):
    (made / "page.txt").write_text("so it was there")
    text = f"text=@{made / 'page.txt'}"
    code, told = answered(capsys, "run", str(made), "--input", text, "--variant", "long")
    assert code == 0 and told["outcome"]["outputs"] == {"words": 1}
    more = ["--variant", "long", "--parameters", '{"least_letters": 3}']
    code, told = answered(capsys, "run", str(made), "--input", text, *more)
    assert told["outcome"]["outputs"] == {"words": 2}
    wrong = ["--parameters", '{"least_leters": 1}']
    code, out, _ = conductor(capsys, "run", str(made), "--input", text, *wrong)
    assert code == 4 and out.startswith("INVALID_INPUT  There is no parameter")
    assert "to blame: caller" in out and "does not help" in out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "nowhere"], "nowhere: there is no manifest; write one with"),
        (["run", "ext", "--input", "text"], "--input text: write NAME=TEXT or NAME=@FILE"),
        (["run", "ext", "--input", "txt=x"], "the extension has no input 'txt'. Did you mean 'text'?"),
        (["run", "ext", "--input", "text=@nowhere"], "nowhere cannot be read (No such file or directory)"),
        (["run", "ext", "--parameters", "7"], "--parameters: give a JSON object"),
        (["run", "ext", "--parameters", "{"], "--parameters: it is no plain JSON"),
        (["run", "ext"], "the input text is missing, of type text: add --input text=TEXT"),
        (["run", "ext", "--variant", "lng"], "--variant lng: there is none. Did you mean 'long'?"),
        (["new", "ext"], "ext: something is there already; name a new folder"),
        (["new", "class"], "'class' is no name for a function"),
        (["new", "a b"], "'a b' is no name for a function"),
        (["check", "nowhere"], "nowhere: there is no manifest"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence(tmp_path: Path, capsys, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    conductor(capsys, "new", "ext")
    code, out, err = conductor(capsys, *arguments)
    assert (code, out) == (2, "") and says in err and err.count("\n") == 1


@pytest.mark.parametrize(
    ("scenario", "says"),
    [
        ('{"inputs": {"txt": "x"}}', "no input 'txt'. Did you mean 'text'?"),
        ('{"inputs": {"text": {"$file": "gone.txt"}}}', "cannot be read"),
        ('{"expect": "INVALID_INPT"}', "Did you mean 'INVALID_INPUT'?"),
        ('{"input": {}}', "input: there is no such key"),
        ("{", "the scenario is no JSON"),
        ('{"inputs": {"text": {"$base64": "?"}}}', "no base 64"),
    ],
)
def test_a_mistake_in_a_scenario_is_one_sentence(tmp_path, capsys, monkeypatch, scenario, says):
    monkeypatch.chdir(tmp_path)
    conductor(capsys, "new", "ext")
    (tmp_path / "ext/scenario.json").write_text(scenario)
    code, _, err = conductor(capsys, "check", "ext")
    assert code == 2 and says in err and err.count("\n") == 1


def test_no_command_is_cut_short_in_a_list_of_commands(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for group in ([], ["extension"]):
        with pytest.raises(SystemExit):
            cli.main([*group, "--help"])
        told = capsys.readouterr().out.split("Commands:")[1]
        assert "..." not in told, told


def test_every_command_has_an_example(capsys):
    code, out, _ = conductor(capsys)
    assert code == 0 and "Attack an extension" in out
    for name in ("new", "run", "check"):
        code, out, _ = conductor(capsys, name, "--help")
        assert code == 0 and f"Example: conductor extension {name} count_words" in " ".join(
            out.split()
        )
