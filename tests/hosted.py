"""A supervisor for tests, and what tests ask of it: real processes, and nothing left behind."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from conductor_agent.hosting.contract import ExtensionSource, Reply
from conductor_agent.hosting.supervisor import Supervisor
from conductor_agent.hosting.watch import tree
from fqg_env.outcome import Category, StandardError, Success
from policies.resource.limits import ResourceLimits

HERE = Path(__file__).parent / "extensions"
LIMITS = ResourceLimits(
    start_wall_s=10,
    wall_s=5,
    memory_bytes=100_000_000,
    tasks=24,
    open_files=64,
    file_bytes=1_000_000,
    request_bytes=1_000_000,
    reply_bytes=1_000_000,
    log_bytes=100_000,
)
QUICK = LIMITS.model_copy(update={"wall_s": 0.25})

Test = Callable[[Supervisor], Awaitable[None]]


def hosted(test: Test) -> None:
    """Run a test with a supervisor of its own, and check that it leaves nothing behind."""
    before = set(tree.children(os.getpid()))
    descriptors = len(os.listdir("/proc/self/fd"))

    async def run() -> None:
        async with Supervisor(profile="group") as supervisor:
            await test(supervisor)
        assert set(tree.descendants(os.getpid())) <= before
        assert len(os.listdir("/proc/self/fd")) <= descriptors + 3  # the loop's own

    asyncio.run(run())


def bad(name: str) -> ExtensionSource:
    return ExtensionSource(str(HERE / "misbehaving.py"), name)


def fails(reply: Reply, category: Category) -> StandardError:
    assert isinstance(reply.outcome, StandardError), reply
    assert reply.outcome.category is category, reply.outcome
    return reply.outcome


def succeeds(reply: Reply) -> dict[str, Any]:
    assert isinstance(reply.outcome, Success), reply
    return reply.outcome.outputs


def alive(pid: int) -> bool:
    return not tree._ended(pid)


ECHO = ExtensionSource(str(HERE / "echo.py"))
ACTS = """
import os
from conductor_agent.hosting.extension import extension

@extension(output="told")
def act(steps: list):
    told = []
    for what, first, second in steps:
        try:
            told.append(getattr(os, what)(first, second) if what else open(first).read())
        except OSError as problem:
            told.append(type(problem).__name__)
    return told
"""
"""An extension that takes steps of [name in `os`, first, second]; an empty name reads the file `first`."""


async def until(condition: Callable[[], bool], within_s: float = 5.0) -> None:
    """Wait for something that another process does."""
    ends = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < ends, "it did not happen in time"
        await asyncio.sleep(0.002)
