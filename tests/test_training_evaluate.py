"""The judge: what it deals, what it lets policies see, and the figures it makes of what they did."""

from __future__ import annotations

import os
from pathlib import Path

import hand_drawn
import numpy as np
import pytest

from fqg_env.errors import LevelError
from fqg_env.lanes import Lanes
from fqg_env.level import Budget, Level, Shield
from fqg_env.puzzle import Faults, Puzzle, write_puzzle
from fqg_env.splits import SPLITS, level_key
from policies.recovery.base import Decision, certain
from policies.recovery.oracle import Oracle
from training.evaluate import (
    DIED,
    Played,
    Setting,
    ask,
    check_setting,
    compare,
    deal,
    evaluate,
    evaluation_title,
    joined,
    level_files,
    observations,
    play_chunk,
    summary,
)

PLAYED = Played(
    returns=np.array([0.0, 0.1, 0.2, 0.3, 0.5, 0.6, 0.7, 0.8]),
    success=np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
    wrong=np.array([0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]),
    attempts=np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]),
    cost=np.array([0.1, 0.2, 0.3, 0.0, 0.0, 0.0, 0.0, 0.3]),
    unsafe=np.array([1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
    floor_share=0.0625,
    decision_ms=np.array([np.nan, 1.0, 2.0, 3.0]),
)


def test_the_figures_of_what_was_played() -> None:
    figures = summary(PLAYED, oracle_mean=0.8)
    low, high = figures.pop("return_ci95")
    assert 0.1 < low < 0.4 < high < 0.7
    assert figures == {
        "success_rate": 0.375,
        "return_mean": pytest.approx(0.4),
        "return_iqm": pytest.approx(0.4),
        "fraction_of_oracle": pytest.approx(0.5),
        "attempts_per_success": 12.0,
        "cost_per_success": pytest.approx(0.3),
        "wrong_delivered_rate": 0.125,
        "unsafe_repeat_rate": 0.25,
        "floor_share": 0.0625,
        "decision_ms_p50": 2.0,
        "decision_ms_p99": pytest.approx(2.98),
    }


def test_a_figure_that_there_is_not_is_none() -> None:
    none = np.zeros(2)
    played = Played(none, none, none, none, none, none, 0.0, np.array([np.nan]))
    figures = summary(played, oracle_mean=None)
    assert figures["fraction_of_oracle"] is None
    assert figures["attempts_per_success"] is figures["cost_per_success"] is None
    assert figures["decision_ms_p50"] is figures["decision_ms_p99"] is None
    assert summary(played, oracle_mean=0.0)["fraction_of_oracle"] is None


def test_chunks_are_joined_in_order_and_weighed_by_their_episodes() -> None:
    def part(returns: list[float], floor_share: float) -> Played:
        r = np.array(returns)
        return Played(r, r, r, r, r, r, floor_share, r)

    whole = joined([part([1.0], 1.0), part([2.0, 3.0, 4.0], 0.0)])
    assert whole.returns.tolist() == whole.unsafe.tolist() == [1.0, 2.0, 3.0, 4.0]
    assert whole.floor_share == 0.25


def test_pairs_are_compared_level_by_level() -> None:
    """The differences are all 0.5, however far apart the levels are."""
    other = Played(**{**vars(PLAYED), "returns": PLAYED.returns - 0.5})
    pairs = compare({"a": PLAYED, "b": other})
    assert set(pairs) == {"a/b", "b/a"}
    assert pairs["a/b"]["difference_mean"] == pytest.approx(0.5)
    assert pairs["a/b"]["difference_ci95"] == pytest.approx([0.5, 0.5])
    assert pairs["b/a"]["difference_mean"] == pytest.approx(-0.5)


@pytest.mark.parametrize("split", SPLITS)
def test_the_split_that_is_named_is_the_one_that_is_dealt(split: str) -> None:
    """Level n of a chunk is number seed + first + n of that split and of no other."""
    lanes = deal(Setting(split=split, seed=7), 3, 4)
    assert lanes.levels["key"].tolist() == [level_key(split, 10 + i) for i in range(4)]


def test_tiers_and_mode_are_those_that_are_named() -> None:
    source = deal(Setting(tiers=(4, 5), mix="stress", mode="community"), 0, 2).source
    assert (source.tiers, source.mix, source.mode) == ((4, 5), "stress", "community")
    assert deal(Setting(split="unseen"), 0, 1).source.mix == "shifted"


class CallsOnce:
    """Tries every call that it may in turn, each `tries` times, then stops; lane 0 says it was the floor."""

    name = "calls_once"
    tries = 1

    def plan(self, seen) -> Decision:
        boards, masks = seen.boards, seen.masks
        open_calls = (masks[:, 2:] > 0) & (boards["tries"] < self.tries)
        busy = boards["in_flight"] > 0
        action = np.where(open_calls.any(1), 2 + open_calls.argmax(1), np.where(busy, 0, 1))
        decision = certain(action, masks.shape[1], self.name)
        decision.source[0] = "floor"
        return decision


class CallsThrice(CallsOnce):
    tries = 3


def folder_of(tmp_path: Path, **puzzles: Puzzle) -> tuple[str, ...]:
    for name, puzzle in puzzles.items():
        write_puzzle(puzzle, tmp_path / f"{name}.yaml")
    return level_files(tmp_path)


def puzzle(drawn: Level, **functions: str) -> Puzzle:
    return Puzzle(level=drawn, faults=Faults(functions=functions))


def test_what_was_played_is_read_off_the_boards(tmp_path: Path) -> None:
    """One level is sound, in one what is delivered is bad, in one nothing comes; a call costs about 1 of 20."""
    drawn = hand_drawn.one_move(budget=Budget(time_s=320.0, cost=20.0, attempts=16))
    levels = folder_of(
        tmp_path,
        a_sound=puzzle(drawn),
        b_silent=puzzle(drawn, read="silent"),
        c_broken=puzzle(drawn, read="broken"),
    )
    played = play_chunk(f"{__name__}:CallsOnce", Setting(levels=levels), 0, 3)
    assert played.success.tolist() == [1.0, 0.0, 0.0]
    assert played.wrong.tolist() == [0.0, 1.0, 0.0]
    assert played.attempts.tolist() == [1.0, 1.0, 1.0]
    assert ((played.cost > 0.02) & (played.cost < 0.1)).all()  # it varies from attempt to attempt
    assert played.unsafe.tolist() == [0.0, 0.0, 0.0]
    assert played.floor_share == pytest.approx(1 / 3)  # each lane decides as often as the others
    assert played.returns[0] > 0.9
    assert 0 > played.returns[2] > played.returns[1]
    assert np.isnan(played.decision_ms).all()  # a planner is not timed


def test_templates_have_no_tiers_to_tell() -> None:
    result = evaluate({"retry": "retry"}, Setting(split="exact", episodes=2))
    assert result["tiers"] is result["mode"] is None
    assert evaluation_title(result) == "2 levels of exact, small"


def test_levels_are_dealt_in_turn(tmp_path: Path) -> None:
    drawn = hand_drawn.one_move()
    levels = folder_of(tmp_path, a=puzzle(drawn), b=puzzle(drawn, read="silent"))
    result = evaluate({"p": f"{__name__}:CallsOnce"}, Setting(levels=levels, episodes=5))
    assert result["policies"]["p"]["success_rate"] == 0.6
    assert result["policies"]["p"]["wrong_delivered_rate"] == 0.4
    assert result["tiers"] is result["mix"] is result["mode"] is None


def test_a_repeat_that_is_not_safe_is_counted(tmp_path: Path) -> None:
    """A call that must not run twice fails, nobody knows how far it came, and it is tried again."""
    send = hand_drawn.maker("text", idempotent=False)
    allowed = Shield(unsafe_repeats="allowed")
    levels = folder_of(
        tmp_path,
        a=puzzle(hand_drawn.level({"send": send}, shield=allowed), send="broken"),
        b=puzzle(hand_drawn.one_move(shield=allowed), read="broken"),
    )
    played = play_chunk(f"{__name__}:CallsThrice", Setting(levels=levels), 0, 2)
    assert played.attempts.tolist() == [3.0, 3.0]
    assert played.unsafe.tolist() == [1.0, 0.0]


class Heir(Oracle):
    """It inherits from the oracle, to be handed what the oracle is handed."""

    def plan(self, lanes: Lanes) -> Decision:
        assert not hasattr(lanes, "hidden") and not hasattr(lanes, "truths")
        assert not lanes.levels["key"].any()
        return super().plan(lanes)


def test_an_heir_of_the_oracle_is_handed_nothing_hidden() -> None:
    result = evaluate({"heir": f"{__name__}:Heir"}, Setting(episodes=2))
    assert "has no attribute 'hidden'" in result["policies"]["heir"]["error"]


class Scribbler:
    """It writes over all that it is given."""

    name = "scribbler"

    def decide(self, observation, mask) -> Decision:
        for field in observation.values():
            field[...] = 1
        mask[...] = 1
        return certain(np.ones(len(mask), np.int64), mask.shape[1], self.name)


class ScribblingPlanner:
    name = "scribbling_planner"

    def plan(self, seen) -> Decision:
        for array in (seen.levels, seen.boards, seen.beliefs, seen.observations, seen.masks):
            array.view(np.uint8)[...] = 1
        return certain(np.ones(seen.n, np.int64), seen.masks.shape[1], self.name)


@pytest.mark.parametrize("policy", [Scribbler(), ScribblingPlanner()], ids=lambda p: p.name)
def test_what_a_policy_scribbles_on_is_its_own_copy(policy) -> None:
    names = ("levels", "boards", "beliefs", "observations", "masks", "hidden", "truths")
    lanes = deal(Setting(), 0, 3)
    before = {name: getattr(lanes, name).tobytes() for name in names}
    ask(policy, lanes)
    assert {name: getattr(lanes, name).tobytes() for name in names} == before


def test_the_oracle_is_handed_what_is_hidden() -> None:
    lanes = deal(Setting(), 0, 3)
    assert ask(Oracle(), lanes).action.shape == (3,)


def test_what_can_be_observed_does_not_name_the_level() -> None:
    """Two levels of one shape and different keys, faults and luck look alike at the start."""
    drawn = hand_drawn.one_move()
    seen = []
    for key, fault in ((1, "ok"), (2, "broken")):
        lanes = Lanes(1, hand_drawn.SMALL)
        puzzle(drawn, read=fault).load(lanes, key)
        lanes.begin()
        seen.append(observations(lanes))
    assert all(np.array_equal(seen[0][name], seen[1][name]) for name in seen[0])


class Dies:
    """It takes its process with it."""

    name = "dies"

    def decide(self, observation, mask) -> Decision:
        os._exit(3)


def test_a_policy_that_kills_its_process_costs_only_itself() -> None:
    """The others are played again in fresh processes, and their figures are those of one process."""
    setting = Setting(split="validation", episodes=520, tiers=(10, 20))  # two chunks
    dies = f"{__name__}:Dies"
    told: dict[str, int] = {}

    def tell(label: str, n: int) -> None:
        told[label] = told.get(label, 0) + n

    result = evaluate({"a": "cascade", "dies": dies, "b": "code_aware"}, setting, 2, tell)
    assert result["policies"]["dies"] == {"error": DIED}
    alone = evaluate({"a": "cascade", "b": "code_aware"}, setting)
    for label in ("a", "b"):
        for figure in ("success_rate", "return_mean", "return_ci95", "cost_per_success"):
            assert result["policies"][label][figure] == alone["policies"][label][figure]
    assert result["paired"] == alone["paired"]
    assert told == {"a": 520, "dies": 520, "b": 520}


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        (Setting(split="tset"), "Did you mean 'test'"),
        (Setting(size="huge"), "no size 'huge'"),
        (Setting(mix="stres"), "Did you mean 'stress'"),
        (Setting(mode="hybird"), "Did you mean 'hybrid'"),
        (Setting(tiers=(0, 3)), "they run from 1 to 20"),
    ],
)
def test_a_setting_is_checked_before_anything_is_played(setting: Setting, says: str) -> None:
    with pytest.raises(LevelError, match=says):
        check_setting(setting)
