"""What could be had at most: the reference that shares of Bayes are taken of."""

from __future__ import annotations

import numpy as np

from fqg_env.splits import SPLITS
from policies.recovery.bayes import bayes_values, is_template
from training.judging.episodes import Played
from training.judging.setting import Setting, deal

BAYES, ORACLE = "bayes", "oracle"
BOUNDS = (ORACLE, BAYES)
"""What others are held against; neither is a rival."""


def bayes_returns(setting: Setting, played: dict[str, Played]) -> np.ndarray | None:
    """[N] the exact value of the template of each episode; None where the levels are no templates.

    No luck is in it, and no policy needs to play.
    """
    templates = "" if setting.levels else SPLITS[setting.split].templates
    if not templates or not played:
        return None
    episodes = next(iter(played.values())).episodes
    return bayes_values(templates)[episodes["template"]]


def why_no_bayes(setting: Setting) -> str:
    """Why `bayes` cannot play a setting, as one sentence; empty where it can."""
    if not setting.levels:
        where = f"the split {setting.split!r} has none" if setting.drawn else ""
    else:
        lanes = deal(setting, 0, len(setting.levels))
        others = [
            file
            for file, level in zip(setting.levels, lanes.levels, strict=True)
            if not is_template(level, lanes.size)
        ]
        where = f"{others[0]} is none" if others else ""
    if not where:
        return ""
    splits = " or ".join(sorted(name for name, its in SPLITS.items() if its.templates))
    return (
        f"the policy {BAYES!r} is computed for templates alone, and {where}; "
        f"leave it out, or judge on --split {splits}"
    )


def upper_reference(
    setting: Setting, played: dict[str, Played]
) -> tuple[str | None, np.ndarray | None]:
    """The name of what a gap is measured towards, and its return in each episode [N]: Bayes, else the oracle.

    The oracle knows what is hidden, so nobody closes the gap towards it.
    """
    bayes = bayes_returns(setting, played)
    if bayes is not None:
        return BAYES, bayes
    if ORACLE in played:
        return ORACLE, np.asarray(played[ORACLE].episodes["return"])
    return None, None
