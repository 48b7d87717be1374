"""The supervisor's end of a channel, in the event loop: one frame out, the body of one answer in, no more.

The reader stays registered for the life of the worker; what the other side sends unasked is a fault.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import NamedTuple

from conductor_agent.hosting import frames
from conductor_agent.hosting.classify import Fault

_CHUNK = 65_536


class Heard(NamedTuple):
    """Who is told what comes in."""

    body: Callable[[bytes | bytearray], None]
    """The whole answer."""
    fault: Callable[[Fault], None]
    """Bytes that are no answer, or not the one that was asked for."""
    too_long: Callable[[int, int], None]
    """An answer may have so many bytes, and announces so many."""
    closed: Callable[[], None]
    """The other side will say no more."""


class Exchange:
    """Frames over a socket that does not block. One answer is waited for at a time."""

    def __init__(self, channel: socket.socket, heard: Heard) -> None:
        self.waiting = False
        """Whether an answer is expected."""
        self._channel = channel
        self._heard = heard
        self._loop = asyncio.get_running_loop()
        self._call_id = 0
        self._cap = 0
        self._unsent: memoryview | None = None
        self._head = b""
        self._body: bytearray | None = None
        self._filled = 0
        self._loop.add_reader(channel, self._readable)

    def ask(self, call_id: int, frame: bytearray, reply_bytes: int) -> None:
        """Send a frame; from now on an answer with this id and so many bytes at most is expected."""
        self.waiting = True
        self._call_id, self._cap = call_id, reply_bytes
        self._unsent = memoryview(frame)
        self._flush()

    def stop_reading(self) -> None:
        """Hear no more of it."""
        self._loop.remove_reader(self._channel)

    def close(self) -> None:
        """Neither send nor hear any more; the socket stays open."""
        self.waiting = False
        self._loop.remove_reader(self._channel)
        self._loop.remove_writer(self._channel)

    def take_what_is_there(self) -> None:
        """An answer sent before the end counts, even if we were too busy to read it."""
        while self.waiting:
            before = self._filled, self._head, self._body
            self._readable()
            if (self._filled, self._head, self._body) == before:
                return

    def _flush(self) -> None:
        """Send what the socket takes now; the rest when it takes more."""
        if self._unsent is None:
            return
        try:
            sent = self._channel.send(self._unsent)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._unsent = None  # the worker is gone; the other readers say why
            return
        if sent == len(self._unsent):
            self._unsent = None
            self._loop.remove_writer(self._channel)
        else:
            self._unsent = self._unsent[sent:]
            self._loop.add_writer(self._channel, self._flush)

    def _readable(self) -> None:
        """Take bytes of the answer; anything else on this channel is a fault."""
        try:
            if self._body is None:
                self._take_head()
            else:
                self._take_body(self._body)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._heard.closed()

    def _take_head(self) -> None:
        size = frames.HEADER.size
        data = self._head + self._channel.recv(_CHUNK)
        if len(data) == len(self._head):
            self._heard.closed()
        elif not self.waiting:
            self._heard.fault(Fault.UNSOLICITED)
        elif len(data) < size:
            self._head = data
        else:
            self._head = b""
            length, call_id = frames.HEADER.unpack_from(data)
            self._open_body(length, call_id, data[size:])

    def _open_body(self, length: int, call_id: int, rest: bytes) -> None:
        if call_id != self._call_id:
            self._heard.fault(Fault.WRONG_ID)
        elif length > self._cap:
            self._heard.too_long(self._cap, length)
        elif len(rest) > length:
            self._heard.fault(Fault.UNSOLICITED)
        elif len(rest) == length:
            self._answered(rest)
        else:
            self._body = bytearray(length)
            self._body[: len(rest)] = rest
            self._filled = len(rest)

    def _take_body(self, body: bytearray) -> None:
        count = self._channel.recv_into(memoryview(body)[self._filled :])
        self._filled += count
        if count == 0:
            self._heard.closed()
        elif self._filled == len(body):
            self._body = None
            self._answered(body)

    def _answered(self, body: bytes | bytearray) -> None:
        self.waiting = False
        self._heard.body(body)
