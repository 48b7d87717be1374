"""Files, ports and signals by Landlock: what a process and all below it may reach, kept by the kernel.

System calls by number, the same on every architecture. Standard library alone.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Iterable, Mapping, Sequence

from conductor_agent.hosting.walls.place import check_place

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_PATH_BENEATH = 1
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
_ALL_BY_VERSION = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
_ON_FILES = EXECUTE | WRITE_FILE | READ_FILE | _TRUNCATE | _IOCTL_DEV
READ = EXECUTE | READ_FILE | READ_DIR
USE = WRITE_FILE | READ_FILE | _IOCTL_DEV
KEEPS_LENGTHS = 3
"""Version that refuses to cut files short."""
SCOPES = 6
"""Version that refuses signals and abstract sockets to the outside."""
_TCP, _SCOPES = 0b11, 0b11
"""Bind and connect; abstract sockets and signals."""


def version() -> int:
    """Of Landlock in this kernel; 0: none."""
    return max(0, int(_system_call(_CREATE, None, 0, 1)))


def restrict(
    read: Iterable[str],
    write: Iterable[str],
    use: Iterable[str],
    *,
    network: bool,
    granted: Mapping[str, Sequence[int] | None],
) -> None:
    """From now on this process reaches nothing else. Needs no privilege, cannot be undone.

    Args:
        read: files and folders to read and execute.
        write: files and folders to change as well.
        use: devices to read and write.
        network: TCP stays open.
        granted: device and number of what has to lie at a path of these.

    Raises:
        OSError: the kernel has no Landlock, or something else lies at a path.
    """
    found = version()
    every = max(rights for since, rights in _ALL_BY_VERSION.items() if since <= max(found, 1))
    ports = 0 if network or found < 4 else _TCP
    attributes = struct.pack("QQQ", every, ports, _SCOPES if found >= SCOPES else 0)
    size = 24 if found >= SCOPES else 16 if found >= 4 else 8
    ruleset = _checked(_system_call(_CREATE, attributes[:size], size, 0))
    try:
        for paths, rights in ((read, READ), (use, USE), (write, every & ~_IOCTL_DEV)):
            for path in paths:
                _allow(ruleset, path, rights & every, granted)
        _checked(ctypes.CDLL(None, use_errno=True).prctl(38, 1, 0, 0, 0))  # no new privileges
        _checked(_system_call(_RESTRICT, ruleset, 0))
    finally:
        os.close(ruleset)


def _allow(
    ruleset: int, path: str, rights: int, granted: Mapping[str, Sequence[int] | None]
) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there need not be allowed
    try:
        found = os.fstat(fd)
        if path in granted:
            check_place(path, found, granted[path])
        if not stat.S_ISDIR(found.st_mode):
            rights &= _ON_FILES
        _checked(_system_call(_ADD, ruleset, _PATH_BENEATH, struct.pack("=Qi", rights, fd), 0))
    finally:
        os.close(fd)


def _system_call(number: int, *arguments: int | bytes | None) -> int:
    library = ctypes.CDLL(None, use_errno=True)
    library.syscall.restype = ctypes.c_long
    wide = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    result: int = library.syscall(ctypes.c_long(number), *wide)
    return result


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
