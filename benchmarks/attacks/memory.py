"""Attacks on memory: more than was given, by every way to hold it."""

from __future__ import annotations

import ctypes
import mmap
import os
import time
from pathlib import Path
from typing import Any

from attacking import LIBC, Values, attack, checked, system_call

OVER = 64_000_000
"""Nobody takes more than this over the limit."""
PART = 8_000_000


def _parts(parameters: Values) -> int:
    return int((parameters["memory_bytes"] + OVER) // PART)


def _hold() -> None:
    time.sleep(60)


@attack
def one_process(parameters: Values, context: Any) -> Any:
    """Takes it all itself."""
    kept = [b"x" * PART for _ in range(_parts(parameters))]
    _hold()
    return {"parts": len(kept)}


@attack
def six_children(parameters: Values, context: Any) -> Any:
    """Each of six children stays within the limit; together they do not."""
    size = (parameters["memory_bytes"] + OVER) // 6
    for _ in range(6):
        if os.fork() == 0:
            kept = b"x" * size
            _hold()
            os._exit(len(kept) & 1)
    _hold()


@attack
def shared_map(parameters: Values, context: Any) -> Any:
    """Takes it as shared anonymous maps."""
    kept = []
    for _ in range(_parts(parameters)):
        kept.append(mmap.mmap(-1, PART))
        kept[-1].write(b"x" * PART)
    _hold()


@attack
def memfds(parameters: Values, context: Any) -> Any:
    """Writes it to files in memory that it never maps."""
    block, kept = b"x" * PART, []
    for _ in range(_parts(parameters)):
        try:
            fd = system_call("memfd_create", b"attack", 0)
        except OSError as problem:
            return {"managed": {}, "refused": {"memfd_create": str(problem.errno)}}
        kept.append(fd)
        os.write(fd, block)
    _hold()
    return {"parts": len(kept)}


@attack
def secret_memory(parameters: Values, context: Any) -> Any:
    """Takes it as memory that not even the kernel looks into."""
    kept = []
    try:
        for _ in range(_parts(parameters)):
            fd = system_call("memfd_secret", 0)
            os.ftruncate(fd, PART)
            kept.append(mmap.mmap(fd, PART))
            kept[-1].write(b"x" * PART)
    except (OSError, ValueError) as problem:
        return {"managed": {}, "refused": {"memfd_secret": f"{problem} after {len(kept)}"}}
    _hold()
    return {"parts": len(kept)}


@attack
def pipes(parameters: Values, context: Any) -> Any:
    """Fills pipes that nobody reads: 1 MiB each, as many as it may have."""
    import fcntl

    filled = 0
    try:
        while filled < OVER:
            _, write = os.pipe()
            os.set_blocking(write, False)
            fcntl.fcntl(write, 1031, 1 << 20)  # F_SETPIPE_SZ
            filled += os.write(write, b"x" * (1 << 20))
    except OSError:
        return {"count": 1, "filled": filled}
    return {"count": 1, "filled": filled}


@attack
def shared_memory_left(parameters: Values, context: Any) -> Any:
    """Makes a System V segment that would outlive it, and ends."""
    size = 32_000_000
    try:
        segment = checked(LIBC.shmget(0, ctypes.c_size_t(size), 0o1600))
        ctypes.memset(LIBC.shmat(segment, None, 0), 120, size)
    except OSError as problem:
        return {"refused": {"shmget": str(problem.errno)}, "managed": {}}
    return {"managed": {}, "refused": {}, "tried": ["shmget"]}


@attack
def fill_dev_shm(parameters: Values, context: Any) -> Any:
    """Fills the memory file system that programs share, file by file."""
    name, made = parameters["bait"]["name"], 0
    for number in range((parameters["written_bytes"] + OVER) // PART):
        try:
            Path(f"/dev/shm/{name}-{number}").write_bytes(b"x" * PART)
        except OSError:
            break
        made += PART
    time.sleep(0.2)
    return {"count": made}


@attack
def huge_reservation(parameters: Values, context: Any) -> Any:
    """Reserves a terabyte that it never touches."""
    try:
        kept = mmap.mmap(-1, 1 << 40, flags=mmap.MAP_PRIVATE | 0x4000)  # MAP_NORESERVE
    except (OSError, ValueError):
        return {"count": 0}
    kept.close()
    return {"count": 0}


@attack
def many_maps(parameters: Values, context: Any) -> Any:
    """Asks for more maps than a process may have."""
    page, made = mmap.PAGESIZE, 0
    size = ctypes.c_size_t(page * 200_000)
    base = LIBC.mmap(None, size, 0, 0x4022, -1, 0)  # private, anonymous, no reserve
    for number in range(0, 200_000, 2):
        where = ctypes.c_void_p(base + number * page)
        if LIBC.mprotect(where, ctypes.c_size_t(page), 1) != 0:
            break
        made += 1
    LIBC.munmap(ctypes.c_void_p(base), size)
    return {"count": 0, "made": made}


@attack
def forks_share(parameters: Values, context: Any) -> Any:
    """Six children look at a quarter of the limit: that is allowed, the pages are the same."""
    kept = b"x" * (parameters["memory_bytes"] // 4)
    children = []
    for _ in range(6):
        pid = os.fork()
        if pid == 0:
            kept.count(b"y")
            time.sleep(0.3)
            os._exit(0)
        children.append(pid)
    return {"count": sum(os.waitpid(pid, 0)[1] for pid in children)}
