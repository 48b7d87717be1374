"""Attacks with processes: too many of them, or some that outlive the call."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attacking import Values, attack

TRIES = 200
"""As many as a bomb tries: three times the limit, and harmless where there is none."""
WATCHED_S = 0.3
"""Who could start no more stays for so long, so that a watch can see how many there are."""
LIFE_S = 15
"""What is left behind ends by itself after so long."""


def _child(life_s: float = LIFE_S) -> int:
    """Start a child that only sleeps."""
    pid = os.fork()
    if pid == 0:
        time.sleep(life_s)
        os._exit(0)
    return pid


def _daemon() -> None:
    """Start a process in a session of its own that nobody is the parent of."""
    middle = os.fork()
    if middle == 0:
        os.setsid()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        if os.fork() == 0:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)
            time.sleep(LIFE_S)
        os._exit(0)
    os.waitpid(middle, 0)


def _daemons(count: int) -> None:
    for _ in range(count):
        _daemon()


@attack
def daemon_and_hang(parameters: Values, context: Any) -> Any:
    """Leaves a daemon, then hangs."""
    _daemons(parameters.get("count", 1))
    time.sleep(60)


@attack
def daemon_and_exit(parameters: Values, context: Any) -> Any:
    """Leaves a daemon, then exits."""
    _daemon()
    os._exit(3)


@attack
def daemon_and_answer(parameters: Values, context: Any) -> Any:
    """Leaves a daemon, then answers as if nothing had happened."""
    _daemon()
    return {"count": 1}


def _as_many(start: Callable[[], object]) -> Any:
    """Start something as often as it may; how often that was, where something stopped it."""
    started = 0
    try:
        for _ in range(TRIES):
            start()
            started += 1
    except (OSError, RuntimeError):
        time.sleep(WATCHED_S)
        return {"count": started}
    time.sleep(60)
    return None


def _thread() -> None:
    threading.Thread(target=time.sleep, args=(LIFE_S,), daemon=True).start()


@attack
def fork_bomb(parameters: Values, context: Any) -> Any:
    """Starts children as long as it may."""
    return _as_many(_child)


@attack
def fork_tree(parameters: Values, context: Any) -> Any:
    """Doubles itself seven times."""
    signal.alarm(LIFE_S)
    for _ in range(7):
        try:
            if os.fork() == 0:
                signal.alarm(LIFE_S)
        except OSError:
            break
    time.sleep(60)


@attack
def thread_bomb(parameters: Values, context: Any) -> Any:
    """Starts threads as long as it may."""
    return _as_many(_thread)


@attack
def zombies(parameters: Values, context: Any) -> Any:
    """Starts children that end at once, and waits for none."""
    return _as_many(lambda: _child(0))


@attack
def one_after_the_other(parameters: Values, context: Any) -> Any:
    """Starts twice the limit, never more than one at a time: that is allowed."""
    for _ in range(128):
        os.waitpid(_child(0), 0)
    return {"count": 1}


@attack
def hopper(parameters: Values, context: Any) -> Any:
    """Changes its pid faster than anybody can look, for two seconds."""
    program = Path(parameters.get("hopper") or "none")
    if program.exists():
        subprocess.run([program, "2"], check=False)
    elif os.fork() == 0:
        ends = time.monotonic() + 2
        while time.monotonic() < ends:
            os.setsid() if os.getpgid(0) != os.getpid() else None
            if os.fork():
                os._exit(0)
        os._exit(0)
    time.sleep(60)


@attack
def become_another(parameters: Values, context: Any) -> Any:
    """Becomes another program, with the worker's pid."""
    os.execv(sys.executable, [sys.executable, "-c", f"import time; time.sleep({LIFE_S})"])


@attack
def stop_the_keeper(parameters: Values, context: Any) -> Any:
    """Stops whoever started it, then hangs."""
    try:
        os.kill(os.getppid(), signal.SIGSTOP)
    except OSError as problem:
        return {"managed": {}, "refused": {"stop": str(problem.errno)}}
    time.sleep(60)
