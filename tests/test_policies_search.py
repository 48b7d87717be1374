"""Search leaves the index rule only for a sure gain, sees nothing hidden, and labels in its own terms."""

from __future__ import annotations

import numpy as np
import pytest
from hand_drawn import SMALL, Game, one_move

from fqg_env.lanes import Lanes
from fqg_env.puzzle import Faults, Puzzle
from fqg_env.splits import source_of
from policies.recovery.advantages import advantages
from policies.recovery.index import Index
from policies.recovery.search import Search
from training.episodes import Seen, observations


def dealt(n: int, tiers: tuple[int, int] = (16, 20)) -> Lanes:
    """n lanes of validation levels."""
    lanes = Lanes(n, SMALL, source=source_of("validation", tiers))
    lanes.deal("validation")
    return lanes


def by_index(lanes: Lanes) -> np.ndarray:
    """[N] the index rule's actions."""
    return Index().decide(observations(lanes), lanes.masks).action


def played_on(lanes: Lanes, steps: int) -> Lanes:
    """The lanes after some steps by the index rule."""
    for _ in range(steps):
        lanes.step(by_index(lanes))
    return lanes


def test_a_gate_that_nothing_passes_leaves_the_rule() -> None:
    lanes = played_on(dealt(40), 3)
    running = lanes.boards["stopped"] == 0
    chosen = Search(simulations=4, gate=1e9).plan(Seen(lanes)).action
    assert np.array_equal(chosen[running], by_index(lanes)[running])


def test_it_depends_on_nothing_hidden_and_on_no_lane_beside_it() -> None:
    lanes = played_on(dealt(12), 2)
    whole = Search(simulations=16).plan(Seen(lanes)).action
    lanes.hidden["fault"] = 3
    lanes.hidden["window"] = 4
    lanes.truths["bad"] = 1
    assert np.array_equal(whole, Search(simulations=16).plan(Seen(lanes)).action)
    seen = Seen(lanes)
    for name in ("levels", "boards", "beliefs", "masks"):
        setattr(seen, name, getattr(seen, name)[5:])
    seen.n = 7
    assert np.array_equal(whole[5:], Search(simulations=16).plan(seen).action)


def test_all_it_does_is_legal_to_the_end() -> None:
    lanes = dealt(24)
    while not lanes.done.all():
        lanes.step(Search(simulations=4).plan(Seen(lanes)).action)
    assert not lanes.boards["refused"].any()


def test_it_solves_what_takes_one_move_in_next_to_no_time_as_well() -> None:
    for planner in (Search(simulations=8), Search(seconds=0.0), Search(seconds=0.01)):
        game = Game(Puzzle(level=one_move(), faults=Faults()), belief=True)
        while not game.lanes.done[0]:
            game.lanes.step(planner.plan(Seen(game.lanes)).action)
        assert game.success


def test_search_gains_on_the_rule_over_paired_levels() -> None:
    searched, ruled = dealt(120), dealt(120)
    planner = Search(simulations=32, gate=0.5)
    while not searched.done.all():
        searched.step(planner.plan(Seen(searched)).action)
    played_on(ruled, 400)
    gain = searched.truths["episode_return"] - ruled.truths["episode_return"]
    assert gain.mean() > 0.0


def test_advantages_are_of_legal_actions_over_the_rules_choice() -> None:
    lanes = played_on(dealt(30), 4)
    running = lanes.boards["stopped"] == 0
    gains = advantages(lanes, 4)
    assert np.array_equal(~np.isnan(gains[running]), lanes.masks[running] == 1)
    assert np.isnan(gains[~running]).all()
    assert (gains[np.arange(30), by_index(lanes)][running] == 0.0).all()
    assert np.array_equal(gains, advantages(lanes, 4), equal_nan=True)
    assert not np.array_equal(gains, advantages(lanes, 4, draw=1), equal_nan=True)


def test_it_needs_beliefs() -> None:
    lanes = Lanes(1, SMALL, belief=False)
    Puzzle(level=one_move()).load(lanes)
    lanes.begin()
    with pytest.raises(ValueError, match="keep beliefs"):
        Search().plan(Seen(lanes))
    with pytest.raises(ValueError, match="keep beliefs"):
        advantages(lanes)
