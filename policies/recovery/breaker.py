"""circuit_breaker: a provider that fails several times in a row is left alone for a while, then tried once.

Source: the circuit breaker of Nygard's "Release It!", as Polly, resilience4j and Envoy run it: closed until
a threshold of failures in a row, open for a cool-down, then half-open: one trial closes it or opens it again.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from fqg_env.arrays import HISTORY, History
from fqg_env.compiled import kernel
from fqg_env.fields import Run
from fqg_env.history import call_of, is_attempt
from policies.recovery.tuned import HandTuned, Range
from policies.recovery.walk import Sight, backs_off, failures, new_standing, place, sight_of, walk

BEHIND = 100.0
"""How far a call at an open circuit ranks below the others."""


class Numbers(NamedTuple):
    """What is tuned."""

    threshold: float
    """Failures in a row at a provider that open its circuit."""
    cool_down: float
    """How long it stays open, as a share of the time budget."""
    tries: float
    """Attempts of a call before it is given up."""
    waits: float
    """Waits in a row before a retry at a closed circuit."""
    waits_out: float
    """1: where only open circuits are left it waits for the cool-down; 0: it stops."""
    on_plan: float
    by_reputation: float
    spend: float


@kernel
def open_circuit(v: Sight, numbers: Numbers, c: int) -> bool:
    """The last outcomes at the provider of a call were failures, and the cool-down is not over.

    After it the circuit is half-open: a trial that fails is the latest failure, and opens it anew.
    """
    in_a_row = 0.0
    latest = -1.0
    for h in range(HISTORY):
        entry = v.history[h]
        if not is_attempt(entry):
            break
        if not v.same_provider[c, call_of(entry)]:
            continue
        if entry[History.SUCCESS] > 0.5:
            break
        in_a_row += 1.0
        latest = max(latest, entry[History.AT])
    ago = 1.0 - v.run[Run.TIME_LEFT] - latest
    return in_a_row > numbers.threshold - 0.5 and ago < numbers.cool_down


@kernel
def choose(v: Sight, numbers: Numbers) -> int:
    """The rule's action for one observation."""
    s = new_standing(v.calls.shape[0])
    for c in range(v.calls.shape[0]):
        x = v.calls[c]
        s.gone[c] = failures(x) > numbers.tries - 0.5
        s.rank[c] = place(x, numbers.on_plan, numbers.by_reputation)
        s.pause[c] = backs_off(v, x, numbers.waits)
        if open_circuit(v, numbers, c):
            s.rank[c] -= BEHIND
            s.pause[c] = 1
            s.gone[c] = s.gone[c] or numbers.waits_out < 0.5
    return walk(v, s, numbers.spend)


@kernel
def choose_all(all_: Sight, numbers: Numbers, out: Any) -> None:
    """`choose` for N observations."""
    for n in range(len(out)):
        out[n] = choose(sight_of(all_, n), numbers)


class CircuitBreaker(HandTuned):
    """The rule as a policy."""

    name = table = "circuit_breaker"
    kind = Numbers
    space = {  # noqa: RUF012 (it is read only)
        "threshold": Range(1, 5, whole=True),
        "cool_down": Range(0.02, 0.6),
        "tries": Range(1, 4, whole=True),
        "waits": Range(0, 3, whole=True),
        "waits_out": Range(0, 1, whole=True),
        "on_plan": Range(0.0, 2.0),
        "by_reputation": Range(0.0, 4.0),
        "spend": Range(0.2, 1.0),
    }
    choose_all = staticmethod(choose_all)
