"""What each number of an observation means: its fields, bounds and layout.

All numbers lie in [0, 1]. No names and no identities: permuting calls, artifacts or providers permutes the
observation and nothing else. Some shares of a budget are given as their square root, as marked, so that small
ones differ.
"""

from __future__ import annotations

from enum import IntEnum
from functools import cache
from typing import Any

import numpy as np

from fqg_env.arrays import (
    GROUPS,
    HISTORY,
    HISTORY_FIELDS,
    Size,
)

ATTEMPTS_UNIT, COUNT_UNIT, GROUP_UNIT = 64.0, 8.0, 4.0
"""Counts are given as shares of these and end there: the attempt budget, most counts, and the rarer ones."""

OBSERVATION_VERSION = 2
"""Changes whenever a field is added, moved or means something else; a policy file names the one it reads."""


class Call(IntEnum):
    """Fields of `calls` [C, X]. Those up to PLAN_POSITION are written at reset."""

    EXISTS = 0
    LATENCY = 1  # sqrt(typical latency / time budget)
    LATENCY_UNKNOWN = 2
    P95 = 3  # sqrt(95th percentile of latency / time budget)
    COST = 4  # sqrt(declared cost / cost budget)
    COST_UNKNOWN = 5
    MEMORY = 6  # sqrt(declared memory / memory limit)
    MEMORY_UNKNOWN = 7
    QUALITY = 8  # declared quality
    QUALITY_UNKNOWN = 9
    WORK = 10
    REPAIR = 11
    VERIFY = 12
    INSPECT = 13
    IDEMPOTENT = 14
    REPUTATION = 15  # mean; 0 where unknown
    REPUTATION_STRENGTH = 16  # n / (n + 10); 0 where unknown
    RECENT_SUCCESS = 17  # n / (n + 4)
    RECENT_FAILURE = 18
    FIDELITY = 19  # how well its reports fit their causes; 0 where unknown
    GOAL_DISTANCE = 20  # 1 / (1 + calls between its outputs and the nearest goal); 0: leads to none
    ALTERNATIVES = 21  # other calls that make, verify or inspect the same / 8
    COST_RANK = 22  # share of those that are dearer
    PLAN_POSITION = 23  # 1 - place in the default order / calls
    # written each step
    READABLE = 24  # its inputs are there
    TRIES = 25  # attempts / 8
    LAST_RETRYABLE = 26  # 0 no, 0.5 not known or never, 1 yes
    LAST_CATEGORY = 27  # number of the last category / 19; 0: success or never
    RETRY_AFTER = 28  # announced seconds left / time budget
    ATTEMPTS_LEFT = 29  # of its function under the shield / 8
    SINCE_LAST = 30  # sqrt(seconds since its last outcome / time budget)
    IN_FLIGHT = 31
    IN_FLIGHT_SHARE = 32  # seconds in flight / (seconds in flight + typical latency)
    OWN_RECOVERY = 33  # attempts of its own recovery / 8
    EFFECT_POSSIBLE = 34  # an attempt of its function may have acted outside
    EFFECT_COMMITTED = 35  # ... has acted
    HINT = 36  # confidence of the latest hint for it
    HINT_RELIABILITY = 37  # reputation of the giver
    NOT_EXAMINED = 38  # the giver of hints did not look at it
    PROVIDER_SUCCESS = 39  # n / (n + 2) at its provider
    PROVIDER_FAILURE = 40
    PROVIDER_DOWN = 41  # announced seconds of outage left / time budget
    BLAMED = 42  # later failures blamed on what it made / 4
    LOST = 43  # answers lost to a crash / 4
    REPEATS = 44  # it has already answered with the inputs as they are now
    GROUP_COUNT = 45  # [GROUPS] outcomes per group of categories / 4
    LAST_GROUP = 54  # [GROUPS] one-hot of the group of the last category


CALL_FIELDS = Call.LAST_GROUP + GROUPS  # X


class Artifact(IntEnum):
    """Fields of `artifacts` [A, Y]."""

    EXISTS = 0
    GIVEN = 1
    GATE = 2
    GOAL_WEIGHT = 3
    ESSENTIAL = 4
    RECOMMENDED = 5
    OPTIONAL = 6
    CONSUMERS = 7  # calls that read it / 8
    MAKERS = 8  # calls that make it / 8
    # written each step
    PRESENT = 9
    REJECTED = 10
    AGE = 11  # seconds since it was made / time to live; 0 where it does not age
    CLAIMED = 12  # claimed quality
    CLAIMED_UNKNOWN = 13
    CLAIMED_CHANGE = 14  # 0.5 + half the change since the version before
    CHECKS_PASSED = 15  # of this version / 4
    TIMES_REJECTED = 16  # of all versions / 4
    VERSION = 17  # versions so far / 8


ARTIFACT_FIELDS = Artifact.VERSION + 1  # Y


class Run(IntEnum):
    """Fields of `run` [R]."""

    TIME_LEFT = 0  # share of the budget
    COST_LEFT = 1
    ATTEMPTS_LEFT = 2
    ATTEMPT_BUDGET = 3  # attempts / 64
    IN_FLIGHT = 4  # flights / 4
    SLOTS_FREE = 5  # flights / 4
    WAITS = 6  # waits in a row / 8
    WAIT_QUANTUM = 7  # sqrt(length of the next wait / time budget)
    HYBRID = 8
    CONDUCTOR = 9
    COMMUNITY = 10
    REFUSED = 11  # illegal actions / 8
    RETRIES_LEFT = 12  # under the shield, share of its allowance
    UNSAFE_ALLOWED = 13
    WRONG_WEIGHT = 14  # scoring weights
    COST_WEIGHT = 15
    TIME_WEIGHT = 16


RUN_FIELDS = Run.TIME_WEIGHT + 1  # R


class Belief(IntEnum):
    """Fields of `belief` [C, B]: of an attempt begun now, under the posterior."""

    ANSWERS = 0  # chance that it makes something (a probe: that it answers)
    ANSWERS_WELL = 1  # chance that it makes something truly good
    OUTAGE = 2  # chance that an outage hits it
    NEVER = 3  # chance that this call can never work
    PRICE = 4  # cost and time of one attempt, in return
    PRICE_OF_SUCCESS = 5  # price / chance of answering well, capped at 1
    ANSWERS_LATER = 6  # the same as ANSWERS, at the later time that is best worth waiting for
    BAD_INPUT = 7  # chance that an input held now is bad
    OWN_SILENT = 8  # chance that what it makes is bad by its own doing
    LATER_IN = 9  # time until then, share of the budget


BELIEF_FIELDS = len(Belief)  # B


class Doubt(IntEnum):
    """Fields of `doubt` [A, D]: of the artifacts held, under the posterior."""

    BAD = 0  # chance that the version held is bad


DOUBT_FIELDS = len(Doubt)


@cache
def observation_dtype(size: Size, belief: bool) -> np.dtype:
    """One observation as a record; the keys of the Dict space are its fields."""
    c, a = size.calls, size.artifacts
    fields: list[tuple[Any, ...]] = []
    if (
        belief
    ):  # first: at the end, Numba would take one record for a subtype of the other, and warn
        fields += [("belief", "f4", (c, BELIEF_FIELDS)), ("doubt", "f4", (a, DOUBT_FIELDS))]
    fields += [
        ("calls", "f4", (c, CALL_FIELDS)),
        ("artifacts", "f4", (a, ARTIFACT_FIELDS)),
        ("needs", "u1", (c, a)),
        ("makes", "u1", (c, a)),
        ("consumes", "u1", (c, a)),
        ("probes", "u1", (c, a)),
        ("same_function", "u1", (c, c)),
        ("same_provider", "u1", (c, c)),
        ("history", "f4", (HISTORY, HISTORY_FIELDS)),
        ("run", "f4", (RUN_FIELDS,)),
    ]
    return np.dtype(fields, align=True)
