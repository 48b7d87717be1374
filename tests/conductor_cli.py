"""The command `conductor`, started as a user does or in this process."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from conductor_agent.cli import main


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


def finished(process):
    """(exit code, standard output, standard error) of a process."""
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err
