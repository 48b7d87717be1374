"""Attacks by dying, shouting or lying: every way to end a call other than with its answer."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from typing import Any

from attacking import Values, attack


@attack
def segfault(parameters: Values, context: Any) -> Any:
    """Reads from address zero."""
    ctypes.string_at(0)


@attack
def overflow_in_c(parameters: Values, context: Any) -> Any:
    """Recurses in C until the stack ends."""
    libc = ctypes.CDLL(None)
    sys.setrecursionlimit(10**9)
    compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)

    def deeper(_a: Any, _b: Any) -> int:
        libc.qsort((ctypes.c_int * 2)(2, 1), 2, 4, compare(deeper))
        return 0

    libc.qsort((ctypes.c_int * 2)(2, 1), 2, 4, compare(deeper))


@attack
def recursion(parameters: Values, context: Any) -> Any:
    """Recurses without end, as far as Python lets it."""

    def deeper(depth: int) -> int:
        return deeper(depth + 1) + 1

    return {"depth": deeper(0)}


@attack
def abort(parameters: Values, context: Any) -> Any:
    """Aborts."""
    os.abort()


@attack
def die_by_signal(parameters: Values, context: Any) -> Any:
    """Sends itself a deadly signal."""
    number = parameters["signal"]
    if number != signal.SIGKILL:
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    time.sleep(60)


@attack
def leave(parameters: Values, context: Any) -> Any:
    """Exits with the code it is told, with last words."""
    print("last words", flush=True)
    os._exit(parameters["code"])


@attack
def system_exit(parameters: Values, context: Any) -> Any:
    """Asks Python to exit."""
    sys.exit("that was it")


@attack
def flood(parameters: Values, context: Any) -> Any:
    """Writes to its log without end."""
    line = b"x" * 65_536
    while True:
        os.write(parameters.get("fd", 1), line)


@attack
def odd_log(parameters: Values, context: Any) -> Any:
    """Writes what no terminal should be shown, then exits."""
    os.write(1, b"\x00\x1b]0;owned\x07\x1b[2J\xff\xfe\xed\xa0\x80\n" * 20)
    os._exit(9)


@attack
def flood_after_answer(parameters: Values, context: Any) -> Any:
    """Answers, and then writes to its log without end."""

    def shout() -> None:
        time.sleep(0.02)
        while True:
            os.write(1, b"x" * 65_536)

    threading.Thread(target=shout, daemon=True).start()
    return {"count": 0}


@attack
def close_everything(parameters: Values, context: Any) -> Any:
    """Closes every descriptor, its log and its channel among them."""
    os.closerange(0, 256)
    time.sleep(60)


@attack
def nasty_exception(parameters: Values, context: Any) -> Any:
    """Raises an exception that cannot be read."""

    class Nasty(Exception):
        def __str__(self) -> str:
            raise ValueError("no")

        __repr__ = __str__

    raise Nasty


@attack
def huge_exception(parameters: Values, context: Any) -> Any:
    """Raises an exception with a long text and a long chain of causes."""
    try:
        raise ValueError("x" * 2_000_000)
    except ValueError as first:
        below: BaseException = first
        for number in range(5000):
            above = RuntimeError(f"cause {number} \ud800")
            above.__cause__ = below
            below = above
        raise below from below.__cause__


@attack
def no_outcome(parameters: Values, context: Any) -> Any:
    """Answers something that is no outcome."""
    loop: list[Any] = []
    loop.append(loop)
    answers = {
        "object": object(), "loop": {"a": loop}, "nan": {"a": float("nan")}, "none": None,
        "keys": {1: 2}, "integer": {"a": 2**70}, "surrogate": {"a": "\ud800"},
        "huge": {"a": b"x" * 1_000_001}, "generator": (number for number in range(3)),
        "function": {"a": print},
    }  # fmt: skip
    return answers[parameters["answer"]]


@attack
def lying_struct(parameters: Values, context: Any) -> Any:
    """Answers with an object that claims to be an outcome and changes while it is looked at."""

    class Lie(dict[str, Any]):
        def items(self) -> Any:
            raise KeyboardInterrupt

        def __len__(self) -> int:
            os._exit(7)

        def __bool__(self) -> bool:
            return True

    return Lie(a=1)


@attack
def patched_sdk(parameters: Values, context: Any) -> Any:
    """Replaces the worker's own functions, so that it answers for later calls as it likes."""
    from conductor_agent.hosting import frames

    def encode(call_id: int, message: Any) -> bytearray:
        return bytearray(frames.HEADER.pack(20, call_id) + b"\xc1" * 20)

    frames.encode = encode  # type: ignore[assignment]
    return {"count": 0}
