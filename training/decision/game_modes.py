"""The game under each owner of failures: the same levels, faults and luck in each mode, and what it came to.

The figures are those of a real run (conductor_agent/by_mode/figures.py), from the attempts that a board
remembers. What an extension mends inside is seen by what it reports, as in a real run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fqg_env.arrays import CANCELLED, CODES, HISTORY, SUCCESS, History
from fqg_env.faults import RECOVERY_SHARE
from fqg_env.fields import COUNT_UNIT
from fqg_env.history import CALL_UNIT, CATEGORY_UNIT
from fqg_env.lanes import Lanes
from fqg_env.level import Responsibility
from fqg_env.outcome import Category
from fqg_env.rules import FIRST_CALL
from fqg_env.splits import MODE_NAMES
from training.judging.episodes import actions_of, ask
from training.judging.setting import Setting, deal

LIMITS = [
    CODES[c] for c in (Category.TIMEOUT, Category.OUT_OF_RESOURCES, Category.POLICY_VIOLATION)
]
"""What a broken limit is reported as."""
CHUNK = 512
"""Levels side by side."""

TALLY = np.dtype(
    [
        ("success", "u1"),  # every Essential goal delivered, good
        ("return", "f8"),
        ("latency_s", "f8"),
        ("cost", "f8"),  # in the level's unit
        ("attempts", "i4"),
        ("failures", "i4"),  # that the conductor saw
        ("choices", "i4"),  # of these, such that another attempt was allowed after it
        ("resolved", "i4"),  # successes after own recovery
        ("own_repeats", "i4"),
        ("duplicated", "i4"),  # attempts at what the extension had repeated in vain by itself
        ("violations", "i4"),
        ("spent_s", "f8"),  # in all attempts together
        ("wasted_s", "f8"),  # in failures and in own recovery
    ]
)
"""What came of one level."""


@dataclass
class Count:
    """The attempts of N lanes, counted as they finish."""

    tally: np.ndarray
    """[N] of TALLY."""
    repeated: np.ndarray
    """[N, C] whether the call last failed although it had repeated by itself."""

    @classmethod
    def of(cls, lanes: Lanes) -> Count:
        """Nothing so far."""
        return cls(np.zeros(lanes.n, TALLY), np.zeros((lanes.n, lanes.size.calls), bool))

    def finished(self, lanes: Lanes, before: np.ndarray) -> None:
        """Count what has finished since the rings [N] began at `before`."""
        new = (lanes.boards["history_next"] - before) % HISTORY
        for k in range(int(new.max(initial=0))):
            which = np.flatnonzero(new > k)
            entries = lanes.boards["history"][which, (before[which] + k) % HISTORY]
            self.add(which, entries, lanes, lanes.masks[which, FIRST_CALL:].max(axis=1) > 0)

    def add(self, which: np.ndarray, entries: np.ndarray, lanes: Lanes, may: np.ndarray) -> None:
        """Count one attempt [M] in each of these lanes, after which another one `may` [M] follow."""
        category = np.rint(entries[:, History.CATEGORY] * CATEGORY_UNIT).astype(int)
        call = np.rint(entries[:, History.CALL] * CALL_UNIT).astype(int) - 1
        own = np.rint(entries[:, History.OWN_RECOVERY] * COUNT_UNIT).astype(int)
        elapsed_s = entries[:, History.ELAPSED] * lanes.levels["time_budget_s"][which]
        good = category == SUCCESS
        failed = ~good & (category != CANCELLED)
        inside_s = elapsed_s * RECOVERY_SHARE / (1.0 + RECOVERY_SHARE) * (own > 0)
        tally, duplicated = self.tally, self.repeated[which, call]
        tally["attempts"][which] += 1
        tally["failures"][which] += failed
        tally["choices"][which] += failed & may
        tally["resolved"][which] += good & (own > 0)
        tally["own_repeats"][which] += own
        tally["duplicated"][which] += duplicated
        tally["violations"][which] += np.isin(category, LIMITS)
        tally["spent_s"][which] += elapsed_s
        tally["wasted_s"][which] += np.where(good, inside_s, elapsed_s)
        self.repeated[which, call] = failed & (own > 0)


def dealt(setting: Setting, mode: Responsibility, first: int, n: int) -> Lanes:
    """Lanes at the start of episodes first to first + n - 1; level files are played in this mode too."""
    lanes = deal(setting, first, n)
    lanes.levels["mode"] = MODE_NAMES.index(mode.value)
    lanes.begin()
    return lanes


def play(policy: Any, lanes: Lanes) -> np.ndarray:
    """Play every lane to its end; [N] of TALLY."""
    count = Count.of(lanes)
    while (lanes.boards["stopped"] == 0).any():
        before = lanes.boards["history_next"].copy()
        lanes.step(actions_of(ask(policy, lanes), lanes.n))
        count.finished(lanes, before)
    lanes.judge()
    tally = count.tally
    tally["success"], tally["return"] = lanes.success, lanes.truths["episode_return"]
    tally["latency_s"], tally["cost"] = lanes.boards["at_s"], lanes.boards["cost"]
    return tally


def play_modes(
    policy: Any, setting: Setting, watch: Callable[[int], None] = lambda n: None
) -> dict[str, np.ndarray]:
    """Mode -> [episodes] of TALLY, on the same levels under the same luck.

    Raises:
        LevelError: a level or a split cannot be had.
    """
    out: dict[str, list[np.ndarray]] = {mode.value: [] for mode in Responsibility}
    for mode in Responsibility:
        for first in range(0, setting.episodes, CHUNK):
            n = min(CHUNK, setting.episodes - first)
            out[mode.value].append(play(policy, dealt(setting, mode, first, n)))
            watch(n)
    return {mode: np.concatenate(parts) for mode, parts in out.items()}


def figures(tally: np.ndarray) -> dict[str, float]:
    """The figures of a mode; those without a unit are counted over all of its runs."""
    spent_s = float(tally["spent_s"].sum())
    return {
        "success_rate": float(tally["success"].mean()),
        "return_mean": float(tally["return"].mean()),
        "latency_s_mean": float(tally["latency_s"].mean()),
        "wasted_fraction": float(tally["wasted_s"].sum()) / spent_s if spent_s else 0.0,
        "violations": int(tally["violations"].sum()),
        "attempts": int(tally["attempts"].sum()),
        "failures_seen_by_conductor": int(tally["failures"].sum()),
        "failures_with_a_choice": int(tally["choices"].sum()),
        "resolved_inside_extension": int(tally["resolved"].sum()),
        "own_repeats": int(tally["own_repeats"].sum()),
        "duplicated_retries": int(tally["duplicated"].sum()),
        "cost_mean": float(tally["cost"].mean()),
        "runs": len(tally),
    }
