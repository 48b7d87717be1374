"""The jail: a worker's own file system, processes, network and names, made by bubblewrap.

It sees the system's libraries, its Python and its code, read-only, and an empty scratch space in memory. As
root the jail is made by root, and foreign code in it is another user, or root without any capability.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from conductor_agent.hosting.walls.readable import NAMES, SYSTEM

if TYPE_CHECKING:
    from policies.resource.limits import ResourceLimits

SCRATCH = "/tmp"  # noqa: S108  (in there, it is the jail's own)
COVERED = ("/proc", "/dev")
"""Folders of its own; what somebody may write is shown over them."""
SHARED_MEMORY_SHARE = 8
"""So large a part of the scratch space is /dev/shm, where semaphores are made."""
SIGNAL_OFFSET = 128
"""Exit codes from here on: bubblewrap tells the signal that ended the worker."""


@dataclass(frozen=True)
class Jail:
    """What one jail shows."""

    read: tuple[str, ...]
    """Folders and files to read, besides the system's."""
    write: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    written_bytes: int = 1 << 26
    network: bool = False
    """The host's."""
    drop_to: int | None = None
    """As root: the user that foreign code becomes; it needs two capabilities for that."""


def program() -> str | None:
    """Where bubblewrap is installed."""
    return shutil.which("bwrap")


def jail_of(limits: ResourceLimits, code: list[str], uid: int | None) -> Jail:
    """The jail of an extension under its limits."""
    return Jail(
        read=(*code, *limits.read_paths),
        write=limits.write_paths,
        devices=limits.devices,
        written_bytes=limits.written_bytes,
        network=limits.network == "host",
        drop_to=uid,
    )


def covers(path: str) -> bool:
    """Whether the jail has something of its own at a path, whatever is shown there to be read."""
    folders = (PurePosixPath(path), *PurePosixPath(path).parents)
    return path in ("/", SCRATCH) or any(str(folder) in COVERED for folder in folders)


def arguments(jail: Jail) -> list[str]:
    """The command line before what is to run in the jail.

    Raises:
        OSError: bubblewrap is not installed.
    """
    bwrap = program()
    if bwrap is None:
        raise FileNotFoundError("bwrap")
    line = [bwrap, *_namespaces(jail), "--die-with-parent", "--new-session"]
    line += _shown((*SYSTEM, *(NAMES if jail.network else ()), *jail.read))
    line += ["--proc", "/proc", *_kernel_settings(), "--dev", "/dev"]
    shared = jail.written_bytes // SHARED_MEMORY_SHARE
    line += _memory("/dev/shm", shared)  # noqa: S108
    for device in jail.devices:
        line += ["--dev-bind-try", device, device]
    line += ["--remount-ro", "/dev", *_memory(SCRATCH, jail.written_bytes - shared)]
    line += _shown(path for path in jail.read if path.startswith(f"{SCRATCH}/"))  # covered by it
    for path in jail.write:
        line += ["--bind-try", path, path]
    return [*line, "--remount-ro", "/", "--chdir", SCRATCH, "--"]


def _kernel_settings() -> list[str]:
    """Read-only, because root may write some of them without any capability."""
    line: list[str] = []
    for name in ("sys", "sysrq-trigger", "irq", "bus", "fs"):
        line += ["--ro-bind-try", f"/proc/{name}", f"/proc/{name}"]
    return line


def _shown(paths: Iterable[str]) -> list[str]:
    """Read-only, and the folders on the way for everybody: bubblewrap makes them for their owner alone."""
    line: list[str] = []
    made: set[str] = {"/", SCRATCH}
    for path in paths:
        above = [str(folder) for folder in reversed(PurePosixPath(path).parents)]
        for folder in above:
            if folder not in made:
                line += ["--perms", "0755", "--dir", folder]
                made.add(folder)
        line += ["--ro-bind-try", path, path]
    return line


def _namespaces(jail: Jail) -> list[str]:
    line = ["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
    if not jail.network:
        line.append("--unshare-net")
    if os.getuid() != 0:
        return [*line, "--unshare-user"]
    line += ["--cap-drop", "ALL"]
    if jail.drop_to is not None:
        line += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    return line


def _memory(path: str, size: int) -> list[str]:
    """A file system in memory, for everybody in the jail."""
    return ["--perms", "1777", "--size", str(max(size, 4096)), "--tmpfs", path]
