"""Warm, limited, killable workers: every call gets one, and every failure comes back as a value.

    reply = await supervisor.call(source, request, limits)

Workers are kept per source and limits. One call at a time runs in each; calls that overlap get
workers of their own. A worker that breaks a limit, the protocol or itself is ended with everything
below it and the next call gets a fresh one.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec.structs import replace

from conductor_agent.hosting import frames
from conductor_agent.hosting.classify import (
    DOMAIN,
    Fault,
    from_answer,
    from_cancel,
    from_enforcement,
    from_protocol,
    from_request,
    from_spawn,
)
from conductor_agent.hosting.contract import CallRequest, ExtensionSource, Reply, Usage
from conductor_agent.hosting.enforcement import PROFILE, Level, enforcement, reaches
from conductor_agent.hosting.launch import Launched, launch
from conductor_agent.hosting.process import WorkerProcess
from conductor_agent.hosting.values import NotPlainError, check_plain
from conductor_agent.hosting.watch import Watchdog
from fqg_env.outcome import Outcome, Phase, StandardError
from policies.resource.violations import Limit, evidence, violation

if TYPE_CHECKING:
    from policies.resource.limits import ResourceLimits

_BEFORE_EFFECTS = (Phase.ADMISSION, Phase.INPUT)
READY_BYTES = 65_536
"""Longest answer to Hello."""
ENVELOPE_BYTES = 1024
"""Room for the fields of an answer around its outputs."""


@dataclass(slots=True, eq=False)
class Pool:
    """The workers of one source under one set of limits."""

    source: ExtensionSource
    limits: ResourceLimits
    idle: list[WorkerProcess] = field(default_factory=list)
    generation: int = 0


class Supervisor:
    """Hosts extensions in processes. Belongs to one event loop; close it when done."""

    profile = PROFILE
    """Name of the way limits are enforced here."""

    def __init__(
        self,
        python: str = sys.executable,
        *,
        require: Mapping[str, Level] | None = None,
        entropy: Callable[[int], bytes] = os.urandom,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """
        Args:
            python: runs extensions that name none of their own.
            require: limit -> weakest enforcement to accept; otherwise every call is refused.
            entropy: source of call ids.
            now: stamps errors.
        """
        self._python = python
        self._refusal = _unmet(require or {})
        self._entropy = entropy
        self._now = now
        self._pools: dict[tuple[ExtensionSource, ResourceLimits], Pool] = {}
        self._workers: set[WorkerProcess] = set()
        self._launching: set[asyncio.Future[Launched]] = set()
        self._watchdog = Watchdog()
        self._spawner = ThreadPoolExecutor(1, thread_name_prefix="fqg-spawn")
        self._reaper = ThreadPoolExecutor(8, thread_name_prefix="fqg-reap")
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False

    def enforcement(self) -> dict[str, dict[str, str]]:
        """What enforces each limit here: name -> {"level", "mechanism"}."""
        return enforcement()

    async def start(
        self, source: ExtensionSource, limits: ResourceLimits
    ) -> tuple[str, ...] | StandardError:
        """Have one warm worker ready; the names of its extensions, or why it did not start."""
        pool = self._pool(source, limits)
        worker = await self._worker(pool)
        if isinstance(worker, StandardError):
            return worker
        self._give_back(pool, worker)
        return worker.extensions

    async def call(
        self, source: ExtensionSource, request: CallRequest, limits: ResourceLimits
    ) -> Reply:
        """Run one call. Whatever goes wrong is in the reply.

        Raises:
            asyncio.CancelledError: the caller cancelled; the worker has been sent SIGKILL.
        """
        began = time.perf_counter()
        frame = self._frame(request, limits)
        if isinstance(frame, StandardError):
            return self._refused(frame, request, began)
        pool = self._pool(source, limits)
        start_s = 0.0
        worker: WorkerProcess | StandardError | None = self._warm(pool)
        if worker is None:
            worker = await self._worker(pool)
            start_s = time.perf_counter() - began
        if isinstance(worker, StandardError):
            return self._refused(worker, request, began)
        cpu_s = worker.cpu_s()
        outcome, reply_bytes = await self._exchange(worker, frame, request, limits)
        usage = Usage(
            wall_s=time.perf_counter() - began,
            start_s=start_s,
            cpu_s=max(0.0, worker.cpu_s() - cpu_s),
            peak_memory_bytes=worker.peak_memory_bytes(),
            request_bytes=len(frame) - frames.HEADER.size,
            reply_bytes=reply_bytes,
            log_bytes=worker.logged_bytes(),
            worker_generation=worker.generation,
        )
        self._give_back(pool, worker)
        return Reply(self._stamped(outcome, request), usage)

    async def close(self) -> None:
        """End every worker, wait until none is left, end the threads."""
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        if self._launching:
            await asyncio.wait(self._launching)
        ends = [worker.end(from_cancel("The supervisor closed.")) for worker in self._workers]
        if ends:
            await asyncio.wait(ends)
        await asyncio.get_running_loop().run_in_executor(None, self._end_threads)

    async def __aenter__(self) -> Supervisor:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # Calls

    def _frame(self, request: CallRequest, limits: ResourceLimits) -> bytearray | StandardError:
        """The encoded call, or why it may not be sent."""
        try:
            check_plain(request.inputs, "inputs")
            check_plain(request.parameters, "parameters")
            frame = frames.encode(self._call_id(), _message(request, limits))
        except (NotPlainError, TypeError, ValueError) as problem:
            return from_request(str(problem))
        size = len(frame) - frames.HEADER.size
        if size <= limits.request_bytes:
            return frame
        proof = evidence(
            Limit.REQUEST, limits.request_bytes, size, enforcer="supervisor", action="refused"
        )
        return violation(Limit.REQUEST, proof)

    async def _exchange(
        self,
        worker: WorkerProcess,
        frame: bytearray,
        request: CallRequest,
        limits: ResourceLimits,
    ) -> tuple[Outcome, int]:
        worker.calls += 1
        limit, allowed_s = _deadline(request, limits)
        call_id = frames.HEADER.unpack_from(frame)[1]
        cap = limits.reply_bytes + ENVELOPE_BYTES
        answer = await worker.exchange(call_id, frame, cap, limit, allowed_s)
        if isinstance(answer, StandardError):
            return answer, 0
        return await self._read(worker, answer), len(answer)

    async def _read(self, worker: WorkerProcess, body: bytes | bytearray) -> Outcome:
        """The outcome in an answer. A worker whose answers cannot be read is not used again."""
        try:
            message = frames.from_worker(body)
            if isinstance(message, frames.Result):
                return message.outcome
            problem = "It is not a result."
        except frames.FrameError as found:
            problem = str(found)
        failure = from_answer(problem)
        await asyncio.shield(worker.end(failure))
        return failure

    def _refused(self, failure: StandardError, request: CallRequest, began: float) -> Reply:
        usage = Usage(wall_s=time.perf_counter() - began)
        return Reply(self._stamped(failure, request), usage)

    def _stamped(self, outcome: Outcome, request: CallRequest) -> Outcome:
        """Who, which and when are ours to say, whatever the extension wrote there."""
        if not isinstance(outcome, StandardError):
            return outcome
        untold = outcome.domain == DOMAIN and outcome.phase not in _BEFORE_EFFECTS
        return replace(
            outcome,
            side_effects=request.effects if untold else outcome.side_effects,
            id=request.idempotency_key,
            time=self._now().isoformat(),
            run_id=request.run_id,
            step_id=request.call,
            attempt=request.attempt,
            idempotency_key=request.idempotency_key or None,
        )

    def _call_id(self) -> int:
        return int.from_bytes(self._entropy(8), "big")

    # Workers

    def _pool(self, source: ExtensionSource, limits: ResourceLimits) -> Pool:
        key = source, limits
        pool = self._pools.get(key)
        if pool is None:
            pool = self._pools[key] = Pool(source, limits)
        return pool

    def _warm(self, pool: Pool) -> WorkerProcess | None:
        """An idle worker; the one used last, so that the others can grow idle."""
        while pool.idle and not self._closed:
            worker = pool.idle.pop()
            if not worker.ended:
                return worker
        return None

    async def _worker(self, pool: Pool) -> WorkerProcess | StandardError:
        """A warm worker, or a new one."""
        if self._closed:
            return from_cancel("The supervisor is closed.")
        if self._refusal is not None:
            return self._refusal
        return self._warm(pool) or await self._new_worker(pool)

    async def _new_worker(self, pool: Pool) -> WorkerProcess | StandardError:
        python = pool.source.python or self._python
        try:
            launched = await self._launch(pool.source, pool.limits, python)
        except OSError as problem:
            return from_spawn(problem, python)
        pool.generation += 1
        worker = self._adopt(launched, pool.limits, pool.generation)
        failure = await self._greet(worker, pool.limits)
        return worker if failure is None else failure

    def _adopt(self, launched: Launched, limits: ResourceLimits, generation: int) -> WorkerProcess:
        """From here on the process is watched, and ended by `close` at the latest."""
        worker = WorkerProcess(launched, limits, self._watchdog, self._reaper, generation)
        self._forget_ended()
        self._workers.add(worker)
        if self._closed:
            worker.end(from_cancel("The supervisor closed."))
        return worker

    async def _launch(
        self, source: ExtensionSource, limits: ResourceLimits, python: str
    ) -> Launched:
        """Start a process from the one thread that lives as long as we do."""
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._spawner, launch, source, limits, python)
        self._launching.add(future)
        future.add_done_callback(self._launching.discard)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            future.add_done_callback(lambda done: self._discard(done, limits))
            raise

    def _discard(self, done: asyncio.Future[Launched], limits: ResourceLimits) -> None:
        """A process that nobody waits for any more is ended as any other."""
        if not done.cancelled() and done.exception() is None:
            self._adopt(done.result(), limits, 0).end(from_cancel())

    async def _greet(self, worker: WorkerProcess, limits: ResourceLimits) -> StandardError | None:
        """Hello and Ready; None when the worker can be called."""
        call_id = self._call_id()
        hello = frames.encode(call_id, frames.Hello())
        answer = await worker.exchange(
            call_id, hello, READY_BYTES, Limit.START_WALL, limits.start_wall_s
        )
        failure = answer if isinstance(answer, StandardError) else _not_ready(worker, answer)
        if failure is None:
            worker.started()
        else:
            await asyncio.shield(worker.end(failure))
        return failure

    def _give_back(self, pool: Pool, worker: WorkerProcess) -> None:
        if worker.ended or self._closed:
            return
        if worker.calls >= pool.limits.calls_per_worker:
            worker.end(from_cancel("Replaced after its share of calls."))
            return
        worker.idle_since = time.monotonic()
        pool.idle.append(worker)
        if self._sweeper is None:
            self._sweep_later(pool.limits.idle_s)

    def _sweep_later(self, delay_s: float) -> None:
        loop = asyncio.get_running_loop()
        self._sweeper = loop.call_later(min(max(delay_s, 0.05), 10.0), self._sweep)

    def _sweep(self) -> None:
        """Let go of workers that were idle for too long."""
        self._sweeper = None
        self._forget_ended()
        now = time.monotonic()
        waits: list[float] = []
        for pool in self._pools.values():
            idle_s = pool.limits.idle_s
            for worker in [one for one in pool.idle if now - one.idle_since >= idle_s]:
                pool.idle.remove(worker)
                worker.end(from_cancel("Idle."))
            waits.extend(idle_s - (now - one.idle_since) for one in pool.idle)
        if waits and not self._closed:
            self._sweep_later(min(waits))

    def _forget_ended(self) -> None:
        self._workers = {one for one in self._workers if one.gone is None or not one.gone.done()}

    def _end_threads(self) -> None:
        self._watchdog.close()
        self._spawner.shutdown()
        self._reaper.shutdown()


def _message(request: CallRequest, limits: ResourceLimits) -> frames.Call:
    return frames.Call(
        inputs=dict(request.inputs),
        parameters=dict(request.parameters),
        run_id=request.run_id,
        attempt=request.attempt,
        idempotency_key=request.idempotency_key,
        recover=request.recover,
        deadline_s=_deadline(request, limits)[1],
        reply_bytes=limits.reply_bytes,
    )


def _deadline(request: CallRequest, limits: ResourceLimits) -> tuple[Limit, float]:
    """The tighter of the limit and what the run has left, and which of the two it is."""
    if request.deadline_s is None or request.deadline_s >= limits.wall_s:
        return Limit.WALL, limits.wall_s
    return Limit.DEADLINE, max(request.deadline_s, 0.0)


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
    return ready.failure


def _unmet(require: Mapping[str, Level]) -> StandardError | None:
    """The first limit that needs more enforcement than there is."""
    report = enforcement()
    for limit, wanted in require.items():
        found = Level(report[limit]["level"]) if limit in report else Level.NONE
        if not reaches(found, Level(wanted)):
            return from_enforcement(limit, Level(wanted).value, found.value)
    return None
