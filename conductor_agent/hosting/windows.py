"""Large values go past the channel: through memory that supervisor and worker both see.

Two windows a worker, made and sealed by the supervisor: neither can be cut short under the reader, and what
is asked can be written by the supervisor alone. Each side copies a value out before it looks at it. Standard
library alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
from collections.abc import Iterator, Mapping
from typing import Any

LARGE_BYTES = 262_144
"""Bytes from here on go through a window."""
_ALIGNED = 64
_SEAL_SIZE = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
_SEAL_FUTURE_WRITE = 16
"""Only maps that exist may write; kernels before 5.1 lack it."""

Places = dict[str, tuple[int, int]]
"""Name of a value -> where it begins in the window and how long it is, in bytes."""


class Window:
    """Memory behind a file descriptor that a worker inherits."""

    def __init__(self, size: int, *, ours_to_write: bool) -> None:
        """
        Args:
            size: in bytes; memory is taken only where something was written.
            ours_to_write: the worker may only read.

        Raises:
            OSError: the system has none to give.
        """
        self.fd = os.memfd_create("fqg-window", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(self.fd, size)
            protection = mmap.PROT_READ | (mmap.PROT_WRITE if ours_to_write else 0)
            self.memory = mmap.mmap(self.fd, size, prot=protection)
            if ours_to_write:
                fcntl.fcntl(self.fd, fcntl.F_ADD_SEALS, _SEAL_FUTURE_WRITE)
            fcntl.fcntl(self.fd, fcntl.F_ADD_SEALS, _SEAL_SIZE)
        except OSError:
            os.close(self.fd)
            raise

    @contextlib.contextmanager
    def shared(self) -> Iterator[None]:
        """While a worker is started that inherits the descriptor."""
        try:
            yield
        finally:
            os.close(self.fd)

    def close(self) -> None:
        """Let go of the memory."""
        self.memory.close()


def opened(fd: int, *, write: bool) -> mmap.mmap:
    """The window in the worker."""
    os.set_inheritable(fd, False)
    protection = mmap.PROT_READ | (mmap.PROT_WRITE if write else 0)
    return mmap.mmap(fd, os.fstat(fd).st_size, prot=protection)


def lay_out(values: Mapping[str, Any], room: int) -> Places:
    """Places for the large ones among these values, as far as there is room."""
    places: Places = {}
    at = 0
    for name, value in values.items():
        if type(value) is bytes and len(value) >= LARGE_BYTES and at + len(value) <= room:
            places[name] = at, len(value)
            at += -(-len(value) // _ALIGNED) * _ALIGNED
    return places


def put(memory: mmap.mmap, values: Mapping[str, Any], places: Places) -> None:
    """Write the values to their places."""
    for name, (at, size) in places.items():
        memory[at : at + size] = values[name]


def take(memory: mmap.mmap, places: Places) -> dict[str, bytes]:
    """Copies of the values.

    Raises:
        ValueError: a place lies outside of the window, or they take more than it holds together.
    """
    inside = all(at >= 0 and size >= 0 and at + size <= len(memory) for at, size in places.values())
    if not inside or total(places) > len(memory):
        raise ValueError("a value lies outside of the window")
    return {name: memory[at : at + size] for name, (at, size) in places.items()}


def total(places: Places) -> int:
    """Bytes of all values."""
    return sum(size for _, size in places.values())


def without(values: Mapping[str, Any], places: Places) -> dict[str, Any]:
    """The values that go through the channel."""
    return {name: value for name, value in values.items() if name not in places}
