"""Says so, once, when rules are really being compiled: the one reason why a run may begin minutes late.

What was compiled is kept on disk (`fqg_env/compiled.py`), for each size of level by itself: the arrays of a
size are a type of their own. Of several processes that need the same, one compiles and the others wait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numba
from numba.core import event, types

from conductor_agent.commands.turn_to_compile import Turn
from fqg_env.arrays import SIZES, Size, board_dtype, hidden_dtype, level_dtype
from fqg_env.compiled import why_not_kept

OURS = ("fqg_env", "policies", "conductor_agent", "training")
PLANNER = ("policies.recovery.dynamic", "policies.recovery.joint")
"""Kernels of these are of the planner `bayes` alone, which `fqg compile` leaves out."""
REMEDY = "set FQG_CACHE_DIR to a folder that can be"
_RECORDS = (level_dtype, board_dtype, hidden_dtype)
"""One of them is among the arguments of everything that takes long to compile."""


def note(size: Size, module: str = "") -> str:
    """What is said when kernels of a size begin to be compiled, the first of them in a module."""
    planner = module in PLANNER
    what = "the planner `bayes`" if planner else f"the rules for {_levels(size)}"
    begins = f"compiling {what}, which takes {'a minute' if planner else 'some minutes'}"
    if why := why_not_kept():
        return f"{begins}, in every command anew: {why}; {REMEDY}"
    ahead = "" if planner else f"; `fqg compile --sizes {size.name}` does it ahead"
    return f"{begins} and is done once{ahead}"


def waiting_note(size: Size) -> str:
    """What is said when another process is compiling a size."""
    return f"another process is compiling the rules for {_levels(size)}; this one waits for it"


def _levels(size: Size) -> str:
    return f"{size.name} levels and workflows, up to {size.calls} calls"


@cache
def _size_of_record() -> dict[Any, Size]:
    """Type of a record of the game -> its size."""
    return {numba.from_dtype(dtype(size)): size for size in SIZES.values() for dtype in _RECORDS}


def size_compiled(arguments: Iterable[Any]) -> Size | None:
    """The size of the levels that a kernel is compiled for, by the types of its arguments; None: of none."""
    for argument in arguments:
        record = argument.dtype if isinstance(argument, types.Array) else argument
        if record in _size_of_record():
            return _size_of_record()[record]
    return None


def size_of_ours(data: dict[str, Any]) -> Size | None:
    """The same of what Numba tells of a compilation; None where the kernel is not ours."""
    ours = data["dispatcher"].py_func.__module__.partition(".")[0] in OURS
    return size_compiled(data["args"]) if ours else None


class _Listener(event.Listener):
    """Numba tells it of every compilation; what is loaded from disk is none."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._told: set[str] = set()
        """Sizes of which people know."""
        self._turns: dict[str, Turn] = {}
        self._within: list[Turn | None] = []
        """Of the kernels that are being compiled, each inside of the one before; the turn of the first."""
        self._kept = why_not_kept() is None

    def on_start(self, event: Any) -> None:
        self._within.append(None)
        if len(self._within) > 1:
            return
        size = size_of_ours(event.data)
        if size is not None:
            turn = self._within[0] = self._turn_for(size)
            turn.begin()
            self._tell(size, note(size, event.data["dispatcher"].py_func.__module__))

    def on_end(self, event: Any) -> None:
        turn = self._within.pop()
        if turn is not None:
            turn.end()

    def close(self) -> None:
        """Give back every turn, and say so if what was compiled could be kept at first and no more."""
        for turn in self._turns.values():
            turn.close()
        if self._kept and (why := why_not_kept()):
            self._say(f"what was compiled is not kept, and the next command does it again: {why}")

    def _turn_for(self, size: Size) -> Turn:
        if size.name not in self._turns:
            self._turns[size.name] = Turn(size.name, lambda: self._tell(size, waiting_note(size)))
        return self._turns[size.name]

    def _tell(self, size: Size, sentence: str) -> None:
        """Say it, unless something has been said of this size."""
        if size.name not in self._told:
            self._told.add(size.name)
            self._say(sentence)


_open: list[_Listener] = []


@contextmanager
def told_of_compiling(say: Callable[[str], None]) -> Iterator[None]:
    """While it is open, `say` is given a sentence when the first of our kernels of a size has to be compiled,
    and kernels are compiled in turn with other processes. Where one is open already, that one does it.
    """
    if _open:
        yield
        return
    listener = _Listener(say)
    _open.append(listener)
    try:
        with event.install_listener("numba:compile", listener):
            yield
    finally:
        _open.remove(listener)
        listener.close()
