"""The walk that all hand rules share: towards the weightiest goal, through what it lacks.

What a rule thinks of each call is its `Standing`; the walk asks nothing else of a rule. It goes from a goal
to its best maker, from there to an input that is missing, and so on, as a workflow engine resolves what a
task depends on.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fqg_env.arrays import GROUPS, Group
from fqg_env.compiled import kernel
from fqg_env.fields import COUNT_UNIT, GROUP_UNIT, Artifact, Call, Run
from fqg_env.frequencies import PUBLISHED
from fqg_env.rules import FIRST_CALL, STOP, WAIT

FIELDS = (
    "calls",
    "artifacts",
    "needs",
    "makes",
    "probes",
    "same_function",
    "same_provider",
    "history",
    "run",
)


UNKNOWN_REPUTATION = PUBLISHED.reputation


class Sight(NamedTuple):
    """What hand rules read of one observation (see FIELDS), and which actions are legal."""

    calls: Any
    artifacts: Any
    needs: Any
    makes: Any
    probes: Any
    same_function: Any
    same_provider: Any
    history: Any
    run: Any
    mask: Any


class Standing(NamedTuple):
    """What a rule thinks of each call [C]."""

    gone: Any
    """1: it is tried no more."""
    ends: Any
    """1: what it makes is not tried for any more, by whatever call."""
    rank: Any
    """The highest is tried first."""
    pause: Any
    """1: WAIT comes first."""
    rebuild: Any
    """1: an input that can be made anew is made anew first."""


@kernel
def new_standing(calls: int) -> Standing:
    """Nothing is held against any of the calls."""
    return Standing(
        np.zeros(calls, np.uint8),
        np.zeros(calls, np.uint8),
        np.zeros(calls),
        np.zeros(calls, np.uint8),
        np.zeros(calls, np.uint8),
    )


@kernel
def sight_of(all_: Sight, n: int) -> Sight:
    """The n-th of N observations."""
    return Sight(
        all_.calls[n],
        all_.artifacts[n],
        all_.needs[n],
        all_.makes[n],
        all_.probes[n],
        all_.same_function[n],
        all_.same_provider[n],
        all_.history[n],
        all_.run[n],
        all_.mask[n],
    )


@kernel
def usable(artifacts: Any, a: int) -> bool:
    """Held, not rejected, not too old."""
    y = artifacts[a]
    return y[Artifact.PRESENT] > 0.5 and y[Artifact.REJECTED] < 0.5 and y[Artifact.AGE] < 1.0


@kernel
def kept(artifacts: Any, a: int) -> bool:
    """Usable, and no verify has called the version held bad (every version rejected is counted once)."""
    y = artifacts[a]
    rejected = y[Artifact.TIMES_REJECTED] * GROUP_UNIT > y[Artifact.VERSION] * COUNT_UNIT - 0.5
    return usable(artifacts, a) and not (rejected and y[Artifact.GIVEN] < 0.5)


@kernel
def mends(v: Any, c: int, a: int) -> bool:
    """The call repairs the artifact: it reads a version and makes another."""
    return v.calls[c, Call.REPAIR] > 0.5 and v.needs[c, a] and v.makes[c, a]


@kernel
def next_maker(v: Sight, s: Standing, a: int, out_of: Any) -> int:
    """The maker of an artifact that ranks highest of those not given up, or -1."""
    best = -1
    for c in range(v.calls.shape[0]):
        if not v.makes[c, a]:
            continue
        if s.ends[c]:
            return -1
        if s.gone[c] or out_of[c] or v.calls[c, Call.ATTEMPTS_LEFT] <= 0.0:
            continue
        if mends(v, c, a) and v.artifacts[a, Artifact.PRESENT] < 0.5:
            continue  # there is nothing to mend
        if v.calls[c, Call.REPEATS] > 0.5 and usable(v.artifacts, a):
            continue  # it would make again what is held
        if best < 0 or s.rank[c] > s.rank[best]:
            best = c
    return best


@kernel
def lacks(v: Sight, s: Standing, c: int, out_of: Any) -> int:
    """An input that a call has to have made first, or -1."""
    for need in range(v.artifacts.shape[0]):
        if not v.needs[c, need] or mends(v, c, need):
            continue
        if not kept(v.artifacts, need):
            # what a verify called bad is still read where nobody can make it anew
            if not usable(v.artifacts, need) or next_maker(v, s, need, out_of) >= 0:
                return need
    return -1


@kernel
def stale_input(v: Sight, s: Standing, c: int, out_of: Any) -> int:
    """An input to make anew after the call has failed on it, once per failure.

    Returns -2 where one has been made anew since, -1 where none can be.
    """
    failed = v.calls[c, Call.GROUP_COUNT + Group.INPUT] * GROUP_UNIT
    anew = False
    for need in range(v.artifacts.shape[0]):
        y = v.artifacts[need]
        if not v.needs[c, need] or y[Artifact.GIVEN] > 0.5:
            continue
        if y[Artifact.VERSION] * COUNT_UNIT > failed + 0.5:
            anew = True
        elif next_maker(v, s, need, out_of) >= 0:
            return need
    return -2 if anew else -1


@kernel
def weightiest(v: Sight, done: Any) -> int:
    """The goal of the highest weight that is neither kept nor done with, or -1."""
    goal = -1
    for g in range(v.artifacts.shape[0]):
        weight = v.artifacts[g, Artifact.GOAL_WEIGHT]
        if weight > 0.0 and not done[g] and not kept(v.artifacts, g):
            if goal < 0 or weight > v.artifacts[goal, Artifact.GOAL_WEIGHT]:
                goal = g
    return goal


@kernel
def towards(v: Sight, s: Standing, goal: int, out_of: Any) -> int:
    """The action that a rule takes towards a goal, or -1 where there is none."""
    a = goal
    for _ in range(4 * v.artifacts.shape[0]):
        c = next_maker(v, s, a, out_of)
        if c < 0:
            return -1
        lacking = lacks(v, s, c, out_of)
        if lacking < 0 and s.rebuild[c]:
            lacking = stale_input(v, s, c, out_of)
            if lacking == -1:
                out_of[c] = 1
                continue
        if lacking >= 0:
            if next_maker(v, s, lacking, out_of) < 0:
                out_of[c] = 1
            else:
                a = lacking
            continue
        if v.calls[c, Call.IN_FLIGHT] > 0.5:
            return WAIT if v.mask[WAIT] else -1
        if v.mask[FIRST_CALL + c]:
            return WAIT if s.pause[c] and v.mask[WAIT] else FIRST_CALL + c
        out_of[c] = 1
    return -1


@kernel
def walk(v: Sight, s: Standing, spend: float) -> int:
    """A rule's action: towards the weightiest goal that can be had; STOP where there is none.

    `spend`: it also stops once more than this share of the time or of the cost budget is gone.
    """
    if min(v.run[Run.TIME_LEFT], v.run[Run.COST_LEFT]) < 1.0 - spend:
        return STOP
    done = np.zeros(v.artifacts.shape[0], np.uint8)
    out_of = np.zeros(v.calls.shape[0], np.uint8)
    while True:
        goal = weightiest(v, done)
        if goal < 0:
            return STOP
        action = towards(v, s, goal, out_of)
        if action >= 0:
            return action
        done[goal] = 1


# --- what several rules ask of a call -----------------------------------------------------------------


@kernel
def failures(x: Any) -> float:
    """Failed attempts of a call so far, as the observation counts them (up to 4 per group).

    An answer that was lost to a crash of the conductor says nothing of the call.
    """
    total = 0.0
    for g in range(1, Group.CANCELLED):  # cancelled is not failed
        total += x[Call.GROUP_COUNT + g] * GROUP_UNIT
    return total


@kernel
def last_group(x: Any) -> int:
    """The group of the last outcome, or -1 where there was none."""
    for g in range(GROUPS):
        if x[Call.LAST_GROUP + g] > 0.5:
            return g
    return -1


@kernel
def backs_off(v: Sight, x: Any, waits: float) -> bool:
    """Fewer waits in a row than a retry of this call is to have before it; each is twice as long."""
    return last_group(x) > 0 and v.run[Run.WAITS] * COUNT_UNIT < waits - 0.5


@kernel
def place(x: Any, on_plan: float, by_reputation: float) -> float:
    """Where a call stands among its alternatives: cheaper first, in the default plan, of good repute.

    `on_plan` and `by_reputation` weigh against the share of alternatives that are dearer.
    """
    planned = 1.0 if x[Call.PLAN_POSITION] > 0.0 else 0.0
    repute = x[Call.REPUTATION] if x[Call.REPUTATION_STRENGTH] > 0.0 else UNKNOWN_REPUTATION
    return x[Call.COST_RANK] + on_plan * planned + by_reputation * repute
