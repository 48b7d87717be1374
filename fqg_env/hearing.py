"""Hearing: how what is said moves what is believed: hints and silence, verdicts, news of providers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fqg_env import faults
from fqg_env.arrays import SUCCESS, Kind
from fqg_env.blocks import overlap
from fqg_env.chance import ONE
from fqg_env.compiled import kernel
from fqg_env.faults import (
    FALSE_NEWS,
    FALSELY_TOLD,
    LONGEST,
    SIGNALLED,
    VERIFY_WRONG,
    WINDOW_UNTIL,
    WINDOWS,
    faults_of,
)
from fqg_env.likelihood import made_something
from fqg_env.revising import doubt, learn, normalise_provider

DOUBTED = 0.05
"""How far news that does not fit is believed all the same."""


@kernel
def hear(level: Any, board: Any, belief: Any, giver: int, row: Any) -> None:
    """Fold the hints of an outcome, and its silence; a giver that repeats itself says nothing new."""
    bit = ONE << np.uint64(giver)
    spoke = False
    for c in range(level.calls):
        spoke = spoke or row.hint[c] > 0.0 or row.not_examined[c] != 0
    for c in range(level.calls):
        f = level.function[c]
        n = level.variants[f]
        if level.variant[c] > 0 or n < 2 or faults.is_probe(level, c):
            continue
        if (belief.hinted_by[c] & bit) != 0:
            continue
        said, confidence, examined = -1, 0.0, True
        if spoke:
            said, confidence, examined = strongest_hint(level, row, f)
        share = silence_share(level, giver, c, row) if examined else 0.0
        if said < 0 and share == 0.0:
            continue
        sure = min(0.95, max(0.05, confidence))
        for other in range(level.calls):
            if level.function[other] == f:
                belief.hinted_by[other] |= bit
        for k in range(faults_of(level, c)):
            if said >= 0:
                p = faults.hint_chance(k, said, n, sure)
            else:
                p = faults.silence_chance(k, share, faults.fidelity_of(level, giver))
            belief.likelihood[k] = p
        learn(level, board, belief, c)


@kernel
def strongest_hint(level: Any, row: Any, function: int) -> Any:
    """(variant named with most confidence or -1, that confidence, whether the function was examined).

    A hint that names several variants alike names none: it says nothing of which one is needed.
    """
    said, confidence, examined, alike = -1, 0.0, True, False
    for c in range(level.calls):
        if level.function[c] == function:
            if row.hint[c] > confidence:
                said, confidence, alike = level.variant[c], row.hint[c], False
            elif row.hint[c] == confidence and confidence > 0.0:
                alike = True
            if row.not_examined[c]:
                examined = False
    if alike:
        return -1, 0.0, False
    return said, confidence, examined


@kernel
def silence_share(level: Any, giver: int, call: int, row: Any) -> float:
    """How often the giver would have spoken of this call's function, had it seen a need; 0: not asked."""
    if level.kind[giver] == Kind.INSPECT and row.category == SUCCESS:
        if overlap(level.probes[giver], level.needs[call]):
            return faults.HINTED_INSPECT
    if level.function[giver] == level.function[call] and not made_something(level, row):
        return faults.HINTED_ERROR
    return 0.0


@kernel
def judge(level: Any, board: Any, belief: Any, call: int, artifact: int, bad: bool) -> None:
    """Fold a verdict; a verify that looks at the same version again says nothing new."""
    bit = ONE << np.uint64(artifact)
    if (belief.judged[call] & bit) != 0:
        return
    belief.judged[call] |= bit
    right, wrong = 1.0 - VERIFY_WRONG, VERIFY_WRONG
    doubt(level, board, belief, artifact, right if bad else wrong, wrong if bad else right)


@kernel
def hear_signal(
    level: Any, belief: Any, provider: int, up: int, until_s: float, at_s: float
) -> None:
    """Fold news from outside: down until a time, or up again; it is seldom wrong."""
    told_s = min(until_s, LONGEST * level.time_budget_s)
    ends = math.inf  # of the window that is down now and ends next after the time that is told
    for w in range(WINDOWS):
        if faults.down(w, at_s, level.time_budget_s):
            until = WINDOW_UNTIL[w] * level.time_budget_s
            if until >= told_s * (1.0 - 1e-9) and until < ends:
                ends = until
    falsely = 0.0  # how often false news tells just this
    for w in range(WINDOWS):
        if (
            faults.down(w, at_s, level.time_budget_s)
            and WINDOW_UNTIL[w] * level.time_budget_s == ends
        ):
            falsely += FALSELY_TOLD[w]
    for w in range(WINDOWS):
        is_down = faults.down(w, at_s, level.time_budget_s)
        if up:
            belief.provider[provider, w] *= DOUBTED if is_down else 1.0
        elif is_down:
            told = WINDOW_UNTIL[w] * level.time_budget_s == ends
            belief.provider[provider, w] *= SIGNALLED * (1.0 if told else DOUBTED)
        else:
            belief.provider[provider, w] *= FALSE_NEWS * falsely
    normalise_provider(belief, provider)
