"""Folding as an expert does it: looks at the input, knows what fits the time, and goes from exact to rough.

What it does by itself it reports; in mode `conductor` it does none of it, and says what would help.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

from conductor_agent.hosting.extension import Context, InvalidInput, Preset, Unable, extension
from conductor_agent.rna_folding.letters import NotRnaError, bases_of
from conductor_agent.rna_folding.methods import METHODS
from conductor_agent.rna_folding.needs import seconds, slowness
from fqg_env.outcome import Hint

PROGRAM = Path(__file__).with_name("methods.py")
QUALITY = {"exact": 0.98, "span": 0.9, "window": 0.8}
"""What it claims, by method."""
ROOM = 2.0
"""A method that is not the last has to be done in 1/ROOM of the time there is: estimates err."""


@extension(output="folding")
def fold(
    sequence: str, context: Context, *, method: Literal["exact", "span", "window"] = "exact"
) -> dict[str, Any]:
    """The fold of a sequence by `method`, or by a lighter one where that does not fit the time."""
    try:
        bases = bases_of(sequence)
    except NotRnaError as problem:
        raise InvalidInput(str(problem), artifact="sequence") from None
    names = list(METHODS)
    ways = names[names.index(method) :] if context.recover else [method]
    _refuse_what_is_too_long(bases, ways[-1], context)
    needs_s = {way: seconds(way, len(bases), context.loaded) for way in ways}
    answer: dict[str, Any] = context.degrade(
        [
            Preset(way, _folding(bases, way, context), ROOM * needs_s[way], QUALITY[way])
            for way in ways
        ]
    )
    return answer


@fold.load
def load() -> float:
    """How slow this machine is, by a short fold."""
    return slowness()


def _refuse_what_is_too_long(bases: str, way: str, context: Context) -> None:
    """Say so at once where not even this way is done in time.

    Raises:
        Unable: with the way that is, if there is one.
    """
    slow, left_s = context.loaded, context.deadline_s
    needed_s = seconds(way, len(bases), slow)
    if needed_s <= left_s:
        return
    fits = [name for name in METHODS if ROOM * seconds(name, len(bases), slow) <= left_s]
    hints = [Hint(0.9, f"fold/{name}", reason="It fits the time.") for name in fits[:1]]
    raise Unable(
        f"{len(bases)} letters take about {needed_s:.0f} s by the method {way!r}; there are {left_s:.1f} s.",
        hints=tuple(hints),
    )


def _folding(bases: str, way: str, context: Context) -> Any:
    """The preset of a method: in a program of its own, which can be ended when its share is over."""

    def folded() -> dict[str, Any]:
        left_s = max(0.1, context.deadline_s - context.reserve_s)
        try:
            done = subprocess.run(  # noqa: S603  (ours)
                [sys.executable, str(PROGRAM), way],
                input=bases, capture_output=True, text=True, timeout=left_s, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"The method {way!r} was not done within {left_s:.1f} s.") from None
        if done.returncode:
            said = (done.stderr.strip() or "nothing").splitlines()[-1]
            raise RuntimeError(f"The library ended with code {done.returncode} and said: {said}")
        return {"sequence": bases, **json.loads(done.stdout), "method": way}

    return folded
