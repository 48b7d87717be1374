"""What enforces each limit on this machine, said honestly: the profile "group".

Process groups, a keeper, kernel limits per process and a watchdog. It holds against accidents and
greed. It does not hold against malice: an extension runs as the same user, so it can read that
user's files, and signal the conductor.
"""

from __future__ import annotations

from enum import Enum

from conductor_agent.hosting import tree
from conductor_agent.hosting.watch import PERIOD_S

PROFILE = "group"


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


_ORDER = list(Level)
_POLL = f"looked at every {PERIOD_S * 1000:.0f} ms, then SIGKILL to the whole tree"


def reaches(found: Level, wanted: Level) -> bool:
    """Whether enforcement is at least as hard as wanted."""
    return _ORDER.index(found) >= _ORDER.index(wanted)


def enforcement() -> dict[str, dict[str, str]]:
    """Limit or freedom -> {"level", "mechanism"}."""
    tree_level = Level.WATCHED if tree.available() else Level.NONE
    memory = "summed resident memory of the tree (memfd and tmpfs pages not mapped are unseen), "
    rows = {
        "start_wall_s": (Level.WATCHED, f"monotonic clock, {_POLL}"),
        "wall_s": (Level.WATCHED, f"monotonic clock, {_POLL}"),
        "cpu_s": (tree_level, f"summed processor time of the tree, {_POLL}"),
        "memory_bytes": (tree_level, memory + _POLL),
        "tasks": (tree_level, f"processes and threads of the tree, {_POLL}"),
        "open_files": (Level.KERNEL_PROCESS, "RLIMIT_NOFILE"),
        "file_bytes": (Level.KERNEL_PROCESS, "RLIMIT_FSIZE"),
        "request_bytes": (Level.WATCHED, "measured before it is sent"),
        "reply_bytes": (Level.WATCHED, "announced length checked before the body is read"),
        "log_bytes": (Level.WATCHED, "counted as it is read, then SIGKILL to the whole tree"),
        "calls_per_worker": (Level.WATCHED, "the worker is replaced"),
        "idle_s": (Level.WATCHED, "the worker is ended"),
        "total_retry_s": (
            Level.WATCHED,
            "the conductor refuses a repeat past it and shortens its deadline",
        ),
        "written_bytes": (Level.NONE, "number and sum of files are not limited"),
        "network": (Level.NONE, "the host's network is open to it"),
        "filesystem": (Level.NONE, "it reads and writes what this user may"),
        "conductor_safety": (Level.NONE, "it runs as the same user"),
    }
    return {name: {"level": level.value, "mechanism": how} for name, (level, how) in rows.items()}
