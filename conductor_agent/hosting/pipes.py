"""The three pipes of a child at once: feed, read, copy its log, within bounds of size and time."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import IO

from policies.resource.violations import Limit

LOG_KEPT = 4096
"""Bytes of the log that become evidence."""
LOOK_S = 0.1
"""How often somebody is asked whether anyone still waits."""
_CHUNK = 65_536


class Pipes:
    """Talks to one child until it has ended."""

    def __init__(
        self, process: subprocess.Popen[bytes], request: bytes, most_bytes: int | None
    ) -> None:
        """
        Args:
            process: with all three pipes.
            request: for its standard input, which is closed after it.
            most_bytes: longest output; None: not limited.
        """
        assert process.stdin is not None  # noqa: S101  (so we were told)
        assert process.stdout is not None  # noqa: S101
        assert process.stderr is not None  # noqa: S101
        self.output = bytearray()
        self._pid = process.pid
        self._in, self._out, self._err = process.stdin, process.stdout, process.stderr
        self._unsent = memoryview(request)
        self._most = most_bytes
        self._log = b""

    def run(self, allowed_s: float, unwanted: Callable[[], bool]) -> Limit | None:
        """Until the child has ended (not yet reaped); or which limit is broken: REPLY, DEADLINE."""
        ends_at = time.monotonic() + allowed_s
        ended = os.pidfd_open(self._pid)
        try:
            with selectors.DefaultSelector() as ready:
                self._register(ready, ended)
                while True:
                    keys = [key.fileobj for key, _ in ready.select(LOOK_S)]
                    over = self._turn(ready, keys)
                    if over is not None or ended in keys:
                        return over or self._drain()
                    if time.monotonic() > ends_at or unwanted():
                        return Limit.DEADLINE
        finally:
            os.close(ended)

    def log_tail(self) -> str:
        """The last of its standard error."""
        return self._log.decode("utf-8", "replace")

    def _register(self, ready: selectors.BaseSelector, ended: int) -> None:
        for pipe in (self._in, self._out, self._err):
            os.set_blocking(pipe.fileno(), False)
        ready.register(self._in, selectors.EVENT_WRITE)
        for readable in (self._out, self._err, ended):
            ready.register(readable, selectors.EVENT_READ)

    def _turn(self, ready: selectors.BaseSelector, keys: Sequence[object]) -> Limit | None:
        if self._in in keys and self._feed():
            ready.unregister(self._in)
            self._in.close()
        for pipe in (self._out, self._err):
            if pipe in keys and self._read(pipe) == b"":
                ready.unregister(pipe)
        too_long = self._most is not None and len(self.output) > self._most
        return Limit.REPLY if too_long else None

    def _feed(self) -> bool:
        """Whether everything is sent, or nobody reads it."""
        try:
            self._unsent = self._unsent[os.write(self._in.fileno(), self._unsent[:_CHUNK]) :]
        except BlockingIOError:
            return False
        except BrokenPipeError:
            return True
        return not self._unsent

    def _read(self, pipe: IO[bytes]) -> bytes | None:
        """One chunk to where it belongs: empty at the end, None while there is nothing."""
        try:
            data = os.read(pipe.fileno(), _CHUNK)
        except BlockingIOError:
            return None
        if pipe is self._out:
            self.output += data
        elif data:
            self._log = (self._log + data)[-LOG_KEPT:]
            sys.stderr.buffer.write(data)  # the worker's log, where its size is limited
            sys.stderr.buffer.flush()
        return data

    def _drain(self) -> Limit | None:
        """What the child had written when it ended. Others may hold its pipes open: no waiting."""
        for pipe in (self._out, self._err):
            while self._read(pipe):
                if self._most is not None and len(self.output) > self._most:
                    return Limit.REPLY
        return None
