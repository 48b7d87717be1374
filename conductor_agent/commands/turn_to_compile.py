"""Whose turn it is to compile a size: one process compiles, the others wait and then load what it has made.

The turn is a lock on a file in the cache folder, so that it ends with the process that holds it, however that
ends. Where a folder cannot be locked, everybody compiles at once, as slow and as right.
"""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO

from fqg_env.compiled import cache_folder

LINGER_S = 5.0
"""How long a turn outlasts a kernel: what needs one kernel mostly needs the next one soon."""


class Turn:
    """This process's turn to compile one size, from its first kernel until none has followed for a while.

    Args:
        size: name of the size.
        waiting: called where another process has the turn, before it is waited for.
        linger_s: seconds that the turn is kept after a kernel.
    """

    def __init__(self, size: str, waiting: Callable[[], None], linger_s: float = LINGER_S):
        self._path = Path(cache_folder()) / f"{size}.compiling"
        self._waiting, self._linger_s = waiting, linger_s
        self._guard = threading.Lock()
        self._file: IO[str] | None = None
        self._timer: threading.Timer | None = None
        self._busy = False

    def begin(self) -> None:
        """A kernel is about to be compiled: take the turn, and wait for it where another process has it."""
        with self._guard:
            self._busy = True
            if self._file is None:
                self._file = self._taken()

    def end(self) -> None:
        """A kernel is compiled: keep the turn for a moment, then give it back."""
        with self._guard:
            self._busy = False
            if self._timer is not None:
                self._timer.cancel()
            self._timer = threading.Timer(self._linger_s, self.give_back)
            self._timer.daemon = True
            self._timer.start()

    def give_back(self) -> None:
        """Let others compile, unless a kernel is being compiled here."""
        with self._guard:
            if self._busy or self._file is None:
                return
            self._file.close()
            self._file = None

    def close(self) -> None:
        """Let others compile; nothing more is compiled here."""
        with self._guard:
            if self._timer is not None:
                self._timer.cancel()
            self._busy = False
        self.give_back()

    def _taken(self) -> IO[str] | None:
        """The locked file; None where it cannot be locked."""
        try:
            file = self._path.open("a", encoding="utf-8")
        except OSError:
            return None
        try:
            self._lock(file)
        except OSError:
            file.close()
            return None
        except BaseException:  # Ctrl-C while it waits
            file.close()
            raise
        return file

    def _lock(self, file: IO[str]) -> None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._waiting()
            fcntl.flock(file, fcntl.LOCK_EX)
