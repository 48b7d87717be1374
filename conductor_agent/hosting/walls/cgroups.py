"""Control groups: memory, tasks and processor time of a whole tree, exactly, by the kernel.

Version 2 where it is delegated to us, version 1 where it is still what a system has. One group per worker,
below one per conductor; what a killed conductor left behind, the next one removes.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import time
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from conductor_agent.hosting.watch.tree import NPROC_ROOM

MOUNTS = Path("/sys/fs/cgroup")
PREFIX = "fqg"
LEAF = "fqg-host"
"""Where the conductor itself goes, where groups below it may not have neighbours."""
_numbers = itertools.count()


@dataclass(frozen=True)
class Place:
    """Where groups may be made."""

    version: int
    memory: Path
    pids: Path
    cpu: Path | None
    """Where processor time is counted."""

    @property
    def folders(self) -> tuple[Path, ...]:
        """Each once."""
        found = (self.memory, self.pids, self.cpu)
        return tuple(dict.fromkeys(path for path in found if path is not None))


@dataclass
class Group:
    """The groups of one worker."""

    place: Place
    name: str
    _files: dict[str, int] = field(default_factory=dict)

    @property
    def folders(self) -> list[Path]:
        """Of each controller."""
        return [folder / self.name for folder in self.place.folders]

    def peak_memory_bytes(self) -> int:
        """The most so far; 0 where the kernel does not tell."""
        name = "memory.peak" if self.place.version == 2 else "memory.max_usage_in_bytes"
        return self._number(self.place.memory, name)

    def killed_for_memory(self) -> bool:
        """Whether the kernel ended something in it for want of memory."""
        name = "memory.events" if self.place.version == 2 else "memory.oom_control"
        found = re.search(rb"oom_kill (\d+)", self._text(self.place.memory, name))
        return found is not None and int(found[1]) > 0

    def refused_tasks(self) -> int:
        """How often the kernel refused to make a task in it."""
        found = re.search(rb"max (\d+)", self._text(self.place.pids, "pids.events"))
        return int(found[1]) if found else 0

    def cpu_s(self) -> float:
        """Processor seconds of everything that ever was in it."""
        if self.place.version == 2:
            found = re.search(rb"usage_usec (\d+)", self._text(self.place.memory, "cpu.stat"))
            return int(found[1]) / 1e6 if found else 0.0
        return self._number(self.place.cpu, "cpuacct.usage") / 1e9 if self.place.cpu else 0.0

    def kill(self) -> None:
        """Everything in it at once, where the kernel can."""
        with contextlib.suppress(OSError):
            (self.place.memory / self.name / "cgroup.kill").write_text("1")

    def remove(self) -> None:
        """When nothing is in it any more."""
        for fd in self._files.values():
            os.close(fd)
        self._files.clear()
        for folder in self.folders:
            _remove(folder)

    def _number(self, place: Path, name: str) -> int:
        text = self._text(place, name).strip()
        return int(text) if text.isdigit() else 0

    def _text(self, place: Path, name: str) -> bytes:
        """A file of it, kept open: it is read often."""
        try:
            if name not in self._files:
                self._files[name] = os.open(place / self.name / name, os.O_RDONLY | os.O_CLOEXEC)
            return os.pread(self._files[name], 4096, 0)
        except OSError:
            return b""


def _remove(folder: Path) -> None:
    """The kernel lets go of what ended in it a little later."""
    for pause_s in (0.0, 0.001, 0.004, 0.016, 0.064, 0.256):
        time.sleep(pause_s)
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            continue
        return


def make(place: Place, memory_bytes: int, tasks: int) -> Group:
    """A group with these limits. The wall of tasks stands behind the limit, which the watch sees met.

    Raises:
        OSError: the kernel refuses it.
    """
    group = Group(place, f"{_ours()}-{os.getpid()}-{next(_numbers)}")
    for folder in group.folders:
        folder.mkdir()
    memory, pids = place.memory / group.name, place.pids / group.name
    (pids / "pids.max").write_text(str(tasks + NPROC_ROOM))
    if place.version == 2:
        (memory / "memory.max").write_text(str(memory_bytes))
        for name, value in (("memory.swap.max", "0"), ("memory.oom.group", "1")):
            with contextlib.suppress(OSError):  # no swap is counted here
                (memory / name).write_text(value)
    else:
        (memory / "memory.limit_in_bytes").write_text(str(memory_bytes))
        with contextlib.suppress(OSError):
            (memory / "memory.memsw.limit_in_bytes").write_text(str(memory_bytes))
    return group


@cache
def place() -> Place | None:
    """Where this process may make groups with limits of memory and tasks; None: nowhere.

    Proved by making one.
    """
    found = _version_2() or _version_1()
    if found is None:
        return None
    _sweep(found)
    try:
        make(found, 1 << 26, 8).remove()
    except OSError:
        return None
    return found


def _ours() -> str:
    """Beginning of the names of our groups: a pid means something in its own namespace alone."""
    return f"{PREFIX}-{Path('/proc/self/ns/pid').stat().st_ino}"


def _own() -> dict[str, str]:
    """Controller -> our group in its hierarchy; "" is version 2."""
    lines = Path("/proc/self/cgroup").read_text("ascii").splitlines()
    parts = (line.split(":", 2) for line in lines)
    return {name: path.lstrip("/") for _, names, path in parts for name in names.split(",")}


def _version_2() -> Place | None:
    """Our own group, if its controllers may be handed on: we step down into a leaf for that."""
    own = _own().get("")
    if own is None or not (MOUNTS / "cgroup.controllers").exists():
        return None
    base = MOUNTS / own
    if base.name == LEAF:
        base = base.parent
    try:
        if not {"memory", "pids"} <= set((base / "cgroup.controllers").read_text().split()):
            return None
        if not {"memory", "pids"} <= set((base / "cgroup.subtree_control").read_text().split()):
            _step_down(base)
            (base / "cgroup.subtree_control").write_text("+memory +pids")
    except OSError:
        return None
    return Place(2, base, base, base)


def _step_down(base: Path) -> None:
    """Only a group without processes of its own hands controllers on; the root is excepted."""
    if base == MOUNTS:
        return
    if (base / "cgroup.procs").read_text().split() != [str(os.getpid())]:
        raise PermissionError("other programs are in this group")
    leaf = base / LEAF
    leaf.mkdir(exist_ok=True)
    (leaf / "cgroup.procs").write_text(str(os.getpid()))


def _version_1() -> Place | None:
    own = _own()
    found = {}
    for name in ("memory", "pids", "cpuacct"):
        folder = MOUNTS / name / own.get(name, "")
        found[name] = folder if os.access(folder, os.W_OK) else None
    if found["memory"] is None or found["pids"] is None:
        return None
    return Place(1, found["memory"], found["pids"], found["cpuacct"])


def _sweep(place: Place) -> None:
    """Remove the groups of conductors that are gone."""
    for folder in place.folders:
        for old in folder.glob(f"{_ours()}-*-*"):
            if not Path(f"/proc/{old.name.split('-')[2]}").exists():
                with contextlib.suppress(OSError):
                    old.rmdir()
