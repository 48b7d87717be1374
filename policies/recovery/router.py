"""router: each attempt goes to the alternative with the best weighted score; what fails cools down.

Source: LLM routers (LiteLLM, OpenRouter, Portkey): weights on success so far, price and latency; a deployment
that fails more often than allowed is left out for a cool-down; a limited number of retries; a Retry-After
is honoured.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from fqg_env.arrays import Group
from fqg_env.compiled import kernel
from fqg_env.fields import GROUP_UNIT, Call
from policies.recovery.breaker import BEHIND
from policies.recovery.tuned import HandTuned, Range
from policies.recovery.walk import (
    UNKNOWN_REPUTATION,
    Sight,
    failures,
    new_standing,
    sight_of,
    walk,
)


class Numbers(NamedTuple):
    """What is tuned."""

    by_success: float
    """What the estimated share of successes counts; the next ones count against it."""
    by_price: float
    by_latency: float
    by_provider: float
    """What the share of failures at its provider counts."""
    prior_strength: float
    """Outcomes that a reputation counts for beside those of this run."""
    allowed_fails: float
    """Failures of a call before it cools down."""
    cool_down: float
    """How long it does, as a share of the time budget."""
    retries: float
    """Attempts of a call at most."""
    spend: float


@kernel
def success_share(x: Any, strength: float) -> float:
    """The estimated share of successes of a call: its reputation and recent runs, then this run."""
    mean = x[Call.REPUTATION] if x[Call.REPUTATION_STRENGTH] > 0.0 else UNKNOWN_REPUTATION
    recent, failed = x[Call.RECENT_SUCCESS], x[Call.RECENT_FAILURE]
    good = 4.0 * recent / max(0.1, 1.0 - recent) + x[Call.GROUP_COUNT + Group.SUCCESS] * GROUP_UNIT
    bad = 4.0 * failed / max(0.1, 1.0 - failed) + failures(x)
    return (mean * strength + good) / (strength + good + bad)


@kernel
def choose(v: Sight, numbers: Numbers) -> int:
    """The router's action for one observation."""
    s = new_standing(v.calls.shape[0])
    for c in range(v.calls.shape[0]):
        x = v.calls[c]
        failed = failures(x)
        s.gone[c] = failed > numbers.retries - 0.5
        s.rank[c] = (
            numbers.by_success * success_share(x, numbers.prior_strength)
            - numbers.by_price * x[Call.COST] * x[Call.COST]
            - numbers.by_latency * x[Call.LATENCY] * x[Call.LATENCY]
            - numbers.by_provider * max(x[Call.PROVIDER_FAILURE], x[Call.PROVIDER_DOWN])
        )
        ago = x[Call.SINCE_LAST] * x[Call.SINCE_LAST]
        cools = failed > numbers.allowed_fails - 0.5 and ago < numbers.cool_down
        if cools or x[Call.RETRY_AFTER] > 0.0:
            s.rank[c] -= BEHIND
            s.pause[c] = 1
    return walk(v, s, numbers.spend)


@kernel
def choose_all(all_: Sight, numbers: Numbers, out: Any) -> None:
    """`choose` for N observations."""
    for n in range(len(out)):
        out[n] = choose(sight_of(all_, n), numbers)


class Router(HandTuned):
    """The router as a policy."""

    name = table = "router"
    kind = Numbers
    space = {  # noqa: RUF012 (it is read only)
        "by_success": Range(0.0, 4.0),
        "by_price": Range(0.0, 8.0),
        "by_latency": Range(0.0, 8.0),
        "by_provider": Range(0.0, 4.0),
        "prior_strength": Range(0.5, 10.0),
        "allowed_fails": Range(1, 3, whole=True),
        "cool_down": Range(0.0, 0.5),
        "retries": Range(1, 5, whole=True),
        "spend": Range(0.2, 1.0),
    }
    choose_all = staticmethod(choose_all)
