"""Run anybody's script as an extension, the bait set out; tell what happened to it and to the host."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sandbox.bait import Bait
from sandbox.case import ATTACKS, LIMITS
from sandbox.conduct import Before, Ended, Neighbour, attack, tell
from sandbox.judge import GROWTH_BYTES

from conductor_agent.hosting.contract import ExtensionSource
from conductor_agent.hosting.supervisor import Supervisor
from conductor_agent.hosting.walls.self_test import why_not
from fqg_env.outcome import StandardError, Success, to_json

OVERSHOOT_BYTES = 64_000_000
"""Memory beyond the limit that a watch may see before it ends it: what the suite's own attacks take."""
TEXT = 2000
"""Characters of an answer or a message that are told."""
_TOLD = (
    "tcp_port",
    "udp_port",
    "abstract",
    "socket",
    "secret",
    "kept",
    "folder",
    "sentinel",
    "conductor",
)
"""Where the bait is, for the attack to read from its environment as `BAIT_TCP_PORT` and so on."""


async def conduct(profile: str | None, file: str) -> None:
    """Attack with each extension in the file, or with the program that it is; a line of JSON each."""
    if profile is not None and why_not(profile):
        tell({"unavailable": why_not(profile)})
        return
    neighbour = Neighbour(profile)
    async with neighbour.supervisor:
        await neighbour.begin()
        host = neighbour.supervisor
        tell({"profile": host.profile, "enforcement": host.enforcement()})
        with Bait() as bait, prepared(Path(file)) as (source, names):
            for name in names:
                label = f"attack/{name}"
                tell({"began": label})
                told = await one(ExtensionSource(source, name), host.profile, bait, neighbour)
                tell({"name": label, "turn": 0, **told})


@contextlib.contextmanager
def prepared(file: Path) -> Iterator[tuple[str, list[str]]]:
    """The file to host and the extensions in it; a program gets a folder with one that runs it."""
    names = extensions_in(file.read_text("utf-8"))
    if names:
        yield str(file.resolve()), names
        return
    with tempfile.TemporaryDirectory(prefix="attack-") as folder:
        Path(folder).chmod(0o755)
        shutil.copy(ATTACKS / "program.py", folder)
        shutil.copyfile(file, Path(folder, "attack.py"))
        yield str(Path(folder, "program.py")), ["program"]


def extensions_in(text: str) -> list[str]:
    """Names of the functions that a source decorates with `extension`, as it says them.

    Raises:
        SyntaxError: it is not Python.
    """
    found = []
    for part in ast.walk(ast.parse(text)):
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef):
            for mark in part.decorator_list:
                called = mark.func if isinstance(mark, ast.Call) else mark
                if getattr(called, "id", getattr(called, "attr", "")) == "extension":
                    found.append(_named(mark) or part.name)
    return found


def _named(mark: ast.expr) -> str | None:
    words = mark.keywords if isinstance(mark, ast.Call) else []
    return next((ast.literal_eval(word.value) for word in words if word.arg == "name"), None)


async def one(
    source: ExtensionSource, profile: str, bait: Bait, neighbour: Neighbour
) -> dict[str, Any]:
    """Run it once; everything that was seen."""
    before = Before(bait)
    where = bait.parameters(neighbour.file)
    told = tuple((f"BAIT_{name.upper()}", str(where[name])) for name in _TOLD)
    source = ExtensionSource(source.source, source.name, environment=told)
    async with Supervisor(profile=profile) as supervisor:
        ended = await attack(supervisor, source, {"bait": where}, LIMITS, before)
        listening = bait.reachable()
        survivors, late_s = await before.settled() if ended.over else (0, 0.0)
    lived_on, _ = await before.settled()
    leftovers = [*bait.harm(), *await before.leaks()]
    why = [*listening, *leftovers, *await neighbour.harm()]
    why += _reasons(ended, bait, survivors + lived_on, before.grown_bytes())
    return {
        "contained": not why,
        "why": why,
        "category": ended.outcome.category.value
        if isinstance(ended.outcome, StandardError)
        else None,
        "gone_ms": ended.gone_ms(late_s),
        "survivors": survivors + lived_on,
        "leftovers": leftovers,
        **_evidence(ended),
    }


def _reasons(ended: Ended, bait: Bait, survivors: int, grown_bytes: int) -> Iterator[str]:
    if bait.secret in to_json(ended.outcome).decode():
        yield "it told the secret"
    if survivors:
        yield f"{survivors} of its processes lived on"
    if grown_bytes > GROWTH_BYTES:
        yield f"the conductor grew by {grown_bytes >> 20} MiB"
    if ended.usage.peak_memory_bytes > LIMITS.memory_bytes + OVERSHOOT_BYTES:
        yield f"it held {ended.usage.peak_memory_bytes} bytes"
    late_s = ended.usage.wall_s - ended.usage.start_s - LIMITS.wall_s
    if late_s > 0.5:
        yield f"it ran {late_s:.1f} s past its limit"


def _evidence(ended: Ended) -> dict[str, Any]:
    used = {
        "wall_s": round(ended.usage.wall_s, 3),
        "cpu_s": round(ended.usage.cpu_s, 3),
        "peak_memory_bytes": ended.usage.peak_memory_bytes,
    }
    outcome = ended.outcome
    if isinstance(outcome, Success):
        return {"used": used, "code": None, "policy": None, "answer": repr(outcome.outputs)[:TEXT]}
    policy, text = outcome.policy, f"{outcome.message} {outcome.detail}".strip()
    proof = None if policy is None else {
        "limit": policy.name, "allowed": policy.limit, "observed": policy.observed,
        "unit": policy.unit, "enforcer": policy.enforcer, "action": policy.action,
        "signal": policy.signal,
    }  # fmt: skip
    return {"used": used, "code": outcome.code, "policy": proof, "message": text[:TEXT]}


def main(profile: str | None, file: str) -> None:
    """Run in this process, telling on standard output."""
    os.umask(0o022)
    asyncio.run(conduct(profile, file))
