"""How full a worker's scratch space is: of a jail, asked of its file system; of a folder, counted."""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple, Protocol

from conductor_agent.hosting.watch.spare import none_left

SHARE = 0.1
"""Of its time that the watch spends on counting a folder at most: it takes a system call a file."""


class Filled(NamedTuple):
    """What lies in a scratch space."""

    bytes: int
    files: int
    hidden: bool = False
    """A folder in it cannot be looked into."""


class Scratch(Protocol):
    """A scratch space, seen from outside."""

    def look(self) -> Filled:
        """What lies there now."""
        ...

    def place(self) -> Path | int:
        """Where files of it can be opened: a folder, or its descriptor."""
        ...

    def close(self) -> None:
        """Look no more."""
        ...


class InMemory:
    """The spaces of a jail, which are file systems of their own: one system call each, and exact."""

    def __init__(self, pid: int, paths: tuple[str, ...]) -> None:
        """
        Args:
            pid: a process in the jail.
            paths: where the spaces lie, seen from in there.

        Raises:
            OSError: the process has ended.
        """
        self._fds: list[int] = []
        for path in paths:
            fd = os.open(f"/proc/{pid}/root{path}", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            self._fds.append(fd)

    def place(self) -> int:
        """Descriptor of the first one."""
        return self._fds[0]

    def look(self) -> Filled:
        """Sum over the spaces."""
        held = [os.fstatvfs(fd) for fd in self._fds]
        return Filled(
            sum((one.f_blocks - one.f_bfree) * one.f_frsize for one in held),
            sum(one.f_files - one.f_ffree - 1 for one in held),
        )

    def full(self) -> bool:
        """Whether one of the spaces has next to nothing left."""
        return any(one.f_bfree * 20 < one.f_blocks for one in map(os.fstatvfs, self._fds))

    def close(self) -> None:
        """A file system lives as long as somebody looks at it."""
        for fd in self._fds:
            os.close(fd)
        self._fds.clear()


class Folder:
    """A folder on disk, and the files in it that were removed and are still open."""

    def __init__(self, path: Path, processes: Callable[[], Iterable[int]] = tuple) -> None:
        """
        Args:
            path: of the folder.
            processes: pids of those that may hold files of it open.
        """
        self._path = path
        self._processes = processes
        self._next_at = 0.0
        self._last = Filled(0, 0)

    def place(self) -> Path:
        """The folder."""
        return self._path

    def look(self) -> Filled:
        """Count, unless that was done a moment ago and took long."""
        began = time.monotonic()
        if began >= self._next_at:
            seen = _count(self._path)
            removed = sum(map(_removed_bytes, self._processes()))
            self._last = seen._replace(bytes=seen.bytes + removed)
            took_s = time.monotonic() - began
            self._next_at = began + took_s / SHARE
        return self._last

    def close(self) -> None:
        """Nothing is held."""


def _count(folder: Path) -> Filled:
    size = files = 0
    waiting = [str(folder)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    files += 1
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        size += entry.stat(follow_symlinks=False).st_blocks * 512
        except FileNotFoundError:
            continue
        except OSError as problem:
            if none_left(problem):
                raise
            return Filled(size, files, hidden=True)  # closed, or too deep to be named
    return Filled(size, files)


def _removed_bytes(pid: int) -> int:
    """Size of the files without a name that a process holds open."""
    size = 0
    try:
        with os.scandir(f"/proc/{pid}/fd") as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    held = os.stat(entry.path)  # noqa: PTH116  (thousands of times a second)
                    if (
                        held.st_nlink == 0
                        and stat.S_ISREG(held.st_mode)
                        and not _in_memory(entry.path)
                    ):
                        size += held.st_blocks * 512
    except OSError as problem:
        if none_left(problem):
            raise
    return size


def _in_memory(path: str) -> bool:
    """Whether an open file is memory: our windows are."""
    return os.readlink(path).startswith("/memfd:")  # noqa: PTH115


def remove_folder(folder: Path) -> None:
    """Remove a worker's folder with all that is in it, however deep; links are not followed.

    When nothing of the worker is left: what it made is its own to name, close and nest. Folders in folders
    are moved up until there are none, so that neither paths nor the stack grow. What cannot be removed stays.

    Raises:
        OSError: no descriptor is left.
    """
    try:
        top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            _empty(top)
        finally:
            os.close(top)
        folder.rmdir()
    except OSError as problem:
        if none_left(problem):
            raise


def _empty(top: int) -> None:
    number = itertools.count()
    while inner := _unlink_all(top):
        for name in inner:
            os.chmod(name, 0o700, dir_fd=top)
            fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=top)
            try:
                for deeper in _unlink_all(fd):
                    os.chmod(deeper, 0o700, dir_fd=fd)
                    up = f".fqg-{next(number)}"
                    os.rename(deeper, up, src_dir_fd=fd, dst_dir_fd=top)
            finally:
                os.close(fd)
            os.rmdir(name, dir_fd=top)


def _unlink_all(fd: int) -> list[str]:
    """Remove the files of a folder; the names of its folders."""
    inner = []
    with os.scandir(fd) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                inner.append(entry.name)
            else:
                os.unlink(entry.name, dir_fd=fd)
    return inner
