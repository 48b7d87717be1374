"""The board as text, for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fqg_env.arrays import CATEGORIES, FLIGHTS, Stopped
from fqg_env.level import Level
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


def amount(value: float, unit: str = "") -> str:
    """A number as people write it: three significant digits or all whole ones, `?` where it is not known."""
    if np.isnan(value):
        return "?"
    return (f"{value:,.0f}" if value >= 100 else f"{value:.3g}") + unit


def bar(used: float, budget: float) -> str:
    """How much of a budget is used, drawn."""
    full = round(_BAR * min(1.0, used / budget))
    return "#" * full + "." * (_BAR - full)


def aligned(rows: Sequence[Sequence[str]], indent: str = "  ") -> list[str]:
    """Rows of cells as lines with columns of one width each."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        (indent + "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True))).rstrip()
        for row in rows
    ]


def artifact_state(board: Any, a: int) -> str:
    """What there is of an artifact."""
    if not board["present"][a]:
        return "-"
    if board["rejected"][a]:
        return "rejected"
    again = f" (version {board['version'][a]})" if board["version"][a] > 1 else ""
    return "held" + again


def artifact_row(level: Level, board: Any, a: int) -> tuple[str, ...]:
    """One artifact: is it there, is it a goal, has it a gate."""
    name = level.artifact_names[a]
    artifact = level.artifacts[name]
    goal = f"goal {artifact.goal.weight:g}, {artifact.goal.kind.value}" if artifact.goal else ""
    notes = [goal] if goal else []
    notes += ["gate"] if artifact.gate else []
    notes += ["judged bad"] if board["times_rejected"][a] and not board["rejected"][a] else []
    state, ages_s = artifact_state(board, a), artifact.time_to_live_s
    if ages_s is not None:
        notes.append(f"keeps for {amount(ages_s, ' s')}")
        if board["present"][a] and board["at_s"] - board["made_at_s"][a] > ages_s:
            state = "expired"
    return name, state, "; ".join(notes)


def call_past(board: Any, c: int) -> str:
    """How often a call was tried, what it answered last, and whether somebody recommends it."""
    tries, parts = int(board["tries"][c]), []
    if any(
        board["flight_attempt"][m] >= 0 and board["flight_call"][m] == c for m in range(FLIGHTS)
    ):
        parts.append("in flight")
    elif tries:
        times = "" if tries == 1 else f"{tries}x, last "
        parts.append(times + category_name(int(board["last_category"][c])))
    if board["hint"][c] > 0:
        parts.append(f"hint {board['hint'][c]:.0%}")
    return "; ".join(parts)


def call_row(level: Level, record: Any, board: Any, c: int) -> tuple[str, ...]:
    """One call: its number, what it reads and makes, what it takes, how it went."""
    call = level.calls[c]
    function = level.functions[call.function]
    reads = ", ".join(level.inputs_of(call)) or "-"
    makes = ", ".join(function.outputs) or f"{function.kind.value} {', '.join(function.probes)}"
    return (
        str(c + FIRST_CALL),
        call.name,
        makes if not function.outputs else f"{reads} -> {makes}",
        amount(record["cost"][c]),
        amount(record["latency_s"][c], " s"),
        call_past(board, c),
    )


def budget_rows(record: Any, board: Any) -> list[tuple[str, ...]]:
    """What is used of time, cost and attempts."""
    used = (
        ("time", board["at_s"], record["time_budget_s"], " s"),
        ("cost", board["cost"], record["cost_budget"], ""),
        ("attempts", board["attempts"], record["attempt_budget"], ""),
    )
    return [
        (name, bar(value, budget), f"{amount(value)} of {amount(budget)}{unit}")
        for name, value, budget, unit in used
    ]


def board_as_text(level: Level, record: Any, board: Any) -> str:
    """The whole board: budgets, artifacts, calls with their action numbers."""
    end = Stopped(int(board["stopped"]))
    artifacts = [artifact_row(level, board, a) for a in range(len(level.artifacts))]
    calls = [call_row(level, record, board, c) for c in range(len(level.calls))]
    head = ("", "", "reads -> makes", "cost", "time", "last")
    lines = [
        level.name + (f" ({ENDS[end]})" if end else ""),
        *aligned(budget_rows(record, board)),
        "artifacts",
        *aligned(artifacts),
        "actions",
        *aligned([head, ("0", "WAIT", *[""] * 4), ("1", "STOP", *[""] * 4), *calls]),
    ]
    return "\n".join(lines)
