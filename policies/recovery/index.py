"""The index rule: order calls by chance of success over cost (p/c) under the posterior, along the graph.

It takes the way of the goal that gains most (see ways.py): rebuilds what is probably bad, waits out an outage
where that pays, inspects and verifies where the news is worth its price, and stops when nothing is worth its
price. It is the bar that what is learned is measured against, the floor of the conductor, and its choice is
one of the inputs of the trained networks.

Over p/c as it is in books it goes on for longer (`price_share`: by far the most of its gain), prefers what is
likely to what is cheap, and asks whether a way fits into the time and attempts left. Tried and left out,
since they gained nothing that could be measured: a rebuild threshold by cost, a bonus for shared providers,
a penalty on silent risk, verifying inputs, calls instead of WAIT, goals weighed together.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fqg_env.compiled import kernel
from fqg_env.fields import Artifact, Belief, Call, Doubt, Run
from fqg_env.rules import FIRST_CALL, STOP, WAIT
from policies.recovery.base import Decision, Observation, certain, fields
from policies.recovery.tuned import Range, tuned_numbers
from policies.recovery.walk import usable
from policies.recovery.ways import (
    LARGEST,
    Numbers,
    View,
    appraise,
    attempts_left,
    best_maker,
    prepare,
    textbook,
    ways_dtype,
)

FIELDS = ("calls", "artifacts", "needs", "makes", "probes", "belief", "doubt", "run")
REBUILD_ABOVE, MARGIN = 0.5, 0.001
"""Of the rule as it is in books, for who knows what is hidden (see oracle.py)."""
_TINY = 1e-4


@kernel
def making(v: View, a: int) -> bool:
    """An attempt in flight may make the artifact."""
    for c in range(v.calls.shape[0]):
        if v.makes[c, a] and v.calls[c, Call.IN_FLIGHT] > 0.5:
            return True
    return False


@kernel
def descend(v: View, w: Any, goal: int) -> int:
    """The call to make now towards a goal: the best maker, or the likeliest to fail of what it lacks.

    Returns the call, -1 where there is none, -2 where it is in flight.
    """
    w.used[:] = 0
    a = goal
    for _ in range(4 * v.artifacts.shape[0]):
        if v.run[Run.IN_FLIGHT] > 0.0 and making(v, a):
            return -2
        c = best_maker(w, a)
        if c < 0:
            return -1
        lacking = -1
        for i in range(w.n_inputs[c]):
            need = w.inputs[c, i]
            if not w.have[need] and (lacking < 0 or w.chance[need] < w.chance[lacking]):
                lacking = need
        if lacking >= 0:
            a = lacking
        elif v.mask[FIRST_CALL + c]:
            return c
        else:
            w.used[c] = 1
    return -1


@kernel
def gain_of(v: View, n: Numbers, w: Any, goal: int) -> float:
    """What going on towards a goal is worth over delivering what is held of it."""
    wrong = 1.0 + v.run[Run.WRONG_WEIGHT]
    held = 1.0 - wrong * v.doubt[goal, Doubt.BAD] if usable(v.artifacts, goal) else 0.0
    weight = v.artifacts[goal, Artifact.GOAL_WEIGHT]
    return weight * (w.chance[goal] - held) - n.price_share * w.price[goal]


@kernel
def last_attempt(v: View) -> bool:
    """One attempt is left: nothing could follow from what a probe says."""
    return attempts_left(v) < 1.5


@kernel
def inspect_first(v: View, n: Numbers, ahead: float) -> int:
    """A probe to use now, or -1: a silent fault of the calls it advises on would waste more than its price.

    `ahead` is the price of the way to the goal, which is lost if its beginning turns out bad.
    """
    for c in range(0 if last_attempt(v) else v.calls.shape[0]):
        x = v.calls[c]
        if x[Call.INSPECT] < 0.5 or not v.mask[FIRST_CALL + c] or x[Call.TRIES] > 0.0:
            continue
        saved = 0.0
        for a in range(v.probes.shape[1]):
            for other in range(v.calls.shape[0] if v.probes[c, a] else 0):
                if v.needs[other, a] and v.calls[other, Call.ALTERNATIVES] > 0.0:
                    saved = max(saved, v.belief[other, Belief.OWN_SILENT] * ahead)
        if v.belief[c, Belief.PRICE] < n.inspect_gain * saved:
            return c
    return -1


@kernel
def verify_first(v: View, n: Numbers) -> int:
    """A verify of a held goal whose verdict is worth its price, or -1."""
    for c in range(0 if last_attempt(v) else v.calls.shape[0]):
        if v.calls[c, Call.VERIFY] < 0.5 or not v.mask[FIRST_CALL + c]:
            continue
        for a in range(v.probes.shape[1]):
            y = v.artifacts[a]
            if not v.probes[c, a] or y[Artifact.GOAL_WEIGHT] == 0.0 or y[Artifact.REJECTED] > 0.5:
                continue
            asked = v.calls[c, Call.TRIES] >= y[Artifact.VERSION]
            worth = v.doubt[a, Doubt.BAD] * y[Artifact.GOAL_WEIGHT] * v.run[Run.WRONG_WEIGHT]
            dear = v.belief[c, Belief.PRICE] + MARGIN
            if not asked and n.verify_gain * worth * v.belief[c, Belief.ANSWERS] > dear:
                return c
    return -1


@kernel
def choose_by(v: View, n: Numbers, w: Any, same_function: Any) -> int:
    """The index rule's action for one observation, by its numbers; `w` is scratch."""
    prepare(v, n, w)
    appraise(v, n, w, same_function)
    best, gain, ahead, flying = -1, n.margin, 0.0, False
    for g in range(v.artifacts.shape[0]):
        if v.artifacts[g, Artifact.GOAL_WEIGHT] == 0.0 or w.have[g] or w.chance[g] <= _TINY:
            continue
        worth = gain_of(v, n, w, g)
        if worth <= gain:
            continue
        c = descend(v, w, g)
        if c == -2:
            flying = True
        elif c >= 0:
            best, gain, ahead = c, worth, w.price[g]
    if best < 0:
        verify = verify_first(v, n)
        if verify >= 0:
            return FIRST_CALL + verify
        return WAIT if flying and v.mask[WAIT] else STOP
    if v.mask[WAIT] and w.waits[best]:
        return WAIT
    inspect = inspect_first(v, n, ahead)
    return FIRST_CALL + (inspect if inspect >= 0 else best)


class Batch(NamedTuple):
    """N observations: the view of each, and which calls are variants of one function [N, C, C]."""

    views: View
    same_function: Any


@kernel
def view_of(all_: View, i: int) -> View:
    """The i-th of N observations."""
    return View(
        all_.calls[i],
        all_.artifacts[i],
        all_.needs[i],
        all_.makes[i],
        all_.probes[i],
        all_.belief[i],
        all_.doubt[i],
        all_.run[i],
        all_.mask[i],
    )


@kernel
def choose_all(batch: Batch, ways: Any, n: Numbers, out: Any) -> None:
    """`choose_by` for N observations; `ways` [1] is scratch."""
    all_ = batch.views
    for i in range(len(out)):
        out[i] = choose_by(view_of(all_, i), n, ways[0], batch.same_function[i])


@kernel
def choose(v: View, rebuild_above: float, margin: float) -> int:
    """The index rule as it is in books: p/c and nothing tuned."""
    calls = v.calls.shape[0]
    n = textbook(margin, 1.0, rebuild_above)
    ways = np.zeros(1, LARGEST)
    action = choose_by(v, n, ways[0], np.zeros((calls, calls), np.uint8))
    return action if len(ways) == 1 else STOP  # a record does not keep its array: this does


class Index:
    """The index rule as a policy; needs an observation with belief.

    Args:
        numbers: those of tuned.toml where there are none.
    """

    name = "index"
    kind = Numbers
    space = {  # noqa: RUF012 (it is read only)
        "margin": Range(-0.05, 0.05),
        "price_share": Range(0.0, 1.0),
        "order": Range(0.0, 1.0),
        "rebuild_above": Range(0.02, 1.0),
        "later_maker": Range(0.4, 1.0),
        "later_variant": Range(0.4, 1.0),
        "attempt_price": Range(0.0, 0.03),
        "wait_price": Range(0.3, 2.5),
        "silent_price": Range(0.0, 0.03),
        "fits": Range(0.0, 2.0),
        "inspect_gain": Range(0.0, 2.0),
        "verify_gain": Range(0.0, 1.5),
    }

    def __init__(self, numbers: Numbers | None = None):
        self.numbers = tuned_numbers("index", Numbers) if numbers is None else numbers

    def actions(self, observation: Observation, mask: np.ndarray) -> np.ndarray:
        """[N] the chosen actions."""
        out = np.zeros(len(mask), np.int64)
        mask = np.ascontiguousarray(mask, np.uint8)
        (same_function,) = fields(observation, "same_function")
        view = View(*(*fields(observation, *FIELDS), mask))
        ways = np.zeros(1, ways_dtype(*view.needs.shape[1:]))
        choose_all(Batch(view, same_function), ways, self.numbers, out)
        return out

    def decide(self, observation: Observation, mask: np.ndarray) -> Decision:
        """Choose by p/c under the posterior."""
        return certain(self.actions(observation, mask), mask.shape[1], self.name)


__all__ = ["MARGIN", "REBUILD_ABOVE", "Index", "Numbers", "View", "choose", "choose_by"]
