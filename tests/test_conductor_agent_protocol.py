"""Extensions that lie, the channel that they lie on, and the values that may travel."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from hosted import HERE, LIMITS, bad, fails, hosted, succeeds

from conductor_agent.hosting import frames, values
from conductor_agent.hosting.contract import CallRequest, ExtensionSource
from conductor_agent.hosting.supervisor import Supervisor
from fqg_env.outcome import Category, Phase, StandardError, Success


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


ATTACKS = {
    "garbage": "PROTOCOL_WRONG_ID",
    "huge_length": "LIMIT_REPLY",
    "two_parts": "LIMIT_REPLY",
    "partial_header": "LIMIT_WALL",
    "partial_body": "LIMIT_WALL",
    "wrong_id": "PROTOCOL_WRONG_ID",
    "twice": "PROTOCOL_UNSOLICITED",
    "not_msgpack": "ANSWER",
    "pickle": "ANSWER",
    "extra_field": "ANSWER",
    "nan": "ANSWER",
    "deep": "ANSWER",
    "claimed_items": "ANSWER",
    "many_items": "ANSWER",
    "timestamp": "ANSWER",
    "close": "PROTOCOL_CLOSED",
    "ready": "ANSWER",
}


@pytest.mark.parametrize(("what", "code"), ATTACKS.items())
def test_misuse_of_the_channel_costs_only_the_worker(what: str, code: str) -> None:
    async def test(host: Supervisor) -> None:
        source = ExtensionSource(str(HERE / "protocol.py"), "attack")
        limits = LIMITS.model_copy(update={"wall_s": 0.3 if "partial" in what else 5.0})
        reply = await host.call(source, CallRequest(parameters={"what": what}), limits)
        assert isinstance(reply.outcome, StandardError)
        assert reply.outcome.code == code, reply.outcome

    hosted(test)


def test_many_small_items_are_refused_before_they_are_unpacked() -> None:
    async def test(host: Supervisor) -> None:
        source = ExtensionSource(str(HERE / "protocol.py"), "attack")
        limits = LIMITS.model_copy(update={"reply_bytes": 2_000_000})
        request = CallRequest(parameters={"what": "many_items"})
        failure = fails(await host.call(source, request, limits), Category.INVALID_OUTPUT)
        assert "more than" in failure.detail

    hosted(test)


@pytest.mark.parametrize("name", ["late_talker", "deaf"])
def test_a_worker_that_breaks_between_calls_is_replaced_or_fails(name: str) -> None:
    async def test(host: Supervisor) -> None:
        source = ExtensionSource(str(HERE / "protocol.py"), name)
        succeeds(await host.call(source, CallRequest(), LIMITS))
        generation = 1
        for _ in range(200):
            reply = await host.call(source, CallRequest(), LIMITS)
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
