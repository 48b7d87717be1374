"""The oracle: the index rule told the hidden faults. It knows every cause, not the coin flips to come.

A reference for context, not a policy: no player can know what it knows. It is no proven bound, since the
rule that it follows is a heuristic.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fqg_env import belief as posterior
from fqg_env import believed, fields, observation
from fqg_env.compiled import kernel
from fqg_env.faults import WINDOWS, clashes, faults_of, is_probe, truly_bad
from fqg_env.lanes import Lanes
from policies.recovery.base import Decision, certain
from policies.recovery.index import MARGIN, REBUILD_ABOVE, View, choose


@kernel
def reveal(level: Any, hidden: Any, board: Any, truth: Any, belief: Any) -> None:
    """Overwrite a belief with the truth."""
    for p in range(level.providers):
        for w in range(WINDOWS):
            belief.provider[p, w] = 1.0 if hidden.window[p] == w else 0.0
    for c in range(level.calls):
        f = level.function[c]
        for k in range(faults_of(level, c)):
            belief.function[0, f, k] = 1.0 if hidden.fault[f] == k else 0.0
    for f in range(level.functions):
        for g in range(level.functions):
            belief.clash[f, g] = 1e17 if clashes(level, hidden, f, g) else 1e-17
        posterior.summarise(level, board, belief, f)
    for a in range(level.artifacts):
        belief.bad[a] = truly_bad(level, board, truth, a)
        belief.ripe[a] = 1


@kernel
def choose_knowing(
    levels: Any,
    hidden: Any,
    boards: Any,
    truths: Any,
    beliefs: Any,
    out: Any,
    masks: Any,
    action: Any,
) -> None:
    """The index rule on the truth, for N lanes; `beliefs` and `out` are scratch."""
    for n in range(len(levels)):
        if boards[n].stopped:
            action[n] = 1
            continue
        posterior.reset(levels[n], beliefs[n])
        reveal(levels[n], hidden[n], boards[n], truths[n], beliefs[n])
        o = out[n]
        observation.observe_static(levels[n], o)
        observation.observe(levels[n], boards[n], o)
        believed.observe_belief_static(levels[n], o)
        believed.observe_belief(levels[n], boards[n], beliefs[n], o)
        for c in range(levels[n].calls):
            if is_probe(levels[n], c):
                masks[n, 2 + c] = 0  # it has nothing to ask
        action[n] = choose(
            View(
                o.calls,
                o.artifacts,
                o.needs,
                o.makes,
                o.probes,
                o.belief,
                o.doubt,
                o.run,
                masks[n],
            ),
            REBUILD_ABOVE,
            MARGIN,
        )


class Oracle:
    """The index rule on the true faults."""

    name = "oracle"

    def plan(self, lanes: Lanes) -> Decision:
        """Choose for each lane, knowing what is hidden."""
        beliefs = np.zeros(lanes.n, posterior.belief_dtype(lanes.size))
        out = np.zeros(lanes.n, fields.observation_dtype(lanes.size, True))
        action = np.zeros(lanes.n, np.int64)
        choose_knowing(
            lanes.levels,
            lanes.hidden,
            lanes.boards,
            lanes.truths,
            beliefs,
            out,
            lanes.masks.copy(),
            action,
        )
        return certain(action, lanes.masks.shape[1], self.name)
