"""Search leaves the index rule only for a sure gain, sees nothing hidden, and labels in its own terms."""

from __future__ import annotations

import numpy as np
import pytest
from hand_drawn import SMALL, Game, one_move

from fqg_env.lanes import Lanes, template_records
from fqg_env.puzzle import Faults, Puzzle
from fqg_env.splits import SPLITS, source_of
from policies.recovery.advantages import advantages
from policies.recovery.bayes import action_values
from policies.recovery.index import Index
from policies.recovery.rollouts import enter, new_tally, prepare, scratch_of
from policies.recovery.search import Care, Search
from training.judging.episodes import Seen, observations


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
    chosen = Search(simulations=4, care=Care(1e9, 2.0)).plan(Seen(lanes)).action
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


def test_undeclared_prices_are_imagined_as_they_are_drawn() -> None:
    """Over many levels the imagined logarithms of time and cost have the mean and spread of the true ones."""
    lanes, scratch = dealt(1500, (6, 20)), scratch_of(SMALL)
    prices: dict[str, list[tuple[float, float]]] = {"latency_s": [], "cost": []}
    for i in range(lanes.n):
        prepare(
            lanes.levels[i],
            lanes.boards[i],
            lanes.beliefs[i],
            scratch,
            new_tally(lanes.masks.shape[1]),
        )
        enter(scratch, i)
        imagined, true, level = scratch.hidden[0], lanes.hidden[i], lanes.levels[i]
        for name, budget in (("latency_s", "time_budget_s"), ("cost", "cost_budget")):
            declared = ~np.isnan(level[name][: level["calls"]])
            kept = np.flatnonzero(declared)
            assert np.array_equal(imagined[name][kept], level[name][kept])
            for c in np.flatnonzero(~declared):
                prices[name].append(
                    (
                        np.log(imagined[name][c] / level[budget]),
                        np.log(true[name][c] / level[budget]),
                    )
                )
    for pairs in prices.values():
        drawn, real = np.array(pairs).T
        assert len(drawn) > 1000
        assert abs(drawn.mean() - real.mean()) < 0.25
        assert abs(drawn.std() / real.std() - 1.0) < 0.25


def test_what_an_attempt_took_says_what_the_next_will_take() -> None:
    lanes = played_on(dealt(400, (6, 20)), 4)
    scratch = scratch_of(SMALL)
    errors = []
    for i in np.flatnonzero(lanes.boards["stopped"] == 0):
        level, board = lanes.levels[i], lanes.boards[i]
        prepare(level, board, lanes.beliefs[i], scratch, new_tally(lanes.masks.shape[1]))
        enter(scratch, i)
        tried = np.isnan(level["latency_s"][: level["calls"]]) & (
            board["last_category"][: level["calls"]] == 0
        )
        imagined = scratch.hidden[0]["latency_s"][: level["calls"]][tried]
        errors.extend(np.log(imagined / lanes.hidden[i]["latency_s"][: level["calls"]][tried]))
    assert len(errors) > 20 and np.median(np.abs(errors)) < 0.4  # 1.25 if it were drawn afresh


def lost(policy: object, n: int) -> float:
    """Mean value that a policy loses by its choices on one template, in exact values: no luck is in it."""
    lanes = Lanes(n, SMALL, source=SPLITS["exact"])
    lanes.deal("exact")
    lanes.levels[:] = template_records("exact", SMALL)[15]
    lanes.begin()
    out = 0.0
    while not lanes.done.all():
        chosen = policy.plan(Seen(lanes)).action if policy else by_index(lanes)
        for i in np.flatnonzero(lanes.boards["stopped"] == 0):
            values = action_values(lanes.levels[i], SMALL, lanes.boards[i], lanes.beliefs[i])
            out += (np.nanmax(values) - values[chosen[i]]) / n
        lanes.step(chosen)
    return out


def test_search_loses_less_than_the_rule() -> None:
    assert lost(Search(simulations=64), 40) < 0.5 * lost(None, 40)


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
