"""How Ctrl-C, also while a command is still loading, and SIGTERM, once it has, end it: one sentence and exit
code 130.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = 130
"""Exit code."""
AGAIN_S = 4.0
"""After so many seconds an exception is raised anew, if the process still runs: where a signal happens to be
heard, in a destructor or a callback, Python may swallow it.
"""


@contextmanager
def leaving_at_once(name: str) -> Iterator[None]:
    """A block that only loads modules: Ctrl-C ends the process there and then. There is nothing to clean up,
    and a module that is half loaded may swallow an exception.

    Args:
        name: of the command, as it begins its sentences.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield  # somebody has told this process not to hear it
        return

    def leave(*_: object) -> None:
        os.write(2, f"{name}: interrupted\n".encode())
        os._exit(INTERRUPTED)

    signal.signal(signal.SIGINT, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def hear_sigterm_as_ctrl_c() -> None:
    """From now on SIGTERM does what Ctrl-C does: temporary folders are removed, processes ended."""
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _as_ctrl_c)


def hear_no_more() -> None:
    """All is said and saved: no signal, nor the alarm that repeats one, cuts what is left of the process."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)


def _as_ctrl_c(_: int, frame: FrameType | None) -> None:
    heard = signal.getsignal(signal.SIGINT)
    if not callable(heard):  # in the background of a shell, where Ctrl-C is for others
        signal.signal(signal.SIGALRM, _as_ctrl_c)
        signal.setitimer(signal.ITIMER_REAL, AGAIN_S)
        raise KeyboardInterrupt
    heard(signal.SIGINT, frame)
