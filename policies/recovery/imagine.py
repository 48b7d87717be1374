"""Imagine: a world that fits what is believed, with luck of its own, to try actions in.

Everything hidden is drawn from the posterior: windows, faults given them, clashes, what is bad, what is in
flight, and when news come. The simulator then goes on from the board as it would in that world. The same
number gives the same world, so that actions are compared under the same luck (common random numbers).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fqg_env.arrays import CANCELLED, FLIGHTS, HISTORY, Clash, History
from fqg_env.belief import clash_chance, row_of, was_silent
from fqg_env.chance import Draw, mix, pick_by, uniform
from fqg_env.compiled import kernel
from fqg_env.draw import draw, elapsed_share
from fqg_env.faults import RECOVERY_SHARE, WINDOWS, down, faults_of, silent, taints
from fqg_env.fields import COUNT_UNIT
from fqg_env.frequencies import PUBLISHED
from fqg_env.history import call_of, category_of, is_attempt
from fqg_env.world import first_news

UNDECLARED = np.array([PUBLISHED.undeclared_latency, PUBLISHED.undeclared_cost])
TURN = 2.0 * math.pi

ATTEMPTS_AT_FLIGHT = 8
"""Draws of an attempt in flight until one is not over yet."""


@kernel
def draw_causes(level: Any, belief: Any, hidden: Any) -> None:
    """Draw windows, faults and clashes from the posterior."""
    for p in range(level.providers):
        u = uniform(level.key, Draw.WINDOW, p, 0)
        hidden.window[p] = pick_by(u, belief.provider[p], WINDOWS)
    for c in range(level.calls):
        if level.variant[c] == 0:
            f = level.function[c]
            row = row_of(belief, f, hidden.window[level.provider[c]])
            u = uniform(level.key, Draw.FAULT, f, 0)
            hidden.fault[f] = pick_by(u, belief.function[row, f], faults_of(level, c))
    for f in range(level.functions):
        for g in range(level.functions):
            hidden.clash[f, g] = Clash.BY_KEY  # which is the prior
            if belief.clash[f, g] != 1.0:
                u = uniform(level.key, Draw.CLASH, f * 64 + g, 0)
                clash = u < clash_chance(belief, f, g)
                hidden.clash[f, g] = Clash.CLASHES if clash else Clash.FITS


@kernel
def draw_undeclared(key: np.uint64, call: int, what: int) -> float:
    """Draw the time (0) or cost (1) of a call that does not declare it, as a share of the budget.

    The normal of its logarithm is drawn as in Box and Muller 1958.
    """
    u = 1.0 - uniform(key, Draw.UNDECLARED, call, what)
    v = uniform(key, Draw.UNDECLARED, call, what + 2)
    normal = math.sqrt(-2.0 * math.log(u)) * math.cos(TURN * v)
    return UNDECLARED[what, 0] * math.exp(UNDECLARED[what, 1] * normal)


@kernel
def draw_prices(level: Any, board: Any, hidden: Any) -> None:
    """Fill what attempts take: as declared, else as the last one took, else drawn."""
    for c in range(level.calls):
        hidden.latency_s[c], hidden.cost[c] = level.latency_s[c], level.cost[c]
        if math.isnan(level.latency_s[c]):
            hidden.latency_s[c] = level.time_budget_s * draw_undeclared(level.key, c, 0)
        if math.isnan(level.cost[c]):
            hidden.cost[c] = level.cost_budget * draw_undeclared(level.key, c, 1)
    for i in range(HISTORY):  # the oldest first
        entry = board.history[(board.history_next + i) % HISTORY]
        c, category = call_of(entry), category_of(entry)
        if not is_attempt(entry) or category == CANCELLED:
            continue
        u = uniform(level.key, Draw.UNDECLARED, c, 4)
        again = 1.0 + RECOVERY_SHARE * COUNT_UNIT * entry[History.OWN_RECOVERY]
        times = again * elapsed_share(category, u)
        if math.isnan(level.latency_s[c]):
            hidden.latency_s[c] = level.time_budget_s * entry[History.ELAPSED] / times
        if math.isnan(level.cost[c]):
            hidden.cost[c] = level.cost_budget * entry[History.COST] / min(2.0 * again, times)


@kernel
def draw_badness(level: Any, board: Any, belief: Any, hidden: Any, truth: Any) -> None:
    """Draw which held artifacts are bad, in keeping with the faults of their makers; the oldest first."""
    for a in range(level.artifacts):
        truth.bad[a] = 2  # not drawn yet
    for _ in range(level.artifacts):
        a = -1
        for i in range(level.artifacts):
            if truth.bad[i] == 2 and (a < 0 or board.made_at_s[i] < board.made_at_s[a]):
                a = i
        truth.bad[a] = 1 if is_bad(level, board, belief, hidden, truth, a) else 0


@kernel
def is_bad(level: Any, board: Any, belief: Any, hidden: Any, truth: Any, a: int) -> bool:
    """Draw whether an artifact is bad; what it was made from has been drawn."""
    bad, maker = belief.bad[a], board.maker[a]
    u = uniform(level.key, Draw.DEFECT, a, 0)
    if maker < 0:
        return u < bad
    if bad <= 0.0 or bad >= 1.0:
        return bad >= 1.0
    if silent(hidden.fault[level.function[maker]], level.variant[maker]):
        return True
    held = True
    for i in range(level.artifacts):
        if taints(level, maker, i) and i != a:
            if (
                board.source_version[a, i] != board.version[i]
                or board.made_at_s[i] > board.made_at_s[a]
            ):
                held = False
            elif truth.bad[i] == 1:
                return True
    if held and belief.ripe[a] == 0:
        return False
    own = was_silent(level, belief, maker)
    return u < max(0.0, bad - own) / max(1e-9, 1.0 - own)


@kernel
def draw_flights(level: Any, board: Any, hidden: Any, truth: Any, rows: Any) -> None:
    """Draw how what is in flight will end: later than now."""
    key, now = level.key, board.at_s
    for m in range(FLIGHTS):
        if board.flight_attempt[m] < 0:
            continue
        call = board.flight_call[m]
        board.at_s = board.flight_since_s[m]
        for i in range(ATTEMPTS_AT_FLIGHT):
            level.key = mix(key, np.uint64(i + 1))
            draw(level, hidden, board, truth, call, rows[m], truth.flight_bad[m])
            truth.flight_ends_s[m] = board.at_s + rows[m].elapsed_s
            if truth.flight_ends_s[m] > now:
                break
        truth.flight_ends_s[m] = max(truth.flight_ends_s[m], now + 1e-6 * level.time_budget_s)
        truth.flight_lost[m] = 0
    level.key, board.at_s = key, now


@kernel
def draw_news(level: Any, board: Any, hidden: Any, truth: Any) -> None:
    """Draw the news to come: none that is past, and that a provider is up again where it was told down."""
    for p in range(level.providers):
        first_news(level, hidden, truth, p)
        if truth.news_s[p] <= board.at_s:
            truth.news_s[p] = math.inf
        until = board.down_until_s[p]
        if until > board.at_s and down(hidden.window[p], board.at_s, level.time_budget_s):
            truth.news_s[p] = until + 1e-6 * level.time_budget_s
            truth.news_until_s[p] = 0.0


@kernel
def imagine(level: Any, board: Any, belief: Any, hidden: Any, truth: Any, rows: Any) -> None:
    """Draw all that is hidden, named by the level's key. `rows` [M]: of what is in flight."""
    truth.episode_return = 0.0
    truth.episode_length = 0
    draw_causes(level, belief, hidden)
    draw_prices(level, board, hidden)
    draw_badness(level, board, belief, hidden, truth)
    draw_flights(level, board, hidden, truth, rows)
    draw_news(level, board, hidden, truth)
