"""What a run is worth: stopping is nothing, only goals pay, and nothing that is no use does."""

from __future__ import annotations

import numpy as np
import pytest
from hand_drawn import SMALL
from hypothesis import given, settings
from hypothesis import strategies as st

from fqg_env.faults import truly_bad
from fqg_env.lanes import STATE, Lanes
from fqg_env.rules import FIRST_CALL, STOP
from fqg_env.shapes import TIERS
from fqg_env.splits import SPLITS, Source
from fqg_env.witness import witness

ONE_OF = settings(max_examples=60, deadline=None, derandomize=True)
SEEDS, SPLIT = st.integers(0, 2**40), st.sampled_from(list(SPLITS))


def dealt(split: str, seed: int) -> Lanes:
    """One level at its start."""
    lanes = Lanes(1, SMALL, source=SPLITS[split])
    lanes.deal(split, seed)
    return lanes


def played(lanes: Lanes, luck: int, moves: int, wild: float = 0.0) -> Lanes:
    """Random moves, illegal ones with chance `wild`, never STOP; fewer where the run is over before."""
    random = np.random.default_rng(luck)
    for _ in range(moves):
        if lanes.done[0]:
            break
        legal = [a for a in np.flatnonzero(lanes.masks[0]) if a != STOP]
        known = int(lanes.levels["calls"][0]) + FIRST_CALL
        lanes.step(
            np.array(
                [random.integers(-2, known + 3) if random.random() < wild else random.choice(legal)]
            )
        )
    return lanes


def stopped(lanes: Lanes, *before: int) -> float:
    """The return of a copy that plays these actions and stops."""
    copy = Lanes(1, SMALL, source=lanes.source)
    for name in STATE:
        getattr(copy, name)[:] = getattr(lanes, name)
    for action in (*before, STOP):
        if not copy.done[0]:
            copy.step(np.array([action]))
    return float(copy.truths["episode_return"][0])


def good_weight(lanes: Lanes) -> float:
    """The weight of the goals that are held, usable and good."""
    level, board, truth = lanes.levels[0], lanes.boards[0], lanes.truths[0]
    held = [
        a for a in range(level["artifacts"]) if board["present"][a] and not board["rejected"][a]
    ]
    return float(
        sum(level["goal_weight"][a] for a in held if not truly_bad(level, board, truth, a))
    )


@ONE_OF
@given(split=SPLIT, seed=SEEDS)
def test_to_stop_at_once_is_worth_exactly_nothing(split: str, seed: int) -> None:
    assert stopped(dealt(split, seed)) == 0.0


@ONE_OF
@given(split=SPLIT, seed=SEEDS, luck=st.integers(0, 2**32), moves=st.integers(0, 60))
def test_a_return_is_bounded_and_only_good_goals_pay(
    split: str, seed: int, luck: int, moves: int
) -> None:
    lanes = played(dealt(split, seed), luck, moves, wild=0.2)
    total = float(lanes.truths["episode_return"][0]) if lanes.done[0] else stopped(lanes)
    assert -1.0 - 1e-9 <= total <= 1.0 + 1e-9
    if lanes.done[0]:
        assert total <= good_weight(lanes) + 1e-9
    else:
        assert float(lanes.truths["episode_return"][0]) <= 0.0  # nothing is paid before the end


@ONE_OF
@given(split=SPLIT, seed=SEEDS, luck=st.integers(0, 2**32), moves=st.integers(0, 12))
def test_an_illegal_move_never_pays(split: str, seed: int, luck: int, moves: int) -> None:
    lanes = played(dealt(split, seed), luck, moves)
    if not lanes.done[0]:
        illegal = int(np.flatnonzero(lanes.masks[0] == 0)[0]) if (lanes.masks[0] == 0).any() else 99
        assert stopped(lanes, illegal) <= stopped(lanes) + 1e-12


@ONE_OF
@given(split=SPLIT, seed=SEEDS, luck=st.integers(0, 2**32), moves=st.integers(1, 16))
def test_making_again_what_is_good_already_never_pays(
    split: str, seed: int, luck: int, moves: int
) -> None:
    lanes = played(dealt(split, seed), luck, moves)
    level, board, truth = lanes.levels[0], lanes.boards[0], lanes.truths[0]
    if lanes.done[0] or board["in_flight"] > 0:
        return
    for action in np.flatnonzero(lanes.masks[0][FIRST_CALL:]):
        made = np.flatnonzero(level["makes"][action])
        if all(
            board["present"][a]
            and not board["rejected"][a]
            and not truly_bad(level, board, truth, a)
            for a in made
        ):
            assert stopped(lanes, FIRST_CALL + int(action)) <= stopped(lanes) + 1e-12


def test_whoever_ignores_the_goal_gets_nothing() -> None:
    lanes = Lanes(300, SMALL)
    lanes.deal("validation")
    makes_goal = (lanes.levels["makes"] * (lanes.levels["goal_class"] > 0)[:, None, :]).any(2)
    random = np.random.default_rng(0)
    while not lanes.done.all():
        mask = lanes.masks.copy()
        mask[:, FIRST_CALL:][makes_goal] = 0
        lanes.step((random.random(mask.shape) * mask).argmax(1))
    assert lanes.truths["episode_return"].max() <= 0.0


@pytest.mark.parametrize("low", range(1, TIERS, 4))
def test_the_witness_beats_chance_in_every_tier(low: int) -> None:
    n, random = 40, np.random.default_rng(low)
    for tier in range(low, low + 4):
        lanes, ways = Lanes(n, SMALL, belief=False, source=Source(tiers=(tier, tier))), []
        lanes.deal("validation")
        ways = [witness(lanes, i) or [STOP] for i in range(n)]
        for k in range(max(map(len, ways))):
            lanes.step(np.array([way[min(k, len(way) - 1)] for way in ways]))
        assert lanes.done.all()
        lanes.judge()
        solved = np.array([len(way) > 1 for way in ways])
        assert (lanes.success == solved).all() and solved.mean() > 0.5
        by_witness = lanes.truths["episode_return"].mean()
        lanes.deal("validation")
        while not lanes.done.all():
            lanes.step((random.random(lanes.masks.shape) * lanes.masks).argmax(1))
        assert by_witness > lanes.truths["episode_return"].mean() + 0.2
