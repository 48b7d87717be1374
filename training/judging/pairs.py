"""Pairs of policies that played the same levels under the same luck: intervals, shares of a bound, gaps."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from policies.recovery.registry import HAND_RULES
from training.judging.bounds import BAYES, ORACLE, upper_reference
from training.judging.episodes import Played
from training.judging.figures import ratio
from training.judging.setting import Setting
from training.judging.stats import (
    interval,
    probability_of_improvement,
    resampled_iqms,
    resampled_means,
)


@dataclass
class Sample:
    """Values [N, P] of episodes, a named column each, with their means and resampled means [B, P]."""

    names: list[str]
    means: np.ndarray
    resampled: np.ndarray

    @classmethod
    def of(cls, columns: dict[str, np.ndarray], strata: np.ndarray) -> Sample:
        """The sample of columns [N] in the strata [N]."""
        values = np.stack(list(columns.values()), axis=1)
        return cls(list(columns), values.mean(0), resampled_means(values, strata))

    def mean(self, name: str) -> float:
        """The mean of a column."""
        return float(self.means[self.names.index(name)])

    def of_resamples(self, name: str) -> np.ndarray:
        """[B] resampled means of a column."""
        return np.asarray(self.resampled[:, self.names.index(name)])

    def share(self, of: str, to: str, start: str | None = None) -> tuple[float | None, Any]:
        """How far a column is on the way from `start` (0 where there is none) to another, with its interval.

        None where that way is not positive; no interval where it is not in every resample.
        """
        origin = 0.0 if start is None else self.mean(start)
        value = ratio(self.mean(of) - origin, self.mean(to) - origin)
        if value is None:
            return None, None
        origins = 0.0 if start is None else self.of_resamples(start)
        below = self.of_resamples(to) - origins
        if not (below > 0).all():
            return value, None
        return value, list(interval((self.of_resamples(of) - origins) / below))


def strata_of(played: dict[str, Played]) -> np.ndarray:
    """[N] the stratum of each episode: its tier, or its template or file."""
    episodes = next(iter(played.values())).episodes
    return np.asarray(np.maximum(episodes["tier"], episodes["template"]))


def best_rule(names: dict[str, str], played: dict[str, Played]) -> str | None:
    """The label of the hand rule with the highest return on these very levels, which favours it."""
    rules = [label for label in played if names[label] in HAND_RULES]
    return max(rules, key=lambda label: played[label].episodes["return"].mean(), default=None)


class Comparison(NamedTuple):
    """What is to be said of policies beside each other."""

    beside: dict[str, dict[str, Any]]
    """Label -> intervals, and shares of bounds."""
    paired: dict[str, dict[str, Any]]
    """Ordered pair `A/B` -> how A differs from B."""
    gap: dict[str, Any]
    """The rule that a gap is measured from and the bound that it leads to; None where there is none."""


def compare(names: dict[str, str], setting: Setting, played: dict[str, Played]) -> Comparison:
    """Compare what policies played.

    Args:
        names: label -> name of the policy.
        setting: what was played.
        played: label -> what was played; all the same episodes.
    """
    if not played:
        return Comparison({}, {}, {"rule": None, "bound": None})
    returns = {label: np.asarray(p.episodes["return"]) for label, p in played.items()}
    by_name = {names[label]: p for label, p in played.items()}
    bound, bound_returns = upper_reference(setting, by_name)
    columns = {f"return of {label}": values for label, values in returns.items()}
    if bound_returns is not None:
        columns["bound"] = bound_returns
    if ORACLE in by_name:
        columns["oracle"] = np.asarray(by_name[ORACLE].episodes["return"])
    for one, other in itertools.combinations(returns, 2):
        columns[f"{one} over {other}"] = probability_of_improvement(returns[one], returns[other])
    strata = strata_of(played)
    sample = Sample.of(columns, strata)
    iqms = resampled_iqms(np.stack(list(returns.values()), axis=1), strata)
    gap = {"rule": best_rule(names, played), "bound": bound}
    beside = {
        label: {
            "return_ci95": list(interval(sample.of_resamples(f"return of {label}"))),
            "return_iqm_ci95": list(interval(iqms[:, i])),
            **shares_of_bounds(f"return of {label}", sample, gap, is_exact(setting)),
        }
        for i, label in enumerate(returns)
    }
    return Comparison(beside, pairs_of(list(returns), sample), gap)


def shares_of_bounds(its: str, sample: Sample, gap: dict[str, Any], exact: bool) -> dict[str, Any]:
    """How much of each bound a policy has, by the name of its column; None where there is no such bound."""
    none: tuple[float | None, Any] = (None, None)
    known = gap["rule"] is not None and gap["bound"] is not None
    closed = sample.share(its, "bound", f"return of {gap['rule']}") if known else none
    out = {
        "fraction_of_oracle": sample.share(its, "oracle")[0] if "oracle" in sample.names else None,
        "gap_closed": closed[0],
        "gap_closed_ci95": closed[1],
    }
    if exact:
        bayes = sample.share(its, "bound") if gap["bound"] == BAYES else none
        out |= {"fraction_of_bayes": bayes[0], "fraction_of_bayes_ci95": bayes[1]}
    return out


def is_exact(setting: Setting) -> bool:
    """The levels are templates, for which the Bayes-optimal policy can be had."""
    return not setting.levels and not setting.drawn


def pairs_of(labels: list[str], sample: Sample) -> dict[str, dict[str, Any]]:
    """Paired differences in return, and the chance to be better, of every ordered pair."""
    out = {}
    for one, other in itertools.permutations(labels, 2):
        a, b = f"return of {one}", f"return of {other}"
        better = f"{one} over {other}"
        known = better in sample.names
        better = better if known else f"{other} over {one}"
        sign = 1.0 if known else -1.0  # of 1 - P
        chances = 0.5 + sign * (sample.of_resamples(better) - 0.5)
        out[f"{one}/{other}"] = {
            "difference_mean": sample.mean(a) - sample.mean(b),
            "difference_ci95": list(interval(sample.of_resamples(a) - sample.of_resamples(b))),
            "probability_of_improvement": 0.5 + sign * (sample.mean(better) - 0.5),
            "probability_of_improvement_ci95": list(interval(chances)),
        }
    return out
