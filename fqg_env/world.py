"""SimulatedWorld: events in time. One step is: choose, attempt, outcome, record, observe.

The live loop in conductor_agent/conductor.py reads as the same recipe, with a process where this has a draw.
"""

from __future__ import annotations

from typing import Any

from fqg_env import belief as posterior
from fqg_env import faults as model
from fqg_env import rules
from fqg_env.arrays import CANCELLED, FLIGHTS, GoalClass, Stopped
from fqg_env.compiled import kernel


@kernel
def reset(level: Any, faults: Any, board: Any, belief: Any, truth: Any) -> None:
    """Begin an episode: draw what is hidden, empty the board, start from the prior."""
    model.draw_faults(level, faults)
    begin_episode(level, board, belief, truth)


@kernel
def begin_episode(level: Any, board: Any, belief: Any, truth: Any) -> None:
    """Begin an episode under faults that are already there."""
    rules.reset(level, board)
    if belief is not None:
        posterior.reset(level, belief)
    truth.episode_return = 0.0
    truth.episode_length = 0
    for a in range(level.artifacts):
        truth.bad[a] = 0


@kernel
def step(
    level: Any, faults: Any, board: Any, belief: Any, truth: Any, rows: Any, mask: Any, action: int
) -> float:
    """Play one action on one level and return the reward. `rows` [M]: outcomes of the attempts in flight.

    `mask` [2 + C] is what `rules.legal` said of this board. `belief` may be None: then none is kept.
    The episode is over when `board.stopped`.
    """
    before = rules.spent(level, board)
    board.steps += 1
    if action < 0 or action >= 2 + level.calls or mask[action] == 0:
        rules.refuse(level, board, board.at_s)
    elif action == rules.STOP:
        end(level, board, truth, rows, Stopped.POLICY)
    elif action == rules.WAIT:
        wait(level, board, belief, truth, rows)
    else:
        attempt(level, faults, board, belief, truth, rows, action - rules.FIRST_CALL)
    if board.stopped == Stopped.NO:
        reason = rules.exhausted(level, board)
        if reason != Stopped.NO:
            end(level, board, truth, rows, reason)
    reward = before - rules.spent(level, board)
    if board.stopped != Stopped.NO:
        reward += goals(level, board, truth)
    truth.episode_return += reward
    truth.episode_length += 1
    return reward


@kernel
def attempt(
    level: Any, faults: Any, board: Any, belief: Any, truth: Any, rows: Any, call: int
) -> None:
    """Begin an attempt; when every slot is taken, time runs to a completion."""
    number = rules.begin(level, board, call, board.at_s)
    slot = rules.slot_of(board, number)
    bad = truth.flight_bad[slot]
    model.draw(level, faults, board, truth, call, board.tries[call], board.at_s, rows[slot], bad)
    truth.flight_ends_s[slot] = board.at_s + rows[slot].elapsed_s
    if board.in_flight >= level.max_in_flight:
        next_completion(level, board, belief, truth, rows)


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
def next_completion(level: Any, board: Any, belief: Any, truth: Any, rows: Any) -> None:
    """Let time run to the first completion, or to the end of the time budget."""
    slot = soonest(board, truth)
    if slot < 0 or truth.flight_ends_s[slot] > level.time_budget_s:
        board.at_s = level.time_budget_s
        return
    complete(level, board, belief, truth, rows, slot)


@kernel
def complete(level: Any, board: Any, belief: Any, truth: Any, rows: Any, slot: int) -> None:
    """Fold the completion of one flight, then cancel what it made redundant."""
    at_s = truth.flight_ends_s[slot]
    row = rows[slot]
    if belief is not None:
        posterior.update(level, board, belief, slot, row)
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
    model.clear_row(level, row)
    row.category = CANCELLED
    row.retryable = 0
    row.elapsed_s = ran_s
    row.cost = planned_cost * ran_s / planned_s if planned_s > 0.0 else 0.0
    if level.idempotent[call] == 0:
        row.effect = 1
    rules.finish(level, board, board.flight_attempt[slot], row, board.at_s)


@kernel
def wait(level: Any, board: Any, belief: Any, truth: Any, rows: Any) -> None:
    """WAIT: time runs to the first completion or to the end that the rules give it."""
    until = rules.wait_until(level, board)
    slot = soonest(board, truth)
    if slot >= 0 and truth.flight_ends_s[slot] <= until:
        rules.waited(level, board, truth.flight_ends_s[slot])
        complete(level, board, belief, truth, rows, slot)
    else:
        rules.waited(level, board, until)


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
        if rules.delivered(level, board, a):
            worth += level.goal_weight[a] * (-level.wrong_weight if truth.bad[a] else 1.0)
    return worth


@kernel
def succeeded(level: Any, board: Any, truth: Any) -> bool:
    """Every Essential goal is delivered and truly good."""
    for a in range(level.artifacts):
        if level.goal_class[a] == GoalClass.ESSENTIAL:
            if not rules.delivered(level, board, a) or truth.bad[a]:
                return False
    return True


@kernel
def wrong_delivered(level: Any, board: Any, truth: Any) -> bool:
    """Some goal is delivered although it is bad."""
    for a in range(level.artifacts):
        if rules.delivered(level, board, a) and truth.bad[a]:
            return True
    return False
