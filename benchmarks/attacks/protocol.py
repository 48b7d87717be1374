"""Attacks on the channel: bytes that are no answer, or not the answer that was asked for."""

from __future__ import annotations

import array
import os
import signal
import socket
import stat
import struct
import sys
import threading
import time
from typing import Any

from attacking import Values, attack

from conductor_agent.hosting import frames
from fqg_env.outcome import Success

NEXT_CALL = threading.Event()
"""In one worker: a call has begun after the attack."""
HEADER = struct.Struct(">IQ")
RESULT = b"\x82\xa4type\xa6result\xa7outcome"
SUCCESS = b"\x82\xa6schema\xa9success/1\xa7outputs\x81\xa1a"


def _channel() -> int:
    for fd in range(3, 256):
        try:
            if stat.S_ISSOCK(os.fstat(fd).st_mode):
                return fd
        except OSError:
            continue
    raise LookupError


def _call_id() -> int:
    """The id of the open call: a frame of Python below us holds it."""
    frame: Any = sys._getframe()
    while frame is not None:
        found = frame.f_locals.get("call_id")
        if found is not None:
            return int(found)
        frame = frame.f_back
    raise LookupError


def _send(data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(_channel(), rest) :]


def _frame(body: bytes, length: int | None = None, call_id: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return HEADER.pack(size, _call_id() if call_id is None else call_id) + body


def _value(raw: bytes) -> bytes:
    """A result whose one output is these bytes of msgpack."""
    return RESULT + SUCCESS + raw


BODIES = {
    "random": bytes(range(256)),
    "empty": b"",
    "bare_number": b"\x07",
    "unknown_type": b"\x81\xa4type\xa3xyz",
    "ready": b"\x82\xa4type\xa5ready\xa7version\x01",
    "extra_beside": b"\x83" + RESULT[1:] + b"\x81\xa6schema\xa9success/1\xa5extra\x01",
    "call": b"\x82\xa4type\xa4call\xa6inputs\x80",
    "unknown_outcome": RESULT + b"\x81\xa6schema\xa9failure/1",
    "extra_field": RESULT + b"\x83\xa6schema\xa9success/1\xa7outputs\x80\xa4more\x01",
    "wrong_field_type": RESULT + b"\x82\xa6schema\xa9success/1\xa7outputs\x01",
    "quality_of_7": RESULT + b"\x82\xa6schema\xa9success/1\xa7quality\x81\xa1a\x07",
    "infinite_cost": RESULT + b"\x82\xa6schema\xa9success/1\xa4cost\xcb\x7f\xf0" + bytes(6),
    "nan": _value(b"\xcb\x7f\xf8" + bytes(6)),
    "infinity": _value(b"\xca\x7f\x80\x00\x00"),
    "deep_lists": _value(b"\x91" * 50_000 + b"\xc0"),
    "deep_maps": _value(b"\x81\xa1k" * 50_000 + b"\xc0"),
    "announced_list": _value(b"\xdd\x7f\xff\xff\xff"),
    "announced_map": _value(b"\xdf\x7f\xff\xff\xff"),
    "announced_bytes": _value(b"\xc6\x7f\xff\xff\xff"),
    "announced_text": _value(b"\xdb\x7f\xff\xff\xff"),
    "a_million_lists": _value(b"\xdd\x00\x0d\xbb\xa0" + b"\x90" * 900_000),
    "surrogate": _value(b"\xa3\xed\xa0\x80"),
    "not_utf8": _value(b"\xa2\xff\xfe"),
    "number_as_key": _value(b"\x81\x01\x02"),
    "timestamp": _value(b"\xd6\xff\x00\x00\x00\x01"),
    "extension_type": _value(b"\xc7\x04\x05abcd"),
    "unused_code": _value(b"\xc1"),
    "cut_short": _value(b"\x92\x01"),
    "two_bodies": _value(b"\x01") * 2,
    "pickle": b"\x80\x04\x95\x1d\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x8c\x06system\x93\x94.",
    "long_cause": RESULT
    + b"\x84\xa6schema\xb0standard-error/1\xa8category\xa7CRASHED\xa7message\xa0"
    + b"\xa5cause\x82\xa4type\xa0\xa7message\xdb\x00\x0d\xbb\xa0"
    + b"[Errno 1] " * 90_000,
    "json": b'{"type": "result", "outcome": {"schema": "success/1"}}',
}  # fmt: skip


@attack
def body(parameters: Values, context: Any) -> Any:
    """Sends a whole frame with the right id and a wrong body."""
    _send(_frame(BODIES[parameters["body"]]))
    time.sleep(60)


@attack
def duplicate_keys(parameters: Values, context: Any) -> Any:
    """Says the same key twice; the last one counts, and nothing else may happen."""
    twice = RESULT + b"\x82\xa6schema\xa9success/1\xa7outputs\x82\xa5count\x63\xa5count\x00"
    _send(_frame(twice))
    os.read(_channel(), 1)  # the next call's first byte, or the end


@attack
def garbage(parameters: Values, context: Any) -> Any:
    """Sends bytes that begin no frame."""
    _send(b"\xde\xad\xbe\xef" * 64)
    time.sleep(60)


@attack
def huge_length(parameters: Values, context: Any) -> Any:
    """Announces four gigabytes."""
    _send(_frame(b"", length=2**32 - 1))
    time.sleep(60)


@attack
def half_header(parameters: Values, context: Any) -> Any:
    """Sends the beginning of a header and then nothing."""
    _send(b"\x00\x00\x00")
    time.sleep(60)


@attack
def half_body(parameters: Values, context: Any) -> Any:
    """Sends the beginning of a body and then nothing."""
    _send(_frame(b"x" * 10, length=1000))
    time.sleep(60)


@attack
def drip(parameters: Values, context: Any) -> Any:
    """Sends an answer one byte at a time, each in time."""
    for byte in _frame(_value(b"\x07") + bytes(500)):
        _send(bytes([byte]))
        time.sleep(0.05)


@attack
def wrong_id(parameters: Values, context: Any) -> Any:
    """Answers a call that nobody made."""
    _send(_frame(_value(b"\x07"), call_id=1))
    time.sleep(60)


@attack
def twice(parameters: Values, context: Any) -> Any:
    """Answers twice at once."""
    _send(_frame(_value(b"\x07")) * 2)
    time.sleep(60)


@attack
def next_answer(parameters: Values, context: Any) -> Any:
    """Answers this call and guesses the next one's id."""
    _send(_frame(_value(b"\x07")) + _frame(_value(b"\x07"), call_id=_call_id() + 1))
    time.sleep(60)


@attack
def late(parameters: Values, context: Any) -> Any:
    """Answers, and answers again while the next call is made, which might take that for its own."""
    if parameters.get("next"):
        NEXT_CALL.set()
        time.sleep(1)
        return {"count": 0}
    again = _frame(RESULT + b"\x82\xa6schema\xa9success/1\xa7outputs\x81\xa5count\x63")

    def speak() -> None:
        NEXT_CALL.wait()
        _send(again)

    threading.Thread(target=speak, daemon=True).start()
    return {"count": 0}


@attack
def two_parts(parameters: Values, context: Any) -> Any:
    """Doubles its answer: one part in the frame, as much again in the window beside it."""
    half = parameters["reply_bytes"] * 9 // 10
    inside = frames.Result(Success(outputs={"a": bytes(half)}), {"b": (0, half)})
    _send(bytes(frames.encode(_call_id(), inside)))
    time.sleep(60)


@attack
def exit_before(parameters: Values, context: Any) -> Any:
    """Ends without a word."""
    os._exit(0)


@attack
def exit_inside(parameters: Values, context: Any) -> Any:
    """Ends inside a frame."""
    _send(_frame(b"x" * 10, length=1000))
    os._exit(0)


@attack
def close_channel(parameters: Values, context: Any) -> Any:
    """Closes its end and stays."""
    os.close(_channel())
    time.sleep(60)


@attack
def pass_files(parameters: Values, context: Any) -> Any:
    """Sends open files along, to fill the conductor's table of them, then no answer."""
    channel = socket.socket(fileno=os.dup(_channel()))
    files = array.array("i", [os.open(os.devnull, os.O_RDONLY) for _ in range(50)])
    head = _frame(b"x", length=1000)
    channel.sendmsg([head], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)])
    for _ in range(20):
        channel.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)])
    os.kill(os.getpid(), signal.SIGSTOP)


@attack
def deaf(parameters: Values, context: Any) -> Any:
    """Never reads again, so that the next request cannot be sent."""
    socket.socket(fileno=os.dup(_channel())).shutdown(socket.SHUT_RD)
    time.sleep(60)


@attack
def deaf_later(parameters: Values, context: Any) -> Any:
    """Answers, and never reads again."""
    socket.socket(fileno=os.dup(_channel())).shutdown(socket.SHUT_RD)
    return {"count": 0}


@attack
def flooding_channel(parameters: Values, context: Any) -> Any:
    """Sends its answer without end; the first one may count."""
    good = _frame(RESULT + b"\x82\xa6schema\xa9success/1\xa7outputs\x81\xa5count\x00")
    while True:
        _send(good)
