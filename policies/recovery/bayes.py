"""Bayes: the best policy there is for who sees what a player sees, on the templates of fqg_env/exact.py.

Each template is solved once by dynamic programming over exact beliefs (dynamic.py) and kept on disk, named by
its content. Returns are exact but for what an attempt's own milliseconds cost beyond their mean.
"""

from __future__ import annotations

import hashlib
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fqg_env.arrays import SIZES, History, Size
from fqg_env.compiled import cache_folder
from fqg_env.exact import TEMPLATES
from fqg_env.lanes import template_records
from fqg_env.rules import FIRST_CALL, STOP
from policies.recovery.base import Decision, certain
from policies.recovery.dynamic import (
    MOST_BELIEFS,
    Memo,
    new_memo,
    new_stack,
    recall,
    refill,
    solve,
)
from policies.recovery.joint import tables_of
from policies.recovery.recollect import recollect

if TYPE_CHECKING:
    from fqg_env.lanes import Lanes


TOLD = [
    History.CALL,
    History.CATEGORY,
    History.AT,
    History.GATE,
    History.BLAMED,
    History.HINT,
]
"""What is read of each attempt (see `history.Attempt`)."""


class Solution(NamedTuple):
    """A template, solved."""

    value: float
    """The best expected return from its start, V*."""
    memo: Memo
    beliefs: int


def level_digest(level: Any) -> str:
    """A name for a level by its content, whatever its key."""
    digest = hashlib.sha256()
    for name in level.dtype.names:
        if name != "key":
            digest.update(np.ascontiguousarray(level[name]).tobytes())
    return digest.hexdigest()[:24]


def solve_anew(level: Any) -> Solution:
    """Solve a level record that is like a template.

    Raises:
        ValueError: it has too many beliefs.
    """
    tables, memo = tables_of(level), new_memo()
    value = float(solve(level, tables, new_stack(level, tables), memo, 0))
    beliefs = int(memo.known[0])
    if beliefs >= MOST_BELIEFS:
        raise ValueError(f"the level has more than {MOST_BELIEFS} beliefs; make it smaller")
    return Solution(value, memo, beliefs)


def write_solution(path: Path, solution: Solution) -> None:
    """Keep a solution on disk; a reader sees all of it or nothing."""
    used = np.flatnonzero(solution.memo.digest)
    scratch = path.with_suffix(f".{os.getpid()}")
    with scratch.open("wb") as file:
        np.savez(
            file,
            value=solution.value,
            digest=solution.memo.digest[used],
            values=solution.memo.value[used],
            action=solution.memo.action[used],
        )
    scratch.replace(path)


def read_solution(path: Path) -> Solution:
    """A solution that was kept."""
    memo = new_memo()
    with np.load(path) as kept:
        refill(memo, kept["digest"], kept["values"], kept["action"])
        return Solution(float(kept["value"]), memo, int(memo.known[0]))


@cache
def solution(split: str, number: int) -> Solution:
    """Template `number` (from 0) of a split, solved; from disk where it has been."""
    level = template_records(split, SIZES["small"])[number]
    path = Path(cache_folder()) / f"bayes-{level_digest(level)}.npz"
    if not path.exists():
        write_solution(path, solve_anew(level))
    return read_solution(path)


def bayes_values(split: str) -> np.ndarray:
    """[T] the exact value V* of each template of a split: the mean return that no policy exceeds."""
    return np.array([solution(split, i).value for i in range(len(TEMPLATES[split]))])


@cache
def known_templates(size: Size) -> dict[str, tuple[str, int]]:
    """Digest of each template as a record -> its split and number."""
    return {
        level_digest(record): (split, i)
        for split in TEMPLATES
        for i, record in enumerate(template_records(split, size))
    }


def is_template(level: Any, size: Size) -> bool:
    """The level record is a template of fqg_env/exact.py, under any key."""
    return level_digest(level) in known_templates(size)


def template_of(level: Any, size: Size) -> tuple[str, int]:
    """The split and the number (from 0) of the template that a level record is.

    Raises:
        ValueError: it is none.
    """
    found = known_templates(size).get(level_digest(level))
    if found is None:
        raise ValueError("`bayes` is computed for the splits `exact` and `exact_train` alone")
    return found


def facts_seen(level: Any, board: Any, belief: Any) -> bytes:
    """All of a board that a decision of `bayes` depends on, rounded, as bytes."""
    n, calls = int(board["begun"]), int(level["calls"])
    numbers = [board["at_s"], board["waits_in_a_row"], *board["retry_at_s"][:calls]]
    seen = np.round(np.array(numbers, np.float64), 1)
    counts = [board[name] for name in ("checks_passed", "times_rejected", "not_examined")]
    hints = np.concatenate([board["hint"][:calls], board["hint_giver"][:calls]])
    history = np.round(board["history"][:n, TOLD], 4)
    windows = np.round(belief["provider"][: int(level["providers"])], 3)
    return b"".join(
        np.ascontiguousarray(x).tobytes() for x in (seen, *counts, hints, history, windows)
    )


class Bayes:
    """The Bayes-optimal policy of the exact templates, as a planner; it needs lanes with beliefs."""

    name = "bayes"

    def __init__(self) -> None:
        self._chosen: dict[tuple[str, int, bytes], int] = {}

    def plan(self, lanes: Lanes) -> Decision:
        """The best action for each lane.

        Raises:
            ValueError: a level is no template, or the lanes have no beliefs.
        """
        if lanes.beliefs is None:
            raise ValueError("`bayes` needs lanes that keep beliefs")
        action = np.full(lanes.n, STOP, np.int64)
        for n in np.flatnonzero(lanes.boards["stopped"] == 0):
            level, board, belief = lanes.levels[n], lanes.boards[n], lanes.beliefs[n]
            template = template_of(level, lanes.size)
            key = (*template, facts_seen(level, board, belief))
            if key not in self._chosen:
                self._chosen[key] = best_action(template, level, board, belief)
            action[n] = self._chosen[key]
        return certain(action, lanes.masks.shape[1], self.name)


def best_action(template: tuple[str, int], level: Any, board: Any, belief: Any) -> int:
    """The best action on a board of a template."""
    memo = solution(*template).memo
    tables = tables_of(level)
    facts = recollect(level, tables, board, belief)
    action = recall(tables, facts, memo)
    if action < 0:  # rounding has named it otherwise
        stack = new_stack(level, tables)
        stack.facts[0] = facts
        solve(level, tables, stack, memo, 0)
        action = recall(tables, facts, memo)
    return action


def action_values(level: Any, size: Size, board: Any, belief: Any) -> np.ndarray:
    """[2 + C] what each action is worth on a board of a template, if all is played well after: Q*.

    NaN for what is illegal, and for a few that are surely no better than another. The return is counted from
    now on. A label to learn from, without noise: its maximum is the value of the board.
    """
    memo = solution(*template_of(level, size)).memo
    tables = tables_of(level)
    stack = new_stack(level, tables)
    stack.facts[0] = recollect(level, tables, board, belief)
    stack.anew[0] = 1
    solve(level, tables, stack, memo, 0)
    out = np.full(FIRST_CALL + size.calls, np.nan)
    out[: stack.values.shape[1]] = stack.values[0]
    return out
