"""Estimates on arrays whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from training.stats import iqm, mean_ci95


def test_the_interquartile_mean_leaves_out_a_quarter_at_either_end() -> None:
    assert iqm(np.array([100.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, -90.0])) == 3.5
    assert iqm(np.array([7.0])) == 7.0
    assert iqm(np.array([1, 2, 9])) == 4.0  # of fewer than four nothing is left out


def test_of_equal_values_the_interval_is_a_point() -> None:
    assert mean_ci95(np.full(50, 0.25)) == (0.25, 0.25)


def test_of_a_coin_the_interval_is_that_of_the_binomial() -> None:
    """2.5% and 97.5% of the mean of 100 fair coins: 0.5 -+ 1.96 * 0.05; quartiles would be at -+ 0.034."""
    low, high = mean_ci95(np.repeat([0.0, 1.0], 50))
    assert low == pytest.approx(0.402, abs=0.011)
    assert high == pytest.approx(0.598, abs=0.011)


def test_the_interval_is_the_same_for_the_same_values() -> None:
    values = np.arange(20.0)
    assert mean_ci95(values) == mean_ci95(values)
    assert mean_ci95(values, seed=1) != mean_ci95(values)


def test_an_interval_lies_around_its_mean_however_skewed() -> None:
    values = np.array([0.0] * 30 + [10.0])
    low, high = mean_ci95(values)
    assert low == 0.0
    assert low < values.mean() < high < 10.0
