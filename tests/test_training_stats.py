"""Estimates on arrays whose answers are known."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays as drawn_arrays

from training.judging.stats import (
    interval,
    iqm,
    mean_ci95,
    pass_hat,
    performance_profile,
    probability_of_improvement,
    resampled_iqms,
    resampled_means,
    resamples,
    weighted_iqm,
)

VALUES = drawn_arrays(float, st.integers(1, 40), elements=st.floats(-1, 1, width=32))


def test_the_interquartile_mean_leaves_out_a_quarter_at_either_end() -> None:
    assert iqm(np.array([100.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, -90.0])) == 3.5
    assert iqm(np.array([7.0])) == 7.0
    assert iqm(np.array([1, 2, 9])) == 4.0  # of fewer than four nothing is left out


@settings(max_examples=60, deadline=None)
@given(values=VALUES, data=st.data())
def test_weights_are_values_that_occur_so_many_times(values: np.ndarray, data) -> None:
    ordered = np.sort(values)
    n = len(ordered)
    weights = data.draw(drawn_arrays(int, n, elements=st.integers(0, 3)))
    weights[0] += 1  # there is one at least
    assert weighted_iqm(ordered, weights) == pytest.approx(iqm(np.repeat(ordered, weights)))


@settings(max_examples=30, deadline=None)
@given(
    strata=drawn_arrays(int, st.integers(1, 60), elements=st.integers(-1, 5)),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_resample_keeps_the_size_of_every_stratum(strata: np.ndarray, seed: int) -> None:
    for weights in resamples(strata, seed, times=5):
        for stratum in np.unique(strata):
            assert weights[strata == stratum].sum() == (strata == stratum).sum()


def test_of_equal_values_the_interval_is_a_point() -> None:
    assert mean_ci95(np.full(50, 0.25)) == (0.25, 0.25)


def test_of_a_coin_the_interval_is_that_of_the_binomial() -> None:
    """2.5% and 97.5% of the mean of 100 fair coins: 0.5 -+ 1.96 * 0.05; quartiles would be at -+ 0.034."""
    low, high = mean_ci95(np.repeat([0.0, 1.0], 50))
    assert low == pytest.approx(0.402, abs=0.011)
    assert high == pytest.approx(0.598, abs=0.011)


def test_strata_that_differ_do_not_widen_the_interval() -> None:
    """All that varies lies between the strata: stratified, the mean is certain; else it is a coin."""
    values, strata = np.repeat([0.0, 1.0], 50), np.repeat([0, 1], 50)
    assert mean_ci95(values, strata=strata) == (0.5, 0.5)
    assert mean_ci95(values)[0] < 0.45


def test_the_interval_is_the_same_for_the_same_values() -> None:
    values = np.arange(20.0)
    assert mean_ci95(values) == mean_ci95(values)
    assert mean_ci95(values, seed=1) != mean_ci95(values)


def test_an_interval_lies_around_its_mean_however_skewed() -> None:
    values = np.array([0.0] * 30 + [10.0])
    low, high = mean_ci95(values)
    assert low == 0.0
    assert low < values.mean() < high < 10.0


def test_columns_are_resampled_together() -> None:
    """The difference of two columns that differ by a constant is that constant in every resample."""
    one = np.random.default_rng(0).random(40)
    means = resampled_means(np.stack([one, one - 0.25], axis=1), times=50)
    assert means[:, 0] - means[:, 1] == pytest.approx(np.full(50, 0.25))
    assert means[:, 0].std() > 0
    iqms = resampled_iqms(np.stack([one, one - 0.25], axis=1), times=50)
    assert iqms[:, 0] - iqms[:, 1] == pytest.approx(np.full(50, 0.25))
    assert interval(np.arange(101.0)) == (2.5, 97.5)


def test_the_chance_to_be_better_counts_half_of_what_is_equal() -> None:
    one, other = np.array([1.0, 0.0, 0.5, 0.5]), np.array([0.0, 1.0, 0.5, 0.0])
    assert probability_of_improvement(one, other).tolist() == [1.0, 0.0, 0.5, 1.0]
    total = probability_of_improvement(one, other) + probability_of_improvement(other, one)
    assert total.tolist() == [1.0] * 4


def test_the_profile_is_the_share_above_each_threshold() -> None:
    values = np.array([-0.5, 0.0, 0.0, 0.8])
    shares = performance_profile(values, np.array([-1.0, -0.5, 0.0, 0.5, 1.0]))
    assert shares.tolist() == [1.0, 0.75, 0.25, 0.25, 0.0]


@given(st.lists(st.lists(st.booleans(), min_size=5, max_size=5), min_size=1, max_size=4))
def test_pass_hat_is_the_mean_over_all_choices_of_trials(levels: list[list[bool]]) -> None:
    for k in (1, 3, 5):
        each = [np.mean([all(c) for c in combinations(trials, k)]) for trials in levels]
        assert pass_hat(np.array([sum(t) for t in levels]), 5, k) == pytest.approx(np.mean(each))
