"""The prior: how often each window and fault is there before the first move, by mix and by public memories.

What is drawn follows one of several mixes; what is believed starts from the published one, mix 0. A level has
two public memories of each function: a reputation, and how its calls went in recent runs.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fqg_env.arrays import VARIANTS
from fqg_env.compiled import kernel
from fqg_env.faults import FAULTS, Fault, faults_of, lightest_variant, works
from fqg_env.frequencies import MIXES, PUBLISHED

MIX_WINDOWS = np.array([mix.windows for mix in MIXES])  # [MIXES, W]
MIX_FAULTS = np.array([(0.0, *mix.faults) for mix in MIXES])  # [MIXES, WRONG + 1]
"""Shares of each fault in what is wrong; the last is all of WRONG together."""
MIX_SPREAD = np.array([mix.spread for mix in MIXES])
MIX_MISCODED = np.array([mix.miscoded for mix in MIXES])
MIX_FALSE_HINTS = np.array([mix.false_hints for mix in MIXES])
MIX_DIALECTS = np.array([mix.dialects for mix in MIXES], np.uint8)
MIX_WELL = np.array([mix.well or (math.nan, math.nan) for mix in MIXES])  # [MIXES, 2]

WRONG_IS_SILENT, STILL, RECENT_UP = PUBLISHED.wrong_is_silent, PUBLISHED.still, PUBLISHED.recent_up
REPUTATION, REPUTATION_STRENGTH = PUBLISHED.reputation, PUBLISHED.reputation_strength


def _prior_shares() -> np.ndarray:
    out = np.zeros((len(MIXES), VARIANTS, FAULTS))
    out[:, :, : Fault.WRONG] = MIX_FAULTS[:, None, : Fault.WRONG]
    out[:, :, Fault.OK] = 0.0
    out[:, 0, Fault.OVER_LIMIT] = 0.0  # there is no lighter variant
    for n in range(2, VARIANTS + 1):
        for k in range(Fault.WRONG, Fault.WRONG + 2 * n):
            odd = (k - Fault.WRONG) % 2 == 1
            share = WRONG_IS_SILENT if odd else 1.0 - WRONG_IS_SILENT
            out[:, n - 1, k] = MIX_FAULTS[:, Fault.WRONG] * share * 2.0 / (2 * n)
    return out


PRIOR_SHARES = _prior_shares()
"""[MIXES, V, K] shares of each fault in what can be wrong with a function of 1 to V variants."""


@kernel
def well_prior(level: Any, call: int, mix: int) -> float:
    """Chance that nothing is wrong with the function of a call."""
    mean, strength = level.reputation_mean[call], level.reputation_strength[call]
    if not math.isnan(MIX_WELL[mix, 0]):  # the reputation is true
        return 0.5 * (MIX_WELL[mix, 0] + MIX_WELL[mix, 1]) if math.isnan(mean) else mean
    if math.isnan(mean):
        mean, strength = REPUTATION, 0.0
    return (mean * strength + REPUTATION * REPUTATION_STRENGTH) / (strength + REPUTATION_STRENGTH)


@kernel
def recent_likelihood(level: Any, call: int, fault: int, lightest: int) -> float:
    """Likelihood of how the calls of a function went in recent runs, if this is what was wrong then."""
    p = 1.0
    for c in range(level.calls):
        good, failed = level.recent_success[c], level.recent_failure[c]
        if level.function[c] == level.function[call] and good + failed > 0.0:
            answers = RECENT_UP * works(level, c, fault, lightest, 1)
            p *= answers**good * (1.0 - answers) ** failed
    return p


@kernel
def prior(level: Any, call: int, mix: int, out: Any) -> None:
    """Fill out [K] with the chance of each fault of a call's function before the first move.

    The published (or another) mix and the level's two public memories: reputation and recent runs.
    """
    n, f = faults_of(level, call), level.function[call]
    well = well_prior(level, call, mix)
    shares = PRIOR_SHARES[mix, level.variants[f] - 1]
    total = 0.0
    for k in range(n):
        total += shares[k]
    scale = (1.0 - well) / total
    for k in range(n):
        out[k] = shares[k] * scale
    out[Fault.OK] = well
    remembered = False
    for c in range(level.calls):
        ran = level.recent_success[c] + level.recent_failure[c] > 0.0
        remembered |= (level.function[c] == f) & ran
    if remembered:
        recall(level, call, n, out)


@kernel
def recall(level: Any, call: int, n: int, out: Any) -> None:
    """Fold how the calls of a function went in recent runs into the chances out [K] of its n faults."""
    lightest = lightest_variant(level, level.function[call])
    likelihood = np.empty(n)
    anew = 0.0
    for k in range(n):
        likelihood[k] = recent_likelihood(level, call, k, lightest)
        anew += out[k] * likelihood[k]
    total = 0.0
    for k in range(n):
        out[k] *= STILL * likelihood[k] + (1.0 - STILL) * anew
        total += out[k]
    for k in range(n):
        out[k] = out[k] / total if total > 0.0 else 1.0 / n
