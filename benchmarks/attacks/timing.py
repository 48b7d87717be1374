"""Attacks on time: more processor or more patience than was given."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import re
import resource
import select
import signal
import threading
import time
from typing import Any

from attacking import Tries, Values, attack


def _ignore_all() -> None:
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)


@attack
def busy(parameters: Values, context: Any) -> Any:
    """Spins."""
    while True:
        pass


@attack
def busy_ignoring_signals(parameters: Values, context: Any) -> Any:
    """Spins and ignores every signal that can be ignored, SIGXCPU among them."""
    _ignore_all()
    while True:
        pass


@attack
def busy_in_c(parameters: Values, context: Any) -> Any:
    """Spins inside one call of a C function, where Python handles no signal."""
    return {"found": re.match("(a+)+$", "a" * 64 + "b") is not None}


@attack
def busy_threads(parameters: Values, context: Any) -> Any:
    """Spins on every core at once."""

    def spin() -> None:
        data = bytes(1 << 20)
        while True:
            hashlib.sha256(data).digest()

    for _ in range(3):
        threading.Thread(target=spin, daemon=True).start()
    spin()


@attack
def short_children(parameters: Values, context: Any) -> Any:
    """Spreads its work over many short-lived children that nobody waits for."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for _ in range(500):
        pid = os.fork()
        if pid == 0:
            ends = time.process_time() + 0.015
            while time.process_time() < ends:
                pass
            os._exit(0)
        while True:
            try:
                os.waitpid(pid, 0)
            except ChildProcessError:
                break
    return {"done": True}


@attack
def sleeping(parameters: Values, context: Any) -> Any:
    """Sleeps and ignores every signal that can be ignored."""
    _ignore_all()
    while True:
        time.sleep(60)


@attack
def stopped(parameters: Values, context: Any) -> Any:
    """Stops itself."""
    os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(60)


@attack
def pausing(parameters: Values, context: Any) -> Any:
    """Waits for a signal."""
    while True:
        signal.pause()


@attack
def selecting(parameters: Values, context: Any) -> Any:
    """Waits for a pipe into which nobody writes."""
    read, _ = os.pipe()
    while True:
        select.select([read], [], [], 60)


@attack
def waiting_for_child(parameters: Values, context: Any) -> Any:
    """Waits for a child that sleeps."""
    if os.fork() == 0:
        time.sleep(60)
        os._exit(0)
    os.wait()


@attack
def hanging_exit(parameters: Values, context: Any) -> Any:
    """Ends its work in a thread that never ends, with the interpreter locked."""
    ctypes.PyDLL(None).sleep(60)


@attack
def cores(parameters: Values, context: Any) -> Any:
    """Takes every core there is; how many it got."""
    everything = range(os.cpu_count() or 1)
    for pid in (0, os.getpid(), os.getppid()):
        with contextlib.suppress(OSError):
            os.sched_setaffinity(pid, everything)
    return {"count": len(os.sched_getaffinity(0))}


@attack
def raise_limits(parameters: Values, context: Any) -> Any:
    """Gives itself more of what the kernel limits."""
    tries = Tries()
    kinds = ("NOFILE", "FSIZE", "CORE")
    for kind in kinds:
        number = getattr(resource, f"RLIMIT_{kind}")
        before = resource.getrlimit(number)[1]

        def more(number: int = number, before: int = before) -> int | None:
            resource.setrlimit(number, (before + 1, before + 1))
            return before + 1

        tries.way(kind, more)
    return tries.answer()


@attack
def raise_priority(parameters: Values, context: Any) -> Any:
    """Puts itself before everybody else."""
    tries = Tries()
    tries.way("nice", lambda: os.setpriority(os.PRIO_PROCESS, 0, -20) or "done")
    tries.way(
        "real time",
        lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)) or "done",
    )
    tries.way(
        "the conductor's",
        lambda: os.setpriority(os.PRIO_PROCESS, parameters["bait"]["sentinel"], 1) or "done",
    )
    return tries.answer()
