"""Revising: evidence on a function, or on an artifact and what it was made from, folded into the belief."""

from __future__ import annotations

from typing import Any

import numpy as np

from fqg_env import faults
from fqg_env.belief import (
    FLOOR,
    silent_chance,
    summarise,
    was_silent,
)
from fqg_env.chance import ONE
from fqg_env.compiled import kernel
from fqg_env.faults import (
    WINDOWS,
    faults_of,
)


@kernel
def normalise_provider(belief: Any, provider: int) -> None:
    """Let the windows of a provider sum to 1."""
    total = 0.0
    for w in range(WINDOWS):
        total += belief.provider[provider, w]
    for w in range(WINDOWS):
        belief.provider[provider, w] /= total


@kernel
def fold_row(belief: Any, function: int, window: int, n: int, hit: float, up: float) -> float:
    """Multiply the likelihood of each of n faults in one window into its row; returns its mean before.

    It is `hit` + `up` * `belief.likelihood`: an outage hits, or it does not and the fault shows itself.
    """
    shares = belief.function[window, function]
    total = 0.0
    for k in range(n):
        shares[k] *= max(FLOOR, hit + up * belief.likelihood[k])
        total += shares[k]
    scale = 1.0 / total
    for k in range(n):
        shares[k] *= scale
    return total


@kernel
def weigh(level: Any, board: Any, belief: Any, call: int) -> None:
    """Multiply in `belief.likelihood` [K] of what a call has shown, in every window alike."""
    f, p = level.function[call], level.provider[call]
    n = faults_of(level, call)
    if belief.mixed[f]:
        for w in range(WINDOWS):
            belief.provider[p, w] *= fold_row(belief, f, w, n, 0.0, 1.0)
        normalise_provider(belief, p)
    else:
        fold_row(belief, f, 0, n, 0.0, 1.0)
    summarise(level, board, belief, f)


@kernel
def weigh_outcome(level: Any, board: Any, belief: Any, call: int) -> None:
    """Multiply in the appraised outcome of a call; windows learn from its mean over faults."""
    f, p = level.function[call], level.provider[call]
    n = faults_of(level, call)
    explained = (
        False  # by an outage in some window: then windows differ in what they say of the fault
    )
    for w in range(WINDOWS):
        explained = explained or belief.hit[w] > 0.0
    if explained and belief.mixed[f] == 0:
        belief.mixed[f] = 1
        for w in range(1, WINDOWS):
            for k in range(n):
                belief.function[w, f, k] = belief.function[0, f, k]
    if belief.mixed[f]:
        for w in range(WINDOWS):
            belief.provider[p, w] *= fold_row(belief, f, w, n, belief.hit[w], belief.up[w])
    else:
        fold_row(belief, f, 0, n, 0.0, 1.0)
        for w in range(WINDOWS):
            belief.provider[p, w] *= belief.up[w]
    normalise_provider(belief, p)
    summarise(level, board, belief, f)


@kernel
def learn(level: Any, board: Any, belief: Any, call: int) -> None:
    """`weigh`, and let what the function has made and is still held follow."""
    f = level.function[call]
    for a in range(level.artifacts):
        maker = board.maker[a]
        if maker >= 0 and level.function[maker] == f:
            belief.before[a] = silent_chance(level, belief, maker)
    weigh(level, board, belief, call)
    for a in range(level.artifacts):
        maker = board.maker[a]
        if maker >= 0 and level.function[maker] == f and belief.bad[a] < 1.0:
            good = (1.0 - silent_chance(level, belief, maker)) / max(FLOOR, 1.0 - belief.before[a])
            belief.bad[a] = min(1.0, max(0.0, 1.0 - (1.0 - belief.bad[a]) * good))


@kernel
def doubt(
    level: Any, board: Any, belief: Any, artifact: int, if_bad: float, if_good: float
) -> None:
    """Fold evidence about one held artifact, and pass it up its lineage: maker, then the maker's inputs.

    Args:
        if_bad: likelihood of the evidence if the artifact is bad.
        if_good: likelihood if it is good.
    """
    # messages wait their turn; each artifact is visited once at most, so there is an end
    n = level.artifacts
    waiting, done = ONE << np.uint64(artifact), np.uint64(0)
    belief.if_bad[artifact], belief.if_good[artifact] = if_bad, if_good
    while True:
        a = -1
        for i in range(n):  # the newest first, so that evidence gathers before it moves up
            if (waiting >> np.uint64(i)) & ONE:
                if a < 0 or board.made_at_s[i] > board.made_at_s[a]:
                    a = i
        if a < 0:
            return
        waiting &= ~(ONE << np.uint64(a))
        done |= ONE << np.uint64(a)
        bad, good = belief.if_bad[a], belief.if_good[a]
        b = belief.bad[a]
        evidence = b * bad + (1.0 - b) * good
        if evidence <= 0.0:
            continue
        belief.bad[a] = b * bad / evidence
        call = board.maker[a]
        if call < 0:  # it was given
            continue
        own = was_silent(level, belief, call)
        clean = 1.0
        for i in range(n):
            if board.source_version[a, i] > 0 and board.source_version[a, i] == board.version[i]:
                clean *= 1.0 - belief.bad[i]
        for i in range(n):
            held = board.source_version[a, i] > 0 and board.source_version[a, i] == board.version[i]
            seen = (done >> np.uint64(i)) & ONE
            if held and not seen and belief.bad[i] > 0.0:
                others = clean / max(FLOOR, 1.0 - belief.bad[i])
                otherwise = 1.0 - (1.0 - own) * min(1.0, others)
                if not (waiting >> np.uint64(i)) & ONE:
                    belief.if_bad[i], belief.if_good[i] = 1.0, 1.0
                    waiting |= ONE << np.uint64(i)
                belief.if_bad[i] *= bad
                belief.if_good[i] *= otherwise * bad + (1.0 - otherwise) * good
        v = level.variant[call]
        for k in range(faults_of(level, call)):
            mixed = (1.0 - clean) * bad + clean * good
            belief.likelihood[k] = bad if faults.silent(k, v) else mixed
        weigh(level, board, belief, call)
