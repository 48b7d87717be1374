"""Estimates with their intervals, as rliable has them (Agarwal et al. 2021, "Deep reinforcement learning
at the edge of the statistical precipice"): interquartile mean, stratified bootstrap, performance profile,
probability of improvement.

There a stratum is a task and its values are runs; here a stratum is a tier (or a template) and its values
are levels. All policies of an evaluation play the same levels under the same luck, so the same resamples
serve for all of them, and a difference is resampled in pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import comb

import numpy as np

RESAMPLES = 2000
NORMAL_95 = 1.96
"""Standard errors on either side of a mean between which 95% of a normal distribution lie."""


def iqm(values: np.ndarray) -> float:
    """Mean of the middle half (Agarwal et al. 2021)."""
    ordered = np.sort(np.asarray(values, float))
    cut = len(ordered) // 4
    return float(ordered[cut : len(ordered) - cut].mean())


def weighted_iqm(ordered: np.ndarray, weights: np.ndarray) -> float:
    """`iqm` of ascending values that occur so many times each."""
    total = int(weights.sum())
    cut = total // 4
    after = np.cumsum(weights)
    kept = np.minimum(after, total - cut) - np.maximum(after - weights, cut)
    return float(np.maximum(kept, 0) @ ordered / (total - 2 * cut))


def resamples(strata: np.ndarray, seed: int = 0, times: int = RESAMPLES) -> Iterator[np.ndarray]:
    """Bootstrap resamples: how often each of N values occurs [N]; as many of each stratum as there are.

    The same for the same strata, whatever the values.
    """
    order = np.argsort(strata, kind="stable")
    _, counts = np.unique(strata, return_counts=True)
    size = np.repeat(counts, counts)
    first = np.repeat(np.cumsum(counts) - counts, counts)
    generator = np.random.default_rng(seed)
    for _ in range(times):
        picks = first + (generator.random(len(size)) * size).astype(np.int64)
        yield np.bincount(order[picks], minlength=len(size))


def interval(estimates: np.ndarray) -> tuple[float, float]:
    """The 95% percentile interval of resampled estimates."""
    low, high = np.percentile(estimates, [2.5, 97.5])
    return float(low), float(high)


def resampled_means(
    values: np.ndarray, strata: np.ndarray | None = None, seed: int = 0, times: int = RESAMPLES
) -> np.ndarray:
    """[times, P] means of values [N, P] under stratified resampling; one row is one resample for all P."""
    strata = np.zeros(len(values)) if strata is None else strata
    drawn = resamples(strata, seed, times)
    return np.array([weights.astype(float) @ values for weights in drawn]) / len(values)


def resampled_iqms(
    values: np.ndarray, strata: np.ndarray | None = None, seed: int = 0, times: int = RESAMPLES
) -> np.ndarray:
    """[times, P] interquartile means of values [N, P] under the resamples of `resampled_means`."""
    strata = np.zeros(len(values)) if strata is None else strata
    orders = np.argsort(values, axis=0, kind="stable").T
    columns = [(order, values[order, p]) for p, order in enumerate(orders)]
    return np.array(
        [
            [weighted_iqm(ordered, weights[order]) for order, ordered in columns]
            for weights in resamples(strata, seed, times)
        ]
    )


def mean_ci95(
    values: np.ndarray, seed: int = 0, strata: np.ndarray | None = None
) -> tuple[float, float]:
    """95% percentile bootstrap interval of the mean; the same for the same values."""
    return interval(resampled_means(np.asarray(values, float)[:, None], strata, seed)[:, 0])


def probability_of_improvement(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """[N] 1 where one is better than the other on a level, 0.5 where they are equal: its mean is P(X > Y).

    Agarwal et al. compare every run of X with every run of Y of a task; here both have played the same levels
    under the same luck, so pairs are compared.
    """
    return (one > other) + 0.5 * (one == other)


def performance_profile(values: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Share of values above each threshold (Agarwal et al. 2021; Dolan and Moré 2002)."""
    ordered = np.sort(values)
    return 1.0 - np.searchsorted(ordered, thresholds, side="right") / len(ordered)


def pass_hat(successes: np.ndarray, trials: int, k: int) -> float:
    """pass^k (Yao et al. 2024, tau-bench): chance that k trials of a level, drawn of its n, all succeed.

    Args:
        successes: [L] how many trials of each level succeeded.
        trials: n.
        k: at most n.
    """
    return float(np.mean([comb(int(c), k) for c in successes]) / comb(trials, k))
