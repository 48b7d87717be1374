"""The rulebook: how each event changes the board of ONE level, and what may be chosen next.

Both worlds call these same compiled functions: the simulated one on thousands of boards, the live one on a
batch of one. Nothing here reads a clock or draws a random number; times come with the event, in seconds
since the start of the run.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fqg_env.arrays import (
    CANCELLED,
    FLIGHTS,
    GROUP,
    HISTORY,
    HISTORY_FIELDS,
    SUCCESS,
    Effect,
    Gate,
    Kind,
    Mode,
    Verdict,
)
from fqg_env.blocks import fill
from fqg_env.chance import ZERO
from fqg_env.compiled import kernel
from fqg_env.history import is_attempt, remember
from fqg_env.reading import current, flying, held, input_versions, readable, slot_of, unsafe

WAIT = 0
STOP = 1
FIRST_CALL = 2
"""Action 2 + i attempts call i."""


@kernel
def forget(level: Any, board: Any, c: int) -> None:
    """A call of which nothing is known but what it reads."""
    reads = ZERO
    for a in range(level.artifacts):
        read = level.needs[c, a] != 0 or level.probes[c, a] != 0
        reads |= np.uint64(read) << np.uint64(a)
    board.reads[c] = reads
    board.tries[c] = 0
    board.last_category[c] = -1
    board.last_retryable[c] = 2
    board.retry_at_s[c] = 0.0
    board.last_at_s[c] = 0.0
    board.own_recovery[c] = 0
    board.hint[c] = 0.0
    board.hint_giver[c] = -1
    board.not_examined[c] = 0
    board.blamed[c] = 0
    board.lost[c] = 0
    board.answered_with[c] = 0
    board.final_with[c] = 0


@kernel
def reset(level: Any, board: Any) -> None:
    """The board before the first event: only what is given is there."""
    board.at_s = 0.0
    board.cost = 0.0
    board.attempts = 0
    board.begun = 0
    board.refused = 0
    board.steps = 0
    board.retries = 0
    board.unsafe_repeats = 0
    board.waits_in_a_row = 0
    board.in_flight = 0
    board.stopped = 0
    board.failed = 0
    board.history_next = 0
    for m in range(FLIGHTS):
        board.flight_attempt[m] = -1
    for c in range(level.calls):
        forget(level, board, c)
    for f in range(level.functions):
        board.function_tries[f] = 0
        board.effect[f] = Effect.NONE
    for p in range(level.providers):
        board.provider_success[p] = 0
        board.provider_failure[p] = 0
        board.down_until_s[p] = 0.0
    for a in range(level.artifacts):
        board.present[a] = level.given[a]
        board.rejected[a] = 0
        board.version[a] = level.given[a]
        board.maker[a] = -1
        board.made_at_s[a] = 0.0
        board.claimed[a] = math.nan
        board.claimed_before[a] = math.nan
        board.checks_passed[a] = 0
        board.times_rejected[a] = 0
    fill(board.group_count, 0)
    fill(board.source_version, 0)
    for h in range(HISTORY):
        if not is_attempt(board.history[h]):  # the ring was not filled further
            break
        for i in range(HISTORY_FIELDS):
            board.history[h, i] = 0.0


@kernel
def shielded(level: Any, board: Any, call: int) -> bool:
    """True where the shield forbids the call: retries used up, or an unsafe repeat, or one that is in vain.

    A function that is not idempotent may not act twice, whichever of its variants is called. Whether a repeat
    is in vain is what its last failure says of itself, as long as it would read the same.
    """
    f = level.function[call]
    tries = board.function_tries[f]
    if tries > level.shield_retries:
        return True
    if tries > 0 and board.retries >= level.shield_retry_share * level.attempt_budget:
        return True
    if not level.final_repeats_allowed and board.final_with[call] != 0:
        if board.final_with[call] == input_versions(level, board, call):
            return True
    if level.idempotent[call] or level.unsafe_repeats_allowed:
        return False
    return unsafe(level, board, f)


@kernel
def next_planned(level: Any, board: Any) -> int:
    """The call that community mode allows now, or -1."""
    if board.failed > 0 or board.begun >= level.calls:
        return -1
    return level.plan[board.begun]


@kernel
def legal(level: Any, board: Any, out: Any) -> None:
    """Write the mask [2 + C]: 1 where an action is neither known impossible nor forbidden."""
    for i in range(out.shape[0]):
        out[i] = 0
    out[STOP] = 1
    if board.stopped:
        return
    community = level.mode == Mode.COMMUNITY
    out[WAIT] = 1 if not community or (board.in_flight > 0 and board.failed == 0) else 0
    if board.attempts >= level.attempt_budget or board.in_flight >= level.max_in_flight:
        return
    planned = next_planned(level, board) if community else -1
    usables, presents = held(level, board)
    for c in range(level.calls):
        if community and c != planned:
            continue
        readily = readable(level, board, c, usables, presents)
        if readily and not shielded(level, board, c) and not flying(board, c):
            out[FIRST_CALL + c] = 1


@kernel
def begin(level: Any, board: Any, call: int, at_s: float) -> int:
    """Fold `started`: charge the attempt, consume inputs, mark it in flight. Returns the attempt's number."""
    board.at_s = at_s
    board.waits_in_a_row = 0
    attempt = board.begun
    f = level.function[call]
    if board.function_tries[f] > 0:
        board.retries += 1
    if level.idempotent[call] == 0 and unsafe(level, board, f):
        board.unsafe_repeats += 1
    board.begun += 1
    board.attempts += 1
    board.tries[call] += 1
    board.function_tries[f] += 1
    for m in range(FLIGHTS):
        if board.flight_attempt[m] < 0:
            board.flight_attempt[m] = attempt
            board.flight_call[m] = call
            board.flight_since_s[m] = at_s
            board.flight_uses[m] = board.function_tries[f]
            for a in range(level.artifacts):
                reads = level.needs[call, a] or level.probes[call, a]
                board.flight_input_version[m, a] = board.version[a] if reads else 0
            break
    board.in_flight += 1
    for a in range(level.artifacts):
        if level.consumes[call, a]:
            board.present[a] = 0
    return attempt


@kernel
def place(
    level: Any, board: Any, slot: int, call: int, artifact: int, quality: float, gate: int
) -> None:
    """Put a new version of an artifact on the board; hints for its readers end with the old one."""
    board.claimed_before[artifact] = board.claimed[artifact]
    board.claimed[artifact] = quality
    board.present[artifact] = 1
    board.rejected[artifact] = 1 if gate == Gate.REJECTED else 0
    board.version[artifact] += 1
    board.maker[artifact] = call
    board.made_at_s[artifact] = board.at_s
    board.checks_passed[artifact] = 1 if gate == Gate.PASSED else 0
    if gate == Gate.REJECTED:
        board.times_rejected[artifact] += 1
    for a in range(level.artifacts):
        board.source_version[artifact, a] = board.flight_input_version[slot, a]
    for c in range(level.calls):
        if level.needs[c, artifact]:
            board.hint[c] = 0.0
            board.hint_giver[c] = -1
            board.not_examined[c] = 0


@kernel
def finish(level: Any, board: Any, attempt: int, row: Any, at_s: float) -> int:
    """Fold `finished`: cost, counts, artifacts, blame, hints. Returns the call; -1: it was not in flight."""
    slot = slot_of(board, attempt)
    if slot < 0:
        return -1
    call = board.flight_call[slot]
    board.at_s = at_s
    board.waits_in_a_row = 0
    board.cost += row.cost
    category = row.category
    board.last_category[call] = category
    board.last_retryable[call] = row.retryable
    board.last_at_s[call] = at_s
    board.retry_at_s[call] = at_s + row.retry_after_s if row.retry_after_s > 0.0 else 0.0
    board.own_recovery[call] = min(1000, board.own_recovery[call] + row.own_recovery)
    board.group_count[call, GROUP[category]] += 1
    f = level.function[call]
    board.effect[f] = max(board.effect[f], row.effect)
    if category != CANCELLED:
        p = level.provider[call]
        if category == SUCCESS:
            board.provider_success[p] += 1
        else:
            board.provider_failure[p] += 1
            board.failed += 1
    gate = 0
    answered = category == SUCCESS
    read = 1
    for a in range(level.artifacts):
        answered = answered or row.made[a] == 1
        read += board.flight_input_version[slot, a]
    if answered:
        board.answered_with[call] = read
    final = category != SUCCESS and category != CANCELLED and row.retryable == 0
    board.final_with[call] = read if final else 0
    for a in range(level.artifacts):
        if current(board, slot, a):
            if row.verdict[a] == Verdict.GOOD:
                board.checks_passed[a] += 1
            elif row.verdict[a] == Verdict.BAD:
                board.times_rejected[a] += 1
            if row.blamed[a] and board.maker[a] >= 0:
                board.blamed[board.maker[a]] += 1
        if row.made[a]:
            gate = max(gate, row.gate[a])
            place(level, board, slot, call, a, row.quality[a], row.gate[a])
    for c in range(level.calls):
        if row.hint[c] > 0.0:
            board.hint[c] = row.hint[c]
            board.hint_giver[c] = call
        if row.not_examined[c]:
            board.not_examined[c] = 1
    remember(level, board, call, row, gate)
    board.flight_attempt[slot] = -1
    board.in_flight -= 1
    return call


@kernel
def refuse(level: Any, board: Any, at_s: float) -> None:
    """Fold `refused`: an illegal action costs one attempt and changes nothing else."""
    board.at_s = at_s
    board.attempts += 1
    board.refused += 1


@kernel
def waited(level: Any, board: Any, at_s: float) -> None:
    """Fold `waited`: time has passed; the next wait in a row is twice as long."""
    board.at_s = at_s
    board.waits_in_a_row += 1


@kernel
def signal(level: Any, board: Any, provider: int, up: int, until_s: float, at_s: float) -> None:
    """Fold `signal`: news from outside about a provider."""
    board.at_s = at_s
    board.down_until_s[provider] = 0.0 if up else until_s


@kernel
def lose(level: Any, board: Any, attempt: int, at_s: float) -> None:
    """Fold `lost`: the answer was swallowed by a crash; what it did outside is not known."""
    slot = slot_of(board, attempt)
    if slot < 0:
        return
    call = board.flight_call[slot]
    board.at_s = at_s
    board.lost[call] += 1
    board.last_at_s[call] = at_s
    board.failed += 1
    f = level.function[call]
    if level.idempotent[call] == 0 and board.effect[f] < Effect.POSSIBLE:
        board.effect[f] = Effect.POSSIBLE
    board.flight_attempt[slot] = -1
    board.in_flight -= 1


@kernel
def stop(level: Any, board: Any, reason: int, at_s: float) -> None:
    """Fold `stopped`: what has been made is delivered."""
    board.at_s = at_s
    board.stopped = reason


@kernel
def redundant(level: Any, board: Any, slot: int, made: Any) -> bool:
    """An attempt in flight that could only make what was just made, and is safe to cancel."""
    if board.flight_attempt[slot] < 0:
        return False
    call = board.flight_call[slot]
    if level.idempotent[call] == 0 or level.kind[call] >= Kind.VERIFY:
        return False
    for a in range(level.artifacts):
        if level.makes[call, a] and not (made[a] and board.rejected[a] == 0):
            return False
    return True
