"""Levels, boards, hidden faults, beliefs and outcomes as arrays: one record per level, N records per batch.

A batch is a NumPy record array, so that a level is one block of memory: a kernel is a plain loop over
ONE record, copying a board is one copy, and `boards["present"]` is still the array over all levels.

Dimensions, one letter each, declared here once:

    N levels   C calls   A artifacts   F functions   P providers   V variants of a function
    M attempts in flight   H attempts remembered   W outage windows   K faults of a function
    G groups of outcome categories   X, Y, R, B fields of an observation (see fields.py)

Unknown numbers are NaN; unknown or absent indices are -1.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cache

import numpy as np

from fqg_env.outcome import Category

FLIGHTS = 4  # M
HISTORY = 32  # H
VARIANTS = 6  # V
MAX_STEPS = 400
"""No episode has more decisions: attempts are at most 64 and every wait moves time on."""
MAX_ATTEMPTS = 64
UNKNOWN_SHARE = 0.06
"""What a call of undeclared latency or cost takes, as a share of the budget."""
P95_OF_TYPICAL = 2.5
"""Declared 95th percentile where only the typical latency is given; as authors declare, not exact."""


@dataclass(frozen=True)
class Size:
    """How large a level may be; its arrays are padded to this."""

    name: str
    calls: int
    artifacts: int
    functions: int
    providers: int


SIZES = {
    "small": Size("small", 16, 8, 16, 16),
    "standard": Size("standard", 32, 16, 32, 32),
    "large": Size("large", 64, 32, 64, 64),
}


class Kind(IntEnum):
    """What a call is for."""

    WORK = 0
    REPAIR = 1
    VERIFY = 2
    INSPECT = 3


class Mode(IntEnum):
    """Who owns failures: `Responsibility` as a number."""

    HYBRID = 0
    CONDUCTOR = 1
    COMMUNITY = 2


class GoalClass(IntEnum):
    """How much a goal matters; 0 is no goal."""

    NONE = 0
    OPTIONAL = 1
    RECOMMENDED = 2
    ESSENTIAL = 3


class Gate(IntEnum):
    """What the gate of an artifact said of an attempt's output."""

    NONE = 0
    PASSED = 1
    REJECTED = 2


class Verdict(IntEnum):
    """What a verify said of an artifact."""

    NONE = 0
    GOOD = 1
    BAD = 2


class Stopped(IntEnum):
    """Why a run ended; 0 while it goes on."""

    NO = 0
    POLICY = 1
    TIME = 2
    COST = 3
    ATTEMPTS = 4
    STEPS = 5


class Effect(IntEnum):
    """Side effects of an attempt."""

    NONE = 0
    POSSIBLE = 1
    COMMITTED = 2


class Clash(IntEnum):
    """Whether one function cannot read what another makes, as it is set for an episode."""

    BY_KEY = 0  # as the level's key has it
    CLASHES = 1
    FITS = 2


SUCCESS = 0
CODES: dict[Category, int] = {category: i + 1 for i, category in enumerate(Category)}
"""Category as a number; 0 is success."""
CATEGORIES = len(CODES) + 1
CANCELLED = CODES[Category.CANCELLED]


class Group(IntEnum):
    """Groups of categories that counts are kept for."""

    SUCCESS = 0
    TRANSIENT = 1
    RESOURCE = 2
    INPUT = 3
    OUTPUT = 4
    CRASH = 5
    DENIED = 6
    UNABLE = 7
    CANCELLED = 8


GROUPS = len(Group)
_GROUP_OF: dict[Category, Group] = {
    Category.RATE_LIMITED: Group.TRANSIENT,
    Category.UNAVAILABLE: Group.TRANSIENT,
    Category.TIMEOUT: Group.TRANSIENT,
    Category.CONFLICT: Group.TRANSIENT,
    Category.OUT_OF_RESOURCES: Group.RESOURCE,
    Category.POLICY_VIOLATION: Group.RESOURCE,
    Category.INPUT_TOO_LARGE: Group.RESOURCE,
    Category.INVALID_INPUT: Group.INPUT,
    Category.UNSUPPORTED: Group.INPUT,
    Category.DEPENDENCY_FAILED: Group.INPUT,
    Category.INVALID_OUTPUT: Group.OUTPUT,
    Category.LOW_QUALITY: Group.OUTPUT,
    Category.CRASHED: Group.CRASH,
    Category.UNKNOWN: Group.CRASH,
    Category.UNAUTHORIZED: Group.DENIED,
    Category.FORBIDDEN: Group.DENIED,
    Category.REFUSED: Group.DENIED,
    Category.UNABLE: Group.UNABLE,
    Category.CANCELLED: Group.CANCELLED,
}
GROUP = np.array([Group.SUCCESS] + [_GROUP_OF[category] for category in Category], np.int8)
"""[CATEGORIES] group of each category number."""


class History(IntEnum):
    """Fields of `history` [H, fields]: the last attempts, the newest first; all 0 where there was none."""

    CALL = 0  # (index of the call + 1) / 65
    CATEGORY = 1  # number of the category / 19
    SUCCESS = 2
    AT = 3  # when it finished / time budget
    ELAPSED = 4  # seconds it took / time budget
    COST = 5  # / cost budget
    RETRYABLE = 6  # 0 no, 0.5 not known, 1 yes
    GATE = 7  # 0 none, 0.5 passed, 1 rejected
    BLAMED = 8  # an input was blamed
    HINT = 9  # the most confident hint it gave
    EFFECT = 10  # 0 none, 0.5 possible, 1 committed
    OWN_RECOVERY = 11  # attempts of its own recovery / 8


HISTORY_FIELDS = len(History)


@cache
def level_dtype(size: Size) -> np.dtype:
    """Everything public before the first move: seconds, bytes, and cost in the level's own unit."""
    c, a, f = size.calls, size.artifacts, size.functions
    return np.dtype(
        [
            ("key", "u8"),  # names the level: seeds its draws
            ("calls", "i4"),
            ("artifacts", "i4"),
            ("functions", "i4"),
            ("providers", "i4"),
            ("mode", "i4"),
            ("max_in_flight", "i4"),
            ("time_budget_s", "f8"),
            ("cost_budget", "f8"),
            ("attempt_budget", "i4"),
            ("memory_limit_bytes", "f8"),
            ("wait_base", "f8"),  # first quantum of WAIT, share of the time budget
            ("shield_retries", "i4"),  # attempts allowed per function after its first
            ("shield_retry_share", "f8"),  # retries allowed, share of the attempt budget
            ("unsafe_repeats_allowed", "u1"),
            ("final_repeats_allowed", "u1"),
            ("sealed", "u1"),  # no news from outside, no lost answers
            # scoring weights, see level.Scoring
            ("wrong_weight", "f8"),
            ("cost_weight", "f8"),
            ("time_weight", "f8"),
            ("unsafe_weight", "f8"),
            # calls
            ("function", "i2", (c,)),
            ("provider", "i2", (c,)),
            ("variant", "i2", (c,)),
            ("kind", "i2", (c,)),
            ("latency_s", "f8", (c,)),
            ("p95_s", "f8", (c,)),
            ("cost", "f8", (c,)),
            ("memory_bytes", "f8", (c,)),
            ("quality", "f8", (c,)),
            ("idempotent", "u1", (c,)),
            ("reputation_mean", "f8", (c,)),  # share of good outcomes over the long run
            ("reputation_strength", "f8", (c,)),  # outcomes it rests on
            ("recent_success", "f8", (c,)),  # decayed counts over the last runs
            ("recent_failure", "f8", (c,)),
            ("fidelity", "f8", (c,)),  # how well its reports are known to fit their causes
            ("plan", "i2", (c,)),  # plan[i]: the i-th call of the default order
            ("needs", "u1", (c, a)),
            ("makes", "u1", (c, a)),
            ("consumes", "u1", (c, a)),
            ("probes", "u1", (c, a)),
            # functions
            ("variants", "i2", (f,)),
            # artifacts
            ("given", "u1", (a,)),
            ("gate", "u1", (a,)),
            ("time_to_live_s", "f8", (a,)),
            ("goal_class", "i2", (a,)),
            ("goal_weight", "f8", (a,)),
        ],
        align=True,
    )


@cache
def board_dtype(size: Size) -> np.dtype:
    """The fold of the events so far: what a policy may know."""
    c, a, f, p = size.calls, size.artifacts, size.functions, size.providers
    return np.dtype(
        [
            ("at_s", "f8"),
            ("cost", "f8"),
            ("attempts", "i4"),  # attempts begun, refusals included
            ("begun", "i4"),  # attempts begun, refusals not included: the next attempt's number
            ("refused", "i4"),
            ("steps", "i4"),
            ("retries", "i4"),
            ("unsafe_repeats", "i4"),
            ("waits_in_a_row", "i4"),
            ("in_flight", "i4"),
            ("stopped", "i4"),
            ("failed", "i4"),
            # attempts in flight; flight_attempt is -1 where the slot is free
            ("flight_attempt", "i4", (FLIGHTS,)),
            ("flight_call", "i4", (FLIGHTS,)),
            ("flight_since_s", "f8", (FLIGHTS,)),
            ("flight_uses", "i2", (FLIGHTS,)),  # attempts of its function by then, itself included
            ("flight_input_version", "i2", (FLIGHTS, a)),  # 0 where it does not read it
            # calls
            ("reads", "u8", (c,)),  # what the level says it reads, an artifact a bit
            ("tries", "i2", (c,)),
            ("group_count", "i2", (c, GROUPS)),
            ("last_category", "i2", (c,)),  # -1: never finished
            ("last_retryable", "i2", (c,)),  # 0 no, 1 yes, 2 not known
            ("retry_at_s", "f8", (c,)),  # announced; 0: none
            ("last_at_s", "f8", (c,)),
            ("own_recovery", "i2", (c,)),
            ("hint", "f8", (c,)),  # confidence, 0: none
            ("hint_giver", "i2", (c,)),
            ("not_examined", "u1", (c,)),
            ("blamed", "i2", (c,)),  # later failures blamed on what it made
            ("lost", "i2", (c,)),
            ("answered_with", "i2", (c,)),  # 1 + sum of its inputs' versions when it last answered
            (
                "final_with",
                "i2",
                (c,),
            ),  # the same when it last said that a repeat is in vain; 0: no
            # functions and providers
            ("function_tries", "i2", (f,)),
            ("effect", "i2", (f,)),  # the most that an attempt of it may have done outside
            ("provider_success", "i2", (p,)),
            ("provider_failure", "i2", (p,)),
            ("down_until_s", "f8", (p,)),  # announced; 0: not
            # artifacts
            ("present", "u1", (a,)),
            ("rejected", "u1", (a,)),
            ("version", "i2", (a,)),
            ("maker", "i2", (a,)),
            ("made_at_s", "f8", (a,)),
            ("claimed", "f8", (a,)),
            ("claimed_before", "f8", (a,)),
            ("checks_passed", "i2", (a,)),
            ("times_rejected", "i2", (a,)),
            ("source_version", "i2", (a, a)),  # versions of the inputs that made it
            # the last attempts, a ring
            ("history_next", "i4"),
            ("history", "f4", (HISTORY, HISTORY_FIELDS)),
        ],
        align=True,
    )


@cache
def row_dtype(size: Size) -> np.dtype:
    """OutcomeRow: the numeric face of an outcome, the same from both worlds."""
    c, a = size.calls, size.artifacts
    return np.dtype(
        [
            ("category", "i4"),
            ("retryable", "i4"),
            ("retry_after_s", "f8"),  # 0: none announced
            ("blame", "i4"),
            ("elapsed_s", "f8"),
            ("cost", "f8"),
            ("effect", "i4"),
            ("own_recovery", "i4"),
            ("blamed", "u1", (a,)),
            ("made", "u1", (a,)),
            ("quality", "f8", (a,)),  # claimed; NaN: unknown
            ("gate", "i2", (a,)),
            ("verdict", "i2", (a,)),
            ("hint", "f8", (c,)),
            ("not_examined", "u1", (c,)),
        ],
        align=True,
    )


@cache
def hidden_dtype(size: Size) -> np.dtype:
    """What is hidden: drawn once per episode, never shown to a policy."""
    return np.dtype(
        [
            ("window", "i2", (size.providers,)),
            ("fault", "i2", (size.functions,)),
            ("defect", "u1", (size.artifacts,)),  # a given artifact that is bad from the start
            # [reader, maker] of `Clash`
            ("clash", "u1", (size.functions, size.functions)),
            ("latency_s", "f8", (size.calls,)),  # what calls really take, typically
            ("cost", "f8", (size.calls,)),
            # shares of what is told clearly, and of true hints, that are not: 0 in the published mix
            ("miscoded", "f8"),
            ("false_hints", "f8"),
            ("dialects", "u1"),  # every provider has codes of its own, see draw.in_dialect
        ],
        align=True,
    )


@cache
def truth_dtype(size: Size) -> np.dtype:
    """What has really happened in a simulated episode, besides what the board shows."""
    return np.dtype(
        [
            ("bad", "u1", (size.artifacts,)),
            ("episode_return", "f8"),
            ("episode_length", "i4"),
            ("flight_ends_s", "f8", (FLIGHTS,)),
            ("flight_bad", "u1", (FLIGHTS, size.artifacts)),
            ("flight_lost", "u1", (FLIGHTS,)),  # its answer will be lost
            (
                "news_s",
                "f8",
                (size.providers,),
            ),  # when the next news of a provider comes; inf: none
            ("news_until_s", "f8", (size.providers,)),  # the end that it says; 0: it is up again
        ],
        align=True,
    )


def new(dtype: np.dtype, shape: int | tuple[int, ...]) -> np.ndarray:
    """A zeroed batch of records."""
    return np.zeros(shape, dtype)
