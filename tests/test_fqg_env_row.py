"""Rows: what an outcome looks like in numbers, and back."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fqg_env.arrays import FLIGHTS, SIZES, Gate, Verdict
from fqg_env.describe import describe
from fqg_env.lanes import Lanes
from fqg_env.level import Level
from fqg_env.outcome import (
    Blame,
    BlamedInput,
    Category,
    Hint,
    OwnRecovery,
    SideEffects,
    Success,
    error,
)
from fqg_env.row import Made, Strategy, bearing, outcome, row, versions
from fqg_env.rules import FIRST_CALL
from fqg_env.splits import Source

LEVEL = Level.model_validate(
    {
        "name": "read a page",
        "artifacts": {
            "page": {"given": True},
            "clean": {"gate": True},
            "text": {"goal": {"weight": 1}},
        },
        "functions": {
            "clean": {
                "inputs": ["page"],
                "outputs": ["clean"],
                "variants": {
                    "soft": {"memory_bytes": 2e6, "cost": 3},
                    "light": {"memory_bytes": 1e6},
                },
            },
            "sharpen": {"kind": "repair", "inputs": ["page"], "outputs": ["clean"]},
            "read": {"inputs": ["clean"], "outputs": ["text"]},
            "guess": {"inputs": ["page"], "outputs": ["text"]},
            "judge": {"kind": "verify", "probes": ["text"]},
            "look": {"kind": "inspect", "probes": ["clean"]},
        },
        "budget": {"time_s": 10, "cost": 100},
    }
)
CLEAN_SOFT, CLEAN_LIGHT, SHARPEN, READ, GUESS, JUDGE, LOOK = range(7)


def numbers(outcome, call=READ, **more):
    """The record of an outcome."""
    return row(LEVEL, call, outcome, 1.5, **more)[0]


def test_a_success_makes_what_it_holds_and_costs_what_is_declared():
    r = numbers(Success(outputs={"clean": b"", "junk": 1}, quality={"clean": 0.5}), CLEAN_SOFT)
    assert (r["category"], r["retryable"], r["cost"], r["elapsed_s"]) == (0, 1, 3, 1.5)
    assert list(r["made"][:3]) == [0, 1, 0]
    assert r["quality"][1] == 0.5
    assert math.isnan(r["quality"][2])


def test_an_undeclared_cost_is_a_share_of_the_budget_and_own_recovery_comes_on_top():
    own = OwnRecovery(attempts=2, cost=1.0)
    assert numbers(Success(own_recovery=own))["cost"] == pytest.approx(7)
    assert numbers(Success(cost=0.25, own_recovery=own))["cost"] == 0.25
    assert numbers(Success(own_recovery=own))["own_recovery"] == 2


def test_an_error_keeps_what_the_next_decision_needs():
    failure = error(
        Category.RATE_LIMITED,
        "later",
        retry_after_s=2.5,
        blame=Blame.UPSTREAM,
        blamed_inputs=(BlamedInput("clean"), BlamedInput("nobody")),
        side_effects=SideEffects.POSSIBLE,
    )
    r = numbers(failure)
    assert (r["retryable"], r["retry_after_s"], r["effect"]) == (1, 2.5, 1)
    assert list(r["blamed"][:3]) == [0, 1, 0]
    assert numbers(error(Category.UNKNOWN, "?"))["retryable"] == 2


def test_a_rejected_version_is_made_all_the_same():
    failure = error(Category.LOW_QUALITY, "blurred")
    r = numbers(failure, CLEAN_SOFT, made={"clean": Made(0.9, passed=False)})
    assert (r["made"][1], r["gate"][1], r["quality"][1]) == (1, Gate.REJECTED, 0.9)


def test_a_verdict_counts_only_on_what_the_probe_looks_at():
    r = numbers(Success(verdicts={"text": False, "clean": True, "nobody": True}), JUDGE)
    assert list(r["verdict"][:3]) == [0, 0, Verdict.BAD]


def test_a_hint_names_a_function_a_call_or_nothing_we_know():
    hints = (
        Hint(0.4, call="clean"),
        Hint(0.7, call="clean/light"),
        Hint(0.9, call="nobody"),
        Hint(0.9, strategy="pray"),
    )
    r = numbers(error(Category.UNABLE, "no", hints=hints, not_examined=("guess", "nobody")))
    assert list(r["hint"][:7]) == [0.4, 0.7, 0, 0, 0, 0, 0]
    assert list(np.flatnonzero(r["not_examined"])) == [GUESS]


@pytest.mark.parametrize(
    ("strategy", "call", "calls"),
    [
        (Strategy.RETRY, READ, [READ]),
        (Strategy.OTHER_PARAMETERS, CLEAN_SOFT, [CLEAN_LIGHT]),
        (Strategy.LIGHTER_VARIANT, CLEAN_SOFT, [CLEAN_LIGHT]),
        (Strategy.LIGHTER_VARIANT, CLEAN_LIGHT, []),
        (Strategy.FALLBACK, READ, [GUESS]),
        (Strategy.REBUILD_UPSTREAM, READ, [CLEAN_SOFT, CLEAN_LIGHT, SHARPEN]),
        (Strategy.REPAIR, READ, [SHARPEN]),
        (Strategy.VERIFY, READ, [JUDGE]),
        (Strategy.INSPECT, READ, [LOOK]),
        (Strategy.GIVE_UP, READ, []),
    ],
)
def test_a_strategy_stands_for_the_calls_that_would_bear_its_label(strategy, call, calls):
    assert bearing(LEVEL, call, strategy) == calls


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32))
def test_simulated_rows_come_back_from_their_outcomes(seed):
    lanes = Lanes(1, SIZES["small"], source=Source(tiers=(1, 6)))
    lanes.keys[:] = seed
    lanes.draw_levels()
    lanes.begin()
    level = describe(lanes.levels[0], "drawn")
    random = np.random.default_rng(seed)
    for _ in range(12):
        legal = np.flatnonzero(lanes.masks[0][FIRST_CALL:]) + FIRST_CALL
        if lanes.done[0] or not len(legal):
            return
        before = lanes.boards[0].copy()
        lanes.step(np.array([random.choice(legal)]))
        for slot in range(FLIGHTS):
            board = lanes.boards[0]
            was = before["flight_attempt"][slot]
            if (was >= 0 or slot == 0) and board["flight_attempt"][slot] < 0:
                call = int(board["flight_call"][slot])
                same(level, call, lanes.rows[0, slot], lanes.size)


def same(level, call, r, size):
    """The row equals the row of its outcome, in every number that the level has."""
    again = row(
        level, call, outcome(level, call, r), float(r["elapsed_s"]), versions(level, r), size
    )[0]
    for name in r.dtype.names:
        n = {"hint": len(level.calls), "not_examined": len(level.calls)}.get(
            name, len(level.artifacts)
        )
        one, other = np.atleast_1d(r[name])[:n], np.atleast_1d(again[name])[:n]
        assert np.array_equal(one, other, equal_nan=one.dtype.kind == "f"), name
