"""Thousands of calls, some of them violations: what a conductor leaves behind, and whether it grows."""

from __future__ import annotations

import asyncio
import gc
import os
import statistics
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.bait import Bait, groups
from sandbox.case import ATTACKS, LIMITS
from sandbox.conduct import alive, tell
from sandbox.judge import GROWTH_BYTES

from conductor_agent.hosting.contract import CallRequest, ExtensionSource
from conductor_agent.hosting.supervisor import Supervisor
from conductor_agent.hosting.walls.self_test import why_not
from conductor_agent.hosting.watch import tree
from fqg_env.outcome import Success

SHARE = 20
"""Every so manyth call is a violation."""
LIMITED = LIMITS.model_copy(
    update={"wall_s": 0.3, "memory_bytes": 100_000_000, "calls_per_worker": 100, "cpu_s": None}
)
VIOLATIONS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("timing", "sleeping", {}),
    ("processes", "fork_bomb", {}),
    ("memory", "one_process", {"memory_bytes": 100_000_000}),
    ("crashes", "flood", {}),
    ("processes", "daemon_and_exit", {}),
    ("crashes", "segfault", {}),
    ("protocol", "garbage", {}),
    ("processes", "daemon_and_hang", {}),
    ("files", "open_files", {}),
    ("files", "deep_folders", {}),
)
"""Taken in turn."""
MAY_ANSWER = ("fork_bomb", "deep_folders")
"""They may end by an answer too: the kernel refused more, or it was within the limits."""
WARM_UP = 2 * len(VIOLATIONS) * SHARE
"""Calls before the first look: libraries, thread pools and caches fill in them."""


@dataclass(frozen=True)
class Holdings:
    """What this process has."""

    resident_bytes: int
    descriptors: int
    threads: int
    processes: int
    zombies: int
    control_groups: int
    shared_memory: int
    files: int
    """In the folder for temporary files."""

    @classmethod
    def now(cls) -> Holdings:
        """Count."""
        gc.collect()
        below = list(tree.descendants(os.getpid()))
        living = sum(alive(pid) for pid in below)
        return cls(
            tree.resident_bytes(os.getpid()),
            len(os.listdir("/proc/self/fd")),
            threading.active_count(),
            living,
            len(below) - living,
            len(list(groups())),
            len(Path("/proc/sysvipc/shm").read_text().splitlines()) - 1,
            len(os.listdir(tempfile.gettempdir())) + len(os.listdir("/dev/shm")),
        )


@dataclass
class Course:
    """What was seen on the way."""

    times: list[float]
    """Seconds of the good calls."""
    violations: int
    wrong: list[str]
    """Calls that ended otherwise than they should."""
    elapsed_s: float
    grown_bytes: int
    """Of resident memory, between the end of the warm-up and the end."""


async def conduct(profile: str | None, calls: int, where: dict[str, Any]) -> Course:
    """Run the campaign with one supervisor, and close it."""
    async with Supervisor(profile=profile) as supervisor:
        tell({"profile": supervisor.profile, "enforcement": supervisor.enforcement()})
        tell({"began": "campaign"})
        await _calls(supervisor, min(WARM_UP, calls), where)
        resident = tree.resident_bytes(os.getpid())
        began = time.monotonic()
        times, violations, wrong = await _calls(supervisor, calls, where)
        elapsed_s = time.monotonic() - began
        grown = tree.resident_bytes(os.getpid()) - resident
    return Course(times, violations, wrong, elapsed_s, grown)


def _told(course: Course, leaked: dict[str, int]) -> dict[str, Any]:
    why = [f"{count} {what} leaked" for what, count in leaked.items() if count > 0]
    if course.grown_bytes > GROWTH_BYTES:
        why.append(f"the conductor grew by {course.grown_bytes >> 20} MiB")
    if course.wrong:
        names = ", ".join(sorted(set(course.wrong)))
        why.append(f"{len(course.wrong)} calls ended otherwise than they should: {names}")
    return {
        "contained": not why,
        "why": why,
        "category": None,
        "gone_ms": None,
        "calls": len(course.times) + course.violations,
        "violations": course.violations,
        "elapsed_s": round(course.elapsed_s, 1),
        "good_call_ms_p50": round(statistics.median(course.times) * 1e3, 3),
        "grown_bytes": course.grown_bytes,
        "leaked": leaked,
    }


def _leaked(before: Holdings, after: Holdings) -> dict[str, int]:
    names = [name for name in Holdings.__dataclass_fields__ if name != "resident_bytes"]
    return {name: getattr(after, name) - getattr(before, name) for name in names}


async def _calls(
    supervisor: Supervisor, calls: int, where: dict[str, Any]
) -> tuple[list[float], int, list[str]]:
    """Seconds of the good calls, the number of bad ones, and those that ended as they should not."""
    times: list[float] = []
    bad, wrong = 0, []
    for number in range(calls):
        if number % SHARE == SHARE - 1:
            stem, name, parameters = VIOLATIONS[bad % len(VIOLATIONS)]
            reply = await supervisor.call(*_call(stem, name, parameters, where), LIMITED)
            bad += 1
            if isinstance(reply.outcome, Success) and name not in MAY_ANSWER:
                wrong.append(name)
            continue
        began = time.perf_counter()
        reply = await supervisor.call(*_call("timing", "busy", {"peace": True}, where), LIMITED)
        times.append(time.perf_counter() - began)
        if not isinstance(reply.outcome, Success):
            wrong.append("a good call")
    return times, bad, wrong


def _call(
    stem: str, name: str, parameters: dict[str, Any], where: dict[str, Any]
) -> tuple[ExtensionSource, CallRequest]:
    source = ExtensionSource(str(ATTACKS / f"{stem}.py"), name, import_paths=(str(ATTACKS),))
    return source, CallRequest(parameters={**parameters, "bait": where})


def main(profile: str | None, calls: int) -> None:
    """Run in this process, telling on standard output; the event loop is part of what is counted."""
    if profile is not None and why_not(profile):
        tell({"unavailable": why_not(profile)})
        return
    with Bait() as bait:
        before = Holdings.now()
        course = asyncio.run(conduct(profile, calls, bait.parameters("none")))
        told = _told(course, _leaked(before, Holdings.now()))
    tell({"name": "campaign", "turn": 0, **told})
