"""The documentation is true: commands exist, snippets run, links lead somewhere, made pages are up to date."""

from __future__ import annotations

import doctest
import importlib.util
import json
import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest
import typer
from typer.testing import CliRunner

from conductor_agent import cli as conductor
from conductor_agent.files.manifest import (
    FailurePolicies,
    FunctionQuest,
    Gameplay,
    Info,
    Manifest,
    Ours,
    ReliabilityContract,
    Resources,
)
from fqg_env.arrays import SIZES
from fqg_env.lanes import Lanes
from fqg_env.level import Artifact, Budget, Function, Level, Scoring, Shield, Variant
from fqg_env.puzzle import KEYS, Faults, read_puzzle
from training import cli as fqg

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
GROUPS = {"conductor": conductor.app, "fqg": fqg.app}
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)(#[^)\s]*)?\)")
FILES = re.compile(
    r"`((?:fqg_env|policies|training|conductor_agent|tests|docs|benchmarks)/[\w./]+)`"
)
SOURCE = re.compile(r"`(\w[\w./]*\.(?:py|toml|yaml|md))`")
BETWEEN = re.compile(r"&& | \|\| | [&>|] ?")
"""Where the shell's own words begin."""
OF_THE_READER = {"note.py", "note.yaml", "extension.toml"}
"""Files that pages ask their readers to write, besides those that a tutorial says to save."""
SAVED = re.compile(r"Save as `([\w./]+)`")


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def fences(page: Path) -> list[tuple[str, str]]:
    """(language, text) of each fence."""
    return FENCE.findall(page.read_text("utf-8"))


def commands(page: Path) -> list[str]:
    """Parts of the lines of fences that run one of our commands; in a transcript those after `$`."""
    lines = [
        line.removeprefix("$ ")
        for language, text in fences(page)
        for line in text.splitlines()
        if language == "sh" or (language == "" and line.startswith("$ "))
    ]
    parts = [part.strip() for line in lines for part in BETWEEN.split(line)]
    return [part for part in parts if part.split(" ")[0] in GROUPS]


def made_pages() -> dict[Path, str]:
    spec = importlib.util.spec_from_file_location(
        "make_observation", ROOT / "docs/make_observation.py"
    )
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.pages()


def parse(line: str) -> None:
    """Let the command's own parser read the line, and run nothing."""
    program, *arguments = shlex.split(line, comments=True)
    group = typer.main.get_command(GROUPS[program])
    context = group.make_context(program, arguments[:1], resilient_parsing=True)
    command, rest = group.get_command(context, arguments[0]), arguments[1:]
    assert command is not None, f"{line}: there is no such command"
    while hasattr(command, "commands"):
        command, rest = command.commands.get(rest[0]), rest[1:]
        assert command is not None, f"{line}: there is no such command"
    command.make_context(program, rest, parent=context)


COMMANDS = [(named(page), line) for page in PAGES for line in commands(page)]


@pytest.mark.parametrize(("page", "line"), COMMANDS, ids=[f"{p}: {c}" for p, c in COMMANDS])
def test_a_command_that_is_shown_exists_with_its_options(page: str, line: str):
    try:
        parse(line)
    except (click.ClickException, typer.Exit) as problem:
        pytest.fail(f"{page}: {line}: {getattr(problem, 'message', problem)}")


def test_the_first_screen_has_the_two_commands():
    readme = (ROOT / "README.md").read_text("utf-8")
    assert '\npip install -e ".[train,models]" && fqg quickstart\n' in readme
    assert (
        '\npip install -e ".[train,models,datasets,dev]" && fqg compile && pytest -n 2 --dist loadfile\n'
        in readme
    )


@pytest.mark.parametrize(
    "path", [ROOT / "docs" / name for name in ("observation.md", "errors.md", "game.md")], ids=named
)
def test_what_the_code_says_is_up_to_date(path: Path):
    assert path.read_text("utf-8") == made_pages()[path], "run: python docs/make_observation.py"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page: Path):
    for target, _ in LINK.findall(page.read_text("utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_files_that_are_named_are_there(page: Path):
    text = page.read_text("utf-8")
    for path in FILES.findall(text):
        assert (ROOT / path).exists(), path
    theirs = {file.rpartition("/")[2] for file in SAVED.findall(text)} | OF_THE_READER
    for path in {file for file in SOURCE.findall(text) if file.rpartition("/")[2] not in theirs}:
        assert any(ROOT.glob(f"*/**/{path}")) or any(ROOT.glob(path)), path


@pytest.mark.parametrize("page", [p for p in PAGES if ">>> " in p.read_text("utf-8")], ids=named)
def test_python_that_is_shown_answers_as_shown(page: Path):
    failed, tried = doctest.testfile(str(page), module_relative=False)
    assert tried and not failed


def test_the_policy_that_is_shown_plays_legally():
    code = next(text for _, text in fences(ROOT / "README.md") if "class Eager" in text)
    scope: dict[str, Any] = {}
    exec(code, scope)  # (our own page)
    lanes = Lanes(40, SIZES["small"])
    lanes.deal("validation")
    while not lanes.done.all():
        fields = {name: lanes.observations[name] for name in lanes.observations.dtype.names}
        lanes.step(scope["Eager"]().decide(fields, lanes.masks).action)
    assert not lanes.boards["refused"].any() and lanes.boards["attempts"].any()


def test_the_workflow_that_is_shown_runs_as_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    shown = fences(ROOT / "README.md")
    code = next(text for _, text in shown if text.startswith("from conductor_agent.hosting"))
    workflow = next(text for language, text in shown if language == "yaml")
    (tmp_path / "note.py").write_text(code, "utf-8")
    (tmp_path / "note.yaml").write_text(workflow, "utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        conductor.main(["run", "note.yaml", "--out", "delivered", "--json"])
    result = json.loads(capsys.readouterr().out)
    assert end.value.code == 0 and result["attempts"] == 2 and result["cost"] == 3.0
    assert (tmp_path / "delivered/summary.txt").read_text("utf-8") == "The boiler is cold again."


def test_the_solution_that_is_shown_is_the_one_that_is_found():
    shown = [text for _, text in fences(ROOT / "README.md") if text.startswith("$ fqg levels show")]
    line, transcript = shown[0].split("\n", 1)
    result = CliRunner().invoke(fqg.app, shlex.split(line.removeprefix("$ fqg ")))
    assert result.stdout == transcript, f"run again and paste: {line}"
    assert "none was found" not in transcript


def test_the_level_file_that_is_shown_is_valid_and_its_keys_are_all_there(tmp_path: Path):
    page = ROOT / "docs" / "game.md"
    (tmp_path / "level.yaml").write_text(
        next(text for language, text in fences(page) if language == "yaml"), "utf-8"
    )
    assert read_puzzle(tmp_path / "level.yaml").level.call_names == ("draw", "read")
    table = page.read_text("utf-8").split("| key | holds |")[1].split("\n\n")[0]
    firsts = [row.split(" | ")[0] for row in table.splitlines()[2:]]
    assert {*re.findall(r"`(\w+)`", " ".join(firsts))} - {"variants"} == {
        *Level.model_fields,
        *KEYS,
    }
    for part in (Artifact, Function, Variant, Budget, Shield, Scoring, Faults):
        assert all(f"`{name}" in table for name in part.model_fields), part


def test_pages_name_no_place_of_ours():
    for page in PAGES:
        text = page.read_text("utf-8")
        assert not re.search(r"/(work|tmp|home|root)/", text), named(page)


def test_the_points_of_a_check_and_the_keys_of_a_manifest_are_all_there():
    guideline = (ROOT / "docs/guidelines.md").read_text("utf-8")
    manual = (ROOT / "docs/extensions.md").read_text("utf-8")
    found = "".join(path.read_text("utf-8") for path in (ROOT / "conductor_agent").rglob("*.py"))
    points = re.findall(r"""found\(\s*"([a-z ]+)", (\d)""", found)
    assert len(points) > 12
    assert {f"| `{name}` | {weight} |" for name, weight in points} == set(
        re.findall(r"^\| `[a-z ]+` \| \d \|", guideline, re.MULTILINE)
    )
    table = manual.split("## The manifest")[1]
    parts = (Ours, Info, FunctionQuest, Gameplay, FailurePolicies, ReliabilityContract, Resources)
    for part in parts:
        for name, field in part.model_fields.items():
            assert f"`{field.alias or name}`" in table or name == "gameplay", name
    for name in Manifest.model_fields:
        assert f"[{name}" in table, name


def test_the_question_why_a_call_is_not_tried_again_names_every_key_that_may_be_why():
    text = (ROOT / "docs/faq.md").read_text("utf-8")
    answer = text.split("## Why is a call not tried again?\n")[1].split("\n## ")[0]
    assert [key for key in Shield.model_fields if f"`{key}" not in answer] == []


def test_messages_that_the_questions_quote_are_said_somewhere():
    """Each piece of a quoted heading that is not filled in stands in the code."""
    source = " ".join(
        "".join(path.read_text("utf-8") for path in (ROOT / package).rglob("*.py"))
        for package in ("conductor_agent", "training", "policies", "fqg_env")
    )
    plain = re.sub(r'"\s*f?"', "", source)
    headings = re.findall(r"^## `([^`]+)`", (ROOT / "docs/faq.md").read_text("utf-8"), re.MULTILINE)
    assert len(headings) > 5
    for heading in headings:
        pieces = re.split(r"'\w+'|\.\.\.|\b\d+\b|\b(?:train|full)\b", heading)
        for piece in pieces:
            assert piece.strip() in plain, piece
