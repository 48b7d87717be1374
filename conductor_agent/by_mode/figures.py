"""What the three modes come to: the figures of `fqg compare`, and what happened in a run, in a line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from statistics import fmean
from typing import Any

from conductor_agent.by_mode.play import DEGRADED, SUCCESS, Played, Try


def figures(played: Sequence[Played]) -> dict[str, dict[str, float]]:
    """Mode -> its figures; those without a unit are counted over all of its runs.

    `success_rate` counts what is delivered *and* truly good enough; `wasted_fraction` is the share of the
    attempts' seconds that went into failures, own recovery inside good attempts included;
    `duplicated_retries` are attempts of a call that had just failed although it had repeated by itself.
    """
    modes = dict.fromkeys(one.mode for one in played)
    return {mode.value: _figures_of([one for one in played if one.mode is mode]) for mode in modes}


def _figures_of(runs: Sequence[Played]) -> dict[str, float]:
    tries = [one for run in runs for one in run.tries]
    spent_s = sum(one.elapsed_s for one in tries)
    return {
        "success_rate": fmean(run.good for run in runs),
        "quality_mean": fmean(run.quality for run in runs),
        "latency_s_mean": fmean(run.elapsed_s for run in runs),
        "wasted_fraction": sum(map(wasted_s, tries)) / spent_s if spent_s else 0.0,
        "violations": sum(run.violations for run in runs),
        "attempts": len(tries),
        "failures_seen_by_conductor": sum(one.outcome != SUCCESS for one in tries),
        "resolved_inside_extension": sum(map(resolved_inside, tries)),
        "failures_inside": sum(one.failures_inside for one in tries),
        "own_repeats": sum(one.own_repeats for one in tries),
        "duplicated_retries": sum(duplicated(run.tries) for run in runs),
        "start_s_mean": sum(one.start_s for one in tries) / len(runs),
        "latency_s_max": max(run.elapsed_s for run in runs),
        "cost_mean": fmean(run.cost for run in runs),
        "runs": len(runs),
    }


def wasted_s(one: Try) -> float:
    """Seconds of an attempt that nothing came of."""
    if one.outcome != SUCCESS:
        return one.elapsed_s
    return min(one.own_recovery_s, one.elapsed_s)


def resolved_inside(one: Try) -> bool:
    """A failure that the conductor never saw."""
    return one.outcome == SUCCESS and one.failures_inside > 0


def duplicated(tries: Iterable[Try]) -> int:
    """Attempts of a call whose attempt before had repeated by itself, in vain."""
    in_vain: dict[str, bool] = {}
    count = 0
    for one in tries:
        count += in_vain.get(one.call, False)
        in_vain[one.call] = one.outcome != SUCCESS and one.own_repeats > 0
    return count


def as_json(played: Iterable[Played]) -> list[dict[str, Any]]:
    """The runs as plain data."""
    return [{**asdict(one), "mode": one.mode.value} for one in played]


def story_of(run: Played) -> str:
    """What happened in a run, in a line."""
    verdict = "good" if run.good else "bad"
    if 0 < run.quality < 1:
        verdict += f" ({run.quality:.2f})"
    end = verdict if run.status != "failed" else "nothing delivered"
    return "; ".join([*map(_said, run.tries), end])


def _said(one: Try) -> str:
    what = "ok" if one.outcome == SUCCESS else one.outcome
    limit = f" ({one.limit})" if one.limit else ""
    own = f", {one.own_repeats} own repeats" if one.own_repeats else ""
    lighter = "".join(
        f", by {name.removeprefix(DEGRADED)}" for name in one.tried if name.startswith(DEGRADED)
    )
    return f"{one.call} {what}{limit} {one.elapsed_s:.1f} s{own}{lighter}"
