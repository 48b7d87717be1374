"""A conductor that has no file descriptor left still watches and ends its workers, and goes on afterwards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hosted import HERE

from conductor_agent.hosting.walls.self_test import why_not
from conductor_agent.hosting.watch.spare import COUNT, Spare

BEGIN = f"""
import asyncio, contextlib, json, logging, os, resource, sys
from conductor_agent.hosting.watch import tree
from conductor_agent.hosting.contract import CallRequest, ExtensionSource
from conductor_agent.hosting.supervisor import Supervisor
from policies.resource.limits import ResourceLimits

LIMITS = ResourceLimits(memory_bytes=100_000_000, wall_s=20.0)

def bad(name):
    return ExtensionSource({str(HERE / "misbehaving.py")!r}, name)

@contextlib.contextmanager
def none_left():
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
    taken = []
    with contextlib.suppress(OSError):
        while True:
            taken.append(os.open(os.devnull, os.O_RDONLY))
    yield
    for fd in taken:
        os.close(fd)

def told(reply):
    policy = getattr(reply.outcome, "policy", None)
    return policy.name if policy else type(reply.outcome).__name__

def tell(**facts):
    print(json.dumps(dict(facts, below=len(list(tree.descendants(os.getpid()))))))
"""


def played(script: str, directory: Path) -> tuple[dict[str, Any], str]:
    """What a conductor of its own tells, and what it says to people."""
    environment = {**os.environ, "TMPDIR": str(directory)}
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + script], capture_output=True, text=True, timeout=60, env=environment
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


def test_limits_hold_and_nothing_survives(tmp_path: Path) -> None:
    """What breaks a limit of memory in children and what leaves a daemon: both are seen and ended."""
    facts, said = played(
        f"""
async def main():
    hanging = CallRequest(parameters=dict(pids={str(tmp_path / "pid")!r}, hang=True))
    short = LIMITS.model_copy(update=dict(wall_s=1.0))
    async with Supervisor(profile="group") as host:
        await host.start(bad("family_hog"), LIMITS)
        await host.start(bad("daemon"), short)
        with none_left():
            hog = await host.call(bad("family_hog"), CallRequest(), LIMITS)
            daemon = await host.call(bad("daemon"), hanging, short)
            another = await host.call(bad("facts"), CallRequest(), LIMITS)
        after = await host.call(bad("facts"), CallRequest(), LIMITS)
    tell(hog=told(hog), daemon=told(daemon), another=another.outcome.category.value, after=told(after))

asyncio.run(main())
""",
        tmp_path,
    )
    assert facts == {
        "hog": "memory_bytes",
        "daemon": "wall_s",
        "another": "OUT_OF_RESOURCES",
        "after": "Success",
        "below": 0,
    }
    assert said.count("no file descriptor left") == 1
    assert not list(tmp_path.glob("fqg-worker-*")), "a folder stayed"


@pytest.mark.skipif(bool(why_not("jail")), reason=why_not("jail"))
def test_the_way_out_is_open_again_afterwards(tmp_path: Path) -> None:
    facts, _ = played(
        f"""
async def main():
    fetch = ExtensionSource({str(HERE / "fetch.py")!r}, "fetch")
    limits = LIMITS.model_copy(update=dict(network=("127.0.0.1:9",)))
    junk = CallRequest(dict(), dict(how="junk", text="GET"))
    async with Supervisor(profile="jail") as host:
        await host.start(fetch, limits)
        with none_left():
            task = asyncio.create_task(host.call(fetch, junk, limits))
            while not (seen or task.done()):  # done: it got one that the watchdog had given up
                await asyncio.sleep(0.005)
        reply = await task
    tell(answer=reply.outcome.outputs["answer"])

class Seen(logging.Handler):
    def emit(self, record):
        seen.append(record)

seen = []
logging.getLogger("asyncio").addHandler(Seen())
asyncio.run(main())
""",
        tmp_path,
    )
    assert facts == {"answer": "HTTP/1.1 400", "below": 0}


def test_spare_descriptors_are_given_up_and_taken_again(monkeypatch: pytest.MonkeyPatch) -> None:
    spare = Spare()
    spare.take()
    held = list(spare._kept)
    assert len(held) == COUNT
    tries: list[int] = []

    def work() -> str:
        tries.append(len(spare._kept))
        if len(tries) == 1:
            raise OSError(24, "Too many open files")
        return "done"

    assert spare.run(work) == "done"
    assert tries == [COUNT, 0]
    assert len(spare._kept) == COUNT
    with pytest.raises(PermissionError):
        spare.run(lambda: (_ for _ in ()).throw(PermissionError(13, "no")))
    spare.close()
    assert not spare._kept
