"""Fakes of the conductor's seams: a clock that jumps, a world told what to answer, a journal in memory.

clock = ManualClock()
world = FakeWorld(clock, lambda attempt: Answer(Success(outputs={"text": "hi"}), elapsed_s=2.0))
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Iterable
from itertools import count
from typing import Any

from conductor_agent.live_world import Answer, Attempt
from conductor_agent.record.events import Event
from conductor_agent.record.journal import Content

SETTLING = 8
"""Turns of the event loop after which everything that can move has moved."""


class ManualClock:
    """Time stands still until the conductor waits; then it jumps to what happens next."""

    def __init__(self, at_s: float = 0.0) -> None:
        self.at_s = at_s
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = count()

    def now_s(self) -> float:
        """Seconds since the start of the run."""
        return self.at_s

    async def sleep_until(self, at_s: float) -> None:
        """What a fake does instead of taking time."""
        woken = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (at_s, next(self._order), woken))
        await woken

    async def first_of(self, tasks: Iterable[asyncio.Future[Any]], until_s: float) -> None:
        """Return when one of the tasks is done, or at `until_s` at the latest."""
        waiting = list(tasks)
        while True:
            for _ in range(SETTLING):
                await asyncio.sleep(0)
            if any(task.done() for task in waiting):
                return
            while self._sleepers and self._sleepers[0][2].cancelled():
                heapq.heappop(self._sleepers)
            if not self._sleepers or self._sleepers[0][0] > until_s:
                self.at_s = max(self.at_s, until_s)
                return
            at_s, _, woken = heapq.heappop(self._sleepers)
            self.at_s = max(self.at_s, at_s)
            woken.set_result(None)


class FakeWorld:
    """A `World` that answers what a function of the attempt says, after the time it says."""

    def __init__(self, clock: ManualClock, script: Callable[[Attempt], Answer]) -> None:
        self.attempts: list[Attempt] = []
        self.cancelled: list[Attempt] = []
        self._clock = clock
        self._script = script

    async def attempt(self, attempt: Attempt) -> Answer:
        """The answer of the script."""
        self.attempts.append(attempt)
        answer = self._script(attempt)
        try:
            await self._clock.sleep_until(self._clock.now_s() + answer.elapsed_s)
        except asyncio.CancelledError:
            self.cancelled.append(attempt)
            raise
        return answer


class MemoryRecorder:
    """A `Recorder` that keeps what it is given."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.contents: dict[str, bytes] = {}

    async def write(
        self, events: list[Event], contents: Iterable[Content] = (), *, alone: bool = False
    ) -> None:
        """Keep it."""
        self.events.extend(events)
        self.contents.update(contents)
