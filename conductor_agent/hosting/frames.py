"""The wire between supervisor and worker: length, call id, msgpack of a closed struct.

    u32 length of the body | u64 call id | body            (both big-endian)

The supervisor draws a fresh random call id per call; only an answer that bears it counts. The
length is checked before a byte of the body is read. Standard library and msgspec alone.
"""

from __future__ import annotations

import struct
from typing import Any

import msgspec

from conductor_agent.hosting.values import check_outcome
from fqg_env.outcome import Outcome, StandardError

VERSION = 2
"""Both sides must speak the same version."""
HEADER = struct.Struct(">IQ")
SMALL_FRAME_BYTES = 65_536
"""Bodies up to here cannot unpack to much memory, whatever they hold."""
MAX_ITEMS = 200_000
"""Values in one body: without it, 16 MB of empty lists would unpack to 1 GB. Larger arrays travel
as `bytes`, which count as one value."""


class FrameError(ValueError):
    """Bytes that are not a frame of this protocol. The text is one sentence."""


class Hello(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="hello"):
    """Supervisor to worker, first: which version is spoken."""

    version: int = VERSION


class Ready(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="ready"):
    """Worker to supervisor: loaded, or why not."""

    version: int
    extensions: tuple[str, ...] = ()
    failure: StandardError | None = None


class Call(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="call"):
    """Supervisor to worker: do it. `deadline_s` counts from receipt, sizes are in bytes."""

    inputs: dict[str, Any]
    parameters: dict[str, Any]
    run_id: str
    attempt: int
    idempotency_key: str
    recover: bool
    deadline_s: float
    reply_bytes: int
    own_retries: int | None = None
    large: dict[str, tuple[int, int]] = {}
    """Inputs that lie in the window (windows.py): name -> place."""


class Result(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="result"):
    """Worker to supervisor: the answer to the call with the same id."""

    outcome: Outcome
    large: dict[str, tuple[int, int]] = {}
    """Outputs that lie in the window: name -> place."""


_ENCODER = msgspec.msgpack.Encoder()
_FROM_WORKER: msgspec.msgpack.Decoder[Ready | Result] = msgspec.msgpack.Decoder(Ready | Result)
_FROM_SUPERVISOR: msgspec.msgpack.Decoder[Hello | Call] = msgspec.msgpack.Decoder(Hello | Call)


def encode(call_id: int, message: Hello | Ready | Call | Result) -> bytearray:
    """One frame.

    Raises:
        TypeError, ValueError: the message holds something that is not plain data.
    """
    frame = bytearray(HEADER.size)
    _ENCODER.encode_into(message, frame, HEADER.size)
    HEADER.pack_into(frame, 0, len(frame) - HEADER.size, call_id)
    return frame


def from_supervisor(body: bytes | bytearray) -> Hello | Call:
    """Decode in the worker; the supervisor has checked the values.

    Raises:
        FrameError: not a message of the supervisor.
    """
    try:
        return _FROM_SUPERVISOR.decode(body)
    except (msgspec.DecodeError, RecursionError) as problem:
        raise FrameError(f"Not a message: {problem}.") from None


def from_worker(body: bytes | bytearray) -> Ready | Result:
    """Decode in the supervisor, trusting nothing.

    Raises:
        FrameError: not a message of a worker, or values that are not plain data.
    """
    if len(body) > SMALL_FRAME_BYTES:
        check_items(body)
    try:
        message = _FROM_WORKER.decode(body)
        outcome = message.outcome if isinstance(message, Result) else message.failure
        if outcome is not None:
            check_outcome(outcome)
    except (msgspec.DecodeError, RecursionError, ValueError) as problem:
        raise FrameError(f"Not an answer: {problem}.") from None
    return message


def check_items(body: bytes | bytearray, limit: int = MAX_ITEMS) -> None:
    """Count the values of a body without unpacking it.

    Raises:
        FrameError: over `limit` values, or no valid msgpack.
    """
    at, end = 0, len(body)
    for _ in range(limit):
        if at >= end:
            break
        kind = body[at]
        width = _LENGTH_WIDTH.get(kind, 0)
        at += _SIZE[kind] + int.from_bytes(body[at + 1 : at + 1 + width], "big")
    if at < end:
        raise FrameError(f"The answer holds more than {limit} values; send arrays as bytes.")


def _sizes() -> list[int]:
    """Bytes of a msgpack value by its first byte, without the part its length field announces."""
    sizes = [1] * 256
    for short in range(0xA0, 0xC0):  # fixstr: the length is in the first byte
        sizes[short] = 1 + (short & 31)
    exact = {
        0xC4: 2, 0xC5: 3, 0xC6: 5, 0xC7: 3, 0xC8: 4, 0xC9: 6, 0xCA: 5, 0xCB: 9,
        0xCC: 2, 0xCD: 3, 0xCE: 5, 0xCF: 9, 0xD0: 2, 0xD1: 3, 0xD2: 5, 0xD3: 9,
        0xD4: 3, 0xD5: 4, 0xD6: 6, 0xD7: 10, 0xD8: 18,
        0xD9: 2, 0xDA: 3, 0xDB: 5, 0xDC: 3, 0xDD: 5, 0xDE: 3, 0xDF: 5,
    }  # fmt: skip
    for kind, size in exact.items():
        sizes[kind] = size
    return sizes


_SIZE = _sizes()
_LENGTH_WIDTH = {
    0xC4: 1, 0xC5: 2, 0xC6: 4, 0xC7: 1, 0xC8: 2, 0xC9: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4,
}  # fmt: skip
