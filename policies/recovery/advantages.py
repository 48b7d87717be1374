"""Labels to learn from: how much better than the index rule's choice each action is, by a few rollouts.

The same rollouts as `search` plays, without its gate: noise averages out over many labels where the loss is
linear in them (the sum over actions of p (log p - advantage / temperature)).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fqg_env.compiled import kernel
from fqg_env.lanes import Lanes, pool_of
from policies.recovery.rollouts import new_tally, play_worlds, prepare, scratch_of


@kernel
def label_all(
    levels: Any,
    boards: Any,
    beliefs: Any,
    candidates: Any,
    first: Any,
    worlds: int,
    s: Any,
    tally: Any,
    out: Any,
) -> None:
    """Fill out [N, 2 + C] with mean gains in worlds from `first` [N] on; NaN where nothing was tried."""
    for n in range(len(levels)):
        for a in range(out.shape[1]):
            out[n, a] = math.nan
        if boards[n].stopped:
            continue
        choice = prepare(levels[n], boards[n], beliefs[n], s, tally)
        for a in range(out.shape[1]):
            tally.playing[a] = tally.playing[a] and candidates[n, a]
        play_worlds(s, tally, choice, first[n], first[n] + worlds)
        for a in range(out.shape[1]):
            if tally.playing[a] and a != choice:
                out[n, a] = tally.gain[a] / tally.worlds[a]
        out[n, choice] = 0.0


def advantages(
    lanes: Lanes,
    worlds: int = 4,
    draw: int = 0,
    threads: int = 1,
    candidates: np.ndarray | None = None,
) -> np.ndarray:
    """[N, 2 + C] the mean gain in return of each action over the index rule's choice, which has 0.

    Args:
        lanes: that keep beliefs; what is hidden in them is not looked at.
        worlds: imagined worlds that each action is played in.
        draw: another number plays other worlds.
        threads: that share the work; they change nothing but the time it takes.
        candidates: [N, 2 + C] actions to try besides the rule's choice; None: every legal one.

    Returns:
        NaN for actions that are illegal or no candidates, and for lanes whose episode is over.

    Raises:
        ValueError: the lanes keep no beliefs.
    """
    if lanes.beliefs is None:
        raise ValueError("advantages need lanes that keep beliefs")
    beliefs, out = lanes.beliefs, np.empty(lanes.masks.shape)
    if candidates is None:
        candidates = np.ones(out.shape, bool)
    # lanes on one template at one step would else share their worlds
    first, each = (draw * lanes.n + np.arange(lanes.n)) * worlds, -(-lanes.n // threads)

    def work(thread: int) -> None:
        s, tally = scratch_of(lanes.size, thread), new_tally(out.shape[1])
        part = slice(thread * each, (thread + 1) * each)
        parts = lanes.levels[part], lanes.boards[part], beliefs[part], candidates[part]
        label_all(*parts, first[part], worlds, s, tally, out[part])

    list(pool_of(threads).map(work, range(threads)))
    return out
