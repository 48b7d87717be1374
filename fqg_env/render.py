"""The board as text, for people."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any

import numpy as np

from fqg_env.arrays import CATEGORIES, FLIGHTS, Effect, Stopped
from fqg_env.level import CallKind, Level
from fqg_env.outcome import Category
from fqg_env.rules import FIRST_CALL

CATEGORY_NAMES = ("SUCCESS", *(category.value for category in Category))
WORDS: dict[Category, str] = {
    Category.INVALID_INPUT: "it cannot use what it was given",
    Category.INPUT_TOO_LARGE: "what it was given is too large",
    Category.UNSUPPORTED: "it does not do such things",
    Category.DEPENDENCY_FAILED: "something it builds on is not right",
    Category.UNAUTHORIZED: "it does not know you",
    Category.FORBIDDEN: "it is not allowed to",
    Category.REFUSED: "it refuses",
    Category.RATE_LIMITED: "too many requests, later",
    Category.UNAVAILABLE: "nobody answers",
    Category.TIMEOUT: "it took too long",
    Category.OUT_OF_RESOURCES: "it ran out of something it needs",
    Category.POLICY_VIOLATION: "it broke a limit and was stopped",
    Category.CRASHED: "it crashed",
    Category.INVALID_OUTPUT: "what it made is not what was asked for",
    Category.LOW_QUALITY: "what it made is not good enough",
    Category.CONFLICT: "something else was in its way",
    Category.CANCELLED: "it was called off",
    Category.UNABLE: "it says it is unable to",
    Category.UNKNOWN: "something went wrong, nobody knows what",
}
ENDS: dict[Stopped, str] = {
    Stopped.NO: "goes on",
    Stopped.POLICY: "stopped",
    Stopped.TIME: "the time is used up",
    Stopped.COST: "the money is used up",
    Stopped.ATTEMPTS: "the attempts are used up",
    Stopped.STEPS: "it went on for too long",
}
_BAR = 20


def category_name(number: int) -> str:
    """Name of a category number; 'never' for -1."""
    return CATEGORY_NAMES[number] if 0 <= number < CATEGORIES else "never"


def category_words(number: int) -> str:
    """A category number in words; 'it works' for success."""
    return "it works" if number == 0 else WORDS[Category(CATEGORY_NAMES[number])]


def amount(value: float) -> str:
    """A number as people write it: three significant digits or all whole ones, `?` where it is not known."""
    if np.isnan(value):
        return "?"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def duration(seconds: float) -> str:
    """A time as people say it: `0.25 s`, `40 s`, `18 min 10 s`, `2 h 5 min`; `?` where it is not known."""
    if np.isnan(seconds):
        return "?"
    if seconds < 59.5:
        return f"{seconds:.2g} s"
    minutes, left_s = divmod(round(seconds), 60)
    hours, left_min = divmod(minutes, 60)
    parts = ((hours, "h"), (left_min, "min"), (0 if hours else left_s, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number)


def bar(share: float) -> str:
    """How much is used, drawn."""
    full = round(_BAR * min(1.0, share))
    return "#" * full + "." * (_BAR - full)


def aligned(rows: Sequence[Sequence[str]], indent: str = "  ") -> list[str]:
    """Rows of cells as lines with columns of one width each."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        (indent + "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True))).rstrip()
        for row in rows
    ]


class State(str, Enum):
    """What there is of an artifact."""

    ABSENT = "-"
    USED_UP = "used up"
    HELD = "held"
    REJECTED = "rejected by its gate"
    EXPIRED = "expired"


def artifact_state(level: Level, board: Any, a: int) -> State:
    """What there is of an artifact now."""
    if not board["present"][a]:
        return State.USED_UP if board["version"][a] else State.ABSENT
    if board["rejected"][a]:
        return State.REJECTED
    keeps_s = level.artifacts[level.artifact_names[a]].time_to_live_s
    if keeps_s is not None and board["at_s"] - board["made_at_s"][a] > keeps_s:
        return State.EXPIRED
    return State.HELD


def artifact_row(level: Level, board: Any, a: int) -> tuple[str, ...]:
    """One artifact: is it there, what is it, is it a goal, has it a gate."""
    name = level.artifact_names[a]
    artifact = level.artifacts[name]
    state = artifact_state(level, board, a)
    again = state is State.HELD and board["version"][a] > 1
    goal = f"goal {artifact.goal.weight:g}, {artifact.goal.kind.value}" if artifact.goal else ""
    judged = 0 if state is State.REJECTED else int(board["times_rejected"][a])
    keeps_s = artifact.time_to_live_s
    notes = (
        artifact.description,
        goal,
        "gate" if artifact.gate else "",
        f"judged bad {judged}x so far" if judged else "",
        "" if keeps_s is None else f"keeps for {duration(keeps_s)}",
    )
    version = f" (version {board['version'][a]})" if again else ""
    return name, state.value + version, "; ".join(note for note in notes if note)


def in_flight(board: Any, c: int) -> bool:
    """An attempt of the call is on its way."""
    return any(
        board["flight_attempt"][m] >= 0 and board["flight_call"][m] == c for m in range(FLIGHTS)
    )


def acts_once(record: Any, board: Any, c: int) -> str:
    """What to know of a call whose function is not idempotent: may it be repeated, has it acted?"""
    if record["idempotent"][c]:
        return ""
    match Effect(int(board["effect"][record["function"][c]])):
        case Effect.NONE:
            return "unsafe to repeat" if record["unsafe_repeats_allowed"] else "acts once"
        case Effect.POSSIBLE:
            return "may have acted"
        case Effect.COMMITTED:
            return "has acted"


def call_notes(record: Any, board: Any, c: int) -> str:
    """What to know of a call: does it act once, how did it go, does somebody recommend it."""
    tries = int(board["tries"][c])
    past = "in flight" if in_flight(board, c) else ""
    if tries and not past:
        times = "" if tries == 1 else f"{tries}x, last "
        past = times + category_name(int(board["last_category"][c]))
    down = board["down_until_s"][record["provider"][c]] > board["at_s"]
    hint = board["hint"][c]
    notes = (
        acts_once(record, board, c),
        "reported down" if down else "",
        past,
        f"hint {hint:.0%}" if hint > 0 else "",
    )
    return "; ".join(note for note in notes if note)


def reads_and_makes(level: Level, c: int) -> str:
    """What a call reads, with what it uses up, and what it makes or looks at."""
    call = level.calls[c]
    function = level.functions[call.function]
    if function.probes:
        return f"{function.kind.value} {', '.join(function.probes)}"
    used = function.consumes
    reads = [f"{name} (used up)" if name in used else name for name in level.inputs_of(call)]
    kind = "repair: " if function.kind is CallKind.REPAIR else ""
    return f"{kind}{', '.join(reads) or '-'} -> {', '.join(function.outputs)}"


CALL_HEAD = ("", "action", "reads -> makes", "by", "cost", "time", "notes")


def call_row(level: Level, record: Any, board: Any, c: int) -> tuple[str, ...]:
    """One call, cells under `CALL_HEAD`."""
    call = level.calls[c]
    return (
        str(c + FIRST_CALL),
        call.name,
        reads_and_makes(level, c),
        level.functions[call.function].provider or "",
        amount(record["cost"][c]),
        duration(record["latency_s"][c]),
        call_notes(record, board, c),
    )


def budget_rows(record: Any, board: Any) -> list[tuple[str, float, str]]:
    """What is used of time, cost, attempts and slots in flight: name, share, words."""
    budgets = (
        ("time", board["at_s"], record["time_budget_s"], duration),
        ("cost", board["cost"], record["cost_budget"], amount),
        ("attempts", board["attempts"], record["attempt_budget"], amount),
    )
    rows = [
        (name, float(used / budget), f"{words(used)} of {words(budget)}")
        for name, used, budget, words in budgets
    ]
    flying, slots = int(board["in_flight"]), int(record["max_in_flight"])
    if slots > 1:
        rows.append(("in flight", flying / slots, f"{flying} of {slots}, {slots - flying} free"))
    return rows


def title(level: Level, board: Any) -> str:
    """The name of the level, and how the run has ended where it has."""
    end = Stopped(int(board["stopped"]))
    return level.name + (f" ({ENDS[end]})" if end else "")


def board_as_text(level: Level, record: Any, board: Any) -> str:
    """The whole board: budgets, artifacts, calls with their action numbers."""
    budgets = [(name, bar(share), words) for name, share, words in budget_rows(record, board)]
    artifacts = [artifact_row(level, board, a) for a in range(len(level.artifacts))]
    calls = [call_row(level, record, board, c) for c in range(len(level.calls))]
    others = [(str(i), name, *[""] * 5) for i, name in enumerate(("WAIT", "STOP"))]
    lines = [
        title(level, board),
        *aligned(budgets),
        "artifacts",
        *aligned(artifacts),
        "actions",
        *aligned([CALL_HEAD, *others, *calls]),
    ]
    return "\n".join(lines)
