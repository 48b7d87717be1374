"""The simulated world: events in time. One step is: choose, attempt, outcome, record, observe.

The live loop in conductor_agent/conductor.py reads as the same recipe, with a process where this has a draw.
"""

from __future__ import annotations

import math
from typing import Any

from fqg_env import belief as posterior
from fqg_env import filtering, hearing, reading, rules
from fqg_env.arrays import CANCELLED, FLIGHTS, Effect, GoalClass, Stopped
from fqg_env.chance import Draw, pick_by, uniform
from fqg_env.compiled import kernel
from fqg_env.draw import clear_row, draw
from fqg_env.faults import (
    FALSE_NEWS,
    FALSELY_TOLD,
    SIGNALLED,
    WINDOW_FROM,
    WINDOW_UNTIL,
    WINDOWS,
    down,
    truly_bad,
)
from fqg_env.frequencies import PUBLISHED

NEWS_LAG, LOST = PUBLISHED.news_lag, PUBLISHED.lost


@kernel
def begin_episode(level: Any, hidden: Any, board: Any, belief: Any, truth: Any) -> None:
    """Begin an episode under what is hidden already."""
    rules.reset(level, board)
    if belief is not None:
        posterior.reset(level, belief)
    truth.episode_return = 0.0
    truth.episode_length = 0
    for a in range(level.artifacts):
        truth.bad[a] = hidden.defect[a]
    for p in range(level.providers):
        first_news(level, hidden, truth, p)


@kernel
def step(
    level: Any, hidden: Any, board: Any, belief: Any, truth: Any, rows: Any, mask: Any, action: int
) -> float:
    """Play one action on one level and return the reward. `rows` [M]: outcomes of the attempts in flight.

    `mask` [2 + C] is what `rules.legal` said of this board. `belief` may be None: then none is kept.
    The episode is over when `board.stopped`.
    """
    before = reading.spent(level, board)
    board.steps += 1
    if action < 0 or action >= 2 + level.calls or mask[action] == 0:
        rules.refuse(level, board, board.at_s)
    elif action == rules.STOP:
        end(level, board, truth, rows, Stopped.POLICY)
    elif action == rules.WAIT:
        wait(level, hidden, board, belief, truth, rows)
    else:
        attempt(level, hidden, board, belief, truth, rows, action - rules.FIRST_CALL)
    if board.stopped == Stopped.NO:
        reason = reading.exhausted(level, board)
        if reason != Stopped.NO:
            end(level, board, truth, rows, reason)
    reward = before - reading.spent(level, board)
    if board.stopped != Stopped.NO:
        reward += goals(level, board, truth)
    truth.episode_return += reward
    truth.episode_length += 1
    return reward


@kernel
def attempt(
    level: Any, hidden: Any, board: Any, belief: Any, truth: Any, rows: Any, call: int
) -> None:
    """Begin an attempt; when every slot is taken, time runs to a completion."""
    number = rules.begin(level, board, call, board.at_s)
    slot = reading.slot_of(board, number)
    if belief is not None:
        filtering.begin(level, board, belief, slot)
    draw(level, hidden, board, truth, call, rows[slot], truth.flight_bad[slot])
    truth.flight_ends_s[slot] = board.at_s + rows[slot].elapsed_s
    lost = uniform(level.key, Draw.LOST, call, board.tries[call]) < LOST
    truth.flight_lost[slot] = lost and level.sealed == 0
    if board.in_flight >= level.max_in_flight:
        next_completion(level, hidden, board, belief, truth, rows)


@kernel
def soonest(board: Any, truth: Any) -> int:
    """The flight that ends first, or -1."""
    best = -1
    for m in range(FLIGHTS):
        if board.flight_attempt[m] >= 0:
            if best < 0 or truth.flight_ends_s[m] < truth.flight_ends_s[best]:
                best = m
    return best


@kernel
def next_completion(
    level: Any, hidden: Any, board: Any, belief: Any, truth: Any, rows: Any
) -> None:
    """Let time run to the first completion, or to the end of the time budget; news come on the way."""
    slot = soonest(board, truth)
    over = slot < 0 or truth.flight_ends_s[slot] > level.time_budget_s
    until_s = level.time_budget_s if over else truth.flight_ends_s[slot]
    while hear_news(level, hidden, board, belief, truth, until_s):
        pass
    if over:
        board.at_s = level.time_budget_s
    else:
        complete(level, board, belief, truth, rows, slot)


@kernel
def complete(level: Any, board: Any, belief: Any, truth: Any, rows: Any, slot: int) -> None:
    """Fold the completion of one flight, then cancel what it made redundant."""
    at_s = truth.flight_ends_s[slot]
    if truth.flight_lost[slot]:
        rules.lose(level, board, board.flight_attempt[slot], at_s)
        return
    row = rows[slot]
    if belief is not None:
        filtering.update(level, board, belief, slot, row)
    rules.finish(level, board, board.flight_attempt[slot], row, at_s)
    for a in range(level.artifacts):
        if row.made[a]:
            truth.bad[a] = truth.flight_bad[slot, a]
    for m in range(FLIGHTS):
        if rules.redundant(level, board, m, row.made):
            cancel(level, board, rows, m)


@kernel
def cancel(level: Any, board: Any, rows: Any, slot: int) -> None:
    """Cancel a flight now; what it has used so far is charged pro rata."""
    call = board.flight_call[slot]
    row = rows[slot]
    planned_s, planned_cost = row.elapsed_s, row.cost
    ran_s = board.at_s - board.flight_since_s[slot]
    clear_row(level, row)
    row.category = CANCELLED
    row.retryable = 0
    row.elapsed_s = ran_s
    row.cost = planned_cost * ran_s / planned_s if planned_s > 0.0 else 0.0
    if level.idempotent[call] == 0:
        row.effect = Effect.POSSIBLE
    rules.finish(level, board, board.flight_attempt[slot], row, board.at_s)


@kernel
def wait(level: Any, hidden: Any, board: Any, belief: Any, truth: Any, rows: Any) -> None:
    """WAIT: time runs to the first completion, to news, or to the end that the rules give it."""
    until = reading.wait_until(level, board)
    slot = soonest(board, truth)
    ends_s = truth.flight_ends_s[slot] if slot >= 0 else math.inf
    if hear_news(level, hidden, board, belief, truth, min(until, ends_s)):
        rules.waited(level, board, board.at_s)
    elif ends_s <= until:
        rules.waited(level, board, ends_s)
        complete(level, board, belief, truth, rows, slot)
    else:
        rules.waited(level, board, until)


# --- news from outside --------------------------------------------------------------------------------


@kernel
def first_news(level: Any, hidden: Any, truth: Any, provider: int) -> None:
    """When somebody outside says that a provider is down, and until when; seldom it is not true.

    What is not true is told as what is: nothing but what comes of it says which it was.
    """
    told, budget = hidden.window[provider], level.time_budget_s
    well = WINDOW_FROM[told] >= 1.0
    truth.news_s[provider] = math.inf
    said = uniform(level.key, Draw.NEWS, provider, 0) < (FALSE_NEWS if well else SIGNALLED)
    if level.sealed or not said:
        return
    if well:
        told = pick_by(uniform(level.key, Draw.NEWS, provider, 1), FALSELY_TOLD, WINDOWS)
    at = WINDOW_FROM[told] + NEWS_LAG
    if at < WINDOW_UNTIL[told]:
        truth.news_s[provider] = at * budget
        truth.news_until_s[provider] = WINDOW_UNTIL[told] * budget


@kernel
def hear_news(level: Any, hidden: Any, board: Any, belief: Any, truth: Any, until_s: float) -> bool:
    """Fold the first news before a time; False where there is none."""
    p = 0
    for q in range(level.providers):
        if truth.news_s[q] < truth.news_s[p]:
            p = q
    at_s = truth.news_s[p]
    if not at_s < until_s:
        return False
    ends_s = truth.news_until_s[p]
    up = ends_s == 0.0
    rules.signal(level, board, p, up, ends_s, at_s)
    if belief is not None:
        hearing.hear_signal(level, belief, p, up, ends_s, at_s)
    # the next news is that it is up again, where it was down
    was_down = down(hidden.window[p], at_s, level.time_budget_s)
    truth.news_s[p] = ends_s + 1e-6 * level.time_budget_s if was_down and not up else math.inf
    truth.news_until_s[p] = 0.0
    return True


# --- the end ------------------------------------------------------------------------------------------


@kernel
def end(level: Any, board: Any, truth: Any, rows: Any, reason: int) -> None:
    """Cancel what is in flight and deliver what is there."""
    for m in range(FLIGHTS):
        if board.flight_attempt[m] >= 0:
            cancel(level, board, rows, m)
    rules.stop(level, board, reason, board.at_s)


@kernel
def goals(level: Any, board: Any, truth: Any) -> float:
    """What the delivered goals are worth: their weight if truly good, else a share of it, lost."""
    worth = 0.0
    for a in range(level.artifacts):
        if reading.delivered(level, board, a):
            bad = truly_bad(level, board, truth, a)
            worth += level.goal_weight[a] * (-level.wrong_weight if bad else 1.0)
    return worth


@kernel
def succeeded(level: Any, board: Any, truth: Any) -> bool:
    """Every Essential goal is delivered and truly good."""
    for a in range(level.artifacts):
        if level.goal_class[a] == GoalClass.ESSENTIAL:
            if not reading.delivered(level, board, a) or truly_bad(level, board, truth, a):
                return False
    return True


@kernel
def wrong_delivered(level: Any, board: Any, truth: Any) -> bool:
    """Some goal is delivered although it is bad."""
    for a in range(level.artifacts):
        if reading.delivered(level, board, a) and truly_bad(level, board, truth, a):
            return True
    return False
