"""Every command, found by asking the programs themselves: help, an example, --json, what was perhaps meant."""

from __future__ import annotations

import ast
import importlib.metadata
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
import typer
from typer.testing import CliRunner

from conductor_agent import cli as conductor
from training import cli as fqg

ROOT = Path(__file__).resolve().parents[1]
GROUPS = {"conductor": conductor.app, "fqg": fqg.app}
PRINTS_NOTHING_TO_READ = {"fqg play"}
"""A game in a terminal."""


def groups_and_commands() -> tuple[dict[str, Any], dict[str, Any]]:
    """Words of a command line -> what they call: groups, and commands that do something."""
    groups: dict[str, Any] = {}
    commands: dict[str, Any] = {}
    open_: list[tuple[str, Any]] = [
        (name, typer.main.get_command(app)) for name, app in GROUPS.items()
    ]
    while open_:
        words, one = open_.pop(0)
        if hasattr(one, "commands"):
            groups[words] = one
            open_ += [(f"{words} {name}", inner) for name, inner in one.commands.items()]
        else:
            commands[words] = one
    return groups, commands


ALL_GROUPS, COMMANDS = groups_and_commands()
every_command = pytest.mark.parametrize("words", sorted(COMMANDS))


def own(command: Any) -> list[Any]:
    return [one for one in command.params if one.name != "help"]


def test_there_are_commands_to_look_at():
    assert len(COMMANDS) > 20 and len(ALL_GROUPS) == 5, sorted(ALL_GROUPS)


@every_command
def test_a_command_has_an_example_of_itself(words: str):
    command = COMMANDS[words]
    text = " ".join(f"{command.help or ''} {command.epilog or ''}".split())
    assert f"Example: {words}" in text


@every_command
def test_each_argument_and_option_says_what_it_is(words: str):
    for one in own(COMMANDS[words]):
        assert (one.help or "").strip(), one.name
        assert one.help.rstrip().endswith((".", "`")), f"{one.name}: {one.help}"


@every_command
def test_results_can_be_read_by_a_program(words: str):
    names = {name for one in own(COMMANDS[words]) for name in one.opts}
    assert ("--json" in names) != (words in PRINTS_NOTHING_TO_READ)


def said(words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> tuple[Any, str]:
    program, *rest = words
    monkeypatch.setattr(sys, "argv", [program, *rest])
    with pytest.raises(SystemExit) as end:
        {"conductor": conductor.main, "fqg": fqg.main}[program]()
    told = capsys.readouterr()
    assert told.out == "" and told.err.count("\n") == 1 and "Traceback" not in told.err
    return end.value.code, told.err


@every_command
def test_an_option_that_is_nearly_one_is_answered_with_it(
    words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    names = [name for one in own(COMMANDS[words]) for name in one.opts if name.startswith("--")]
    name = max(names, key=len)
    code, told = said([*words.split(), name[:-1]], capsys, monkeypatch)
    assert code == 2 and name in told and "Did you mean" in told, told


@pytest.mark.parametrize("words", sorted(ALL_GROUPS))
def test_a_command_that_is_nearly_one_is_answered_with_it(
    words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    for name in ALL_GROUPS[words].commands:
        if len(name) < 4 or name[:-1] in ALL_GROUPS[words].commands:
            continue
        code, told = said([*words.split(), name[:-1]], capsys, monkeypatch)
        assert code == 2 and f"Did you mean '{name}'?" in told, told


@pytest.mark.parametrize("words", sorted(ALL_GROUPS))
def test_a_group_lists_its_commands_in_whole_sentences(words: str):
    group = ALL_GROUPS[words]
    with click.Context(group, info_name=words, terminal_width=80, max_content_width=80) as context:
        text = group.get_help(context)
    shown = text.split("Commands:")[1]
    assert "..." not in shown, shown


def examples() -> list[str]:
    found = []
    for command in COMMANDS.values():
        text = f"{command.help or ''}\n\n{command.epilog or ''}"
        parts = [" ".join(part.split()) for part in text.split("\n\n")]
        found += [part.removeprefix("Example: ") for part in parts if part.startswith("Example: ")]
    return found


@pytest.mark.parametrize("line", examples())
def test_an_example_is_one(line: str):
    for part in line.split(" && "):
        words = shlex.split(part.split(" > ")[0])
        name = next(w for n in (3, 2) if (w := " ".join(words[:n])) in COMMANDS)
        COMMANDS[name].make_context(name, words[len(name.split()) :])


WRITES_FILES = {"make_results.py", "ship.py"}
"""What they find they put where it belongs."""
SCRIPTS = sorted(
    path for path in (ROOT / "benchmarks").glob("*.py") if "__main__" in path.read_text("utf-8")
)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.name)
def test_a_benchmark_has_help_with_an_example_and_answers_as_json(script: Path):
    done = subprocess.run(
        [sys.executable, str(script), "--help"], capture_output=True, text=True, cwd=ROOT
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert f"python benchmarks/{script.name}" in done.stdout
    assert ("--json" in done.stdout) != (script.name in WRITES_FILES)
    for options in ast.walk(ast.parse(script.read_text("utf-8"))):
        if isinstance(options, ast.Call) and getattr(options.func, "attr", "") == "add_argument":
            assert "help" in {word.arg for word in options.keywords}, ast.unparse(options)


@pytest.mark.parametrize("program", GROUPS)
def test_a_program_tells_its_version(program: str):
    told = CliRunner().invoke(GROUPS[program], ["--version"])
    assert told.exit_code == 0
    assert told.output == f"fqg-conductor {importlib.metadata.version('fqg-conductor')}\n"
