"""The figures of a policy, from its episodes to the numbers that are printed; docs/training.md names them."""

from __future__ import annotations

from typing import Any

import numpy as np

from fqg_env.cells import Cell, FaultKind, bits_of
from fqg_env.render import CATEGORY_NAMES
from fqg_env.shapes import Family
from fqg_env.splits import MIX_NAMES
from training.judging.behaviour import Reaction
from training.judging.episodes import Played
from training.judging.stats import iqm, pass_hat, performance_profile

THRESHOLDS = np.round(np.linspace(-1.0, 1.0, 41), 2)
"""Returns at which the performance profile is told."""
MOST_RECOVERIES = 3
TRIALS = 8
"""Lucks under which a level is played for pass^8."""


def ratio(top: float, below: float) -> float | None:
    """A ratio where the denominator is positive, else None."""
    return float(top / below) if below > 0 else None


def mean_of(values: np.ndarray) -> float | None:
    """A mean; None of nothing."""
    return float(values.mean()) if len(values) else None


def basic(played: Played) -> dict[str, Any]:
    """Success, return, cost and time of one policy; every interval is added by `compare`."""
    e = played.episodes
    successes = float(e["success"].sum())
    timed = played.decision_ms
    return {
        "success_rate": float(e["success"].mean()),
        "return_mean": float(e["return"].mean()),
        "return_iqm": iqm(e["return"]),
        "attempts_per_success": ratio(float(e["attempts"].sum()), successes),
        "cost_per_success": ratio(float(e["cost"].sum()), successes),
        "cost_mean": float(e["cost"].mean()),
        "time_mean": float(e["time"].mean()),
        "attempts_mean": float(e["attempts"].mean()),
        "time_to_goal": mean_of(e["goal_at"][e["success"] == 1]),
        "wrong_delivered_rate": float(e["wrong"].mean()),
        "unsafe_repeat_rate": float(e["unsafe"].mean()),
        "repeats_without_news": float(e["repeats"].mean()),
        "illegal_actions": int(e["refused"].sum()),
        "floor_share": played.floor / max(1, played.decisions),
        "decision_ms_p50": float(np.percentile(timed, 50)) if len(timed) else None,
        "decision_ms_p99": float(np.percentile(timed, 99)) if len(timed) else None,
        "decision_ms_batched": 1e3 * played.spent_s / max(1, played.decisions),
    }


def give_ups(episodes: np.ndarray) -> dict[str, Any]:
    """How a policy stops: what it spends on levels that nobody can solve, how often it stops on others."""
    lost = episodes[episodes["unsolvable"] == 1]
    rest = episodes[episodes["unsolvable"] == 0]
    return {
        "unsolvable": len(lost),
        "unsolvable_cost": mean_of(lost["cost"]),
        "unsolvable_attempts": mean_of(lost["attempts"]),
        "unsolvable_given_up": mean_of(lost["gave_up"].astype(float)),
        "false_give_up_rate": mean_of(rest["gave_up"].astype(float)),
    }


def recovery(episodes: np.ndarray) -> dict[str, dict[str, Any]]:
    """By cell: the levels with a fault of it in the way of the default order, and the share that is solved.

    These are the same levels for all policies; provably unsolvable ones are left out. Beside it, what each
    policy brings on itself: the episodes in which such a fault stopped or spoilt an attempt of its own.
    """
    out = {}
    for cell in Cell:
        faced = (episodes["in_the_way"] & bits_of(cell)) != 0
        good = episodes["success"].astype(float)
        fair = faced & (episodes["unsolvable"] == 0)
        met = (episodes["met"] & bits_of(cell)) != 0
        out[cell.value] = {
            "episodes": int(fair.sum()),
            "rate": mean_of(good[fair]),
            "met": int(met.sum()),
            "met_rate": mean_of(good[met]),
        }
    return out


def success_by_recoveries(episodes: np.ndarray) -> dict[str, float]:
    """Share of all episodes that succeeded within 0, 1, 2, 3 recovery attempts."""
    good = episodes["success"] == 1
    return {
        str(k): float((good & (episodes["recoveries"] <= k)).mean())
        for k in range(MOST_RECOVERIES + 1)
    }


def pass_8(trials: list[np.ndarray]) -> dict[str, Any]:
    """pass^8 from the successes [levels] under each luck; None where no level was played under all."""
    if len(trials) < TRIALS or not len(trials[0]):
        return {"pass_8": None, "pass_8_levels": 0}
    successes = np.sum(trials, axis=0)
    return {"pass_8": pass_hat(successes, TRIALS, TRIALS), "pass_8_levels": len(successes)}


def profile(episodes: np.ndarray) -> dict[str, list[float]]:
    """The performance profile: share of episodes above each return."""
    shares = performance_profile(episodes["return"], THRESHOLDS)
    return {"return": THRESHOLDS.tolist(), "share": shares.tolist()}


def reactions(played: Played) -> dict[str, dict[str, Any]]:
    """By category of error: how often a call failed so, and the share of each first decision after that."""
    out = {}
    for category, counts in enumerate(played.reactions):
        if total := int(counts.sum()):
            shares = {r.name.lower(): float(counts[r] / total) for r in Reaction if counts[r]}
            out[CATEGORY_NAMES[category]] = {"failures": total, "shares": shares}
    return out


def group(episodes: np.ndarray, which: np.ndarray) -> dict[str, Any]:
    """Success and return on some of the episodes; one alone has no standard error."""
    chosen = episodes[which]
    n = len(chosen)
    return {
        "episodes": n,
        "success_rate": mean_of(chosen["success"].astype(float)),
        "return_mean": mean_of(chosen["return"]),
        "return_se": float(chosen["return"].std(ddof=1) / np.sqrt(n)) if n > 1 else None,
    }


def breakdown(episodes: np.ndarray) -> dict[str, dict[str, dict[str, Any]]]:
    """Success and return by tier, family, template, mix, and by what is in the way of the default order.

    A level with several faults in its way counts for each; a group has the same levels for all policies.
    """

    def by(field: str, name: Any) -> dict[str, dict[str, Any]]:
        values = [int(v) for v in np.unique(episodes[field]) if v >= 0]
        return {name(v): group(episodes, episodes[field] == v) for v in values}

    kinds = {kind.name.lower(): 1 << kind for kind in FaultKind}
    cells = {cell.value: bits_of(cell) for cell in Cell}
    in_the_way = episodes["in_the_way"]

    def faced(masks: dict[str, int]) -> dict[str, dict[str, Any]]:
        found = {name: (in_the_way & mask) != 0 for name, mask in masks.items()}
        return {name: group(episodes, which) for name, which in found.items() if which.any()}

    return {
        "tier": by("tier", str),
        "family": by("family", lambda v: Family(v).name.lower()),
        "template": by("template", lambda v: str(v + 1)),
        "mix": by("mix", lambda v: MIX_NAMES[v]),
        "fault": {**faced(kinds), "none": group(episodes, in_the_way == 0)},
        "cell": faced(cells),
    }


def figures(played: Played, trials: list[np.ndarray]) -> dict[str, Any]:
    """All figures of one policy that need no other, but for intervals.

    Args:
        played: its episodes.
        trials: successes [levels] of the same first levels under each luck, the usual one first.
    """
    e = played.episodes
    return {
        **basic(played),
        "give_ups": give_ups(e),
        "recovery": recovery(e),
        "success_by_recoveries": success_by_recoveries(e),
        **pass_8(trials),
        "profile": profile(e),
        "reactions": reactions(played),
        "by": breakdown(e),
    }
