"""Rules as people run them today: retry, fall back, read the category. They see counts, not the posterior.

`retry`: clients with a retry policy and nothing else (tenacity, the retries of a cloud SDK).
`cascade`: one try of each alternative, the next after (FrugalGPT, a list of fallback models).
`retry_fallback`: retries with exponential back-off, then the next (Polly, LangChain's with_fallbacks).
`code_aware`: the category decides, as AIP-194 and gRPC's status codes have it: repeat what may pass, leave
what will not, look for another variant where parameters are wrong, rebuild what is blamed, follow hints.
"""

from __future__ import annotations

from enum import IntEnum
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from fqg_env.arrays import Group
from fqg_env.compiled import kernel
from fqg_env.fields import Artifact, Call, Run
from fqg_env.rules import FIRST_CALL
from policies.recovery.base import Decision, Observation
from policies.recovery.tuned import HandTuned, Range
from policies.recovery.walk import (
    Sight,
    Standing,
    backs_off,
    failures,
    last_group,
    new_standing,
    place,
    sight_of,
    usable,
    walk,
)


class Rule(IntEnum):
    """Which rule gives a call up, and when."""

    RETRY = 0  # the default plan alone
    CASCADE = 1  # one try each
    RETRY_FALLBACK = 2  # several tries with back-off, then the next alternative
    CODE_AWARE = 3  # by category


class Numbers(NamedTuple):
    """What is tuned in these rules; a rule ignores what it has no use for."""

    rule: float
    """Of `Rule`."""
    tries: float
    """Attempts of a call before it is given up; of `code_aware`: after a failure that may pass."""
    crash_tries: float
    """The same after a crash or an unknown failure (`code_aware`)."""
    waits: float
    """Waits in a row before a retry; each is twice as long as the one before."""
    on_plan: float
    """What a place in the default plan counts, where the cheapest alternative counts 1."""
    by_reputation: float
    """What a spotless reputation counts."""
    spend: float
    """Share of the time or of the cost budget after which it stops."""
    by_hint: float
    """What a sure hint of a reliable giver counts (`code_aware`)."""
    by_variant: float
    """What another variant of a function counts whose parameters or limits were wrong (`code_aware`)."""
    by_provider: float
    """What failures at the provider count against a call (`code_aware`)."""
    verifies: float
    """A goal is verified before it is delivered where that takes at most this share of the cost budget."""
    inspects: float
    """What is given is inspected first where that takes at most this share of the cost budget."""


ORDER = {"on_plan": Range(0.0, 2.0), "by_reputation": Range(0.0, 4.0), "spend": Range(0.2, 1.0)}
TRIES = {"tries": Range(1, 4, whole=True), "waits": Range(0, 3, whole=True)}
SPACES = {
    Rule.RETRY: {**TRIES, "spend": ORDER["spend"]},
    Rule.CASCADE: ORDER,
    Rule.RETRY_FALLBACK: {**TRIES, **ORDER},
    Rule.CODE_AWARE: {
        **TRIES,
        **ORDER,
        "crash_tries": Range(1, 3, whole=True),
        "by_hint": Range(0.0, 4.0),
        "by_variant": Range(-1.0, 3.0),
        "by_provider": Range(0.0, 4.0),
        "verifies": Range(0.0, 0.2),
        "inspects": Range(0.0, 0.2),
    },
}


@kernel
def allowed(numbers: Numbers, x: Any) -> float:
    """How many attempts of a call the rule makes, as its last outcome stands."""
    rule = int(numbers.rule)
    if rule == Rule.CASCADE:
        return 1.0
    if rule != Rule.CODE_AWARE:
        return numbers.tries
    group = last_group(x)
    if group == Group.TRANSIENT:
        return numbers.tries
    return numbers.crash_tries if group == Group.CRASH else 1.0


@kernel
def variant_worth(v: Sight, c: int) -> float:
    """1 where another variant of the function had wrong parameters, or was over a limit that this may fit.

    Below 0 where the function as a whole was denied or unable.
    """
    for d in range(v.calls.shape[0]):
        if d == c or not v.same_function[c, d]:
            continue
        group = last_group(v.calls[d])
        if group in (Group.INPUT, Group.OUTPUT):
            return 1.0
        if group == Group.RESOURCE:
            return 1.0 if v.calls[c, Call.MEMORY] < v.calls[d, Call.MEMORY] else -1.0
        if group in (Group.DENIED, Group.UNABLE):
            return -1.0
    return 0.0


@kernel
def read_codes(v: Sight, numbers: Numbers, s: Standing, c: int) -> None:
    """What `code_aware` adds to the standing of a call: hints, other variants, its provider, blame."""
    x = v.calls[c]
    s.rank[c] += numbers.by_hint * x[Call.HINT] * x[Call.HINT_RELIABILITY]
    s.rank[c] += numbers.by_variant * variant_worth(v, c)
    down = max(x[Call.PROVIDER_FAILURE] - x[Call.PROVIDER_SUCCESS], x[Call.PROVIDER_DOWN])
    s.rank[c] -= numbers.by_provider * max(0.0, down)
    group = last_group(x)
    s.pause[c] = s.pause[c] and group == Group.TRANSIENT
    if x[Call.RETRY_AFTER] > 0.0 and numbers.waits > 0.0:
        s.pause[c] = 1  # it was told when to come back
    s.rebuild[c] = group == Group.INPUT
    if group == Group.INPUT and failures(x) < 1.5:
        s.gone[c] = blamed_input(v, c) == 0  # once more, on another input


@kernel
def blamed_input(v: Sight, c: int) -> bool:
    """Some failure was blamed on what a maker of an input of the call made."""
    for need in range(v.artifacts.shape[0]):
        if not v.needs[c, need] or v.artifacts[need, Artifact.GIVEN] > 0.5:
            continue
        for maker in range(v.calls.shape[0]):
            if v.makes[maker, need] and v.calls[maker, Call.BLAMED] > 0.0:
                return True
    return False


@kernel
def probe_first(v: Sight, numbers: Numbers) -> int:
    """A verify of a goal that is held, or an inspection before anything else, if it is cheap; or -1."""
    for c in range(v.calls.shape[0]):
        x = v.calls[c]
        share = x[Call.COST] * x[Call.COST]
        if not v.mask[FIRST_CALL + c]:
            continue
        if x[Call.INSPECT] > 0.5 and x[Call.TRIES] == 0.0 and share < numbers.inspects:
            return c
        if x[Call.VERIFY] < 0.5 or share >= numbers.verifies:
            continue
        for a in range(v.artifacts.shape[0]):
            y = v.artifacts[a]
            asked = x[Call.TRIES] >= y[Artifact.VERSION]
            if v.probes[c, a] and y[Artifact.GOAL_WEIGHT] > 0.0 and not asked:
                if usable(v.artifacts, a):
                    return c
    return -1


@kernel
def choose(v: Sight, numbers: Numbers) -> int:
    """A rule's action for one observation."""
    s = new_standing(v.calls.shape[0])
    rule = int(numbers.rule)
    for c in range(v.calls.shape[0]):
        x = v.calls[c]
        s.gone[c] = failures(x) > allowed(numbers, x) - 0.5
        if rule == Rule.RETRY and x[Call.PLAN_POSITION] == 0.0:
            s.gone[c] = 1
        s.rank[c] = place(x, numbers.on_plan, numbers.by_reputation)
        s.pause[c] = backs_off(v, x, numbers.waits)
        if rule == Rule.CODE_AWARE:
            read_codes(v, numbers, s, c)
    if rule == Rule.CODE_AWARE and v.run[Run.ATTEMPTS_LEFT] > 0.0:
        probe = probe_first(v, numbers)
        if probe >= 0:
            return FIRST_CALL + probe
    return walk(v, s, numbers.spend)


@kernel
def choose_all(all_: Sight, numbers: Numbers, out: Any) -> None:
    """`choose` for N observations."""
    for n in range(len(out)):
        out[n] = choose(sight_of(all_, n), numbers)


class HandRule(HandTuned):
    """One of the rules above as a policy."""

    kind = Numbers
    choose_all = staticmethod(choose_all)

    def __init__(self, rule: Rule, numbers: Numbers | None = None):
        self.name = self.table = rule.name.lower()
        self.space = SPACES[rule]
        super().__init__(numbers)


Retry = partial(HandRule, Rule.RETRY)
Cascade = partial(HandRule, Rule.CASCADE)
RetryFallback = partial(HandRule, Rule.RETRY_FALLBACK)
CodeAware = partial(HandRule, Rule.CODE_AWARE)


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
