"""Time in a run: seconds since it began, counted only while it ran."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Any, Protocol


class Clock(Protocol):
    """What the conductor knows of time; a whole run can be simulated with another one."""

    def now_s(self) -> float:
        """Seconds since the start of the run."""
        ...

    async def first_of(self, tasks: Iterable[asyncio.Future[Any]], until_s: float) -> None:
        """Return when one of the tasks is done, or at `until_s` at the latest."""
        ...


class RunClock:
    """The real clock. A run that goes on later goes on at the time at which it was left."""

    def __init__(self, at_s: float = 0.0) -> None:
        self._zero = time.monotonic() - at_s

    def now_s(self) -> float:
        """Seconds since the start of the run."""
        return time.monotonic() - self._zero

    async def first_of(self, tasks: Iterable[asyncio.Future[Any]], until_s: float) -> None:
        """Return when one of the tasks is done, or at `until_s` at the latest."""
        left_s = max(0.0, until_s - self.now_s())
        waiting = list(tasks)
        if waiting:
            await asyncio.wait(waiting, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
        else:
            await asyncio.sleep(left_s)
