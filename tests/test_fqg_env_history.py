"""What a board remembers of an attempt is read back as it was."""

from __future__ import annotations

import numpy as np
from hand_drawn import SMALL
from hypothesis import given, settings
from hypothesis import strategies as st

from fqg_env import arrays
from fqg_env.arrays import CATEGORIES, HISTORY, SIZES, Effect, Gate
from fqg_env.history import all_attempts, attempts_since, is_attempt, remember

CALLS = max(size.calls for size in SIZES.values())
TRIES = st.tuples(
    st.integers(0, CALLS - 1),
    st.integers(0, CATEGORIES - 1),
    st.sampled_from([int(gate) for gate in Gate]),
    st.booleans(),
    st.sampled_from([0.0, 0.25, 1.0]),
)


@settings(deadline=None, max_examples=50)
@given(st.lists(TRIES, max_size=2 * HISTORY))
def test_an_attempt_is_read_back_as_it_was(tries: list) -> None:
    level = arrays.new(arrays.level_dtype(SMALL), 1)[0]
    board = arrays.new(arrays.board_dtype(SMALL), 1)[0]
    row = arrays.new(arrays.row_dtype(SMALL), 1)[0]
    level["calls"], level["artifacts"], level["time_budget_s"], level["cost_budget"] = (
        2,
        2,
        64.0,
        8.0,
    )
    told, marks = [], []
    for i, (call, category, gate, blamed, hint) in enumerate(tries):
        row["category"], row["blamed"][1], row["hint"][1] = category, blamed, hint
        row["effect"], row["retryable"], row["own_recovery"] = Effect.COMMITTED, i % 3, i
        board["at_s"] = i / 2.0
        marks.append(int(board["history_next"]))
        remember(level, board, call, row, gate)
        told.append((call, category, min(1.0, i / 128.0), gate, blamed, hint))
    kept = told[-HISTORY:]
    assert board["history"].min() >= 0.0 and board["history"].max() <= 1.0
    assert sum(map(is_attempt, board["history"])) == len(kept)
    some = len(kept) // 2
    since = marks[len(marks) - some] if some else int(board["history_next"])
    assert [tuple(a) for a in attempts_since(board, since)] == kept[len(kept) - some :]
    board["begun"] = len(tries)
    if len(tries) < HISTORY:
        assert [tuple(a) for a in all_attempts(board)] == kept
    assert np.isfinite(board["history"]).all()
