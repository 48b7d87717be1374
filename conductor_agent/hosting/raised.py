"""What is told of an exception: the chain of its causes, and its place in the author's own code.

Standard library and msgspec alone, because workers import this file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

from fqg_env.outcome import Cause

MAX_CAUSES = 5
MAX_MESSAGE = 500
MAX_TOLD = 200
"""Letters of an exception's own text in a sentence; its cause has `MAX_MESSAGE` of them."""
MAX_TRACE = 4000
MODELS = 'pip install "fqg-conductor[models]"'
"""Brings the packages that the workflows of this package need."""
_HOSTING = Path(__file__).parent
_PYTHON = Path(os.__file__).parent
_INSTALLED = {"site-packages", "dist-packages"}


def cause_of(problem: BaseException, depth: int = 1) -> Cause:
    """The exception and those below it as data; a trace of the first one alone."""
    below = problem.__cause__ or (None if problem.__suppress_context__ else problem.__context__)
    return Cause(
        type=type(problem).__name__,
        message=_guarded(lambda: str(problem))[:MAX_MESSAGE],
        trace=_guarded(lambda: _trace(problem))[-MAX_TRACE:] if depth == 1 else None,
        cause=cause_of(below, depth + 1) if below is not None and depth < MAX_CAUSES else None,
    )


def in_words(problem: BaseException) -> str:
    """An exception and its place as one line: `ValueError: no page (reader.py, line 7)`."""
    return f"{_said(problem)}{in_brackets(problem)}"


def in_brackets(problem: BaseException) -> str:
    """` (reader.py, line 7)`, or nothing where no code of the author's own was running.

    A module that cannot be parsed never ran: Python says in its text where the fault is.
    """
    if isinstance(problem, SyntaxError) and Path(problem.filename or "").is_absolute():
        return ""
    places = list(_own_places(problem))
    if not places:
        return ""
    file, line = places[-1]
    return f" ({file.relative_to(places[0][0].parent)}, line {line})"


def of_this_package(problem: BaseException) -> bool:
    """Whether the code that raised, or imported what did, is one of this package's own workflows."""
    return any(file.is_relative_to(_HOSTING.parent) for file, _ in _own_places(problem))


def miswritten(problem: BaseException) -> bool:
    """Whether it lies in the program's own text, which is the same a second later.

    Others may come of what a program met, a file or a service, which may be there by then.
    """
    if isinstance(problem, AttributeError):
        return isinstance(problem.obj, ModuleType)
    return isinstance(problem, SyntaxError | NameError)


def _own_places(problem: BaseException) -> Iterator[tuple[Path, int]]:
    """(file, line) of each frame in the author's code, from the outermost in.

    The first file that is neither of the hosting nor Python's own is the author's, and with it what lies
    in its folder and below, but for packages that are installed there.
    """
    home, trace = None, problem.__traceback__
    while trace is not None:
        file = Path(trace.tb_frame.f_code.co_filename)
        if home is None and _foreign(file):
            home = file.parent
        if home is not None and _below(home, file):
            yield file, trace.tb_lineno
        trace = trace.tb_next


def _foreign(file: Path) -> bool:
    return file.is_absolute() and not file.is_relative_to(_HOSTING) and not _below(_PYTHON, file)


def _below(folder: Path, file: Path) -> bool:
    """In a folder, and not in a package that is installed in there."""
    return file.is_relative_to(folder) and _INSTALLED.isdisjoint(file.relative_to(folder).parts)


def _said(problem: BaseException) -> str:
    text = " ".join(_guarded(lambda: str(problem)).split())
    if len(text) > MAX_TOLD:
        text = f"{text[:MAX_TOLD]}..."
    return f"{type(problem).__name__}: {text}".removesuffix(": ")


def _trace(problem: BaseException) -> str:
    import traceback  # a worker that never fails need not load it

    return "".join(traceback.format_tb(problem.__traceback__, limit=-20))


def _guarded(text: Callable[[], str]) -> str:
    """An exception whose own text raises must not hide what happened."""
    try:
        return text().encode("utf-8", "replace").decode("utf-8")
    except Exception as problem:  # noqa: BLE001
        return f"<no text: {type(problem).__name__}>"
