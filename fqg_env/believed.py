"""What a policy sees of the belief: chances of an attempt begun now, or after a wait."""

from __future__ import annotations

from typing import Any

import numpy as np

from fqg_env import belief as posterior
from fqg_env import reading
from fqg_env.blocks import fill
from fqg_env.chance import ZERO
from fqg_env.compiled import kernel
from fqg_env.faults import HIT, TAINT, WINDOW_FROM, WINDOW_UNTIL, WINDOWS, is_probe
from fqg_env.fields import Belief, Doubt
from fqg_env.filtering import ripen

LIKELY = 0.01
"""An outage less likely than this is not waited for."""


UP_AT_END = np.array(
    [
        [
            1.0 - HIT * (start <= end < until)
            for start, until in zip(WINDOW_FROM, WINDOW_UNTIL, strict=True)
        ]
        for end in WINDOW_UNTIL
    ]
)
"""[W, W] chance that no outage of the second window hits at the end of the first."""


@kernel
def price(level: Any, call: int) -> float:
    """Cost and time of one typical attempt, in units of return."""
    cost = reading.typical_cost(level, call) / level.cost_budget
    time = reading.typical_s(level, call) / level.time_budget_s
    return min(1.0, level.cost_weight * min(1.0, cost) + level.time_weight * min(1.0, time))


@kernel
def prepare_chances(level: Any, board: Any, belief: Any) -> None:
    """Fill `belief.up`, `belief.outage` and `belief.later` for now: what all calls of a provider share."""
    for w in range(WINDOWS):
        belief.up[w] = posterior.up_chance(w, board.at_s, level.time_budget_s)
    for p in range(level.providers):
        outage = 0.0
        for w in range(WINDOWS):
            outage += belief.provider[p, w] * (1.0 - belief.up[w])
        belief.outage[p] = outage
        for w in range(WINDOWS if outage >= LIKELY else 0):
            belief.later[p, w] = 0.0
            for v in range(WINDOWS):
                belief.later[p, w] += belief.provider[p, v] * UP_AT_END[w, v]


@kernel
def works_later(level: Any, belief: Any, c: int, window: int) -> float:
    """Chance that a call works, and no outage hits it, at the end of a window."""
    f, p = level.function[c], level.provider[c]
    if belief.mixed[f] == 0:
        return belief.later[p, window] * belief.works[0, c]
    chance = 0.0
    for v in range(WINDOWS):
        chance += belief.provider[p, v] * UP_AT_END[window, v] * belief.works[v, c]
    return chance


@kernel
def best_later(
    level: Any, board: Any, belief: Any, c: int, untainted: float, answers: float
) -> Any:
    """(chance of answering, share of the budget until then) at the end of an outage that is best worth it.

    Outages end on a grid, so only its points are looked at; now is the answer where no wait pays, and where
    an outage is less likely than LIKELY.
    """
    best, best_in = answers, 0.0
    now = board.at_s / level.time_budget_s
    if belief.outage[level.provider[c]] < LIKELY:
        return best, best_in
    for w in range(WINDOWS):
        delay = WINDOW_UNTIL[w] - now
        if delay <= 0.0 or WINDOW_UNTIL[w] >= 1.0:
            continue
        later = untainted * works_later(level, belief, c, w)
        if later - level.time_weight * delay > best - level.time_weight * best_in:
            best, best_in = later, delay
    return best, best_in


@kernel
def works_now(level: Any, belief: Any, c: int, kept: Any) -> float:
    """Chance that no outage hits a call now and that it works, as `kept` [W, C] has it."""
    p = level.provider[c]
    if belief.mixed[level.function[c]] == 0:
        return (1.0 - belief.outage[p]) * kept[0, c]
    chance = 0.0
    for w in range(WINDOWS):
        chance += belief.provider[p, w] * belief.up[w] * kept[w, c]
    return chance


@kernel
def observe_belief(level: Any, board: Any, belief: Any, out: Any) -> None:
    """Write what is believed of each call and each artifact."""
    ripen(level, board, belief)
    prepare_chances(level, board, belief)
    doubted, made = ZERO, ZERO
    for a in range(level.artifacts):
        out.doubt[a, Doubt.BAD] = belief.bad[a]
        doubted |= np.uint64(belief.bad[a] > 0.0) << np.uint64(a)
        made |= np.uint64(board.maker[a] >= 0) << np.uint64(a)
    for c in range(level.calls):
        b = out.belief[c]
        reads = board.reads[c]
        bad_in = posterior.bad_input(level, belief, c) if reads & doubted else 0.0
        answers = works_now(level, belief, c, belief.works)
        well = works_now(level, belief, c, belief.works_well)
        untainted = 1.0
        if not is_probe(level, c):
            fits = 1.0 - posterior.clashing(level, board, belief, c) if reads & made else 1.0
            untainted = fits * (1.0 - TAINT * bad_in)
            answers *= untainted
            well *= fits * (1.0 - bad_in)
        later, later_in = best_later(level, board, belief, c, untainted, answers)
        b[Belief.ANSWERS] = answers
        b[Belief.ANSWERS_WELL] = well
        b[Belief.OUTAGE] = belief.outage[level.provider[c]]
        b[Belief.NEVER] = posterior.never_works(level, belief, c)
        b[Belief.PRICE_OF_SUCCESS] = min(1.0, b[Belief.PRICE] / max(1e-6, well))
        b[Belief.ANSWERS_LATER] = later
        b[Belief.BAD_INPUT] = bad_in
        b[Belief.OWN_SILENT] = posterior.silent_chance(level, belief, c)
        b[Belief.LATER_IN] = later_in


@kernel
def observe_belief_static(level: Any, out: Any) -> None:
    """Write what a belief starts with and keeps: prices, and zeros in the padding."""
    fill(out.belief, 0.0)
    fill(out.doubt, 0.0)
    for c in range(level.calls):
        out.belief[c, Belief.PRICE] = price(level, c)
