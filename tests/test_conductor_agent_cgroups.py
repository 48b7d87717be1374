"""Control groups: real ones where this machine gives some, and the files of version 2 where it does not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from conductor_agent.hosting.walls import cgroups
from conductor_agent.hosting.watch.tree import NPROC_ROOM

REAL = cgroups.place()
real = pytest.mark.skipif(REAL is None, reason="no control group may be made here")


def group_names() -> set[str]:
    """Groups that this process has made."""
    ours = f"fqg-*-{os.getpid()}-*"
    return {one.name for folder in REAL.folders for one in folder.glob(ours)}


@real
def test_a_group_counts_limits_and_goes() -> None:
    before = group_names()
    group = cgroups.make(REAL, 1 << 26, 8)
    joins = "".join(f"open('{folder}/cgroup.procs', 'w').write('0');" for folder in group.folders)
    code = f"{joins} input(); x = b'x' * (1 << 27)"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    inside = group.place.pids / group.name / "cgroup.procs"
    while not inside.read_text():
        assert process.poll() is None
    assert not group.killed_for_memory()
    process.communicate(b"\n")
    assert process.returncode == -9
    assert group.killed_for_memory()
    assert 0 < group.peak_memory_bytes() <= 1 << 26
    assert group.cpu_s() > 0
    group.remove()
    assert group_names() <= before


@real
def test_what_a_dead_conductor_left_is_removed() -> None:
    dead = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True
    )
    left = REAL.memory / f"{cgroups._ours()}-{dead.stdout.strip()}-0"
    left.mkdir()
    cgroups._sweep(REAL)
    assert not left.exists()


def test_the_files_of_version_2(tmp_path: Path) -> None:
    place = cgroups.Place(2, tmp_path, tmp_path, tmp_path)
    group = cgroups.make(place, 1 << 26, 8)
    (folder,) = group.folders
    written = {path.name: path.read_text() for path in folder.iterdir()}
    assert written == {
        "memory.max": str(1 << 26),
        "memory.swap.max": "0",
        "memory.oom.group": "1",
        "pids.max": str(8 + NPROC_ROOM),
    }
    told = {
        "memory.peak": "2000\n",
        "memory.events": "low 0\nhigh 0\nmax 3\noom 1\noom_kill 1\noom_group_kill 1\n",
        "pids.events": "max 2\n",
        "cpu.stat": "usage_usec 1500000\nuser_usec 1\n",
    }
    for name, text in told.items():
        (folder / name).write_text(text)
    assert (group.killed_for_memory(), group.peak_memory_bytes()) == (True, 2000)
    assert (group.refused_tasks(), group.cpu_s()) == (2, 1.5)
    open_before = len(os.listdir("/proc/self/fd"))
    group.remove()
    assert len(os.listdir("/proc/self/fd")) == open_before - len(told)


def test_a_group_that_is_gone_reads_as_nothing(tmp_path: Path) -> None:
    group = cgroups.Group(cgroups.Place(2, tmp_path, tmp_path, tmp_path), "fqg-gone")
    assert (group.peak_memory_bytes(), group.refused_tasks(), group.cpu_s()) == (0, 0, 0.0)
    assert not group.killed_for_memory()
