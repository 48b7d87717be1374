"""What enforces each limit in each profile, said honestly: how hard, and by what."""

from __future__ import annotations

import os
from enum import Enum

from conductor_agent.hosting.confine import NPROC_ROOM
from conductor_agent.hosting.profiles import PROFILES, Profile
from conductor_agent.hosting.watch import IDLE_CPU_S, IDLE_SHARE, PERIOD_S


class Level(str, Enum):
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


Row = tuple[Level, str]
_NO_DESTINATIONS: Row = (Level.NONE, "a network by names is refused before anything starts")
_NAMED = "it is started with the variables that are named, no others"
_ORDER = list(Level)
_PERIOD_MS = round(PERIOD_S * 1000)
_IDLE = f"between calls {IDLE_CPU_S:g} s and {IDLE_SHARE:.0%} of a core"
_POLL = f"looked at every {_PERIOD_MS} ms, then SIGKILL to the whole tree"


def reaches(found: Level, wanted: Level) -> bool:
    """Whether enforcement is at least as hard as wanted."""
    return _ORDER.index(found) >= _ORDER.index(wanted)


def enforcement(profile: str) -> dict[str, dict[str, str]]:
    """Limit or freedom -> {"level", "mechanism"}, in this profile."""
    rows = {**_EVERYWHERE, **_resources(PROFILES[profile]), **_freedoms(PROFILES[profile])}
    return {name: {"level": level.value, "mechanism": how} for name, (level, how) in rows.items()}


_EVERYWHERE: dict[str, Row] = {
    "start_wall_s": (Level.WATCHED, f"monotonic clock, {_POLL}"),
    "wall_s": (Level.WATCHED, f"monotonic clock, {_POLL}"),
    "open_files": (Level.KERNEL_PROCESS, "RLIMIT_NOFILE"),
    "file_bytes": (Level.KERNEL_PROCESS, "RLIMIT_FSIZE"),
    "request_bytes": (Level.KERNEL_TREE, "measured before it is sent"),
    "reply_bytes": (Level.WATCHED, "announced length checked before the body is read"),
    "log_bytes": (Level.WATCHED, "counted as it is read, then SIGKILL to the whole tree"),
    "calls_per_worker": (Level.WATCHED, "the worker is replaced"),
    "idle_s": (Level.WATCHED, "the worker is ended"),
    "environment": (
        Level.KERNEL_TREE,
        "it is started with the variables that are named, no others",
    ),
    "own_retries": (
        Level.COUNTED,
        "context.retry and context.degrade end there; other repeats are known from its reports alone",
    ),
    "total_retry_s": (
        Level.WATCHED,
        "the conductor refuses a repeat past it and shortens its deadline",
    ),
}


def _resources(profile: Profile) -> dict[str, Row]:
    """Limits that are numbers."""
    summed = f"summed processor time of the tree, {_IDLE}, {_POLL}"
    rows: dict[str, Row] = {"cpu_s": (Level.WATCHED, summed)}
    if profile.counted:
        rows["cpu_s"] = (
            Level.WATCHED,
            f"processor time of the control group (exact), {_IDLE}, {_POLL}",
        )
    rows["memory_bytes"] = _memory(profile)
    rows["tasks"] = _tasks(profile)
    rows["written_bytes"] = (
        (Level.KERNEL_TREE, "a file system in memory of this size, which counts as memory")
        if profile.jailed
        else (
            Level.WATCHED,
            f"scratch folder and removed files that are open, {_POLL}",
        )
    )
    rows["scratch_files"] = (Level.WATCHED, f"counted, {_POLL}")
    rows["cpu_cores"] = (
        (Level.KERNEL_TREE, "affinity, which seccomp keeps")
        if profile.filtered
        else (Level.NONE, "affinity, which the extension may change")
    )
    return rows


def _memory(profile: Profile) -> Row:
    if profile.counted:
        return Level.KERNEL_TREE, "control group, everything the tree holds; then SIGKILL to it"
    if profile.jailed:
        what = (
            "resident memory and scratch space of the tree, but for socket buffers and page tables"
        )
    elif profile.filtered:
        what = "resident memory of the tree, but for socket buffers and page tables"
    else:
        what = "resident memory of the tree; memfd and tmpfs pages that are not mapped are unseen"
    return Level.WATCHED, f"{what}, {_POLL}"


def _tasks(profile: Profile) -> Row:
    watched = f"processes and threads of the tree, {_POLL}"
    if profile.counted:
        return Level.KERNEL_TREE, f"control group, {NPROC_ROOM} above the limit; {watched}"
    if profile.jailed and os.getuid() != 0:
        return Level.KERNEL_TREE, f"RLIMIT_NPROC, {NPROC_ROOM} above the limit; {watched}"
    return Level.WATCHED, watched


def _freedoms(profile: Profile) -> dict[str, Row]:
    """What may be reached."""
    if profile.jailed:
        return {
            "network": (Level.KERNEL_TREE, "network namespace and seccomp"),
            "destinations": (
                Level.KERNEL_TREE,
                "a network of its own that ends at a proxy of ours",
            ),
            **_files(Level.KERNEL_TREE, "mount namespace: its code, read-only, and scratch space"),
            "environment": (Level.KERNEL_TREE, _NAMED),
            "conductor_safety": (Level.KERNEL_TREE, "process namespace and seccomp"),
            "after_the_conductor": (Level.KERNEL_TREE, "the process namespace ends with it"),
        }
    if profile.locked:
        after = "a keeper ends the tree when the conductor is gone"
        return {
            "network": (Level.KERNEL_TREE, "seccomp and Landlock: none or the host's"),
            "destinations": _NO_DESTINATIONS,
            **_files(
                Level.KERNEL_TREE,
                "Landlock and seccomp: its code, read-only, and scratch folder; that files are there, "
                "and how long they are, can be seen",
            ),
            "environment": (Level.KERNEL_TREE, _NAMED),
            "conductor_safety": (Level.KERNEL_TREE, "Landlock and seccomp"),
            "after_the_conductor": (Level.WATCHED, after),
        }
    return {
        "network": (Level.NONE, "the host's network is open to it"),
        "destinations": _NO_DESTINATIONS,
        **_files(Level.NONE, "it reads and writes what this user may"),
        "environment": (Level.NONE, f"{_NAMED}, but it can read the conductor's"),
        "conductor_safety": (Level.NONE, "it runs as the same user"),
        "after_the_conductor": (Level.WATCHED, "a keeper ends the tree when the conductor is gone"),
    }


def _files(level: Level, how: str) -> dict[str, Row]:
    """The file system, and the limits that widen it."""
    return dict.fromkeys(("filesystem", "read_paths", "write_paths", "devices"), (level, how))
