"""What could be had at most: the reference that shares of Bayes are taken of."""

from __future__ import annotations

import numpy as np

from fqg_env.splits import SPLITS
from training.episodes import Played
from training.setting import Setting

BAYES, ORACLE = "bayes", "oracle"


def bayes_returns(setting: Setting, played: dict[str, Played]) -> np.ndarray | None:
    """[N] what the Bayes-optimal policy is worth in each episode; None where that is not known.

    Today it is what `bayes` got, where it is among the policies that played. Exact values of templates belong
    here: `values[episodes["template"]]`, which needs no policy to play and has no noise of luck.
    """
    if setting.levels or not SPLITS[setting.split].templates or BAYES not in played:
        return None
    return np.asarray(played[BAYES].episodes["return"])


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
