"""What a board says: what is usable, what would repeat itself, what has been spent, how long a wait is."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fqg_env.arrays import (
    FLIGHTS,
    MAX_STEPS,
    UNKNOWN_SHARE,
    Effect,
    Kind,
    Stopped,
)
from fqg_env.chance import ONE, ZERO
from fqg_env.compiled import kernel


@kernel
def usable(level: Any, board: Any, artifact: int) -> bool:
    """There, not rejected by its gate, not past its time to live."""
    return (
        board.present[artifact] == 1
        and board.rejected[artifact] == 0
        and board.at_s - board.made_at_s[artifact] <= level.time_to_live_s[artifact]
    )


@kernel
def over_ripe(level: Any, board: Any, artifact: int) -> bool:
    """The version held is past half its time to live: from there on it may have gone bad."""
    return board.at_s - board.made_at_s[artifact] > 0.5 * level.time_to_live_s[artifact]


@kernel
def held(level: Any, board: Any) -> Any:
    """(usable, present): the artifacts that are usable and those that are there, a bit each."""
    usables, presents = ZERO, ZERO
    for a in range(level.artifacts):
        presents |= np.uint64(board.present[a] != 0) << np.uint64(a)
        usables |= np.uint64(usable(level, board, a)) << np.uint64(a)
    return usables, presents


@kernel
def readable(level: Any, board: Any, call: int, usables: int, presents: int) -> bool:
    """Every input is there (see `held`); a repair or a probe may also read what a gate rejected."""
    there = presents if level.kind[call] >= Kind.REPAIR else usables
    return (board.reads[call] & ~there) == ZERO


@kernel
def input_versions(level: Any, board: Any, call: int) -> int:
    """1 + the sum of the versions that a call would read now; versions only grow, so it names them."""
    total = 1
    for a in range(level.artifacts):
        if (board.reads[call] >> np.uint64(a)) & ONE:
            total += board.version[a]
    return total


@kernel
def repeats(level: Any, board: Any, call: int) -> bool:
    """The call has already answered with the inputs as they are now; it would most likely repeat itself.

    What it made has to be there still, and fresh: what was used up or has grown old is made again.
    """
    answered = board.answered_with[call]
    if answered == 0 or answered != input_versions(level, board, call):
        return False
    for a in range(level.artifacts):
        if level.makes[call, a] and (board.present[a] == 0 or over_ripe(level, board, a)):
            return False
    return True


@kernel
def flying(board: Any, call: int) -> bool:
    """The call is in flight now."""
    if board.in_flight == 0:
        return False
    for m in range(FLIGHTS):
        if board.flight_attempt[m] >= 0 and board.flight_call[m] == call:
            return True
    return False


@kernel
def unsafe(level: Any, board: Any, function: int) -> bool:
    """An attempt of a function that is not idempotent may have acted, or may yet act."""
    if board.effect[function] >= Effect.POSSIBLE:
        return True
    for m in range(FLIGHTS if board.in_flight > 0 else 0):
        if board.flight_attempt[m] >= 0 and level.function[board.flight_call[m]] == function:
            return True
    return False


@kernel
def slot_of(board: Any, attempt: int) -> int:
    """The flight slot of an attempt, or -1."""
    for m in range(FLIGHTS):
        if board.flight_attempt[m] == attempt:
            return m
    return -1


@kernel
def current(board: Any, slot: int, artifact: int) -> bool:
    """What a flight says of an artifact is about the version held now (or about one it did not read)."""
    seen = board.flight_input_version[slot, artifact]
    return seen == 0 or seen == board.version[artifact]


@kernel
def typical_s(level: Any, call: int) -> float:
    """Declared typical latency, or what stands for one that is not known."""
    seconds = level.latency_s[call]
    return UNKNOWN_SHARE * level.time_budget_s if math.isnan(seconds) else seconds


@kernel
def typical_cost(level: Any, call: int) -> float:
    """Declared cost, or what stands for one that is not known."""
    cost = level.cost[call]
    return UNKNOWN_SHARE * level.cost_budget if math.isnan(cost) else cost


@kernel
def wait_quantum(level: Any, board: Any) -> float:
    """Length of the next WAIT in seconds, if nothing ends it before."""
    quantum = level.wait_base * level.time_budget_s * 2.0 ** min(board.waits_in_a_row, 30)
    return min(level.time_budget_s, quantum)


@kernel
def wait_until(level: Any, board: Any) -> float:
    """When WAIT ends if nothing finishes before: time in seconds since the start of the run.

    The first of: a quantum that doubles, an announced retry-after, an announced end of an outage, an
    attempt in flight passing its declared p95, the end of the time budget.
    """
    now = board.at_s
    end = now + wait_quantum(level, board)
    for c in range(level.calls):
        if board.retry_at_s[c] > now:
            end = min(end, board.retry_at_s[c])
    for p in range(level.providers):
        if board.down_until_s[p] > now:
            end = min(end, board.down_until_s[p])
    for m in range(FLIGHTS):
        if board.flight_attempt[m] >= 0:
            late = board.flight_since_s[m] + level.p95_s[board.flight_call[m]]
            if late > now:
                end = min(end, late)
    return min(end, level.time_budget_s)


@kernel
def exhausted(level: Any, board: Any) -> int:
    """The reason why the run is over although nobody stopped it, or 0."""
    if board.at_s >= level.time_budget_s:
        return Stopped.TIME
    if board.cost >= level.cost_budget:
        return Stopped.COST
    if board.attempts >= level.attempt_budget and board.in_flight == 0:
        return Stopped.ATTEMPTS
    if board.steps >= MAX_STEPS:
        return Stopped.STEPS
    return 0


@kernel
def delivered(level: Any, board: Any, artifact: int) -> bool:
    """A goal counts as delivered when it is usable at the end."""
    return level.goal_class[artifact] > 0 and usable(level, board, artifact)


@kernel
def spent(level: Any, board: Any) -> float:
    """What the run has cost so far, in units of return (never negative)."""
    unsafe = min(1.0, board.unsafe_repeats / 4.0)
    return (
        level.cost_weight * min(1.0, board.cost / level.cost_budget)
        + level.time_weight * min(1.0, board.at_s / level.time_budget_s)
        + level.unsafe_weight * unsafe
    )
