"""Workers that misuse the channel itself; they find it among the open files, as an attacker."""

import os
import socket
import stat
import struct
import time
from typing import Any

from conductor_agent.hosting import frames
from conductor_agent.hosting.extension import Context, extension
from fqg_env.outcome import Success

Values = dict[str, Any]


def _channel() -> int:
    for fd in range(3, 64):
        try:
            if stat.S_ISSOCK(os.fstat(fd).st_mode):
                return fd
        except OSError:
            continue
    raise LookupError


def _write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def _good(call_id: int) -> bytes:
    return bytes(frames.encode(call_id, frames.Result(Success())))


@extension
def attack(inputs: Values, parameters: Values, context: Context) -> Values:
    """Writes to the channel what the test asks for, then does what it asks next."""
    fd = _channel()
    match parameters["what"]:
        case "garbage":
            os.write(fd, b"\xde\xad\xbe\xef" * 8)
        case "huge_length":
            os.write(fd, struct.pack(">IQ", 2**32 - 1, _call_id()))
        case "partial_header":
            os.write(fd, b"\x00\x00")
        case "partial_body":
            os.write(fd, struct.pack(">IQ", 1000, _call_id()) + b"x" * 10)
        case "wrong_id":
            os.write(fd, _good(1))
        case "twice":
            os.write(fd, _good(_call_id()) * 2)
        case "two_parts":
            half = frames.Result(Success(outputs={"a": bytes(900_000)}), {"b": (0, 900_000)})
            _write_all(fd, bytes(frames.encode(_call_id(), half)))
        case "unsolicited":
            return {}  # and the thread below speaks later
        case "not_msgpack":
            _answer(fd, b"\xc1" * 20)
        case "pickle":
            _answer(fd, b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x02os.")
        case "extra_field":
            _answer(fd, b"\x82\xa4type\xa6result\xa5extra\x01")
        case "nan":
            _answer(fd, _with_value(b"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00"))
        case "deep":
            _answer(fd, _with_value(b"\x91" * 50_000 + b"\xc0"))
        case "claimed_items":
            _answer(fd, _with_value(b"\xdd\x7f\xff\xff\xff"))
        case "many_items":
            _answer(fd, _with_value(b"\xdd\x00\x0f\x42\x40" + b"\x90" * 1_000_000))
        case "timestamp":
            _answer(fd, _with_value(b"\xd6\xff\x00\x00\x00\x01"))
        case "close":
            os.close(fd)
        case "ready":
            os.write(fd, bytes(frames.encode(_call_id(), frames.Ready(1))))
    time.sleep(60)
    return {}


def _with_value(value: bytes) -> bytes:
    """A result whose one output is these raw bytes."""
    success = b"\x82\xa6schema\xa9success/1\xa7outputs\x81\xa1a" + value
    return b"\x82\xa4type\xa6result\xa7outcome" + success


def _answer(fd: int, body: bytes) -> None:
    rest = memoryview(struct.pack(">IQ", len(body), _call_id()) + body)
    while rest:
        rest = rest[os.write(fd, rest) :]


def _call_id() -> int:
    """The id of the open call: the frames below us on the stack hold it."""
    import sys

    frame = sys._getframe()
    while frame is not None:
        if "call_id" in frame.f_locals and frame.f_code.co_name == "_serve":
            return int(frame.f_locals["call_id"])
        frame = frame.f_back  # type: ignore[assignment]
    raise LookupError


@extension
def late_talker(inputs: Values, parameters: Values, context: Context) -> Values:
    """Answers, then speaks again without being asked."""
    import threading

    fd = _channel()

    def speak() -> None:
        time.sleep(0.1)  # when the answer has surely been read
        os.write(fd, _good(5))

    threading.Thread(target=speak, daemon=True).start()
    return {}


@extension
def deaf(inputs: Values, parameters: Values, context: Context) -> Values:
    """Never reads again after the first call: its main loop is stuck in this one's exit."""
    socket.socket(fileno=os.dup(_channel())).shutdown(socket.SHUT_RD)
    return {}
