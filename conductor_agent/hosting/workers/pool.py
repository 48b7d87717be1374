"""Warm workers: start them, lend each to one call at a time, let go of those nobody needs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec.structs import replace

from conductor_agent.hosting import frames
from conductor_agent.hosting.classify import Fault, as_told, from_cancel, from_protocol, from_spawn
from conductor_agent.hosting.walls.grants import LedAwayError, led_away
from conductor_agent.hosting.watch.watchdog import Watchdog
from conductor_agent.hosting.workers.launch import Launched, launch
from conductor_agent.hosting.workers.process import WorkerProcess
from fqg_env.outcome import Phase, StandardError
from policies.resource.violations import Limit

if TYPE_CHECKING:
    from conductor_agent.hosting.contract import ExtensionSource
    from conductor_agent.hosting.walls.profiles import Profile
    from policies.resource.limits import ResourceLimits

READY_BYTES = 65_536
"""Longest answer to Hello."""
GROWTH = 0.5
"""A worker that between calls holds so much more of the room that its memory limit leaves it is replaced."""
SWEEP_MIN_S, SWEEP_MAX_S = 0.05, 10.0
"""How often idle workers are looked through."""


@dataclass(slots=True, eq=False)
class Shelf:
    """The workers of one source under one set of limits."""

    source: ExtensionSource
    limits: ResourceLimits
    idle: list[WorkerProcess] = field(default_factory=list)
    generation: int = 0
    fragile: bool = False
    """One of its workers had to be ended: from then on a spare one is kept ready."""


class WorkerPool:
    """Every worker of a supervisor, by source and limits."""

    def __init__(
        self, python: str, profile: Callable[[], Profile], entropy: Callable[[int], bytes]
    ) -> None:
        """
        Args:
            python: runs sources that name none of their own.
            profile: how workers are walled in; asked when one starts.
            entropy: source of call ids.
        """
        self.closed = False
        self._profile = profile
        self._python = python
        self._entropy = entropy
        self._shelves: dict[tuple[ExtensionSource, ResourceLimits], Shelf] = {}
        self._workers: set[WorkerProcess] = set()
        self._launching: set[asyncio.Future[Launched]] = set()
        self._refilling: dict[asyncio.Future[WorkerProcess | StandardError], Shelf] = {}
        self._watchdog = Watchdog()
        self._spawner = ThreadPoolExecutor(1, thread_name_prefix="fqg-spawn")
        self._reaper = ThreadPoolExecutor(8, thread_name_prefix="fqg-reap")
        self._sweeper: asyncio.TimerHandle | None = None
        self.unheard: Callable[[ExtensionSource, StandardError], None] = lambda *_: None
        """Told of broken limits that no call answers, see `WorkerProcess.unheard`."""

    def shelf(self, source: ExtensionSource, limits: ResourceLimits) -> Shelf:
        """Where the workers of this source and these limits are."""
        key = source, limits
        found = self._shelves.get(key)
        if found is None:
            found = self._shelves[key] = Shelf(source, limits)
        return found

    def warm(self, shelf: Shelf) -> WorkerProcess | None:
        """Take an idle worker: the one used last, so that the others can grow idle."""
        while shelf.idle and not self.closed:
            worker = shelf.idle.pop()
            if not worker.ended:
                if shelf.fragile and not shelf.idle:
                    self._refill(shelf)
                return worker
        return None

    async def fresh(self, shelf: Shelf) -> WorkerProcess | StandardError:
        """Start a worker and greet it."""
        if self.closed:
            return from_cancel("The supervisor is closed.")
        try:
            worker = await self._launched(shelf)
        except OSError as problem:
            return from_spawn(problem, shelf.source.python or self._python)
        except LedAwayError as problem:
            return led_away(problem)
        failure = await self._greet(worker, shelf.limits)
        return worker if failure is None else failure

    def give_back(self, shelf: Shelf, worker: WorkerProcess) -> None:
        """Keep a worker warm, if it is still good; start another one in its place at once, if it is not."""
        if self.closed:
            return
        if worker.ended:
            shelf.fragile = True
            self._refill(shelf)
            return
        why = _worn_out(worker, shelf.limits)
        if why:
            worker.end(from_cancel(why))
            self._refill(shelf)
            return
        worker.idle_since = time.monotonic()
        shelf.idle.append(worker)
        self._sweep_later(shelf.limits.idle_s)

    async def close(self) -> None:
        """End every worker, wait until none is left, end the threads."""
        self.closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        for filling in self._refilling:
            filling.cancel()
        if self._launching:
            await asyncio.wait(self._launching)  # each is in `_workers` by then
        ends = [worker.end(from_cancel("The supervisor closed.")) for worker in self._workers]
        if ends:
            await asyncio.wait(ends)
        await asyncio.get_running_loop().run_in_executor(None, self._end_threads)

    def _refill(self, shelf: Shelf) -> None:
        """Start a worker that nobody waits for yet. If that fails, the next call will say so."""
        if shelf.idle or shelf in self._refilling.values():
            return
        filling = asyncio.ensure_future(self.fresh(shelf))
        self._refilling[filling] = shelf
        filling.add_done_callback(self._refilled)

    def _refilled(self, filling: asyncio.Future[WorkerProcess | StandardError]) -> None:
        shelf = self._refilling.pop(filling)
        if filling.cancelled() or filling.exception() is not None:
            return
        worker = filling.result()
        if not isinstance(worker, StandardError) and not worker.ended:
            self.give_back(shelf, worker)

    def call_id(self) -> int:
        """A fresh random 64-bit id."""
        return int.from_bytes(self._entropy(8), "big")

    # Starting

    async def _launched(self, shelf: Shelf) -> WorkerProcess:
        """Start a process in the one thread that lives as long as we do.

        The process is adopted when it is there, whether or not somebody still waits for it.
        """
        loop = asyncio.get_running_loop()
        python = shelf.source.python or self._python
        wanted: asyncio.Future[WorkerProcess] = loop.create_future()
        launching = loop.run_in_executor(
            self._spawner, launch, shelf.source, shelf.limits, python, self._profile()
        )
        self._launching.add(launching)
        launching.add_done_callback(lambda done: self._adopt(shelf, done, wanted))
        try:
            return await wanted
        except asyncio.CancelledError:
            if wanted.done() and not wanted.cancelled() and wanted.exception() is None:
                wanted.result().end(from_cancel())
            raise

    def _adopt(
        self,
        shelf: Shelf,
        launching: asyncio.Future[Launched],
        wanted: asyncio.Future[WorkerProcess],
    ) -> None:
        """From here on the process is watched, and ended by `close` at the latest."""
        self._launching.discard(launching)
        problem = launching.exception()
        if problem is not None:
            if not wanted.done():
                wanted.set_exception(problem)
            return
        shelf.generation += 1
        worker = WorkerProcess(
            launching.result(), shelf.limits, self._watchdog, self._reaper, shelf.generation
        )
        worker.unheard = lambda failure: self.unheard(shelf.source, failure)
        self._forget_ended()
        self._workers.add(worker)
        if wanted.done():
            worker.end(from_cancel())
        else:
            wanted.set_result(worker)

    async def _greet(self, worker: WorkerProcess, limits: ResourceLimits) -> StandardError | None:
        """Hello and Ready; None when the worker can be called."""
        call_id = self.call_id()
        hello = frames.encode(call_id, frames.Hello())
        answer = await worker.exchange(
            call_id, hello, READY_BYTES, Limit.START_WALL, limits.start_wall_s
        )
        failure = answer if isinstance(answer, StandardError) else _not_ready(worker, answer)
        if failure is None:
            worker.started()
            return None
        await asyncio.shield(worker.end(failure))
        return replace(failure, phase=Phase.ADMISSION)  # a limit broken while loading, too

    # Letting go

    def _sweep_later(self, delay_s: float) -> None:
        """Look through the idle workers then, unless that is done earlier anyway."""
        loop = asyncio.get_running_loop()
        due = loop.time() + min(max(delay_s, SWEEP_MIN_S), SWEEP_MAX_S)
        if self._sweeper is not None:
            if self._sweeper.when() <= due:
                return
            self._sweeper.cancel()
        self._sweeper = loop.call_at(due, self._sweep)

    def _sweep(self) -> None:
        """End workers that were idle for too long."""
        self._sweeper = None
        self._forget_ended()
        now = time.monotonic()
        waits: list[float] = []
        for shelf in self._shelves.values():
            idle_s = shelf.limits.idle_s
            for worker in [one for one in shelf.idle if now - one.idle_since >= idle_s]:
                shelf.idle.remove(worker)
                worker.end(from_cancel("Idle."))
            waits.extend(idle_s - (now - one.idle_since) for one in shelf.idle)
        if waits and not self.closed:
            self._sweep_later(min(waits))

    def _forget_ended(self) -> None:
        self._workers = {one for one in self._workers if one.gone is None or not one.gone.done()}

    def _end_threads(self) -> None:
        self._watchdog.close()
        self._spawner.shutdown()
        self._reaper.shutdown()


def _worn_out(worker: WorkerProcess, limits: ResourceLimits) -> str:
    """Why a worker that is well should be replaced all the same; empty: it should not."""
    if worker.calls >= limits.calls_per_worker:
        return "Replaced after its share of calls."
    if worker.calls == 0:
        return ""
    held = worker.resident_bytes()
    if worker.held_at_first == 0:
        worker.held_at_first = held
    room = limits.memory_bytes - worker.held_at_first
    return "Replaced because it grew." if held - worker.held_at_first > GROWTH * room else ""


def _not_ready(worker: WorkerProcess, body: bytes | bytearray) -> StandardError | None:
    """Why a worker that answered Hello cannot be used; None when it can."""
    try:
        ready = frames.from_worker(body)
    except frames.FrameError as problem:
        return from_protocol(Fault.MALFORMED, str(problem), starting=True)
    if not isinstance(ready, frames.Ready):
        return from_protocol(Fault.MALFORMED, "Not the answer to Hello.", starting=True)
    if ready.version != frames.VERSION:
        return from_protocol(Fault.VERSION, f"version {ready.version}", starting=True)
    worker.extensions = ready.extensions
    return None if ready.failure is None else as_told(ready.failure)
