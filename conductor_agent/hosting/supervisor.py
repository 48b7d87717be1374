"""Runs extensions: every call gets a warm, limited, killable worker; every failure is a value.

    async with Supervisor() as supervisor:
        reply = await supervisor.call(source, request, limits)

Workers are kept per source and limits. One call at a time runs in each; calls that overlap get
workers of their own. A worker that breaks a limit, the protocol or itself is ended with everything
below it, and the next call gets a fresh one.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Self

from msgspec.structs import replace

from conductor_agent.hosting import frames, windows
from conductor_agent.hosting.classify import (
    DOMAIN,
    as_told,
    from_answer,
    from_enforcement,
    from_request,
)
from conductor_agent.hosting.contract import (
    BEFORE_EFFECTS,
    CallRequest,
    ExtensionSource,
    Reply,
    Usage,
)
from conductor_agent.hosting.values import NotPlainError, check_plain
from conductor_agent.hosting.walls.chosen import Walls, walls
from conductor_agent.hosting.walls.enforcement import Enforced, enforcement
from conductor_agent.hosting.walls.opening import with_the_key
from conductor_agent.hosting.workers.pool import WorkerPool
from fqg_env.outcome import Category, Outcome, Phase, StandardError, Success
from policies.resource.enforcers import CONTROL_GROUP, EGRESS, SUPERVISOR, TMPFS
from policies.resource.violations import Limit, evidence, violation

if TYPE_CHECKING:
    from conductor_agent.hosting.workers.process import WorkerProcess
    from policies.resource.limits import ResourceLimits

ENVELOPE_BYTES = 1024
"""Room for the fields of an answer around its outputs."""


class Supervisor:
    """Hosts extensions in processes. Belongs to one event loop; close it when done."""

    def __init__(
        self,
        python: str = sys.executable,
        *,
        profile: str | None = None,
        require: Mapping[str, Enforced] | None = None,
        entropy: Callable[[int], bytes] = os.urandom,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        unheard: Callable[[ExtensionSource, StandardError], None] = lambda *_: None,
    ) -> None:
        """
        Args:
            python: runs extensions that name none of their own.
            profile: name of the way extensions are walled in; None: the strongest that holds here.
            require: limit -> weakest enforcement to accept; otherwise every call is refused.
            entropy: source of call ids.
            now: stamps errors.
            unheard: told of a broken limit that no reply answers: a worker broke it when idle, after
                its answer was sent, or when its call was given up.
        """
        self._choose = partial(walls, profile, require or {})
        self._chosen: Walls | None = None
        self._now = now
        self._pool = WorkerPool(python, lambda: self._walls().profile, entropy)
        self._pool.unheard = unheard

    @property
    def profile(self) -> str:
        """Name of the way extensions are walled in; blocks for a self-test before anything started."""
        return self._walls().profile.name

    def _walls(self) -> Walls:
        if self._chosen is None:
            self._chosen = self._choose()
        return self._chosen

    async def _settle(self) -> None:
        """Choose the walls once; that may take some tenths of a second, so not in the event loop."""
        if self._chosen is None:
            self._chosen = await asyncio.to_thread(self._choose)

    def enforcement(self) -> dict[str, dict[str, str]]:
        """What enforces each limit here: name -> {"level", "mechanism"}."""
        return enforcement(self.profile)

    async def start(
        self, source: ExtensionSource, limits: ResourceLimits
    ) -> tuple[str, ...] | StandardError:
        """Have one warm worker ready; the names of its extensions, or why it did not start."""
        await self._settle()
        refusal = self._walls().refusal or self._unreachable(limits)
        if refusal is not None:
            return refusal
        shelf = self._pool.shelf(source, limits)
        worker = self._pool.warm(shelf) or await self._pool.fresh(shelf)
        if isinstance(worker, StandardError):
            return worker
        self._pool.give_back(shelf, worker)
        return worker.extensions

    async def call(
        self, source: ExtensionSource, request: CallRequest, limits: ResourceLimits
    ) -> Reply:
        """Run one call. Whatever goes wrong is in the reply, when nothing of it runs any more.

        Raises:
            asyncio.CancelledError: the caller cancelled; the worker is being killed.
        """
        await self._settle()
        began = time.perf_counter()
        sending = self._admit(request, limits)
        if isinstance(sending, StandardError):
            return self._refused(sending, request, began)
        shelf = self._pool.shelf(source, limits)
        worker: WorkerProcess | StandardError | None = self._pool.warm(shelf)
        start_s = 0.0
        if worker is None:
            worker = await self._pool.fresh(shelf)
            start_s = time.perf_counter() - began
        if isinstance(worker, StandardError):
            return self._refused(worker, request, began, start_s)
        cpu_s = worker.cpu_s()
        try:
            outcome, reply_bytes = await self._exchange(worker, sending, request, limits)
        finally:  # whatever it answers, or where it is given up
            if refused := worker.refused_destinations():
                worker.unheard(_out_of_bounds(refused))
        usage = Usage(
            wall_s=time.perf_counter() - began,
            start_s=start_s,
            cpu_s=max(0.0, worker.cpu_s() - cpu_s),
            peak_memory_bytes=worker.peak_memory_bytes(),
            request_bytes=sending.size,
            reply_bytes=reply_bytes,
            log_bytes=worker.logged_bytes(),
            worker_generation=worker.generation,
            peak_tasks=worker.watched.peak_tasks,
            written_bytes=worker.watched.written_bytes,
            profile=self.profile,
            kill_s=worker.kill_s,
        )
        self._pool.give_back(shelf, worker)
        return Reply(self._stamped(outcome, request), usage)

    async def close(self) -> None:
        """End every worker; none is left when this returns. Open calls answer CANCELLED."""
        await self._pool.close()

    async def __aenter__(self) -> Self:
        """Choose the walls; no worker starts before it is needed."""
        await self._settle()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        await self.close()

    def _admit(self, request: CallRequest, limits: ResourceLimits) -> Sending | StandardError:
        """The encoded call, or why it may not be sent."""
        refusal = self._walls().refusal or self._unreachable(limits)
        if refusal is not None:
            return refusal
        if request.deadline_s is not None and request.deadline_s <= 0:
            return _refusal(Limit.DEADLINE, 0.0, -request.deadline_s)
        try:
            check_plain(request.inputs, "inputs")
            check_plain(request.parameters, "parameters")
            places = windows.lay_out(request.inputs, limits.request_bytes)
            frame = frames.encode(self._pool.call_id(), _message(request, limits, places))
        except (NotPlainError, TypeError, ValueError) as problem:
            return from_request(str(problem))
        sending = Sending(frame, places)
        if sending.size > limits.request_bytes:
            return _refusal(Limit.REQUEST, limits.request_bytes, sending.size)
        return sending

    def _unreachable(self, limits: ResourceLimits) -> StandardError | None:
        """Destinations by name take a network of one's own; elsewhere they would be mere words."""
        if isinstance(limits.network, str) or self._walls().profile.jailed:
            return None
        return from_enforcement(
            f"Destinations by name need the profile jail or full, and here it is {self.profile}: install "
            "bubblewrap, or ask for the network none or host."
        )

    async def _exchange(
        self,
        worker: WorkerProcess,
        sending: Sending,
        request: CallRequest,
        limits: ResourceLimits,
    ) -> tuple[Outcome, int]:
        worker.calls += 1
        limit, allowed_s = _deadline(request, limits)
        call_id = frames.HEADER.unpack_from(sending.frame)[1]
        cap = limits.reply_bytes + ENVELOPE_BYTES
        worker.put(request.inputs, sending.places)
        answer = await worker.exchange(call_id, sending.frame, cap, limit, allowed_s)
        if isinstance(answer, StandardError):
            return answer, 0
        return await self._read(worker, answer)

    async def _read(self, worker: WorkerProcess, body: bytes | bytearray) -> tuple[Outcome, int]:
        """The outcome in an answer and its size. A worker that cannot be read is not used again."""
        try:
            message = frames.from_worker(body)
            if isinstance(message, frames.Result):
                size = len(body) + windows.total(message.large)
                if size > worker.limits.reply_bytes + ENVELOPE_BYTES:
                    return await _too_much(worker, size), size
                outcome = _by_limit(as_told(_whole(message, worker)), worker)
                return await with_the_key(outcome, worker.limits, self._walls().profile), size
            problem = "It is not a result."
        except (frames.FrameError, ValueError) as found:
            problem = str(found)
        failure = from_answer(problem)
        await asyncio.shield(worker.end(failure))
        return failure, len(body)

    def _refused(
        self, failure: StandardError, request: CallRequest, began: float, start_s: float = 0.0
    ) -> Reply:
        usage = Usage(wall_s=time.perf_counter() - began, start_s=start_s)
        return Reply(self._stamped(failure, request), usage)

    def _stamped(self, outcome: Outcome, request: CallRequest) -> Outcome:
        """Who, which and when are ours to say, whatever the extension wrote there."""
        if not isinstance(outcome, StandardError):
            return outcome
        untold = outcome.domain == DOMAIN and outcome.phase not in BEFORE_EFFECTS
        return replace(
            outcome,
            side_effects=request.effects if untold else outcome.side_effects,
            id=f"{request.run_id}/{request.call}/{request.attempt}",
            time=self._now().isoformat(),
            run_id=request.run_id,
            step_id=request.call,
            attempt=request.attempt,
            idempotency_key=request.idempotency_key or None,
        )


class Sending(NamedTuple):
    """A call on its way."""

    frame: bytearray
    places: windows.Places
    """Of the inputs that do not go in the frame."""

    @property
    def size(self) -> int:
        """In bytes, large inputs included."""
        return len(self.frame) - frames.HEADER.size + windows.total(self.places)


async def _too_much(worker: WorkerProcess, size: int) -> StandardError:
    """Frame and window together are more than an answer may be; a worker that is ours had said so."""
    proof = evidence(Limit.REPLY, worker.limits.reply_bytes, size, enforcer=SUPERVISOR)
    failure = violation(Limit.REPLY, proof)
    await asyncio.shield(worker.end(failure))
    return failure


def _whole(message: frames.Result, worker: WorkerProcess) -> Outcome:
    """The outcome with the outputs that lie in the window.

    Raises:
        ValueError: they do not lie where they may.
    """
    outcome = message.outcome
    if not message.large or not isinstance(outcome, Success):
        return outcome
    return replace(outcome, outputs={**outcome.outputs, **worker.take(message.large)})


def _message(request: CallRequest, limits: ResourceLimits, places: windows.Places) -> frames.Call:
    return frames.Call(
        inputs=windows.without(request.inputs, places),
        large=places,
        parameters=dict(request.parameters),
        run_id=request.run_id,
        attempt=request.attempt,
        idempotency_key=request.idempotency_key,
        recover=request.recover,
        deadline_s=_deadline(request, limits)[1],
        reply_bytes=limits.reply_bytes,
        own_retries=limits.own_retries,
    )


def _deadline(request: CallRequest, limits: ResourceLimits) -> tuple[Limit, float]:
    """The tighter of the limit and what the run has left, and which of the two it is."""
    if request.deadline_s is None or request.deadline_s >= limits.wall_s:
        return Limit.WALL, limits.wall_s
    return Limit.DEADLINE, request.deadline_s


def _refusal(limit: Limit, allowed: float, observed: float) -> StandardError:
    """A limit that is broken before anything runs."""
    proof = evidence(limit, allowed, observed, enforcer=SUPERVISOR, action="refused")
    return violation(limit, proof, phase=Phase.ADMISSION)


def _by_limit(outcome: Outcome, worker: WorkerProcess) -> Outcome:
    """What an extension met as a full disk or a thread that did not start, where that was a wall of ours."""
    if not isinstance(outcome, StandardError):
        return outcome
    limits, seen, refused = worker.limits, worker.watched, worker.refused_destinations()
    if refused:
        return replace(_out_of_bounds(refused), cause=outcome.cause)
    if seen.killed_for_memory():
        limit, allowed, by = Limit.MEMORY, limits.memory_bytes, CONTROL_GROUP
        observed = seen.peak_of_group()
    elif outcome.category is Category.OUT_OF_RESOURCES and worker.scratch_full():
        limit, allowed, by = Limit.WRITTEN, limits.written_bytes, TMPFS
        observed = seen.written_bytes
    elif outcome.category is Category.CRASHED and seen.refused_tasks():
        limit, allowed, by = Limit.TASKS, limits.tasks, CONTROL_GROUP
        observed = seen.peak_tasks
    else:
        return outcome
    proof = evidence(limit, allowed, max(allowed, observed), enforcer=by, action="refused")
    return violation(limit, proof, cause=outcome.cause)


def _out_of_bounds(refused: tuple[str, ...]) -> StandardError:
    """It reached for destinations that it may not."""
    named = ", ".join(refused)
    proof = evidence(Limit.NETWORK, 0, len(refused), enforcer=EGRESS, action="refused", log=named)
    return violation(Limit.NETWORK, proof)
