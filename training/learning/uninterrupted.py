"""Hold Ctrl-C back while something is written that must not be cut; it is heard when the block has ended."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let the block end before Ctrl-C is heard, however often it is pressed.

    Signals come to the main thread alone: in another one there is nothing to hold back.

    Raises:
        KeyboardInterrupt: after the block, where Ctrl-C was pressed in it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed = []
    before = signal.signal(signal.SIGINT, lambda *_: pressed.append(True))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        signal.raise_signal(
            signal.SIGINT
        )  # to whoever hears it outside: we may have been told not to
