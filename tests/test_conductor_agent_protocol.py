"""Extensions that lie, the channel that they lie on, and the values that may travel."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hosted import LIMITS, bad, fails, hosted, succeeds

from conductor_agent.hosting import frames, values
from conductor_agent.hosting.contract import CallRequest, ExtensionSource
from conductor_agent.hosting.supervisor import Supervisor
from fqg_env.outcome import Category, Phase, StandardError, Success

ATTACKS = Path(__file__).resolve().parents[1] / "benchmarks" / "attacks"


@pytest.mark.parametrize(
    "what", ["number", "none", "object", "nan", "quality", "keys", "deep", "surrogate", "cost"]
)
def test_an_answer_that_is_no_outcome_keeps_the_worker(what: str) -> None:
    async def test(host: Supervisor) -> None:
        for _ in range(2):
            reply = await host.call(bad("liar"), CallRequest(parameters={"what": what}), LIMITS)
            failure = fails(reply, Category.INVALID_OUTPUT)
            assert failure.phase is Phase.OUTPUT
        assert reply.usage.worker_generation == 1

    hosted(test)


ENDS = {
    "garbage": "PROTOCOL_WRONG_ID",
    "huge_length": "LIMIT_REPLY",
    "two_parts": "LIMIT_REPLY",
    "half_header": "LIMIT_WALL",
    "half_body": "LIMIT_WALL",
    "wrong_id": "PROTOCOL_WRONG_ID",
    "twice": "PROTOCOL_UNSOLICITED",
    "close_channel": "PROTOCOL_CLOSED",
}
WRONG_BODIES = (
    "unused_code", "pickle", "extra_beside", "nan", "deep_lists", "announced_list", "a_million_lists",
    "timestamp", "ready",
)  # fmt: skip


def attack(name: str) -> ExtensionSource:
    """An attack of the suite, which finds the channel among its open files."""
    return ExtensionSource(str(ATTACKS / "protocol.py"), name, import_paths=(str(ATTACKS),))


@pytest.mark.parametrize(("name", "code"), ENDS.items())
def test_misuse_of_the_channel_costs_only_the_worker(name: str, code: str) -> None:
    async def test(host: Supervisor) -> None:
        limits = LIMITS.model_copy(update={"wall_s": 0.3 if "half" in name else 5.0})
        request = CallRequest(parameters={"reply_bytes": limits.reply_bytes})
        reply = await host.call(attack(name), request, limits)
        assert isinstance(reply.outcome, StandardError)
        assert reply.outcome.code == code, reply.outcome

    hosted(test)


@pytest.mark.parametrize("body", WRONG_BODIES)
def test_a_body_that_is_no_result_is_no_answer(body: str) -> None:
    async def test(host: Supervisor) -> None:
        reply = await host.call(attack("body"), CallRequest(parameters={"body": body}), LIMITS)
        failure = fails(reply, Category.INVALID_OUTPUT)
        assert failure.code == "ANSWER"
        assert body != "a_million_lists" or "more than" in failure.detail

    hosted(test)


@pytest.mark.parametrize("name", ["late", "deaf_later"])
def test_a_worker_that_breaks_between_calls_is_replaced_or_fails(name: str) -> None:
    async def test(host: Supervisor) -> None:
        succeeds(await host.call(attack(name), CallRequest(), LIMITS))
        generation = 1
        for _ in range(200):
            reply = await host.call(attack(name), CallRequest(), LIMITS)
            generation = reply.usage.worker_generation
            if generation > 1:
                return
            await asyncio.sleep(0.005)
        pytest.fail("the broken worker was kept")

    hosted(test)


def test_frames_round_trip_and_refuse_the_rest() -> None:
    frame = frames.encode(7, frames.Result(Success(outputs={"a": [b"x", {"b": None}]})))
    length, call_id = frames.HEADER.unpack_from(frame)
    assert (length, call_id) == (len(frame) - frames.HEADER.size, 7)
    assert frames.from_worker(frame[frames.HEADER.size :]) == frames.Result(
        Success(outputs={"a": [b"x", {"b": None}]})
    )
    call = frames.Call({}, {}, "r", 1, "k", True, 1.0, 10)
    assert frames.from_supervisor(frames.encode(1, call)[frames.HEADER.size :]) == call
    with pytest.raises(frames.FrameError):
        frames.from_supervisor(b"\xc1")


def test_counting_items_agrees_with_msgpack() -> None:
    value: list[Any] = [
        None,
        True,
        1,
        -1,
        200,
        -200,
        70_000,
        2**40,
        1.5,
        "a" * 10,
        "b" * 300,
        b"c" * 300,
        [[]],
        {"k": 1},
    ]
    body = msgspec.msgpack.encode(value)
    items = 1 + len(value) + 1 + 2  # the list, its items, the inner list, key and value
    frames.check_items(body, items)
    with pytest.raises(frames.FrameError):
        frames.check_items(body, items - 1)


@pytest.mark.parametrize("value", [None, True, 1, 2.5, "a", b"b", [1, [2.0]], {"a": {"b": ()}}])
def test_plain_values_pass(value: Any) -> None:
    values.check_plain(value, "value")


@pytest.mark.parametrize(
    "value", [object(), {1}, [1.0, float("inf")], {"a": [float("nan"), 1]}, {2: 1}, 2**64]
)
def test_other_values_are_named(value: Any) -> None:
    with pytest.raises(values.NotPlainError, match="^value"):
        values.check_plain(value, "value")
