"""Watch episodes: what a policy met, repeated and tried again, and what it did after each category of error.

A board counts what a policy may know. What is here needs the truth, or the order of things; it is looked at
just before and just after each step and changes nothing.
"""

from __future__ import annotations

import math
from enum import IntEnum
from functools import cache
from typing import Any

import numpy as np

from fqg_env.arrays import (
    CANCELLED,
    SUCCESS,
    GoalClass,
    Kind,
    Size,
)
from fqg_env.blocks import fill, overlap
from fqg_env.cells import FaultKind, kind_of_fault, kind_of_window
from fqg_env.chance import Draw, uniform
from fqg_env.compiled import kernel
from fqg_env.draw import failing_cause
from fqg_env.faults import (
    STALE,
    Cause,
    clashes,
    fails,
    is_probe,
    lightest_variant,
    silent,
    taints,
    truly_bad,
)
from fqg_env.history import call_of, category_of, next_slot
from fqg_env.reading import delivered, input_versions, repeats
from fqg_env.rules import FIRST_CALL, STOP, WAIT
from fqg_env.world import LOST


class Reaction(IntEnum):
    """What a policy did at its first decision after a call had failed."""

    RETRY = 0  # the same call
    WAIT = 1
    OTHER_PARAMETERS = 2  # another variant of the same function
    FALLBACK = 3  # another function that makes the same
    REBUILD_UPSTREAM = 4  # what the call reads is made again
    REPAIR = 5
    LOOK = 6  # verify or inspect
    ELSEWHERE = 7  # other work
    STOP = 8


REACTIONS = len(Reaction)


@cache
def notes_dtype(size: Size) -> np.dtype:
    """What is noted of one episode."""
    return np.dtype(
        [
            ("met", "u4"),  # kinds of faults that stopped or spoiled an attempt, a bit each
            ("in_the_way", "u4"),  # kinds that the default order would meet
            ("repeats", "i4"),  # attempts without new information
            ("recoveries", "i4"),  # attempts at what had been attempted before, and repairs
            ("complete", "u1"),  # every Essential goal was delivered, good or bad
            # when the last Essential goal was made / time budget; NaN: it was not
            ("goal_at", "f8"),
            ("attempted", "u1", (size.artifacts,)),
            ("read", "i4", (size.calls,)),  # versions that the call read last; 0: it was not tried
            ("hint", "f8", (size.calls,)),  # hint for it when it was tried last
            ("failed", "i4"),  # of the board, before the step
            ("history_next", "i4"),
            ("failed_call", "i4"),  # that the policy has not reacted to yet; -1: none
            ("failed_category", "i4"),
        ],
        align=True,
    )


# --- what is in the way -------------------------------------------------------------------------------


@kernel
def in_the_way(level: Any, hidden: Any) -> int:
    """The kinds of faults that the calls of the default order would meet, a bit each: the same for all."""
    kinds = 0
    for i in range(level.calls):
        c = level.plan[i]
        if c < 0:
            break
        f = level.function[c]
        fault = hidden.fault[f]
        fail = fails(level, c, fault, lightest_variant(level, f), 9)
        if fail > 0.0 or silent(fault, level.variant[c]):
            kinds |= 1 << kind_of_fault(fault)
        window = hidden.window[level.provider[c]]
        if window > 0:
            kinds |= 1 << kind_of_window(window)
        if level.sealed == 0 and uniform(level.key, Draw.LOST, c, 1) < LOST:
            kinds |= 1 << FaultKind.LOST
        for a in range(level.artifacts):
            if level.needs[c, a] and hidden.defect[a]:
                kinds |= 1 << FaultKind.DEFECT
            ages = level.makes[c, a] and level.time_to_live_s[a] < math.inf
            if ages and uniform(level.key, Draw.STALE, a, 1) < STALE:
                kinds |= 1 << FaultKind.STALE
        for j in range(i):
            d = level.plan[j]
            reads = overlap(level.needs[c], level.makes[d])
            if reads and clashes(level, hidden, f, level.function[d]):
                kinds |= 1 << FaultKind.CLASH
    return kinds


# --- one attempt --------------------------------------------------------------------------------------


@kernel
def bad_inputs(level: Any, board: Any, truth: Any, call: int) -> int:
    """Kinds of what is bad in what a call reads; what a silent maker spoilt was met when it was made."""
    kinds = 0
    for a in range(level.artifacts):
        if taints(level, call, a) and truly_bad(level, board, truth, a):
            if board.maker[a] < 0:
                kinds |= 1 << FaultKind.DEFECT
            elif truth.bad[a] == 0:
                kinds |= 1 << FaultKind.STALE
    return kinds


@kernel
def met_by(level: Any, hidden: Any, board: Any, truth: Any, call: int, row: Any) -> int:
    """The kinds of faults that the attempt about to begin will meet, a bit each; `row` is scratch."""
    f = level.function[call]
    board.tries[call] += 1  # as if it had begun
    board.function_tries[f] += 1
    nth = board.tries[call]
    cause = failing_cause(level, hidden, board, truth, call, nth, row)
    board.tries[call] -= 1
    board.function_tries[f] -= 1
    lost = level.sealed == 0 and uniform(level.key, Draw.LOST, call, nth) < LOST
    kinds = 1 << FaultKind.LOST if lost else 0
    if cause == Cause.OUTAGE or cause == Cause.LIMIT:
        return kinds | 1 << kind_of_window(hidden.window[level.provider[call]])
    if cause == Cause.CLASH:
        return kinds | 1 << FaultKind.CLASH
    if cause >= 0 and cause < Cause.CLASH:
        return kinds | 1 << kind_of_fault(hidden.fault[f])
    if cause < 0 and not is_probe(level, call) and silent(hidden.fault[f], level.variant[call]):
        kinds |= 1 << kind_of_fault(hidden.fault[f])
    return kinds | bad_inputs(level, board, truth, call)


@kernel
def without_new_information(level: Any, board: Any, note: Any, call: int) -> bool:
    """The attempt repeats a call on the same versions of what it reads, with no new hint for it, although its
    last outcome was final: it succeeded and what it made is still there, or it said that a retry is in vain.
    """
    if note.read[call] == 0 or note.read[call] != input_versions(level, board, call):
        return False
    if board.hint[call] != note.hint[call]:
        return False
    return repeats(level, board, call) or board.last_retryable[call] == 0


@kernel
def is_recovery(level: Any, note: Any, call: int) -> bool:
    """The attempt is to make what an earlier attempt was to make, or it is a repair."""
    if level.kind[call] == Kind.REPAIR:
        return True
    return overlap(level.makes[call], note.attempted)


@kernel
def note_attempt(
    level: Any, hidden: Any, board: Any, truth: Any, note: Any, call: int, row: Any
) -> None:
    """Note what the attempt about to begin amounts to."""
    note.met |= met_by(level, hidden, board, truth, call, row)
    note.repeats += without_new_information(level, board, note, call)
    note.recoveries += is_recovery(level, note, call)
    note.read[call] = input_versions(level, board, call)
    note.hint[call] = board.hint[call]
    for a in range(level.artifacts):
        if level.makes[call, a]:
            note.attempted[a] = 1


# --- after an error -----------------------------------------------------------------------------------


@kernel
def reaction_of(level: Any, failed: int, action: int) -> int:
    """What a legal action amounts to, when this call has just failed."""
    if action == WAIT:
        return Reaction.WAIT
    if action == STOP:
        return Reaction.STOP
    call = action - FIRST_CALL
    if call == failed:
        return Reaction.RETRY
    if level.function[call] == level.function[failed]:
        return Reaction.OTHER_PARAMETERS
    if is_probe(level, call):
        return Reaction.LOOK
    if level.kind[call] == Kind.REPAIR:
        return Reaction.REPAIR
    if overlap(level.makes[call], level.makes[failed]):
        return Reaction.FALLBACK
    if overlap(level.makes[call], level.needs[failed]):
        return Reaction.REBUILD_UPSTREAM
    return Reaction.ELSEWHERE


@kernel
def note_failure(board: Any, note: Any) -> None:
    """Note the call that has just failed, if one has and its answer was not lost."""
    if board.failed == note.failed:
        return
    slot = note.history_next
    while slot != board.history_next:
        category = category_of(board.history[slot])
        if category != SUCCESS and category != CANCELLED:
            note.failed_call = call_of(board.history[slot])
            note.failed_category = category
        slot = next_slot(slot)


# --- many lanes ---------------------------------------------------------------------------------------


@kernel
def begin(levels: Any, hidden: Any, notes: Any) -> None:
    """Begin to watch N episodes."""
    for n in range(len(levels)):
        note = notes[n]
        note.met = 0
        note.repeats = 0
        note.recoveries = 0
        note.failed_call = -1
        note.in_the_way = in_the_way(levels[n], hidden[n])
        fill(note.attempted, 0)
        fill(note.read, 0)


@kernel
def before(
    levels: Any,
    hidden: Any,
    boards: Any,
    truths: Any,
    masks: Any,
    actions: Any,
    row: Any,
    notes: Any,
    reactions: Any,
) -> None:
    """Look at N lanes before a step. `row` is scratch; reactions [CATEGORIES, REACTIONS] are counted on."""
    for n in range(len(levels)):
        board, note, action = boards[n], notes[n], actions[n]
        note.failed = board.failed
        note.history_next = board.history_next
        legal = action >= 0 and action < FIRST_CALL + levels[n].calls and masks[n, action] == 1
        if board.stopped or not legal:
            continue
        if note.failed_call >= 0:
            reaction = reaction_of(levels[n], note.failed_call, action)
            reactions[note.failed_category, reaction] += 1
            note.failed_call = -1
        if action >= FIRST_CALL:
            note_attempt(levels[n], hidden[n], board, truths[n], note, action - FIRST_CALL, row[0])


@kernel
def after(boards: Any, notes: Any) -> None:
    """Look at N lanes after a step."""
    for n in range(len(boards)):
        note_failure(boards[n], notes[n])


@kernel
def end(levels: Any, boards: Any, notes: Any) -> None:
    """Look at N lanes once all is over."""
    for n in range(len(levels)):
        level, board = levels[n], boards[n]
        complete, made_s = True, 0.0
        for a in range(level.artifacts):
            if level.goal_class[a] == GoalClass.ESSENTIAL:
                complete &= delivered(level, board, a)
                made_s = max(made_s, board.made_at_s[a])
        notes[n].complete = complete
        notes[n].goal_at = made_s / level.time_budget_s if complete else np.nan
