"""What is hidden in a level, in words for people: faults, and the times at which providers are down."""

from __future__ import annotations

from collections.abc import Iterator

from fqg_env.faults import clashes
from fqg_env.frequencies import WINDOWS
from fqg_env.lanes import Lanes
from fqg_env.level import Level
from fqg_env.puzzle import Faults, Puzzle
from fqg_env.render import duration

SOUND = "ok"
WORDS = {
    SOUND: "works",
    "flaky": "fails now and then",
    "very_flaky": "fails more often than not",
    "broken": "never works",
    "over_limit": "over a limit, but for its lightest variant",
    "silent": "answers, but badly",
    "quota_1": "works once",
    "quota_3": "works three times",
}
"""By kind of fault as it is written in a file; those of one variant are in `fault_words`."""


def fault_words(kind: str) -> str:
    """What is wrong with a function."""
    stem, _, variant = kind.partition(":")
    if not variant:
        return WORDS[stem]
    return f"only {variant} works" if stem == "wrong" else f"answers badly except with {variant}"


def window_words(number: int, time_budget_s: float) -> str:
    """When a provider is down, as times of a run."""
    window = WINDOWS[number]
    begins, ends = (duration(s * time_budget_s) for s in (window.from_share, window.until_share))
    what = "rate limit" if window.limit else "down"
    if window.from_share >= 1:
        return "up"
    if window.until_share >= 1:
        return f"{what} all the time" if window.from_share == 0 else f"{what} from {begins} on"
    return f"{what} until {ends}" if window.from_share == 0 else f"{what} from {begins} to {ends}"


def run_by(level: Level) -> dict[str, list[str]]:
    """Provider -> its functions."""
    out: dict[str, list[str]] = {name: [] for name in level.providers}
    for function in level.functions:
        out[level.provider_of(function)].append(function)
    return out


def clashing(puzzle: Puzzle) -> Iterator[tuple[str, str]]:
    """(reader, maker) where a function cannot read what another makes, be it named or in the level's key."""
    level = puzzle.level
    lanes = Lanes(1, level.size, belief=False)
    puzzle.load(lanes)
    for f, reader in enumerate(level.functions):
        read = {
            name
            for call in level.calls
            if call.function == reader
            for name in level.inputs_of(call)
        }
        for g, maker in enumerate(level.functions):
            makes = read & set(level.functions[maker].outputs)
            if makes and clashes(lanes.levels[0], lanes.hidden[0], f, g):
                yield reader, maker


def wrongs(puzzle: Puzzle, faults: Faults) -> Iterator[str]:
    """Everything that is not sound, one sentence each."""
    level = puzzle.level
    functions = run_by(level)
    for name, kind in faults.functions.items():
        if kind != SOUND:
            yield f"{name}: {fault_words(kind)}"
    for name, number in faults.providers.items():
        if number:
            who = f"{name} ({', '.join(functions[name])})"
            yield f"{who}: {window_words(number, level.budget.time_s)}"
    for name in faults.defects:
        yield f"{name}: bad from the start"
    if faults.miscoded:
        yield f"{faults.miscoded:.0%} of the errors come under a code that says nothing"
    if faults.false_hints:
        yield f"{faults.false_hints:.0%} of the hints mislead"
    if faults.dialects:
        yield "every provider has its own error codes"
    for reader, maker in clashing(puzzle):
        yield f"{reader}: cannot read what {maker} makes"
