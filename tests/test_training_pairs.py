"""Comparisons, on episodes written by hand: whose interval is whose, both directions of a pair, who is a rule."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from training.judging.episodes import EPISODE, Played
from training.judging.pairs import Sample, compare, strata_of
from training.judging.setting import Setting
from training.judging.stats import RESAMPLES, resampled_iqms, resampled_means

LEVELS = 40
LUCK = np.random.default_rng(5)


def played(returns: np.ndarray, **fields: Any) -> Played:
    """What a policy played that got these returns."""
    episodes = np.zeros(len(returns), EPISODE)
    episodes["template"] = -1
    episodes["return"] = returns
    for name, values in fields.items():
        episodes[name] = values
    none = np.zeros(0)
    return Played(episodes, np.zeros((1, 1), np.int64), 0, 0, 0.0, none)


def test_every_policy_has_its_own_intervals() -> None:
    low, high = LUCK.uniform(0.0, 0.2, LEVELS), LUCK.uniform(0.7, 0.9, LEVELS)
    names = {"low": "random", "high": "retry"}
    beside = compare(names, Setting(), {"low": played(low), "high": played(high)}).beside
    for label, values in (("low", low), ("high", high)):
        for field in ("return_ci95", "return_iqm_ci95"):
            below, above = beside[label][field]
            assert values.min() <= below < above <= values.max()


def test_a_pair_read_backwards_is_its_mirror() -> None:
    one, other = LUCK.uniform(0.0, 0.8, LEVELS), LUCK.uniform(0.2, 1.0, LEVELS)
    names = {"a": "random", "b": "retry"}
    paired = compare(names, Setting(), {"a": played(one), "b": played(other)}).paired
    there, back = paired["a/b"], paired["b/a"]
    assert there["difference_mean"] == pytest.approx((one - other).mean())
    assert there["probability_of_improvement"] == pytest.approx((one > other).mean())
    assert there["probability_of_improvement"] + back[
        "probability_of_improvement"
    ] == pytest.approx(1.0)
    for field, whole in (("difference_ci95", 0.0), ("probability_of_improvement_ci95", 1.0)):
        assert there[field][0] + back[field][1] == pytest.approx(whole)
        assert there[field][1] + back[field][0] == pytest.approx(whole)


def test_the_gap_starts_at_a_hand_rule_though_others_are_better() -> None:
    names = {name: name for name in ("retry", "cascade", "index", "thompson", "oracle")}
    returns = dict(zip(names, (0.1, 0.2, 0.5, 0.4, 0.8), strict=True))
    all_ = {name: played(np.full(LEVELS, value)) for name, value in returns.items()}
    gap = compare(names, Setting(), all_).gap
    assert gap == {"rule": "cascade", "bound": "oracle"}


def test_strata_are_templates_where_there_are_no_tiers() -> None:
    drawn = {"a": played(np.zeros(3), tier=[4, 9, 9])}
    assert strata_of(drawn).tolist() == [4, 9, 9]
    templates = {"a": played(np.zeros(3), tier=-1, template=[0, 3, 1])}
    assert strata_of(templates).tolist() == [0, 3, 1]


def test_iqms_and_means_are_of_the_same_resamples_within_strata() -> None:
    """Twice the same value per stratum: an IQM over both strata moves only where their shares do, and they do not."""
    strata = np.repeat([0, 1], LEVELS // 2)
    constant = np.repeat([0.0, 1.0], LEVELS // 2)[:, None]
    assert np.unique(resampled_iqms(constant, strata)).tolist() == [0.5]
    values = LUCK.uniform(size=(LEVELS, 1))
    middle = np.where(
        values > 0.5, 1.0, 0.0
    )  # its IQM is 0, 1 or between, as its mean is below .25, above .75 or not
    means, iqms = resampled_means(middle, strata)[:, 0], resampled_iqms(middle, strata)[:, 0]
    assert len(means) == len(iqms) == RESAMPLES
    assert iqms == pytest.approx(np.clip(2.0 * means - 0.5, 0.0, 1.0))


def test_a_share_has_no_interval_where_some_resample_has_nothing_to_share() -> None:
    means, resampled = np.array([0.5, 1.0]), np.array([[0.5, 1.0], [0.5, -0.1]])
    assert Sample(["its", "bound"], means, resampled).share("its", "bound") == (0.5, None)
    kept = Sample(["its", "bound"], means, np.abs(resampled)).share("its", "bound")
    assert kept[1] is not None
