"""The watchdog: one thread that looks at every worker each 20 ms and ends those over a limit.

A thread of its own, so that limits hold even while the event loop is busy.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from conductor_agent.hosting.watch import tree
from conductor_agent.hosting.watch.scratch import Filled
from conductor_agent.hosting.watch.spare import Spare
from conductor_agent.hosting.watch.tree import NPROC_ROOM
from policies.resource.enforcers import CONTROL_GROUP, WATCHDOG
from policies.resource.violations import Limit, evidence, violation

if TYPE_CHECKING:
    from conductor_agent.hosting.walls.cgroups import Group
    from conductor_agent.hosting.watch.scratch import Scratch
    from fqg_env.outcome import StandardError
    from policies.resource.limits import ResourceLimits

logger = logging.getLogger("fqg.hosting")

PERIOD_S = 0.02
IDLE_TURNS = 10
"""An idle worker is looked at every tenth time."""
IDLE_CPU_S = 2.0
"""Processor time that a worker may use at once between two calls: libraries spin for a while ..."""
IDLE_SHARE = 0.1
"""... and this share of a core besides, however long nobody calls it: their threads wake up now and then."""


class Watched:
    """One worker's side of the watchdog: its current deadline and what was seen of it.

    Written by the event loop (`arm`, `disarm`) and read by the watchdog thread; each field is
    replaced whole, so a look in between sees one or the other.
    """

    def __init__(
        self,
        keeper: int,
        limits: ResourceLimits,
        on_breach: Callable[[StandardError], None],
        *,
        scratch: Callable[[int], Scratch] | None = None,
        jailed: bool = False,
        group: Group | None = None,
    ) -> None:
        """
        Args:
            keeper: pid of the process that the worker is below.
            limits: that hold for it.
            on_breach: told from the watchdog's thread.
            scratch: pid of the worker -> its scratch space.
            jailed: between keeper and worker is a process that the jail's processes belong to.
            group: its control group.
        """
        self.keeper = keeper
        self.limits = limits
        self.scratch: Scratch | None = None
        """Its scratch space, once it is there."""
        self._open_scratch = scratch
        self._jailed = jailed
        self._group = group
        self._above = 0 if jailed else keeper
        self.lock = threading.Lock()
        """Held while looking, killing or reaping: a pid is ours only until it is reaped."""
        self.reaped = False
        self.peak_memory_bytes = 0
        self.peak_tasks = 0
        self.written_bytes = 0
        self.tripped_at = 0.0
        """When it broke a limit; 0: it has not."""
        self.cpu_s = 0.0
        """Of the whole tree since the worker began; ended children as far as they were seen."""
        self._on_breach = on_breach
        self._seen_cpu: dict[int, float] = {}
        self._deadline: tuple[Limit, float, float] | None = None
        self._cpu_start_s = 0.0
        self._idle_since = time.monotonic()
        self._refused_before = 0

    def arm(self, limit: Limit, allowed_s: float, now: float) -> None:
        """From `now` (monotonic) on, `limit` ends the work after `allowed_s`."""
        self.peak_memory_bytes = self.peak_tasks = 0
        self._cpu_start_s = self.cpu_s
        self._refused_before = self._group.refused_tasks() if self._group else 0
        self._deadline = (limit, allowed_s, now)

    def disarm(self, now: float) -> None:
        """The work is done in time; what goes on from `now` (monotonic) on is nobody's wish."""
        self._cpu_start_s = self.cpu_s
        self._idle_since = now
        self._deadline = None

    @property
    def busy(self) -> bool:
        """Whether work is going on."""
        return self._deadline is not None

    def look(self, now: float) -> None:
        """One look; over a limit, kill at once and tell.

        Raises:
            OSError: there is no descriptor left to look with.
        """
        if not self.lock.acquire(blocking=False):
            return  # it is being buried, and others wait for a look
        try:
            over = self.reaped or self.tripped_at > 0.0
            found = None if over else self._late(now) or self._measure(now)
            if found is None:
                return
            below = list(tree.descendants(self.keeper))
            self.tripped_at = now
            self._on_breach(self._told(*found))  # first: its end is not one of its own
            if self._group is not None:
                self._group.kill()
            for pid in below:
                tree.kill(pid)
        finally:
            self.lock.release()

    def _told(self, limit: Limit, allowed: float, observed: float) -> StandardError:
        counted = self._group is not None and limit in (Limit.MEMORY, Limit.TASKS)
        enforcer = CONTROL_GROUP if counted else WATCHDOG
        hidden = limit is Limit.SCRATCH_FILES and observed <= allowed
        log = "a folder in it cannot be looked into" if hidden else ""
        proof = evidence(limit, allowed, observed, enforcer=enforcer, signal="SIGKILL", log=log)
        return violation(limit, proof)

    def _late(self, now: float) -> tuple[Limit, float, float] | None:
        if self._deadline is None:
            return None
        limit, allowed, since = self._deadline
        return (limit, allowed, now - since) if now - since > allowed else None

    def above(self) -> int:
        """The process that everything foreign is below."""
        if self._above == 0:
            self._above = next(iter(tree.children(self.keeper)), 0)
        return self._above

    def _measure(self, now: float) -> tuple[Limit, float, float] | None:
        if self.above() == 0:
            return None  # the jail is not built yet, so nothing foreign runs
        seen = tree.sample(self._above)
        self._count_cpu(seen.cpu)
        self.peak_tasks = max(self.peak_tasks, seen.tasks)
        found = self._tree_over(seen, self._filled()) or self._group_over()
        return found or self._cpu_over(now)

    def _filled(self) -> Filled:
        """What lies in the scratch space."""
        if self.scratch is None and self._open_scratch is not None:
            for worker in tree.children(self._above)[:1]:  # its space is built before it begins
                with contextlib.suppress(OSError):
                    self.scratch = self._open_scratch(worker)
        filled = Filled(0, 0) if self.scratch is None else self.scratch.look()
        self.written_bytes = filled.bytes
        return filled

    def _tree_over(self, seen: tree.Sample, filled: Filled) -> tuple[Limit, float, float] | None:
        limits = self.limits
        in_memory = filled.bytes if self._jailed else 0
        memory = seen.memory_bytes + in_memory
        if memory > limits.memory_bytes:
            memory = self._exact_memory(seen) + in_memory
        self.peak_memory_bytes = max(self.peak_memory_bytes, memory)
        if memory > limits.memory_bytes:
            return Limit.MEMORY, limits.memory_bytes, memory
        if seen.tasks > limits.tasks:
            return Limit.TASKS, limits.tasks, seen.tasks
        if filled.bytes > limits.written_bytes:
            return Limit.WRITTEN, limits.written_bytes, filled.bytes
        if filled.hidden or filled.files > limits.scratch_files:
            return Limit.SCRATCH_FILES, limits.scratch_files, filled.files
        return None

    def _cpu_over(self, now: float) -> tuple[Limit, float, float] | None:
        """In a call its limit; between calls a little at once, and a small share as long as it is idle."""
        used, allowed = self.cpu_s - self._cpu_start_s, self.limits.cpu_s
        if self._deadline is None:
            allowed = IDLE_CPU_S + IDLE_SHARE * (now - self._idle_since)
        return None if allowed is None or used <= allowed else (Limit.CPU, allowed, used)

    def refused_tasks(self) -> bool:
        """Whether the kernel refused to make a task since the work began."""
        return self._group is not None and self._group.refused_tasks() > self._refused_before

    def killed_for_memory(self) -> bool:
        """Whether the kernel ended something of it for want of memory."""
        return self._group is not None and self._group.killed_for_memory()

    def peak_of_group(self) -> int:
        """Most memory of its control group, in bytes."""
        return self._group.peak_memory_bytes() if self._group is not None else 0

    def _group_over(self) -> tuple[Limit, float, float] | None:
        """What the kernel stopped, and what only it sees."""
        if self._group is None:
            return None
        self.cpu_s = max(self.cpu_s, self._group.cpu_s())
        if self.killed_for_memory():
            return Limit.MEMORY, self.limits.memory_bytes, self.peak_of_group()
        if self.refused_tasks():
            return Limit.TASKS, self.limits.tasks, self.limits.tasks + NPROC_ROOM
        return None

    def _exact_memory(self, seen: tree.Sample) -> int:
        """Forks share pages; count those once before anybody is killed for them."""
        if len(seen.processes) == 1:
            return seen.memory_bytes
        return sum(tree.proportional_bytes(pid) for pid in seen.processes)

    def _count_cpu(self, cpu: dict[int, tuple[float, float]]) -> None:
        """Two accounts, each blind to something: of the living with the children they waited for,
        and of everybody as last seen. The larger is nearer the truth.
        """
        self._seen_cpu.update((pid, own) for pid, (own, _) in cpu.items())
        living = sum(own + waited for own, waited in cpu.values())
        self.cpu_s = max(self.cpu_s, living, sum(self._seen_cpu.values()))


class Watchdog:
    """The thread. It sleeps without a timer while there is nothing to watch."""

    def __init__(self, period_s: float = PERIOD_S) -> None:
        self.period_s = period_s
        self.spare = Spare()
        self._watched: set[Watched] = set()
        self._change = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None

    def add(self, watched: Watched) -> None:
        """Look at this one from now on."""
        with self._change:
            self._watched.add(watched)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="fqg-watch", daemon=True)
                self._thread.start()
            self._change.notify()

    def remove(self, watched: Watched) -> None:
        """Look at it no more."""
        with self._change:
            self._watched.discard(watched)

    def close(self) -> None:
        """End the thread and wait for it."""
        with self._change:
            self._closed = True
            self._change.notify()
            thread = self._thread
        if thread is not None:
            thread.join()
        self.spare.close()

    def _run(self) -> None:
        turn = 0
        while True:
            with self._change:
                while not self._watched and not self._closed:
                    self._change.wait()
                if self._closed:
                    return
                current = tuple(self._watched)
            self.spare.take()
            for watched in current:
                if watched.busy or turn % IDLE_TURNS == 0:
                    self._look(watched)
            turn += 1
            time.sleep(self.period_s)

    def _look(self, watched: Watched) -> None:
        """One worker's surprise must not end the watch over the others."""
        try:
            self.spare.run(lambda: watched.look(time.monotonic()))
        except Exception:
            logger.exception("The watchdog could not look at worker %d", watched.keeper)
