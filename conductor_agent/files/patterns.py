"""Patterns of a schema tried on what an extension wrote: in a process of their own, and not for ever.

A weak pattern, `(a+)+$` for example, takes longer than anybody lives to find that a text of a hundred letters
does not match, and holds the interpreter all the while: no thread of this one would run beside it.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from conductor_agent.files.checks import fault

PATTERN_S = 5.0
"""For all patterns of one value, where the run has that much time left; some milliseconds are usual."""
MEMORY_BYTES = 1 << 30
"""Of the process: on a long text a pattern with many ways takes much more."""
PROGRAM = """
import json, re, resource, sys
resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[1]), int(sys.argv[1])))
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]), int(sys.argv[2])))
for pattern, text in json.load(sys.stdin):
    print("ny"[re.search(pattern, text) is not None], end="", flush=True)
"""
"""Answers a letter for each pattern and text; that it ends is the kernel's care, if nobody else lives."""
Pair = tuple[str, str]


async def fault_within(
    left_s: float, value: Any, schema: Mapping[str, Any], where: str
) -> str | None:
    """`fault`, with the patterns tried beside the event loop: one that takes longer does not match.

    Args:
        left_s: what the run has left, in seconds.
        value: from an extension.
        schema: what its workflow wants it to be.
        where: how the message names the value.
    """
    asked: dict[Pair, None] = {}

    def ask(pattern: str, text: str) -> bool:
        asked[pattern, text] = None
        return True

    found = fault(value, schema, where, ask)
    if not asked:
        return found
    allowed_s = max(0.0, min(left_s, PATTERN_S))
    told = dict(zip(asked, await _tried([*asked], allowed_s), strict=False))
    for pattern, text in asked:
        if (pattern, text) not in told:
            return (
                f"{where} has a text of {len(text):,} letters that the pattern {pattern!r} could not "
                f"be tried on within {allowed_s:.3g} s"
            )
        if not told[pattern, text]:
            break
    return fault(value, schema, where, lambda *pair: told[pair])


async def _tried(pairs: Sequence[Pair], allowed_s: float) -> list[bool]:
    """Whether each pattern is found in its text; fewer answers where there was no more time, or memory."""
    answers = bytearray()
    limits = str(int(allowed_s) + 1), str(MEMORY_BYTES)
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", "-c", PROGRAM, *limits),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:  # the system has no process to give
        return []
    try:
        await asyncio.wait_for(_talk(process, json.dumps(pairs).encode(), answers), allowed_s)
    except (TimeoutError, OSError):
        pass  # what was answered by then is told
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
    return [answer == ord("y") for answer in answers]


async def _talk(process: asyncio.subprocess.Process, asked: bytes, answers: bytearray) -> None:
    if process.stdin is None or process.stdout is None:
        return
    process.stdin.write(asked)
    await process.stdin.drain()
    process.stdin.close()
    while answer := await process.stdout.read(4096):
        answers += answer
