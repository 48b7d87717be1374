"""One worker process, seen from the event loop: send a frame, get a frame or the reason why not.

Readers stay registered for the life of the worker; per call there is one future and no task, so
a warm call costs the loop two turns.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import subprocess
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from conductor_agent.hosting import windows
from conductor_agent.hosting.classify import Fault, from_cancel, from_exit, from_protocol
from conductor_agent.hosting.sdk.progress import Progress, read_progress, with_progress
from conductor_agent.hosting.walls import bubblewrap
from conductor_agent.hosting.walls.egress import Egress
from conductor_agent.hosting.walls.profiles import give_back_uid
from conductor_agent.hosting.watch import tree
from conductor_agent.hosting.watch.scratch import Folder, InMemory, Scratch, remove_folder
from conductor_agent.hosting.watch.watchdog import Watchdog, Watched
from conductor_agent.hosting.workers.exchange import Exchange, Heard
from conductor_agent.hosting.workers.launch import SCRATCH
from conductor_agent.hosting.workers.log import Log
from fqg_env.outcome import StandardError
from policies.resource.enforcers import CONTROL_GROUP, FRAME_HEADER, LOG_PIPE
from policies.resource.violations import Limit, evidence, violation

if TYPE_CHECKING:
    from conductor_agent.hosting.workers.launch import Launched
    from policies.resource.limits import ResourceLimits

logger = logging.getLogger("fqg.hosting")

CLOSED_GRACE_S = 0.5
"""A worker that closed its channel gets so long to end by itself, so that we learn how."""
STUBBORN_S = 10.0
"""For a keeper to end a tree that outlived our own rounds."""

Answer = bytes | bytearray | StandardError


class WorkerProcess:
    """A keeper and its worker. One exchange at a time; ended once, for one reason."""

    def __init__(
        self,
        launched: Launched,
        limits: ResourceLimits,
        watchdog: Watchdog,
        reaper: Executor,
        generation: int,
    ) -> None:
        self.generation = generation
        self.extensions: tuple[str, ...] = ()
        self.calls = 0
        self.idle_since = 0.0
        self.held_at_first = 0
        """Resident memory after its first call, in bytes; 0: it had none."""
        self.ended = False
        self.gone: asyncio.Future[bool] | None = None
        """Set when the end began; done when no process is left."""
        self.unheard: Callable[[StandardError], None] = lambda _: None
        """Told of a broken limit that no call answers: it was idle, given up, or had answered before."""
        self._launched = launched
        self.limits = limits
        self._watchdog = watchdog
        self._reaper = reaper
        self._loop = asyncio.get_running_loop()
        self._left: Progress | None = None
        """How far the call had come that was ended."""
        self._meter: tree.Meter | None = None
        self._starting = True
        self._breach: StandardError | None = None
        self._waiter: asyncio.Future[Answer] | None = None
        self.kill_s = 0.0
        """From the decision to end it until nothing was left."""
        self._ending_at = 0.0
        self.watched = Watched(
            launched.process.pid,
            limits,
            self._breached,
            scratch=self._scratch,
            jailed=launched.profile.jailed,
            group=launched.group,
        )
        self._egress: Egress | None = None
        if launched.listener is not None:
            self._egress = Egress(launched.listener, limits.network)
        heard = Heard(self._resolve, self._fault, self._too_long, self._closed)
        self._exchange = Exchange(launched.channel, heard)
        self._log = Log(launched.log)
        self._loop.add_reader(launched.log, self._log_readable)
        self._loop.add_reader(launched.pidfd, self._exited)
        watchdog.add(self.watched)

    def _scratch(self, worker: int) -> Scratch:
        """Its scratch space, when it has begun."""
        if self._launched.profile.jailed:
            return InMemory(worker, (bubblewrap.SCRATCH, "/dev/shm"))  # noqa: S108  (the jail's own)
        below = self.watched.above()
        return Folder(self._launched.directory / SCRATCH, lambda: tree.descendants(below))

    def put(self, values: Mapping[str, Any], places: windows.Places) -> None:
        """Lay large inputs where the worker finds them."""
        windows.put(self._launched.asked.memory, values, places)

    def take(self, places: windows.Places) -> dict[str, bytes]:
        """Copies of large outputs.

        Raises:
            ValueError: they do not lie where values may lie.
        """
        return windows.take(self._launched.told.memory, places)

    def refused_destinations(self) -> tuple[str, ...]:
        """Where it wanted to go and may not, since it was last asked."""
        return self._egress.take_refused() if self._egress is not None else ()

    def scratch_full(self) -> bool:
        """Whether next to nothing is left of the space that its limit gives it."""
        scratch = self.watched.scratch
        return isinstance(scratch, InMemory) and not self.ended and scratch.full()

    async def exchange(
        self, call_id: int, frame: bytearray, reply_bytes: int, limit: Limit, allowed_s: float
    ) -> Answer:
        """Send a frame and wait for the body of the answer with the same id, or an error.

        On cancellation the worker is killed and the cancellation raised at once.

        Args:
            call_id: the id in the frame.
            frame: what to send.
            reply_bytes: longest body to accept.
            limit: which limit ends the wait.
            allowed_s: after so many seconds.
        """
        self._waiter = self._loop.create_future()
        self._log.clear()
        self.watched.arm(limit, allowed_s, time.monotonic())
        self._exchange.ask(call_id, frame, reply_bytes)
        try:
            return await self._waiter
        except asyncio.CancelledError:
            self.end(from_cancel())
            raise
        finally:
            self._waiter, self._exchange.waiting = None, False
            self.watched.disarm(time.monotonic())

    def started(self) -> None:
        """The worker is ready: open its accounts."""
        self._starting = False
        with contextlib.suppress(OSError):
            for worker in tree.children(self.watched.above())[:1]:
                self._meter = tree.Meter(worker)

    def cpu_s(self) -> float:
        """Processor seconds of the worker and, as far as seen, of its children, since it began."""
        if self._meter is None or self.ended:
            return self.watched.cpu_s
        return max(self._meter.cpu_s(), self.watched.cpu_s)

    def resident_bytes(self) -> int:
        """Memory of the worker itself now."""
        return 0 if self._meter is None or self.ended else self._meter.resident_bytes()

    def peak_memory_bytes(self) -> int:
        """Largest resident memory seen since the exchange began."""
        if self._meter is None or self.ended:
            return self.watched.peak_memory_bytes
        return max(self.watched.peak_memory_bytes, self._meter.resident_bytes())

    def logged_bytes(self) -> int:
        """Standard output and error since the exchange began."""
        if not self.ended:
            self._log.read()
        return self._log.bytes

    def end(self, reason: StandardError) -> asyncio.Future[bool]:
        """Kill everything, from any state; the future is done when nothing is left."""
        if self.gone is None:
            self.ended = True
            self._ending_at = time.monotonic()
            if self._egress is not None:
                self._egress.close()
            self._exchange.close()
            for fd in (self._launched.pidfd, self._launched.log):
                self._loop.remove_reader(fd)
            self.gone = self._loop.run_in_executor(self._reaper, self._bury)
            # Answer only then: whoever waits may repeat the call, and nothing of it runs any more.
            self.gone.add_done_callback(lambda _: self._resolve(with_progress(reason, self._left)))
        return self.gone

    def _resolve(self, answer: Answer) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(answer)
        elif isinstance(answer, StandardError) and answer.policy is not None:
            self.unheard(answer)

    def _bury(self) -> bool:
        """In a thread: kill, reap, tidy up. True when nothing was left over."""
        launched = self._launched
        self._watchdog.remove(self.watched)
        with self.watched.lock:
            if launched.group is not None:
                launched.group.kill()
            clean = self._all_killed()
            if not clean:
                logger.error("Worker %d does not end; its keeper goes on", launched.process.pid)
                launched.process.terminate()  # a keeper kills until nothing is left, and then ends
                with contextlib.suppress(subprocess.TimeoutExpired):
                    launched.process.wait(STUBBORN_S)
            launched.process.kill()
            launched.process.wait()
            give_back_uid(launched.uid)
            self.kill_s = time.monotonic() - (self.watched.tripped_at or self._ending_at)
            self.watched.reaped = True
            if self.watched.scratch is not None:
                self._left = read_progress(self.watched.scratch.place())
                self.watched.scratch.close()
            if launched.group is not None:
                launched.group.remove()
        if self._meter is not None:
            self._meter.close()
        launched.channel.close()
        launched.asked.close()
        launched.told.close()
        os.close(launched.log)
        os.close(launched.pidfd)
        with contextlib.suppress(OSError):
            self._watchdog.spare.run(lambda: remove_folder(launched.directory))
        return clean

    def _all_killed(self) -> bool:
        try:
            return self._watchdog.spare.run(lambda: tree.kill_below(self._launched.process.pid))
        except OSError:  # we cannot look; its keeper can
            return False

    # Ends

    def _breached(self, failure: StandardError) -> None:
        """From the watchdog's thread."""
        self._breach = failure
        self._loop.call_soon_threadsafe(self._after_breach, failure)

    def _after_breach(self, failure: StandardError) -> None:
        self._exchange.take_what_is_there()
        if self.ended:  # for another reason meanwhile, which is what the call answers
            self.unheard(failure)
        self._end_with_log(failure)

    def _fault(self, fault: Fault) -> None:
        self._log.drain()
        self.end(from_protocol(fault, self._log.tail(), starting=self._starting))

    def _too_long(self, allowed: int, length: int) -> None:
        proof = evidence(Limit.REPLY, allowed, length, enforcer=FRAME_HEADER)
        self._end_with_log(violation(Limit.REPLY, proof))

    def _closed(self) -> None:
        self._exchange.stop_reading()
        self._loop.call_later(CLOSED_GRACE_S, self._still_closed)

    def _still_closed(self) -> None:
        if not self.ended:
            self._fault(Fault.CLOSED)

    def _exited(self) -> None:
        """The keeper ended, and with it everything below."""
        self._loop.remove_reader(self._launched.pidfd)
        if self._breach is not None:
            return  # the watchdog did it and says so itself
        self._exchange.take_what_is_there()
        if not self.ended:
            self._log.drain()
            self.end(self._why_exited())

    def _why_exited(self) -> StandardError:
        limits, log = self.limits, self._log.tail()
        if self.watched.killed_for_memory():
            seen = self.watched.peak_of_group()
            proof = evidence(
                Limit.MEMORY, limits.memory_bytes, seen,
                enforcer=CONTROL_GROUP, signal="SIGKILL", log=log,
            )  # fmt: skip
            return violation(Limit.MEMORY, proof)
        allowed = {Limit.FILE: limits.file_bytes}
        return from_exit(self._status(), log=log, starting=self._starting, allowed=allowed)

    def _status(self) -> int:
        """How the keeper ended, without reaping it: its pid must stay ours until `_bury`."""
        seen = os.waitid(os.P_PIDFD, self._launched.pidfd, os.WEXITED | os.WNOWAIT | os.WNOHANG)
        if seen is None:
            return 0
        if seen.si_code != os.CLD_EXITED:
            return -seen.si_status
        told = seen.si_status - bubblewrap.SIGNAL_OFFSET if self._launched.profile.jailed else 0
        return -told if told > 0 else seen.si_status

    def _end_with_log(self, failure: StandardError) -> None:
        if not self.ended:
            self._log.drain()
            self.end(_with_log(failure, self._log.tail()))

    def _log_readable(self) -> None:
        data = self._log.read()
        if data is None:
            return
        if not data:
            self._loop.remove_reader(self._log.fd)
        elif self._log.bytes > self.limits.log_bytes:
            allowed = self.limits.log_bytes
            proof = evidence(Limit.LOG, allowed, self._log.bytes, enforcer=LOG_PIPE)
            self.end(_with_log(violation(Limit.LOG, proof), self._log.tail()))


def _with_log(failure: StandardError, log: str) -> StandardError:
    if failure.policy is None or not log:
        return failure
    return replace(failure, policy=replace(failure.policy, evidence=log))
