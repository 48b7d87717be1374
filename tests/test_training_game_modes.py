"""The game under each owner of failures: counted attempts, and the same levels in each mode."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fqg_env.arrays import CODES, HISTORY, SIZES, History
from fqg_env.fields import COUNT_UNIT
from fqg_env.history import CALL_UNIT, CATEGORY_UNIT
from fqg_env.lanes import Lanes
from fqg_env.level import Responsibility
from fqg_env.outcome import Category
from fqg_env.rules import FIRST_CALL
from policies.recovery.registry import policy_named
from training.decision import game_modes
from training.decision.game_modes import Count, dealt, figures, play_modes
from training.judging import episodes
from training.judging.setting import Setting, deal

LEVELS = Setting(episodes=96, tiers=(6, 20))


@pytest.fixture(scope="module")
def tallies() -> dict[str, np.ndarray]:
    return play_modes(policy_named("index"), LEVELS)


def test_hybrid_is_what_the_judge_plays(tallies: dict[str, np.ndarray]) -> None:
    judged = episodes.play(policy_named("index"), deal(LEVELS, 0, LEVELS.episodes)).episodes
    hybrid = tallies["hybrid"]
    assert (hybrid["success"] == judged["success"]).all()
    assert (hybrid["return"] == judged["return"]).all()
    assert figures(hybrid)["success_rate"] == judged["success"].mean()
    levels = deal(LEVELS, 0, LEVELS.episodes).levels
    assert hybrid["latency_s"] == pytest.approx(judged["time"] * levels["time_budget_s"])
    assert hybrid["cost"] == pytest.approx(judged["cost"] * levels["cost_budget"])


def test_levels_are_the_same_however_many_are_played_side_by_side(
    tallies: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(game_modes, "CHUNK", 40)
    for mode, tally in play_modes(policy_named("index"), LEVELS).items():
        assert (tally == tallies[mode]).all()


def test_attempts_are_counted_once_each(tallies: dict[str, np.ndarray]) -> None:
    judged = episodes.play(policy_named("index"), deal(LEVELS, 0, LEVELS.episodes)).episodes
    counted = tallies["hybrid"]["attempts"]
    assert (counted <= judged["attempts"]).all()  # one whose answer is lost never finishes
    assert counted.sum() > 0.9 * judged["attempts"].sum()


def test_nothing_is_mended_inside_where_the_conductor_owns_all(
    tallies: dict[str, np.ndarray],
) -> None:
    found = figures(tallies["conductor"])
    assert found["own_repeats"] == found["resolved_inside_extension"] == 0
    assert found["duplicated_retries"] == 0
    assert figures(tallies["hybrid"])["own_repeats"] > 0


def test_community_leaves_the_conductor_no_choice_after_a_failure(
    tallies: dict[str, np.ndarray],
) -> None:
    assert figures(tallies["community"])["failures_with_a_choice"] == 0
    assert figures(tallies["community"])["failures_seen_by_conductor"] > 0
    assert figures(tallies["conductor"])["failures_with_a_choice"] > 0


def test_from_the_first_move_on_community_leaves_the_next_call_of_the_plan_alone() -> None:
    """What is legal is that of the mode before anything is attempted, not that of the mode as dealt."""
    community, hybrid = (
        dealt(LEVELS, mode, 0, LEVELS.episodes)
        for mode in (Responsibility.COMMUNITY, Responsibility.HYBRID)
    )
    calls = community.masks[:, FIRST_CALL:]
    assert (calls.sum(axis=1) == 1).all()
    assert (calls.argmax(axis=1) == community.levels["plan"][:, 0]).all()
    assert (hybrid.masks[:, FIRST_CALL:].sum(axis=1) > 1).any()
    assert (community.observations["run"] != hybrid.observations["run"]).any(axis=1).all()


def entry(call: int, category: int, own: int, elapsed: float = 0.1) -> np.ndarray:
    """An attempt as the board remembers it."""
    out = np.zeros(len(History), np.float32)
    out[History.CALL], out[History.CATEGORY] = (call + 1) / CALL_UNIT, category / CATEGORY_UNIT
    out[History.OWN_RECOVERY], out[History.ELAPSED] = own / COUNT_UNIT, elapsed
    return out


def counted(*attempts: np.ndarray) -> Any:
    """The tally of one lane whose ring got these attempts, and wraps on the way."""
    lanes = Lanes(1, SIZES["small"], False)
    lanes.levels["time_budget_s"] = 10.0
    lanes.masks[:] = 1
    first = HISTORY - 1
    for k, each in enumerate(attempts):
        lanes.boards["history"][0, (first + k) % HISTORY] = each
    lanes.boards["history_next"] = (first + len(attempts)) % HISTORY
    count = Count.of(lanes)
    count.finished(lanes, np.array([first]))
    return count.tally[0]


def test_what_repeats_what_repeated_itself_is_doubled() -> None:
    timeout = CODES[Category.TIMEOUT]
    found = counted(entry(3, timeout, 2), entry(4, timeout, 0), entry(3, 0, 1), entry(3, 0, 0))
    assert found["attempts"] == 4
    assert found["failures"] == found["violations"] == found["choices"] == 2
    assert found["duplicated"] == 1
    assert found["resolved"] == 1
    assert found["own_repeats"] == 3


@pytest.mark.parametrize("category", ["TIMEOUT", "OUT_OF_RESOURCES", "POLICY_VIOLATION"])
def test_each_kind_of_broken_limit_is_a_violation(category: str) -> None:
    assert counted(entry(0, CODES[Category[category]], 0))["violations"] == 1
    assert counted(entry(0, CODES[Category.CRASHED], 0))["violations"] == 0


def test_seconds_of_failures_and_of_own_recovery_are_wasted() -> None:
    found = counted(entry(0, CODES[Category.CRASHED], 0, 0.2), entry(1, 0, 0, 0.3))
    assert found["spent_s"] == pytest.approx(5.0)
    assert found["wasted_s"] == pytest.approx(2.0)
    mended = counted(entry(1, 0, 1, 0.3))
    share = game_modes.RECOVERY_SHARE / (1.0 + game_modes.RECOVERY_SHARE)
    assert mended["wasted_s"] == pytest.approx(3.0 * share)


def test_cancelled_attempts_are_no_failures() -> None:
    found = counted(entry(0, CODES[Category.CANCELLED], 0))
    assert found["attempts"] == 1
    assert found["failures"] == 0
