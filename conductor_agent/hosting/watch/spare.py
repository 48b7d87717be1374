"""Descriptors kept back, so that workers are watched and ended when this program has none left to open.

Without a descriptor the proc file system cannot be read, and who cannot look sees nobody over a limit.
Standard library alone.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import threading
import time
from collections.abc import Callable
from typing import TypeVar

logger = logging.getLogger("fqg.hosting")
Result = TypeVar("Result")

COUNT = 4
"""Removing a folder takes three at a time."""
SAID_EVERY_S = 60.0


def none_left(problem: OSError) -> bool:
    """Whether it failed for want of a descriptor, ours or the system's."""
    return problem.errno in (errno.EMFILE, errno.ENFILE)


class Spare:
    """A few open descriptors that are given up for what has to be done."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: list[int] = []
        self._said_at = -SAID_EVERY_S

    def take(self) -> None:
        """Have all of them, as far as there are any and nobody works with them."""
        if len(self._kept) < COUNT and self._lock.acquire(blocking=False):
            try:
                self._take()
            finally:
                self._lock.release()

    def close(self) -> None:
        """Keep none."""
        while self._kept:
            os.close(self._kept.pop())

    def run(self, work: Callable[[], Result]) -> Result:
        """Do it; where no descriptor is left, do it again with those that were kept.

        Raises:
            OSError: it fails for another reason, or somebody else was faster.
        """
        try:
            return work()
        except OSError as problem:
            if not none_left(problem):
                raise
        with self._lock:
            self._say()
            self.close()
            try:
                return work()
            finally:
                self._take()

    def _take(self) -> None:
        with contextlib.suppress(OSError):
            while len(self._kept) < COUNT:
                self._kept.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))

    def _say(self) -> None:
        if time.monotonic() - self._said_at >= SAID_EVERY_S:
            self._said_at = time.monotonic()
            logger.warning(
                "This program has no file descriptor left; workers are still watched and ended, but none "
                "starts: close some files, or allow more (ulimit -n)"
            )
