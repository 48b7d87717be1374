"""The four ways to wall an extension in, from strongest to weakest, and what each is made of."""

from __future__ import annotations

import itertools
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from conductor_agent.hosting.walls import bubblewrap, cgroups, landlock, seccomp
from conductor_agent.hosting.watch import tree

if TYPE_CHECKING:
    from policies.resource.limits import ResourceLimits


@dataclass(frozen=True)
class Profile:
    """A way to wall an extension in."""

    name: str
    jailed: bool = False
    """Own file system, processes and network, by bubblewrap."""
    locked: bool = False
    """Files, ports and signals by Landlock."""
    filtered: bool = False
    """System calls by seccomp."""
    counted: bool = False
    """Memory and tasks of the tree by a control group."""

    def sockets(self, limits: ResourceLimits) -> tuple[int, ...]:
        """Families of sockets that may be made."""
        # On the host's network, and without file names of one's own, a local socket reaches its services.
        local = (seccomp.AF_UNIX,) if self.jailed and limits.network != "host" else ()
        far = () if limits.network == "none" else (seccomp.AF_INET, seccomp.AF_INET6)
        return (*local, *far)

    def lacks(self) -> str:
        """What is not installed or not allowed here that it is made of; empty: nothing."""
        if not sys.platform.startswith("linux"):
            return "it needs Linux"
        if self.jailed and bubblewrap.program() is None:
            return "bubblewrap is not installed"
        if self.filtered and not seccomp.available():
            return "libseccomp (libseccomp.so.2) is not installed"
        if self.locked and landlock.version() < landlock.KEEPS_LENGTHS:
            return "this kernel has no Landlock, or one that lets files be cut short"
        if self.counted and cgroups.place() is None:
            return (
                "no control group with memory and pids may be made here "
                "(under systemd: systemd-run --user --scope -p Delegate=yes COMMAND)"
            )
        if not tree.available():
            return "the proc file system does not list the children of a process"
        return ""


GROUP = Profile("group")
PROFILES = {
    one.name: one
    for one in (
        Profile("full", jailed=True, filtered=True, counted=True),
        Profile("jail", jailed=True, filtered=True),
        Profile("lock", locked=True, filtered=True),
        GROUP,
    )
}
"""By name, strongest first."""

_FIRST_UID, _UIDS = 1_000_000_000, 2_000_000_000
_SMALL_FIRST, _SMALL = 60_000, 5_000
_numbers = itertools.count()


_taken: set[int] = set()


def give_back_uid(uid: int | None) -> None:
    """Nothing of this user is left."""
    _taken.discard(uid or 0)


def private_uid() -> int | None:
    """A user of its own for the next worker, until it is given back; None: only root can give one."""
    if os.getuid() != 0:
        return None
    with open("/proc/self/uid_map", encoding="ascii") as table:  # noqa: PTH123
        known = max(int(inside) + int(many) for inside, _, many in map(str.split, table))
    first, many = (_FIRST_UID, _UIDS) if known > _FIRST_UID + _UIDS else (_SMALL_FIRST, _SMALL)
    while True:
        uid = first + (os.getpid() * 1000 + next(_numbers) % 1000) % many
        if uid not in _taken:
            _taken.add(uid)
            return uid
