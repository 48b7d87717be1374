"""Says so, once, when rules are really being compiled: the one reason why a run may begin minutes late.

What was compiled is kept on disk (`fqg_env/compiled.py`), for each size of level by itself: the arrays of a
size are a type of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from numba.core import event

from fqg_env.arrays import SIZES

OURS = ("fqg_env", "policies", "conductor_agent", "training")
_CALLS = [str(size.calls) for size in SIZES.values()]
NOTE = (
    "compiling the rules for this machine, which takes some minutes; it is done once for each size of level "
    f"or workflow (up to {', '.join(_CALLS[:-1])} or {_CALLS[-1]} calls), and `fqg compile` does it ahead"
)


class _Once(event.Listener):
    """Numba tells it of every compilation; what is loaded from disk is none."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say: Callable[[str], None] | None = say

    def on_start(self, event: Any) -> None:
        function = event.data["dispatcher"].py_func
        if self._say is not None and function.__module__.partition(".")[0] in OURS:
            say, self._say = self._say, None
            say(NOTE)

    def on_end(self, event: Any) -> None:
        pass


@contextmanager
def told_of_compiling(say: Callable[[str], None]) -> Iterator[None]:
    """While it is open, `say` is given one sentence when the first of our kernels has to be compiled."""
    with event.install_listener("numba:compile", _Once(say)):
        yield
