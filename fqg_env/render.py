"""The board as text, for people."""

from __future__ import annotations

from typing import Any

import numpy as np

from fqg_env.arrays import CATEGORIES, Stopped
from fqg_env.level import Level
from fqg_env.outcome import Category

CATEGORY_NAMES = ("SUCCESS", *(category.value for category in Category))


def category_name(number: int) -> str:
    """Name of a category number; 'never' for -1."""
    return CATEGORY_NAMES[number] if 0 <= number < CATEGORIES else "never"


def artifact_line(level: Level, board: Any, a: int) -> str:
    """One artifact: is it there, is it a goal."""
    name = level.artifact_names[a]
    state = "held" if board["present"][a] else "-"
    if board["rejected"][a]:
        state = "rejected"
    goal = level.artifacts[name].goal
    mark = f"  goal {goal.weight:g} ({goal.kind.value})" if goal else ""
    return f"  {name:<18} {state:<9}{mark}"


def call_line(level: Level, record: Any, board: Any, c: int) -> str:
    """One call: what it reads and makes, what it takes, how it went."""
    call = level.calls[c]
    function = level.functions[call.function]
    arrow = f"{', '.join(level.inputs_of(call)) or '-'} -> {', '.join(function.outputs or function.probes)}"
    cost, latency = record["cost"][c], record["latency_s"][c]
    price = f"{'?' if np.isnan(cost) else f'{cost:.2f}'} / {'?' if np.isnan(latency) else f'{latency:.2f}'} s"
    tried = int(board["tries"][c])
    last = f"tried {tried}: {category_name(int(board['last_category'][c]))}" if tried else ""
    hint = f"  hint {board['hint'][c]:.0%}" if board["hint"][c] > 0 else ""
    return f"  {c + 2:>3}  {call.name:<28} {arrow:<38} {price:<16} {last}{hint}"


def board_as_text(level: Level, record: Any, board: Any) -> str:
    """The whole board: budgets, artifacts, calls with their action numbers."""
    lines = [
        level.name,
        f"  time {board['at_s']:.1f} of {level.budget.time_s:.1f} s, "
        f"cost {board['cost']:.2f} of {level.budget.cost:.2f}, "
        f"attempts {board['attempts']} of {level.budget.attempts}"
        + (f", stopped: {Stopped(int(board['stopped'])).name}" if board["stopped"] else ""),
        "artifacts",
        *(artifact_line(level, board, a) for a in range(len(level.artifacts))),
        "actions" + " " * 32 + "reads -> makes" + " " * 27 + "cost / time",
        "    0  WAIT",
        "    1  STOP",
        *(call_line(level, record, board, c) for c in range(len(level.calls))),
    ]
    return "\n".join(line.rstrip() for line in lines)
