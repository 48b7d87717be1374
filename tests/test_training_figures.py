"""The figures that the judge makes of what was played: of one policy, and of several side by side."""

from __future__ import annotations

import numpy as np
import pytest

from fqg_env.arrays import CATEGORIES
from fqg_env.cells import FaultKind
from policies.recovery.bayes import bayes_values
from training.judging.behaviour import REACTIONS
from training.judging.episodes import EPISODE, Played, joined
from training.judging.figures import (
    basic,
    breakdown,
    figures,
    give_ups,
    pass_8,
    recovery,
    success_by_recoveries,
)
from training.judging.pairs import compare
from training.judging.setting import Setting


def episodes(n: int, **fields) -> np.ndarray:
    """Episodes of one tier in which nothing happened, but for these fields."""
    out = np.zeros(n, EPISODE)
    out["tier"], out["family"], out["template"], out["goal_at"] = 3, 0, -1, np.nan
    for name, values in fields.items():
        out[name] = values
    return out


def of(episodes: np.ndarray, **more) -> Played:
    reactions = np.zeros((CATEGORIES, REACTIONS), np.int64)
    more = {"decisions": 0, "floor": 0, "spent_s": 0.0, "decision_ms": np.zeros(0), **more}
    return Played(episodes, **{"reactions": reactions, **more})


EIGHT = episodes(
    8,
    **{"return": [0.0, 0.1, 0.2, 0.3, 0.5, 0.6, 0.7, 0.8]},
    success=[1, 1, 1, 0, 0, 0, 0, 0],
    wrong=[0, 0, 0, 1, 0, 0, 0, 0],
    attempts=[1, 2, 3, 4, 5, 6, 7, 8],
    cost=[0.1, 0.2, 0.3, 0.0, 0.0, 0.0, 0.0, 0.3],
    goal_at=[0.1, 0.2, 0.3, 0.9, np.nan, np.nan, np.nan, np.nan],
    unsafe=[1, 1, 0, 0, 0, 0, 0, 0],
    recoveries=[0, 1, 4, 0, 0, 0, 0, 0],
    unsolvable=[0, 0, 0, 0, 0, 0, 1, 1],
    gave_up=[0, 0, 0, 1, 0, 0, 1, 0],
    in_the_way=[1 << FaultKind.FLAKY, 0, 0, 1 << FaultKind.FLAKY | 1 << FaultKind.DEFECT, 0, 0,
                1 << FaultKind.FLAKY, 0],
    met=[0, 1 << FaultKind.BROKEN, 0, 0, 0, 0, 0, 0],
)  # fmt: skip


def test_the_figures_of_what_was_played() -> None:
    timed = np.array([1.0, 2.0, 3.0])
    told = basic(of(EIGHT, decisions=16, floor=1, spent_s=0.032, decision_ms=timed))
    assert told == {
        "success_rate": 0.375,
        "return_mean": pytest.approx(0.4),
        "return_iqm": pytest.approx(0.4),
        "attempts_per_success": 12.0,
        "cost_per_success": pytest.approx(0.3),
        "cost_mean": pytest.approx(0.1125),
        "time_mean": 0.0,
        "attempts_mean": 4.5,
        "time_to_goal": pytest.approx(0.2),  # where it succeeded
        "wrong_delivered_rate": 0.125,
        "unsafe_repeat_rate": 0.25,
        "repeats_without_news": 0.0,
        "illegal_actions": 0,
        "floor_share": 0.0625,
        "decision_ms_p50": 2.0,
        "decision_ms_p99": pytest.approx(2.98),
        "decision_ms_batched": pytest.approx(2.0),
    }


def test_a_figure_that_there_is_not_is_none() -> None:
    told = figures(of(episodes(2, unsolvable=1)), [np.zeros(0, int)])
    for name in (
        "attempts_per_success",
        "cost_per_success",
        "decision_ms_p50",
        "pass_8",
        "time_to_goal",
    ):
        assert told[name] is None
    assert told["give_ups"]["false_give_up_rate"] is None
    assert told["recovery"]["implicit_permanent"] == {
        "episodes": 0, "rate": None, "met": 0, "met_rate": None,
    }  # fmt: skip


def test_giving_up_is_judged_by_whether_a_level_could_be_solved() -> None:
    assert give_ups(EIGHT) == {
        "unsolvable": 2,
        "unsolvable_cost": pytest.approx(0.15),
        "unsolvable_attempts": 7.5,
        "unsolvable_given_up": 0.5,
        "false_give_up_rate": pytest.approx(1 / 6),
    }


def test_recovery_is_told_by_cell_on_the_same_levels_for_all() -> None:
    """Three levels have a passing explicit fault in the way, one of them unsolvable; one of two is solved."""
    told = recovery(EIGHT)
    assert told["explicit_transient"] == {"episodes": 2, "rate": 0.5, "met": 0, "met_rate": None}
    assert told["implicit_permanent"]["episodes"] == 1 and told["implicit_permanent"]["rate"] == 0.0
    assert told["explicit_permanent"] == {"episodes": 0, "rate": None, "met": 1, "met_rate": 1.0}


def test_success_within_a_number_of_recovery_attempts_only_grows() -> None:
    assert success_by_recoveries(EIGHT) == {"0": 0.125, "1": 0.25, "2": 0.25, "3": 0.25}


def test_all_eight_lucks_have_to_succeed() -> None:
    trials = [np.array([1, 1, 0])] * 7 + [np.array([1, 0, 1])]
    assert pass_8(trials) == {"pass_8": pytest.approx(1 / 3), "pass_8_levels": 3}
    assert pass_8(trials[:7])["pass_8"] is None


def test_groups_are_by_tier_and_by_what_is_in_the_way() -> None:
    by = breakdown(EIGHT)
    error = float(np.std(EIGHT["return"], ddof=1)) / 8**0.5
    assert by["tier"] == {
        "3": {
            "episodes": 8,
            "success_rate": 0.375,
            "return_mean": pytest.approx(0.4),
            "return_se": pytest.approx(error),
        }
    }
    assert by["cell"]["implicit_permanent"]["return_se"] is None  # one level has no spread
    assert by["fault"]["flaky"]["episodes"] == 3 and by["fault"]["none"]["episodes"] == 5
    assert by["cell"]["implicit_permanent"]["episodes"] == 1
    assert by["template"] == {} and set(by["family"]) == {"chain"}


def test_chunks_are_joined_in_order() -> None:
    parts = [
        of(episodes(k, **{"return": k}), decisions=k, floor=1, decision_ms=np.full(k, 7.0))
        for k in (1, 3)
    ]
    whole = joined(parts)
    assert whole.episodes["return"].tolist() == [1.0, 3.0, 3.0, 3.0]
    assert (whole.decisions, whole.floor, len(whole.decision_ms)) == (4, 2, 4)


SHIFTED = episodes(8, **{"return": EIGHT["return"] - 0.5})


NAMES = {"a": "code_aware", "b": "random", "top": "oracle"}


def test_pairs_are_compared_level_by_level() -> None:
    """The differences are all 0.5, however far apart the levels are."""
    pairs = compare(NAMES, Setting(), {"a": of(EIGHT), "b": of(SHIFTED)}).paired
    assert set(pairs) == {"a/b", "b/a"}
    assert pairs["a/b"]["difference_mean"] == pytest.approx(0.5)
    assert pairs["a/b"]["difference_ci95"] == pytest.approx([0.5, 0.5])
    assert pairs["b/a"]["difference_mean"] == pytest.approx(-0.5)
    assert pairs["a/b"]["probability_of_improvement"] == 1.0
    assert pairs["b/a"]["probability_of_improvement_ci95"] == [0.0, 0.0]


def test_a_gap_is_closed_from_the_best_rule_towards_the_bound() -> None:
    top = episodes(8, **{"return": EIGHT["return"] + 0.5})
    played = {"a": of(EIGHT), "b": of(SHIFTED), "top": of(top)}
    beside, _, gap = compare(NAMES, Setting(), played)
    assert gap == {"rule": "a", "bound": "oracle"}
    assert beside["top"]["gap_closed"] == pytest.approx(1.0) and beside["a"]["gap_closed"] == 0.0
    assert beside["b"]["gap_closed"] == pytest.approx(-1.0)
    assert beside["b"]["gap_closed_ci95"] == pytest.approx([-1.0, -1.0])
    assert beside["a"]["fraction_of_oracle"] == pytest.approx(0.4 / 0.9)
    assert "fraction_of_bayes" not in beside["a"]


def test_a_share_of_what_is_not_positive_is_none() -> None:
    worse = episodes(8, **{"return": -0.1})
    beside = compare(NAMES, Setting(), {"a": of(EIGHT), "top": of(worse)}).beside
    assert beside["a"]["fraction_of_oracle"] is beside["a"]["gap_closed"] is None
    alone = compare(NAMES, Setting(), {"a": of(EIGHT)}).beside["a"]
    assert alone["fraction_of_oracle"] is alone["gap_closed"] is alone["gap_closed_ci95"] is None


def test_shares_of_bayes_are_told_on_templates_alone() -> None:
    """Of the exact values of the templates that were played, whoever else plays."""
    worth = bayes_values("exact")[EIGHT["template"]]
    half = {"a": of(episodes(8, **{"return": 0.5 * worth}))}
    beside, _, gap = compare({"a": "code_aware"}, Setting(split="exact"), half)
    assert gap == {"rule": "a", "bound": "bayes"}
    assert beside["a"]["fraction_of_bayes"] == pytest.approx(0.5)
    assert beside["a"]["fraction_of_bayes_ci95"] == pytest.approx([0.5, 0.5])
    alone = compare({"a": "code_aware"}, Setting(split="test"), half).beside["a"]
    assert alone.get("fraction_of_bayes") is None


def test_strata_are_tiers() -> None:
    """All that varies lies between two tiers, so that the mean over both is certain."""
    apart = episodes(40, tier=np.repeat([1, 2], 20), **{"return": np.repeat([0.0, 1.0], 20)})
    beside = compare({"a": "random"}, Setting(), {"a": of(apart)}).beside["a"]
    assert beside["return_ci95"] == [0.5, 0.5]


def test_a_share_has_no_interval_where_the_way_may_be_none() -> None:
    """The bound is above the rule on the whole, but not in every resample."""
    rule = episodes(8, **{"return": 0.0})
    bound = episodes(8, **{"return": [0.9, -0.2, -0.1, -0.1, -0.1, -0.1, -0.1, -0.1]})
    beside = compare(NAMES, Setting(), {"a": of(rule), "top": of(bound)}).beside["top"]
    assert beside["gap_closed"] == pytest.approx(1.0) and beside["gap_closed_ci95"] is None
