"""What a process gives up before foreign code runs in it: limits, identity, reach, system calls.

Runs in the conductor's own Python, before the extension's is started. Standard library alone.
"""

from __future__ import annotations

import ctypes
import os
import resource
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from conductor_agent.hosting.walls import landlock
from conductor_agent.hosting.walls.place import check_place
from conductor_agent.hosting.watch.tree import NPROC_ROOM

_PDEATHSIG, _CAPBSET_DROP, _SET_SECCOMP, _NO_NEW_PRIVS = 1, 24, 22, 38
_FILTER = 2
_LAST_CAPABILITY = 63


@dataclass(frozen=True)
class Confinement:
    """What to give up. Sizes in bytes."""

    open_files: int
    file_bytes: int
    tasks: int | None = None
    """Of this user in this user namespace; None: not limited here."""
    uid: int | None = None
    """User and group to become; None: stay who we are."""
    root_stays: bool = False
    """Root keeps its capabilities; otherwise it is root in name alone."""
    cores: int | None = None
    read: tuple[str, ...] | None = None
    """Landlock: what may be read; None: no Landlock."""
    write: tuple[str, ...] = ()
    use: tuple[str, ...] = ()
    granted: Mapping[str, Sequence[int] | None] = field(default_factory=dict)
    """Device and number of what has to lie at a path of these, where something can be reached there."""
    network: bool = False
    program: bytes = b""
    """Filter of system calls."""


def confine(wanted: Confinement) -> None:
    """Give it up, in the order in which each step is still allowed.

    Raises:
        OSError: the kernel refuses one.
    """
    _limit(wanted)
    if wanted.cores is not None:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: wanted.cores])
    if os.getuid() == 0 and not wanted.root_stays:
        _become(wanted.uid)
    if wanted.read is not None:
        landlock.restrict(
            wanted.read, wanted.write, wanted.use, network=wanted.network, granted=wanted.granted
        )
    else:
        _look(wanted.granted)
    if wanted.program:
        _filter(wanted.program)


def _look(granted: Mapping[str, Sequence[int] | None]) -> None:
    """What the jail shows is what was granted: a link could have been put in its place meanwhile."""
    for path, place in granted.items():
        try:
            found = os.stat(path)  # noqa: PTH116
        except OSError:
            continue  # nothing is reached there from here on either
        check_place(path, found, place)


def _limit(wanted: Confinement) -> None:
    """Hard limits: what is lowered here cannot be raised again by an ordinary user."""
    values = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: wanted.open_files,
        resource.RLIMIT_FSIZE: wanted.file_bytes,
    }
    if wanted.tasks is not None:
        values[resource.RLIMIT_NPROC] = wanted.tasks + NPROC_ROOM
    for kind, value in values.items():
        hard = resource.getrlimit(kind)[1]
        most = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (most, most))


def _become(uid: int | None) -> None:
    """Another user; or root without what makes it root, where only root can read the code."""
    library = ctypes.CDLL(None, use_errno=True)
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        return
    for capability in range(_LAST_CAPABILITY + 1):
        library.prctl(
            _CAPBSET_DROP, capability, 0, 0, 0
        )  # beyond the last one: an error, of no account
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    nothing = (ctypes.c_uint32 * 6)()
    if library.capset(header, nothing) != 0:
        raise OSError(ctypes.get_errno(), "capabilities cannot be dropped")


def die_with_parent() -> None:
    """To be killed when the thread that started this process ends. After `_become`, which resets it."""
    ctypes.CDLL(None).prctl(_PDEATHSIG, 9, 0, 0, 0)


def _filter(program: bytes) -> None:
    """Install a filter of system calls, for good."""

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))

    library = ctypes.CDLL(None, use_errno=True)
    library.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
    whole = Program(len(program) // 8, program)
    if library.prctl(_SET_SECCOMP, _FILTER, ctypes.byref(whole), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the filter of system calls is refused")
