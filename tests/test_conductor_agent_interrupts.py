"""Ctrl-C and SIGTERM end a command with one sentence, its exit code, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PRESSED_WHILE_LOADING = """
import signal, sys

class Presses:
    def find_spec(self, name, path=None, target=None):
        if name == {at!r}:
            signal.raise_signal(signal.SIGINT)

signal.signal(signal.SIGINT, {before})
sys.meta_path.insert(0, Presses())
from {package}.start import main
sys.argv = ["command", "--help"]
main()
"""
HEARD = "signal.default_int_handler"


def pressed(package: str, at: str, before: str = HEARD) -> subprocess.CompletedProcess[str]:
    """A command at whose import of a module Ctrl-C is pressed."""
    script = PRESSED_WHILE_LOADING.format(package=package, at=at, before=before)
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)


@pytest.mark.parametrize(
    ("package", "name", "at"),
    [("training", "fqg", "numba"), ("conductor_agent", "conductor", "typer")],
)
def test_ctrl_c_while_a_command_loads_is_a_sentence(package: str, name: str, at: str) -> None:
    ended = pressed(package, at)
    assert (ended.returncode, ended.stderr) == (130, f"{name}: interrupted\n")


def test_a_command_that_is_told_not_to_hear_ctrl_c_does_not() -> None:
    assert pressed("conductor_agent", "typer", "signal.SIG_IGN").returncode == 0


SETS_CTRL_C = """
import runpy, signal, sys
signal.signal(signal.SIGINT, {before})
sys.argv = {command!r}
runpy.run_module({command[0]!r}, run_name="__main__")
"""


def ended_in_the_middle(
    command: list[str], line: str, folder: Path, before: str
) -> tuple[int, str]:
    """Exit code and last words of a command that is sent SIGTERM when it has said a line like that."""
    started = subprocess.Popen(
        [sys.executable, "-u", "-c", SETS_CTRL_C.format(command=command, before=before)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folder)},
    )  # fmt: skip
    assert started.stdout is not None
    said = ""
    for said in started.stdout:
        if line in said:
            started.send_signal(signal.SIGTERM)
            break
    rest = started.communicate()[0]
    return started.returncode, rest or said


COMPARE = ["training.start", "compare", "--policy", "index", "--settings", "scenario_1_real"]
BY_MODE = ["conductor_agent.by_mode", "scenario_1"]


@pytest.mark.parametrize(
    ("command", "line", "before"),
    [
        (COMPARE, "% after", HEARD),
        (COMPARE, "scenario_1_real", "signal.SIG_IGN"),
        (BY_MODE, " s  ", HEARD),
    ],
)
def test_sigterm_leaves_nothing_behind(
    command: list[str], line: str, before: str, tmp_path: Path
) -> None:
    """Also in the background of a shell, which lets Ctrl-C pass by."""
    code, words = ended_in_the_middle([*command, "--cases", "1"], line, tmp_path, before)
    assert code == 130
    assert "interrupted" in words and "Traceback" not in words
    assert list(tmp_path.glob("*mode-*")) == list(tmp_path.glob("fqg-*")) == []


SWALLOWS = """
import signal
from conductor_agent import interrupts
interrupts.AGAIN_S = 0.05
signal.signal(signal.SIGINT, signal.SIG_IGN)
interrupts.hear_sigterm_as_ctrl_c()
for _ in range(2):
    try:
        print("waits", flush=True)
        signal.pause()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


def test_an_interrupt_that_was_swallowed_comes_again() -> None:
    started = subprocess.Popen(
        [sys.executable, "-c", SWALLOWS], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert started.stdout is not None and started.stdout.readline() == "waits\n"
    started.send_signal(signal.SIGTERM)
    assert started.communicate(timeout=30)[0].split() == ["interrupted", "waits", "interrupted"]
