"""The last attempts: what a board remembers of each, as numbers in [0, 1], and how they are read back.

The board keeps them in a ring, `history_next` being where the next one goes; an observation shows them the
newest first. An entry means the same in both.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from fqg_env.arrays import CATEGORIES, HISTORY, SUCCESS, History
from fqg_env.compiled import kernel
from fqg_env.fields import COUNT_UNIT

CALL_UNIT = 65.0
CATEGORY_UNIT = CATEGORIES - 1.0
_GATE_UNIT = 2.0
_EFFECT_UNIT = 2.0


class Attempt(NamedTuple):
    """An entry read back: what was tried and what came of it."""

    call: int
    category: int
    at: float
    """When it finished, as a share of the time budget."""
    gate: int
    """Of `Gate`."""
    blamed: bool
    """An input was blamed."""
    hint: float
    """The most confident hint it gave; 0: none."""


@kernel
def is_attempt(entry: Any) -> bool:
    """There was an attempt; the ring was filled so far."""
    return entry[History.CALL] > 0.0


@kernel
def call_of(entry: Any) -> int:
    """The call that was tried."""
    return int(entry[History.CALL] * CALL_UNIT + 0.5) - 1


@kernel
def category_of(entry: Any) -> int:
    """The number of the category that came of it; 0: success."""
    return int(entry[History.CATEGORY] * CATEGORY_UNIT + 0.5)


@kernel
def attempt_of(entry: Any) -> Attempt:
    """An entry of a board or of an observation, read back."""
    return Attempt(
        call_of(entry),
        category_of(entry),
        entry[History.AT],
        int(entry[History.GATE] * _GATE_UNIT + 0.5),
        entry[History.BLAMED] > 0.5,
        entry[History.HINT],
    )


@kernel
def next_slot(slot: int) -> int:
    """The place in the ring after this one."""
    return (slot + 1) % HISTORY


@kernel
def remember(level: Any, board: Any, call: int, row: Any, gate: int) -> None:
    """Add an attempt that has just finished to the ring, every field in [0, 1] (arrays.History)."""
    entry = board.history[board.history_next]
    hinted = 0.0
    for c in range(level.calls):
        hinted = max(hinted, row.hint[c])
    blamed = 0.0
    for a in range(level.artifacts):
        if row.blamed[a]:
            blamed = 1.0
    entry[History.CALL] = (call + 1.0) / CALL_UNIT
    entry[History.CATEGORY] = row.category / CATEGORY_UNIT
    entry[History.SUCCESS] = 1.0 if row.category == SUCCESS else 0.0
    entry[History.AT] = min(1.0, board.at_s / level.time_budget_s)
    entry[History.ELAPSED] = min(1.0, row.elapsed_s / level.time_budget_s)
    entry[History.COST] = min(1.0, row.cost / level.cost_budget)
    entry[History.RETRYABLE] = 0.5 if row.retryable == 2 else float(row.retryable)
    entry[History.GATE] = gate / _GATE_UNIT
    entry[History.BLAMED] = blamed
    entry[History.HINT] = hinted
    entry[History.EFFECT] = row.effect / _EFFECT_UNIT
    entry[History.OWN_RECOVERY] = min(1.0, row.own_recovery / COUNT_UNIT)
    board.history_next = next_slot(board.history_next)


def attempts_since(board: Any, slot: int) -> Iterator[Attempt]:
    """The attempts that finished since `history_next` was `slot`, the oldest first."""
    while slot != int(board["history_next"]):
        yield attempt_of(board["history"][slot])
        slot = next_slot(slot)


def all_attempts(board: Any) -> Iterator[Attempt]:
    """The attempts of a game so short that none is forgotten and none in flight, the oldest first."""
    return attempts_since(board, (int(board["history_next"]) - int(board["begun"])) % HISTORY)
