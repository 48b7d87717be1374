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

from conductor_agent.hosting import tree
from conductor_agent.hosting.contract import CallRequest, ExtensionSource
from conductor_agent.hosting.self_test import why_not
from conductor_agent.hosting.supervisor import Supervisor
from fqg_env.outcome import Success

SHARE = 20
"""Every so manyth call is a violation."""
LIMITED = LIMITS.model_copy(
    update={"wall_s": 0.3, "memory_bytes": 100_000_000, "calls_per_worker": 100, "cpu_s": None}
)
VIOLATIONS = (
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


async def conduct(profile: str | None, calls: int) -> None:
    """Run the campaign; one line of JSON with the figures."""
    if profile is not None and why_not(profile):
        tell({"unavailable": why_not(profile)})
        return
    with Bait() as bait:
        supervisor = Supervisor(profile=profile)
        tell({"profile": supervisor.profile, "enforcement": supervisor.enforcement()})
        tell({"began": "campaign"})
        where = bait.parameters("none")
        async with supervisor:
            empty = Holdings.now()
            await _calls(supervisor, min(WARM_UP, calls), where)
            warm = Holdings.now()
            began = time.monotonic()
            times, good, bad, wrong = await _calls(supervisor, calls, where)
            elapsed_s = time.monotonic() - began
            full = Holdings.now()
        closed = Holdings.now()
    figures = {
        "calls": good + bad,
        "violations": bad,
        "elapsed_s": round(elapsed_s, 1),
        "good_call_ms_p50": round(statistics.median(times) * 1e3, 3),
        "grown_bytes": full.resident_bytes - warm.resident_bytes,
        "leaked": _leaked(empty, closed),
    }
    why = [f"{count} {what} leaked" for what, count in figures["leaked"].items() if count > 0]
    if figures["grown_bytes"] > GROWTH_BYTES:
        why.append(f"the conductor grew by {figures['grown_bytes'] >> 20} MiB")
    if wrong:
        why.append(f"{len(wrong)} calls ended otherwise than they should: {sorted(set(wrong))}")
    told = {"contained": not why, "why": why, "category": None, "gone_ms": None, **figures}
    tell({"name": "campaign", "turn": 0, **told})


def _leaked(before: Holdings, after: Holdings) -> dict[str, int]:
    names = [name for name in Holdings.__dataclass_fields__ if name != "resident_bytes"]
    return {name: getattr(after, name) - getattr(before, name) for name in names}


async def _calls(
    supervisor: Supervisor, calls: int, where: dict[str, Any]
) -> tuple[list[float], int, int, list[str]]:
    """Seconds of the good calls, how many were good and bad, and those that ended as they should not."""
    quiet = ExtensionSource(str(ATTACKS / "timing.py"), "busy", import_paths=(str(ATTACKS),))
    times: list[float] = []
    bad, wrong = 0, []
    for number in range(calls):
        if number % SHARE == SHARE - 1:
            stem, name, parameters = VIOLATIONS[bad % len(VIOLATIONS)]
            source = ExtensionSource(
                str(ATTACKS / f"{stem}.py"), name, import_paths=(str(ATTACKS),)
            )
            request = CallRequest(parameters={**parameters, "bait": where})
            reply = await supervisor.call(source, request, LIMITED)
            bad += 1
            if isinstance(reply.outcome, Success) and name not in ("fork_bomb", "deep_folders"):
                wrong.append(name)
            continue
        began = time.perf_counter()
        reply = await supervisor.call(quiet, CallRequest(parameters={"peace": True}), LIMITED)
        times.append(time.perf_counter() - began)
        if not isinstance(reply.outcome, Success):
            wrong.append("a good call")
    return times, len(times), bad, wrong


def main(profile: str | None, calls: int) -> None:
    """Run in this process, telling on standard output."""
    asyncio.run(conduct(profile, calls))
