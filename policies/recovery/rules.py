"""Rules as people run them today: retry, fall back, read the category. They see counts, not the posterior."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np

from fqg_env.arrays import Group
from fqg_env.compiled import kernel
from fqg_env.fields import Artifact, Call, Run
from fqg_env.rules import FIRST_CALL, STOP, WAIT
from policies.recovery.base import Decision, Observation, certain, fields

FIELDS = ("calls", "artifacts", "needs", "makes", "run")


class Rule(IntEnum):
    """Which rule gives a call up, and when."""

    RETRY = 0  # the default plan alone, three tries each with back-off
    CASCADE = 1  # one try each, the next alternative after
    RETRY_FALLBACK = 2  # three tries with back-off, then the next alternative
    CODE_AWARE = 3  # reads the category: repeats what may pass, leaves what will not, rebuilds what is blamed


TRIES = 3


@kernel
def failures(x: Any) -> int:
    """Failed attempts of a call so far, as the observation counts them (up to 4 per group)."""
    total = 0.0
    for g in range(1, Group.CANCELLED):
        total += x[Call.GROUP_COUNT + g] * 4.0
    return int(total + 0.5)


@kernel
def last_failed(x: Any) -> bool:
    """The last outcome of the call was a failure."""
    never = True
    for g in range(Group.CANCELLED):
        if x[Call.LAST_GROUP + g] > 0.5:
            never = False
    return not never and x[Call.LAST_GROUP + Group.SUCCESS] < 0.5


@kernel
def given_up(rule: int, x: Any) -> bool:
    """The rule tries this call no more."""
    failed = failures(x)
    if rule == Rule.RETRY and x[Call.PLAN_POSITION] == 0.0:
        return True
    if rule == Rule.CASCADE:
        return failed >= 1
    if rule == Rule.CODE_AWARE and failed > 0:
        transient = x[Call.LAST_GROUP + Group.TRANSIENT] > 0.5
        crash = x[Call.LAST_GROUP + Group.CRASH] > 0.5
        return failed >= (TRIES if transient else (2 if crash else 1))
    return failed >= TRIES


@kernel
def backs_off(rule: int, x: Any, run: Any) -> bool:
    """The rule waits before this retry: once after each failure."""
    if rule == Rule.CASCADE or not last_failed(x) or run[Run.WAITS] > 0.0:
        return False
    return rule != Rule.CODE_AWARE or x[Call.LAST_GROUP + Group.TRANSIENT] > 0.5


@kernel
def usable(artifacts: Any, a: int) -> bool:
    """Held, not rejected, not too old."""
    y = artifacts[a]
    return y[Artifact.PRESENT] > 0.5 and y[Artifact.REJECTED] < 0.5 and y[Artifact.AGE] < 1.0


@kernel
def better(one: Any, other: Any) -> bool:
    """Ordering of alternatives: the default plan first, then the cheaper one."""
    planned, other_planned = one[Call.PLAN_POSITION] > 0.0, other[Call.PLAN_POSITION] > 0.0
    if planned != other_planned:
        return planned
    return one[Call.COST_RANK] > other[Call.COST_RANK]


@kernel
def mends(calls: Any, needs: Any, makes: Any, c: int, a: int) -> bool:
    """The call repairs the artifact: it reads a version and makes another."""
    return calls[c, Call.REPAIR] > 0.5 and needs[c, a] and makes[c, a]


@kernel
def next_maker(
    rule: int, calls: Any, artifacts: Any, needs: Any, makes: Any, a: int, out_of: Any
) -> int:
    """The first maker of an artifact that is not given up, or -1; a repair where there is what it repairs."""
    best = -1
    for c in range(calls.shape[0]):
        x = calls[c]
        if not makes[c, a] or out_of[c] or x[Call.ATTEMPTS_LEFT] <= 0.0 or given_up(rule, x):
            continue
        if mends(calls, needs, makes, c, a) and artifacts[a, Artifact.PRESENT] < 0.5:
            continue
        if best < 0 or better(x, calls[best]):
            best = c
    return best


@kernel
def suspect(rule: int, calls: Any, artifacts: Any, makes: Any, needs: Any, a: int) -> int:
    """Code-aware only: an input blamed for failures of the makers of `a`, worth rebuilding; or -1."""
    if rule != Rule.CODE_AWARE:
        return -1
    for c in range(calls.shape[0]):
        if not makes[c, a]:
            continue
        for need in range(artifacts.shape[0]):
            if not needs[c, need] or artifacts[need, Artifact.GIVEN] > 0.5:
                continue
            for maker in range(calls.shape[0]):
                if makes[maker, need] and calls[maker, Call.BLAMED] > 0.0:
                    return need
    return -1


@kernel
def choose(
    rule: int, calls: Any, artifacts: Any, needs: Any, makes: Any, run: Any, mask: Any
) -> int:
    """A rule's action for one observation: work towards the weightiest goal that is not there."""
    n = artifacts.shape[0]
    out_of = np.zeros(calls.shape[0], np.uint8)
    done = np.zeros(n, np.uint8)
    while True:
        goal = -1
        for g in range(n):
            weight = artifacts[g, Artifact.GOAL_WEIGHT]
            if weight > 0.0 and not done[g] and not usable(artifacts, g):
                if goal < 0 or weight > artifacts[goal, Artifact.GOAL_WEIGHT]:
                    goal = g
        if goal < 0:
            return STOP
        a = goal
        for _ in range(4 * n):
            c = next_maker(rule, calls, artifacts, needs, makes, a, out_of)
            if c < 0:
                blamed = suspect(rule, calls, artifacts, makes, needs, a)
                if (
                    blamed >= 0
                    and next_maker(rule, calls, artifacts, needs, makes, blamed, out_of) >= 0
                ):
                    a = blamed
                    continue
                break
            lacking = -1
            for need in range(n):
                held = usable(artifacts, need) or mends(calls, needs, makes, c, need)
                if needs[c, need] and not held:
                    lacking = need
                    break
            if lacking >= 0:
                if next_maker(rule, calls, artifacts, needs, makes, lacking, out_of) < 0:
                    out_of[c] = 1
                else:
                    a = lacking
                continue
            if calls[c, Call.IN_FLIGHT] > 0.5:
                return WAIT if mask[WAIT] else STOP
            if mask[FIRST_CALL + c]:
                return WAIT if mask[WAIT] and backs_off(rule, calls[c], run) else FIRST_CALL + c
            out_of[c] = 1
        done[goal] = 1


@kernel
def choose_all(
    rule: int, calls: Any, artifacts: Any, needs: Any, makes: Any, run: Any, mask: Any, out: Any
) -> None:
    """`choose` for N observations."""
    for n in range(len(out)):
        out[n] = choose(rule, calls[n], artifacts[n], needs[n], makes[n], run[n], mask[n])


class HandRule:
    """One of the rules above as a policy."""

    def __init__(self, rule: Rule):
        self.rule = rule
        self.name = rule.name.lower()

    def decide(self, observation: Observation, mask: np.ndarray) -> Decision:
        """Choose as the rule says."""
        out = np.zeros(len(mask), np.int64)
        mask = np.ascontiguousarray(mask, np.uint8)
        calls, artifacts, needs, makes, run = fields(observation, *FIELDS)
        choose_all(int(self.rule), calls, artifacts, needs, makes, run, mask, out)
        return certain(out, mask.shape[1], self.name)


class RandomPolicy:
    """A legal action, each equally likely; the one policy with a random state, seeded."""

    name = "random"

    def __init__(self, seed: int = 0):
        self._random = np.random.default_rng(seed)

    def decide(self, observation: Observation, mask: np.ndarray) -> Decision:
        """Draw uniformly among the legal actions."""
        legal = mask > 0
        weight = self._random.random(mask.shape) * legal
        action = weight.argmax(1).astype(np.int64)
        probabilities = (legal / legal.sum(1, keepdims=True)).astype(np.float32)
        return Decision(action, probabilities, np.full(len(mask), self.name, object))
