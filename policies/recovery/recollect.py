"""Recollect: from a board of a template back to the exact belief that a player who saw it all would hold.

The board remembers every attempt of so short a game, but not all that each said: an announced time is
overwritten when its call is tried again, and of verdicts there is only a count. So every history that fits
the board is followed, and the one is kept whose chances are nearest to the belief that was filtered.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fqg_env.arrays import Gate, Kind
from fqg_env.faults import WINDOW_PRIOR
from fqg_env.history import Attempt, all_attempts
from policies.recovery.dynamic import LEAST, fold, keep
from policies.recovery.facts import FACTS, MOST_OUTCOMES, Fact, drop_past, follow, list_outcomes
from policies.recovery.joint import Tables, name_table, sum_up, total
from policies.recovery.weigh import TICKS, UNSEEN, Outcome, What


@dataclass(frozen=True)
class Path:
    """One history that fits so far, and what the board would say after it."""

    facts: np.ndarray
    chance: np.ndarray
    hints: frozenset[tuple[int, int]] = frozenset()
    """(giver, hint) of all that was new."""
    verdict: int = 0
    """On the goal as it is held: 0 none, 1 good, 2 bad."""
    passed: int = 0
    rejected: int = 0


def tick_of(seconds: float, level: Any) -> int:
    """A time on the board in ticks."""
    return round(float(seconds) / float(level["time_budget_s"]) * TICKS)


def fits(o: Outcome, seen: Attempt, verifies: bool) -> bool:
    """An outcome of the same end may have been what the board remembers."""
    if o.what == What.FAILED and bool(o.blamed) != seen.blamed:
        return False
    if verifies or o.hint == 0:
        return True
    return (seen.hint > 0.0) == (2 <= o.hint < UNSEEN)


def load(tables: Tables, chance: np.ndarray) -> None:
    """Put saved tables in place."""
    tables.chance[:] = chance
    for f in range(len(chance)):
        sum_up(tables, f)


def ways_on(level: Any, tables: Tables, path: Path, seen: Attempt) -> Iterator[Path]:
    """The paths that an attempt leads to from one that fits until then."""
    facts, call = path.facts.copy(), seen.call
    facts[Fact.TICK] = round(seen.at * TICKS)
    outcomes = np.zeros((MOST_OUTCOMES, 5), np.int64)
    before = np.zeros((2, *tables.chance.shape[1:]))
    verifies = bool(level["kind"][call] == Kind.VERIFY)
    n = list_outcomes(level, facts, call, outcomes)
    load(tables, path.chance)
    whole = total(tables)
    told = outcomes[:n]
    rejected = told[:, 0] == What.REJECTED
    fitting = rejected if seen.gate == Gate.REJECTED else ~rejected & (told[:, 1] == seen.category)
    for row in told[fitting]:
        o = Outcome(*map(int, row))
        if not fits(o, seen, verifies):
            continue
        load(tables, path.chance)
        keep(level, tables, facts, call, before)
        fold(level, tables, facts, call, o, before)
        if total(tables) / whole > LEAST:
            after = facts.copy()
            follow(level, facts, call, o, after)
            yield counted(replace(path, facts=after, chance=tables.chance.copy()), level, call, o)


def counted(path: Path, level: Any, call: int, o: Outcome) -> Path:
    """A path with what the board counts after its last outcome."""
    if level["kind"][call] == Kind.VERIFY and o.what == What.ANSWERED:
        verdict = o.hint or path.verdict
        good, bad = int(verdict == 1), int(verdict == 2)
        return replace(
            path, verdict=verdict, passed=path.passed + good, rejected=path.rejected + bad
        )
    if o.hint > 0:
        path = replace(path, hints=path.hints | {(call, o.hint)})
    if o.what in (What.MADE, What.REJECTED):
        goal = level["makes"][call] & (level["goal_class"] > 0)
        gate = bool((goal & level["gate"]).any())
        bad = int(o.what == What.REJECTED)
        if goal.any():
            return replace(
                path, verdict=0, passed=int(gate and not bad), rejected=path.rejected + bad
            )
    return path


def agrees(path: Path, level: Any, board: Any) -> bool:
    """The board says what it would say after this history."""
    calls, functions = int(level["calls"]), int(level["functions"])
    announced = [tick_of(s, level) for s in board["retry_at_s"][:calls]]
    if announced != path.facts[FACTS + functions :].tolist():
        return False
    goal = int(np.argmax(level["goal_class"] > 0))
    if (path.passed, path.rejected) != (
        board["checks_passed"][goal],
        board["times_rejected"][goal],
    ):
        return False
    named = {
        (int(board["hint_giver"][c]), int(level["variant"][c]) + 2)
        for c in range(calls)
        if board["hint"][c] > 0.0
    }
    spoken = {(giver, hint) for giver, hint in path.hints if 2 <= hint < UNSEEN}
    heard = {hint for _, hint in spoken}
    unseen = any(hint == UNSEEN for _, hint in path.hints)
    return (
        named <= spoken
        and heard == {hint for _, hint in named}
        and unseen == bool(board["not_examined"][:calls].any())
    )


def window_chances(tables: Tables) -> np.ndarray:
    """[P, W] the chance of each window of each provider."""
    mass, prior = tables.mass, np.asarray(WINDOW_PRIOR)
    each = np.ones((tables.providers, *mass.shape[1:])) * prior  # [P, S, W]
    for f, p in enumerate(tables.provider):
        each[p] *= mass[f]
    sums = each.sum(2)  # [P, S]
    out = np.empty((tables.providers, len(prior)))
    for p in range(tables.providers):
        rest = np.prod(np.delete(sums, p, 0), 0)
        out[p] = (each[p] * rest[:, None]).sum(0)
    return out / out.sum(1, keepdims=True)


def distance(path: Path, tables: Tables, belief: Any) -> float:
    """How far the windows of a path are from those that were filtered along the way."""
    load(tables, path.chance)
    chances = window_chances(tables)
    return float(np.abs(chances - belief["provider"][: len(chances)]).sum())


def recollect(level: Any, tables: Tables, board: Any, belief: Any) -> np.ndarray:
    """The facts on a board of a template; the posterior is left in `tables`, which hold the prior at first.

    Raises:
        ValueError: no history of this template leads to this board.
    """
    rows = FACTS + int(level["functions"]) + int(level["calls"])
    paths = [Path(np.zeros(rows, np.int64), tables.chance.copy())]
    for seen in all_attempts(board):
        paths = [after for path in paths for after in ways_on(level, tables, path, seen)]
    paths = [path for path in paths if agrees(path, level, board)]
    if not paths:
        raise ValueError("no history of this template leads to this board")
    best = paths[0]
    if len(paths) > 1:
        best = min(paths, key=lambda path: distance(path, tables, belief))
    load(tables, best.chance)
    for f in range(len(best.chance)):
        name_table(tables, f)
    facts = best.facts.copy()
    facts[Fact.TICK] = tick_of(board["at_s"], level)
    facts[Fact.WAITS] = board["waits_in_a_row"]
    drop_past(facts, int(level["functions"]))
    return facts
