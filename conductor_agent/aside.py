"""Somebody else's code beside the event loop, and not for ever."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class TooSlowError(Exception):
    """It has not answered in time."""


async def aside(work: Callable[[], T], allowed_s: float, name: str) -> T:
    """What `work` answers or raises, from a daemon thread, which nothing waits for when the program ends.
    Python cannot end a thread: one that never returns is left behind.

    Raises:
        TooSlowError: it takes longer than allowed.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Callable[[], T]] = loop.create_future()

    def tell(found: Callable[[], T]) -> None:
        if not answer.done():
            answer.set_result(found)

    def run() -> None:
        found = _kept(work)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(tell, found)

    threading.Thread(target=run, name=name, daemon=True).start()
    try:
        found = await asyncio.wait_for(answer, allowed_s)
    except TimeoutError:
        raise TooSlowError(f"no answer within {allowed_s:.3g} s") from None
    return found()


def _kept(work: Callable[[], T]) -> Callable[[], T]:
    """What work came to, to be had in another thread: a call that answers or raises as it did."""
    try:
        value = work()
    except BaseException as problem:  # noqa: BLE001  (whatever it raises is raised where it is awaited)
        failure = problem

        def fail() -> T:
            raise failure

        return fail
    return lambda: value
