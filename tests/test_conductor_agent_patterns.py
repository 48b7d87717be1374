"""Patterns: what an extension wrote can make a weak one take for ever, and nobody else waits for it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable
from typing import Any

import pytest
from hand_written import work, workflow

from conductor_agent.files import patterns
from conductor_agent.files.patterns import fault_within
from conductor_agent.hosting.testing import FakeHost
from conductor_agent.hosting.watch import tree
from conductor_agent.live_world import Answer, Attempt, Held, LiveWorld
from fqg_env.outcome import Category, StandardError

WEAK = "^(a+)+$"
SLOW = "a" * 24 + "b"
"""A second or two, where it is tried; each letter more doubles that."""


async def _counted(work: Awaitable[Any]) -> tuple[Any, int]:
    """What came of it, and how many others had a turn meanwhile."""
    turns, done = 0, asyncio.ensure_future(work)
    while not done.done():
        await asyncio.sleep(0)
        turns += 1
    return done.result(), turns


def attempted(check: dict[str, Any], output: Any, left_s: float = 60.0) -> tuple[Answer, int]:
    """What an attempt comes to whose output is held against a schema, and the turns of others meanwhile."""
    flow = workflow({"make": work()}, artifacts={"text": {"goal": {"weight": 1}, "check": check}})
    world = LiveWorld(flow, FakeHost({"make": lambda _: {"text": output}}))
    attempt = Attempt("run", 0, 1, "key", {"page": Held("", "x")}, left_s)
    return asyncio.run(_counted(world.attempt(attempt)))


def test_others_have_their_turns_while_a_pattern_is_tried() -> None:
    answer, turns = attempted({"schema": {"pattern": WEAK}}, SLOW)
    assert isinstance(answer.outcome, StandardError)
    assert answer.outcome.category is Category.INVALID_OUTPUT
    assert "^(a+)+$" in answer.outcome.message
    assert turns > 50
    assert not [pid for pid in tree.children(os.getpid()) if _tries_patterns(pid)]


def _tries_patterns(pid: int) -> bool:
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        return b"re.search(pattern" in file.read()


def test_one_that_takes_longer_than_the_run_has_is_no_match() -> None:
    answer, _ = attempted({"schema": {"pattern": WEAK}}, "a" * 100 + "b", left_s=0.5)
    assert isinstance(answer.outcome, StandardError)
    assert answer.outcome.message == (
        "The output text is not usable: it has a text of 101 letters that the pattern '^(a+)+$' could not be "
        "tried on within 0.5 s."
    )


def test_memory_is_no_way_to_hold_it_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "MEMORY_BYTES", 1 << 27)
    found = asyncio.run(fault_within(60, "ab" * 4_000_000, {"pattern": "^(a|b|c)*$"}, "it"))
    assert "could not be tried on" in str(found)


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        ({"a": "x1", "b": ["y", "z"]}, None),
        ({"a": "1", "b": ["y", "z"]}, "it.a does not match '^x'"),
        ({"a": "x1", "b": ["y", "q", 7]}, "it.b[1] does not match '[yz]'"),
        ({"a": "x1", "b": ["y", 7, "q"]}, "it.b[1] is a number, not of type string"),
        ({"a": "x1", "b": ["y", "\ud800z", "é\n\0y"]}, None),
        ({"a": "1", "b": 7}, "it.a does not match '^x'"),
        ({"a": 1}, "it.a is a number, not of type string"),
        ([], "it is a list, not of type object"),
    ],
)
def test_the_first_rule_that_is_broken_is_named(value: Any, wrong: str | None) -> None:
    schema = {
        "type": "object",
        "properties": {
            "a": {"type": "string", "pattern": "^x"},
            "b": {"type": "array", "items": {"type": "string", "pattern": "[yz]"}},
        },
    }
    assert asyncio.run(fault_within(60, value, schema, "it")) == wrong


def test_where_no_process_starts_nothing_matches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    found = asyncio.run(fault_within(60, "x", {"pattern": "x"}, "it"))
    assert "could not be tried on" in str(found)
