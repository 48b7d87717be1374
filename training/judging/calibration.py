"""Calibration: how far the chances of success that a policy tells can be trusted, over every decision.

The chance told at a decision is held against what became of its episode, so a long episode counts often.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from training.judging.episodes import actions_of, ask
from training.judging.setting import Setting, deal

CHUNK = 1024
"""Episodes side by side."""


def calibration_error(chance: np.ndarray, happened: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error over equal-width bins: 0 where what is told is what comes true."""
    which = np.minimum(bins - 1, (chance * bins).astype(int))
    gaps = [
        abs(chance[which == b].mean() - happened[which == b].mean()) * (which == b).mean()
        for b in range(bins)
        if (which == b).any()
    ]
    return float(sum(gaps))


def brier_skill(chance: np.ndarray, happened: np.ndarray) -> float | None:
    """1 - Brier score / that of telling the base rate at every decision: 1 foresees all, 0 tells no more.

    Unlike the calibration error it asks for chances that tell good runs from bad ones. None where all
    episodes ended alike, so that the base rate foresees all.
    """
    base = float(np.square(happened.mean() - happened).mean())
    return None if base == 0 else float(1.0 - np.square(chance - happened).mean() / base)


def told_chances(
    policy: Any, setting: Setting, first: int, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """[M] chances that a policy tells at its decisions in n episodes, and [M] whether they succeeded.

    Raises:
        ValueError: it tells none.
    """
    lanes = deal(setting, first, n)
    chances, owners = [], []
    while (running := np.flatnonzero(lanes.boards["stopped"] == 0)).size:
        decision = ask(policy, lanes)
        if decision.success is None:
            raise ValueError(f"{policy.name} tells no chance of success; name a trained policy")
        chances.append(np.asarray(decision.success, float)[running])
        owners.append(running)
        lanes.step(actions_of(decision, n))
    lanes.judge()
    return np.concatenate(chances), (lanes.success > 0).astype(float)[np.concatenate(owners)]


def calibration(policy: Any, setting: Setting) -> dict[str, float | None]:
    """Calibration error and Brier skill of what a policy tells on the levels of a setting.

    Raises:
        ValueError: it tells no chances.
    """
    firsts = range(0, setting.episodes, CHUNK)
    parts = [
        told_chances(policy, setting, first, min(CHUNK, setting.episodes - first))
        for first in firsts
    ]
    chance, happened = (np.concatenate(each) for each in zip(*parts, strict=True))
    return {
        "success_ece": calibration_error(chance, happened),
        "success_brier_skill": brier_skill(chance, happened),
    }
