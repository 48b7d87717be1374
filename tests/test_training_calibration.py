"""Told chances against what came true: by hand, and of a policy that plays."""

from __future__ import annotations

import numpy as np
import pytest

from policies.recovery.base import Decision, certain
from policies.recovery.registry import policy_named
from training.judging import calibration
from training.judging.calibration import brier_skill, calibration_error, told_chances
from training.judging.setting import Setting
from training.learning.card import told

STOP = 1
SETTING = Setting(split="test", tiers=(1, 6), episodes=40)


def test_the_skill_is_the_share_of_the_base_rates_score_that_is_saved() -> None:
    happened = np.array([1.0, 1.0, 1.0, 0.0])  # telling 3/4 always scores 3/16
    assert brier_skill(happened, happened) == 1.0
    assert brier_skill(np.full(4, 0.75), happened) == pytest.approx(0.0)
    assert brier_skill(np.array([1.0, 1.0, 1.0, 0.5]), happened) == pytest.approx(2 / 3)
    assert brier_skill(1.0 - happened, happened) == pytest.approx(1 - 16 / 3)
    assert brier_skill(np.array([0.9, 0.8]), np.ones(2)) is None
    assert told(None) == "-"


def test_who_is_certain_and_wrong_counts_too() -> None:
    assert calibration_error(np.array([1.0, 1.0]), np.array([0.0, 1.0])) == 0.5


def test_the_base_rate_is_calibrated_and_has_no_skill() -> None:
    """What the calibration error cannot tell from knowing everything."""
    happened = np.array([1.0, 0.0] * 50)
    assert calibration_error(np.full(100, 0.5), happened) == 0.0
    assert calibration_error(happened, happened) == 0.0
    assert calibration_error(np.full(100, 0.9), happened) == pytest.approx(0.4)
    assert (brier_skill(np.full(100, 0.5), happened), brier_skill(happened, happened)) == (0.0, 1.0)


class Stops:
    """It stops at once and tells each lane a chance of its own."""

    name = "stops"

    def decide(self, observation, mask) -> Decision:
        n = len(mask)
        return certain(np.full(n, STOP), mask.shape[1], self.name)._replace(
            success=np.linspace(0.0, 1.0, n)
        )


def test_every_decision_counts_with_what_became_of_its_episode(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chance, happened = told_chances(Stops(), SETTING, 0, 5)
    assert chance.tolist() == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert not happened.any()
    shipped = policy_named("shipped")
    chance, happened = told_chances(shipped, SETTING, 0, SETTING.episodes)
    assert len(chance) > SETTING.episodes and 0 < happened.mean() < 1
    whole = calibration.calibration(shipped, SETTING)
    assert whole == {
        "success_ece": calibration_error(chance, happened),
        "success_brier_skill": brier_skill(chance, happened),
    }
    monkeypatch.setattr(calibration, "CHUNK", 16)  # the last one is shorter
    assert calibration.calibration(shipped, SETTING)["success_ece"] == pytest.approx(
        whole["success_ece"]
    )


def test_a_rule_tells_no_chances() -> None:
    with pytest.raises(ValueError, match="index tells no chance of success"):
        calibration.calibration(policy_named("index"), SETTING)
