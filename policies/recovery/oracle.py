"""The oracle: it is told everything hidden, windows, faults, clashes and what is bad, not the luck to come.

A reference for context, not a policy: no player can know what it knows. On the templates of fqg_env/exact.py
its play is the best there is, by dynamic programming (see `exact_action`), and a bound for every player. On
other levels it is the index rule on the truth: a heuristic, and no proven bound.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fqg_env import belief as posterior
from fqg_env import believed, fields, observation
from fqg_env.compiled import kernel
from fqg_env.faults import WINDOWS, clashes, faults_of, is_probe, silent, truly_bad
from fqg_env.lanes import Lanes
from fqg_env.rules import FIRST_CALL, STOP
from policies.recovery.base import Decision, certain
from policies.recovery.bayes import is_template
from policies.recovery.dynamic import new_memo, new_stack, recall, solve
from policies.recovery.facts import FACTS, Fact, drop_past
from policies.recovery.index import MARGIN, REBUILD_ABOVE, choose
from policies.recovery.joint import Tables, name_table, sum_up, tables_of
from policies.recovery.recollect import tick_of
from policies.recovery.ways import view_in

FEW_BELIEFS = 20_000
"""Of a player who has nothing to learn."""


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
            action[n] = STOP
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
                masks[n, FIRST_CALL + c] = 0  # it has nothing to ask
        action[n] = choose(
            view_in(o, masks[n]),
            REBUILD_ABOVE,
            MARGIN,
        )


def certain_tables(level: Any, hidden: Any) -> Tables:
    """The tables of a player who is told what is hidden in a template."""
    tables = tables_of(level)
    for f, c in enumerate(tables.first):
        here = np.zeros_like(tables.chance[f])
        clash = sum(
            1 << int(tables.source[g])
            for g in range(len(tables.first))
            if tables.source[g] >= 0 and clashes(level, hidden, f, g)
        )
        window, fault = hidden["window"][level["provider"][c]], hidden["fault"][f]
        here[bad_sources(tables, hidden), window, fault, clash] = 1.0
        tables.chance[f] = here
        sum_up(tables, f)
        name_table(tables, f)
    return tables


def bad_sources(tables: Tables, hidden: Any) -> int:
    """Which first-stage makers are silently bad, a bit each."""
    return sum(
        1 << int(source)
        for f, source in enumerate(tables.source)
        if source >= 0 and silent(int(hidden["fault"][f]), 0)
    )


def true_facts(level: Any, tables: Tables, hidden: Any, board: Any, truth: Any) -> np.ndarray:
    """The facts on a board (see `facts.Fact`) for a player who has nothing to ask."""
    calls, functions = int(level["calls"]), int(level["functions"])
    facts = np.zeros(FACTS + functions + calls, np.int64)
    facts[Fact.TICK] = tick_of(board["at_s"], level)
    facts[Fact.WAITS], facts[Fact.USED] = board["waits_in_a_row"], board["attempts"]
    facts[FACTS : FACTS + functions] = board["function_tries"][:functions]
    facts[FACTS + functions :] = [tick_of(s, level) for s in board["retry_at_s"][:calls]]
    drop_past(facts, functions)
    for a in np.flatnonzero(board["maker"][: int(level["artifacts"])] >= 0):
        maker = int(board["maker"][a])
        if level["goal_class"][a] == 0:
            facts[Fact.PART] = 1 + tables.source[level["function"][maker]]
            continue
        facts[Fact.WORK], facts[Fact.REJECTED] = 1 + maker, board["rejected"][a]
        own = silent(int(hidden["fault"][level["function"][maker]]), int(level["variant"][maker]))
        if truth["bad"][a] and not own:  # by what it was made from: any bad source stands for it
            bits = bad_sources(tables, hidden)
            facts[Fact.WORK_SOURCE] = 1 + (bits & -bits).bit_length() - 1
    return facts


def exact_action(level: Any, hidden: Any, board: Any, truth: Any) -> tuple[int, float]:
    """The best action on a board of a template for a player who is told what is hidden, and its value."""
    tables, memo = certain_tables(level, hidden), new_memo(FEW_BELIEFS)
    stack = new_stack(level, tables)
    stack.facts[0] = true_facts(level, tables, hidden, board, truth)
    value = solve(level, tables, stack, memo, 0)
    return recall(tables, stack.facts[0], memo), float(value)


class Oracle:
    """The best policy on the truth where it can be computed, else the index rule on the truth."""

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
        for n in np.flatnonzero((lanes.levels["sealed"] == 1) & (lanes.boards["stopped"] == 0)):
            if is_template(lanes.levels[n], lanes.size):
                action[n], _ = exact_action(
                    lanes.levels[n], lanes.hidden[n], lanes.boards[n], lanes.truths[n]
                )
        return certain(action, lanes.masks.shape[1], self.name)
