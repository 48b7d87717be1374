"""People are told of a compilation when there is one, and only then; and one process at a time compiles."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from conductor_agent.commands.turn_to_compile import Turn

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = """
import numba
import numpy as np
from conductor_agent.commands.compiling import told_of_compiling
from fqg_env import arrays
from fqg_env.compiled import kernel

@kernel
def inner(n):
    return n["key"] + 1

@kernel
def outer(n):
    return inner(n) + inner(n)

@kernel
def of_no_size(n):
    return n

def somebodys(n):
    return n

somebodys.__module__ = "gates"
for ours in (inner, outer, of_no_size):
    ours.py_func.__module__ = "fqg_env.rules"
small, large = (arrays.new(arrays.level_dtype(arrays.SIZES[name]), 1) for name in ("small", "large"))
with told_of_compiling(print):
    numba.njit(somebodys)(small[0])
    of_no_size(1)
    outer(small[0])
    inner(small[0])
    with told_of_compiling(print):
        outer(large[0])
outer(arrays.new(arrays.level_dtype(arrays.SIZES["standard"]), 1)[0])
"""


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "FQG_CACHE_DIR": str(folder), "PYTHONPATH": str(ROOT)}


def test_each_size_is_named_once_when_it_compiles_and_not_when_it_is_loaded(
    tmp_path: Path,
) -> None:
    script = tmp_path / "kernels.py"
    script.write_text(SCRIPT, "utf-8")

    def run() -> list[str]:
        command = [sys.executable, str(script)]
        done = subprocess.run(
            command, env=environment(tmp_path), capture_output=True, text=True, check=True
        )
        return done.stdout.splitlines()

    small, large = run()
    assert "small levels and workflows, up to 16 calls" in small
    assert "fqg compile --sizes small" in small
    assert "large levels and workflows, up to 64 calls" in large
    assert run() == []


KEPT = """
import os
import sys
from pathlib import Path

if "unwritable" in sys.argv:
    def refuses(path):
        raise PermissionError(13, "Permission denied")
    Path.touch = refuses

from conductor_agent.commands.compiling import told_of_compiling
from fqg_env import arrays
from fqg_env.compiled import cache_folder, kernel

@kernel
def ours(n):
    return n["key"] + 1

ours.py_func.__module__ = "fqg_env.rules"
print(cache_folder(), cache_folder() == os.environ.get("FQG_KERNELS_MADE_HERE"))
with told_of_compiling(print):
    if "full" in sys.argv:
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    ours(arrays.new(arrays.level_dtype(arrays.SIZES["small"]), 1)[0])
"""


def kept_lines(script: Path, folder: Path, *arguments: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, str(script), *arguments],
        env=environment(folder), capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.splitlines()


def test_a_folder_that_cannot_be_written_is_read_and_what_it_lacks_is_said(tmp_path: Path) -> None:
    script = tmp_path / "kept.py"
    script.write_text(KEPT, "utf-8")
    where, said = kept_lines(script, tmp_path, "unwritable")
    folder, given_on = where.split()
    assert given_on == "True" and not Path(folder).exists()
    assert f"{tmp_path / 'fqg'} cannot be written; set FQG_CACHE_DIR" in said
    assert len(kept_lines(script, tmp_path)) == 2  # nothing was kept
    assert len(kept_lines(script, tmp_path)) == 1
    assert len(kept_lines(script, tmp_path, "unwritable")) == 1  # it is read


def test_what_a_full_disk_does_not_take_works_and_is_said_to_be_lost(tmp_path: Path) -> None:
    script = tmp_path / "kept.py"
    script.write_text(KEPT, "utf-8")
    _, compiles, lost = kept_lines(script, tmp_path, "full")
    assert "is done once" in compiles
    assert "is not kept, and the next command does it again" in lost and "too large" in lost
    assert len(kept_lines(script, tmp_path)) == 2


HOLDER = """
import sys
from conductor_agent.commands.turn_to_compile import Turn
turn = Turn("small", lambda: None)
turn.begin()
print("has it", flush=True)
sys.stdin.read()
"""
WAITER = """
from conductor_agent.commands.compiling import told_of_compiling
from fqg_env import arrays
from fqg_env.compiled import kernel

@kernel
def ours(n):
    return n["key"] + 1

ours.py_func.__module__ = "fqg_env.rules"
with told_of_compiling(lambda sentence: print(sentence, flush=True)):
    ours(arrays.new(arrays.level_dtype(arrays.SIZES["small"]), 1)[0])
    print("compiled", flush=True)
"""


def python(script: str, folder: Path) -> subprocess.Popen[str]:
    """A script of its own file, since what is compiled is kept by file."""
    file = folder / f"script_{len(list(folder.glob('script_*')))}.py"
    file.write_text(script, "utf-8")
    return subprocess.Popen(
        [sys.executable, str(file)],
        env=environment(folder), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.parametrize("killed", [False, True])
def test_the_second_waits_and_says_so_until_the_first_is_gone(killed: bool, tmp_path: Path) -> None:
    holder = python(HOLDER, tmp_path)
    assert holder.stdout is not None and holder.stdout.readline() == "has it\n"
    waiter = python(WAITER, tmp_path)
    try:
        assert waiter.stdout is not None
        assert "another process is compiling" in waiter.stdout.readline()
        assert waiter.poll() is None
        holder.send_signal(signal.SIGKILL) if killed else holder.communicate("")
        assert waiter.communicate()[0] == "compiled\n"
        assert waiter.returncode == 0
    finally:
        for process in (holder, waiter):
            process.kill()
            process.communicate()


def free(size: str) -> bool:
    """Nobody has the turn."""
    waited = []

    def waiting() -> None:
        waited.append(size)
        raise InterruptedError  # the test does not wait

    turn = Turn(size, waiting)
    turn.begin()
    turn.close()
    return not waited


def test_a_turn_is_kept_for_a_moment_and_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FQG_CACHE_DIR", str(tmp_path))
    turn = Turn("of the test", lambda: None, linger_s=3600.0)
    turn.begin()
    turn.give_back()
    assert not free("of the test")  # it compiles
    turn.end()
    assert not free("of the test")  # the next kernel may come soon
    turn.give_back()
    assert free("of the test")
    turn.begin()
    turn.close()
    assert free("of the test")
