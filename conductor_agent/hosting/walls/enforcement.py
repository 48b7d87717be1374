"""What enforces each limit in each profile, said honestly: how hard, and by what."""

from __future__ import annotations

import os
from enum import Enum

from conductor_agent.hosting.walls.profiles import PROFILES, Profile
from conductor_agent.hosting.watch.tree import NPROC_ROOM
from conductor_agent.hosting.watch.watchdog import IDLE_CPU_S, IDLE_SHARE, PERIOD_S


class Enforced(str, Enum):
    """How hard a limit is, from none to hardest."""

    NONE = "NONE"
    """Not enforced."""
    COUNTED = "COUNTED"
    """Told, not stopped."""
    WATCHED = "WATCHED"
    """Checked from outside; ended when over it, with some overshoot."""
    KERNEL_PROCESS = "KERNEL_PROCESS"
    """By the kernel, for each process by itself."""
    KERNEL_TREE = "KERNEL_TREE"
    """By the kernel, for everything the extension starts together."""


Row = tuple[Enforced, str]
_NO_DESTINATIONS: Row = (Enforced.NONE, "a network by names is refused before anything starts")
_NAMED = "it is started with the variables that are named, no others"
_ORDER = list(Enforced)
_PERIOD_MS = round(PERIOD_S * 1000)
_IDLE = f"between calls {IDLE_CPU_S:g} s and {IDLE_SHARE:.0%} of a core"
_POLL = f"looked at every {_PERIOD_MS} ms, then SIGKILL to the whole tree"


def reaches(found: Enforced, wanted: Enforced) -> bool:
    """Whether enforcement is at least as hard as wanted."""
    return _ORDER.index(found) >= _ORDER.index(wanted)


def enforcement(profile: str) -> dict[str, dict[str, str]]:
    """Limit or freedom -> {"level", "mechanism"}, in this profile."""
    rows = {**_EVERYWHERE, **_resources(PROFILES[profile]), **_freedoms(PROFILES[profile])}
    return {name: {"level": level.value, "mechanism": how} for name, (level, how) in rows.items()}


_EVERYWHERE: dict[str, Row] = {
    "start_wall_s": (Enforced.WATCHED, f"monotonic clock, {_POLL}"),
    "wall_s": (Enforced.WATCHED, f"monotonic clock, {_POLL}"),
    "open_files": (Enforced.KERNEL_PROCESS, "RLIMIT_NOFILE"),
    "file_bytes": (Enforced.KERNEL_PROCESS, "RLIMIT_FSIZE"),
    "request_bytes": (Enforced.KERNEL_TREE, "measured before it is sent"),
    "reply_bytes": (Enforced.WATCHED, "announced length checked before the body is read"),
    "log_bytes": (Enforced.WATCHED, "counted as it is read, then SIGKILL to the whole tree"),
    "calls_per_worker": (Enforced.WATCHED, "the worker is replaced"),
    "idle_s": (Enforced.WATCHED, "the worker is ended"),
    "environment": (
        Enforced.KERNEL_TREE,
        "it is started with the variables that are named, no others",
    ),
    "own_retries": (
        Enforced.COUNTED,
        "context.retry and context.degrade end there; other repeats are known from its reports alone",
    ),
    "total_retry_s": (
        Enforced.WATCHED,
        "the conductor refuses a repeat past it and shortens its deadline",
    ),
}


def _resources(profile: Profile) -> dict[str, Row]:
    """Limits that are numbers."""
    summed = f"summed processor time of the tree, {_IDLE}, {_POLL}"
    rows: dict[str, Row] = {"cpu_s": (Enforced.WATCHED, summed)}
    if profile.counted:
        rows["cpu_s"] = (
            Enforced.WATCHED,
            f"processor time of the control group (exact), {_IDLE}, {_POLL}",
        )
    rows["memory_bytes"] = _memory(profile)
    rows["tasks"] = _tasks(profile)
    rows["written_bytes"] = (
        (Enforced.KERNEL_TREE, "a file system in memory of this size, which counts as memory")
        if profile.jailed
        else (
            Enforced.WATCHED,
            f"scratch folder and removed files that are open, {_POLL}",
        )
    )
    rows["scratch_files"] = (Enforced.WATCHED, f"counted, {_POLL}")
    rows["cpu_cores"] = (
        (Enforced.KERNEL_TREE, "affinity, which seccomp keeps")
        if profile.filtered
        else (Enforced.NONE, "affinity, which the extension may change")
    )
    return rows


def _memory(profile: Profile) -> Row:
    if profile.counted:
        return Enforced.KERNEL_TREE, "control group, everything the tree holds; then SIGKILL to it"
    if profile.jailed:
        what = (
            "resident memory and scratch space of the tree, but for socket buffers and page tables"
        )
    elif profile.filtered:
        what = "resident memory of the tree, but for socket buffers and page tables"
    else:
        what = "resident memory of the tree; memfd and tmpfs pages that are not mapped are unseen"
    return Enforced.WATCHED, f"{what}, {_POLL}"


def _tasks(profile: Profile) -> Row:
    watched = f"processes and threads of the tree, {_POLL}"
    if profile.counted:
        return Enforced.KERNEL_TREE, f"control group, {NPROC_ROOM} above the limit; {watched}"
    if profile.jailed and os.getuid() != 0:
        return Enforced.KERNEL_TREE, f"RLIMIT_NPROC, {NPROC_ROOM} above the limit; {watched}"
    return Enforced.WATCHED, watched


def _freedoms(profile: Profile) -> dict[str, Row]:
    """What may be reached."""
    if profile.jailed:
        return {
            "network": (Enforced.KERNEL_TREE, "network namespace and seccomp"),
            "destinations": (
                Enforced.KERNEL_TREE,
                "a network of its own that ends at a proxy of ours",
            ),
            **_files(
                Enforced.KERNEL_TREE, "mount namespace: its code, read-only, and scratch space"
            ),
            "environment": (Enforced.KERNEL_TREE, _NAMED),
            "conductor_safety": (Enforced.KERNEL_TREE, "process namespace and seccomp"),
            "after_the_conductor": (Enforced.KERNEL_TREE, "the process namespace ends with it"),
        }
    if profile.locked:
        after = "a keeper ends the tree when the conductor is gone"
        return {
            "network": (Enforced.KERNEL_TREE, "seccomp and Landlock: none or the host's"),
            "destinations": _NO_DESTINATIONS,
            **_files(
                Enforced.KERNEL_TREE,
                "Landlock and seccomp: its code, read-only, and scratch folder; that files are there, "
                "and how long they are, can be seen",
            ),
            "environment": (Enforced.KERNEL_TREE, _NAMED),
            "conductor_safety": (Enforced.KERNEL_TREE, "Landlock and seccomp"),
            "after_the_conductor": (Enforced.WATCHED, after),
        }
    return {
        "network": (Enforced.NONE, "the host's network is open to it"),
        "destinations": _NO_DESTINATIONS,
        **_files(Enforced.NONE, "it reads and writes what this user may"),
        "environment": (Enforced.NONE, f"{_NAMED}, but it can read the conductor's"),
        "conductor_safety": (Enforced.NONE, "it runs as the same user"),
        "after_the_conductor": (
            Enforced.WATCHED,
            "a keeper ends the tree when the conductor is gone",
        ),
    }


def _files(level: Enforced, how: str) -> dict[str, Row]:
    """The file system, and the limits that widen it."""
    return dict.fromkeys(("filesystem", "read_paths", "write_paths", "devices"), (level, how))
