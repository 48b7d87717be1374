"""What could be had at most: the reference that shares of Bayes are taken of."""

from __future__ import annotations

import numpy as np

from fqg_env.splits import SPLITS
from policies.recovery.bayes import bayes_values
from training.episodes import Played
from training.setting import Setting

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
