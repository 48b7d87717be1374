"""Estimates with their intervals: interquartile mean and percentile bootstrap."""

from __future__ import annotations

import numpy as np

RESAMPLES = 2000


def iqm(values: np.ndarray) -> float:
    """Mean of the middle half (Agarwal et al. 2021)."""
    ordered = np.sort(np.asarray(values, float))
    cut = len(ordered) // 4
    return float(ordered[cut : len(ordered) - cut].mean())


def mean_ci95(values: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """95% percentile bootstrap interval of the mean; the same for the same values."""
    values = np.asarray(values, float)
    generator = np.random.default_rng(seed)
    means = np.empty(RESAMPLES)
    for i in range(0, RESAMPLES, 100):  # in blocks, so that memory stays small
        picks = generator.integers(0, len(values), (100, len(values)))
        means[i : i + 100] = values[picks].mean(1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)
