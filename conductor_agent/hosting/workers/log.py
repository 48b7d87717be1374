"""What a worker prints: read as it comes, counted, and the end of it kept."""

from __future__ import annotations

import os

from conductor_agent.hosting.pipes import LOG_KEPT

_CHUNK = 65_536


class Log:
    """The read end of a worker's standard output and error, which does not block."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.bytes = 0
        """Since it was last cleared."""
        self._kept = b""

    def clear(self) -> None:
        """Forget what was printed so far."""
        self._kept, self.bytes = b"", 0

    def tail(self) -> str:
        """The last of it."""
        return self._kept.decode("utf-8", "replace")

    def read(self) -> bytes | None:
        """One chunk: empty at the end of the log, None while there is nothing to read."""
        try:
            data = os.read(self.fd, _CHUNK)
        except OSError:
            return None
        self.bytes += len(data)
        self._kept = (self._kept + data)[-LOG_KEPT:]
        return data

    def drain(self) -> None:
        """What is in the pipe at the end; a flood may not hold us up, so one pipe full."""
        for _ in range(2):
            if not self.read():
                return
