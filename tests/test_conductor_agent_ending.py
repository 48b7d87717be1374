"""Both programs end alike: with the exit code of a command, or with one sentence and the code for it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer

import conductor_agent.cli
import training.cli
from conductor_agent.bad_input import BadInput
from conductor_agent.commands.ending import Interrupted, to_its_end

CUTS = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
PROGRAMS = {"conductor": conductor_agent.cli, "fqg": training.cli}


@pytest.fixture(autouse=True)
def signals(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """They are as before afterwards, and nobody asks for tracebacks."""
    monkeypatch.delenv("FQG_DEBUG", raising=False)
    before = {number: signal.getsignal(number) for number in CUTS}
    yield
    for number, heard in before.items():
        signal.signal(number, heard)


def raising(problem: BaseException) -> Any:
    def command(**_: Any) -> None:
        raise problem

    return command


def ended(capsys: pytest.CaptureFixture[str], command: Any, **more: Any) -> tuple[Any, str]:
    """Exit code and standard error; nothing goes to standard output."""
    with pytest.raises(SystemExit) as end:
        to_its_end("it", command, **more)
    said = capsys.readouterr()
    assert said.out == ""
    return end.value.code, said.err


@pytest.mark.parametrize(("gives", "code"), [(None, 0), (0, 0), (3, 3), (4, 4), ("done", 0)])
def test_the_code_of_a_command_is_that_of_the_process(capsys, gives, code):
    assert ended(capsys, lambda: gives) == (code, "")


FAULT = "it: a fault of ours: {} (set FQG_DEBUG=1 to see where)\n"


@pytest.mark.parametrize(
    ("problem", "code", "said"),
    [
        (KeyboardInterrupt(), 130, "it: cut\n"),
        (Interrupted("interrupted; go on with: it resume"), 130, "it: interrupted; go on with: it resume\n"),
        (BadInput("no\n  such thing"), 2, "it: no such thing\n"),
        (typer.BadParameter("give 1 or more"), 2, "it: Invalid value: give 1 or more\n"),
        (TypeError("7 is\n\x1b[31mno text"), 1, FAULT.format("TypeError: 7 is  [31mno text")),
        (KeyError("a"), 1, FAULT.format("KeyError: 'a'")),
    ],
)  # fmt: skip
def test_what_cuts_a_command_is_one_sentence(capsys, problem, code, said):
    is_bad_input = lambda one: isinstance(one, BadInput)  # noqa: E731
    command = raising(problem)
    assert ended(capsys, command, is_bad_input=is_bad_input, interrupted="cut") == (code, said)


def test_a_fault_of_ours_is_shown_whole_where_somebody_asks(monkeypatch):
    monkeypatch.setenv("FQG_DEBUG", "1")
    with pytest.raises(TypeError, match="no text"):
        to_its_end("it", raising(TypeError("no text")))


def test_bad_input_is_a_sentence_even_then(capsys, monkeypatch):
    monkeypatch.setenv("FQG_DEBUG", "1")
    command = raising(BadInput("no such thing"))
    assert ended(capsys, command, is_bad_input=lambda _: True) == (2, "it: no such thing\n")


def test_where_nobody_can_read_it_the_code_still_tells(monkeypatch):
    class Gone:
        def write(self, text: str) -> int:
            raise BrokenPipeError

        flush = isatty = lambda self: None

    monkeypatch.setattr(sys, "stderr", Gone())
    with pytest.raises(SystemExit) as end:
        to_its_end("it", raising(KeyboardInterrupt()))
    assert end.value.code == 130


@pytest.mark.parametrize("command", [lambda: 130, raising(KeyboardInterrupt())])
def test_what_was_interrupted_is_not_cut_again_while_it_leaves(capsys, command):
    assert ended(capsys, command)[0] == 130
    assert [signal.getsignal(number) for number in CUTS] == [signal.SIG_IGN] * 3


def test_the_help_of_a_group_keeps_its_lines(capsys):
    app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    app.command()(lambda: None)
    app.command("other")(lambda: None)
    code, said = ended(capsys, lambda: app([], standalone_mode=False, prog_name="it"))
    assert code == 2 and said.startswith("Usage: it ") and said.count("\n") > 4


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize(
    ("problem", "code", "says"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (typer.BadParameter("give 1 or more"), 2, "Invalid value: give 1 or more"),
        (ZeroDivisionError("by\nnought"), 1, "a fault of ours: ZeroDivisionError: by nought (set"),
    ],
)
def test_both_programs_end_so(capsys, monkeypatch, name, problem, code, says):
    monkeypatch.setattr(PROGRAMS[name], "app", raising(problem))
    monkeypatch.setattr(sys, "argv", [name])
    with pytest.raises(SystemExit) as end:
        PROGRAMS[name].main()
    said = capsys.readouterr().err
    assert end.value.code == code and said.count("\n") == 1
    assert said.startswith(f"{name}: {says}")
