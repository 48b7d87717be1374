"""Ways: chance and price of every artifact that is not held, by p/c along the graph of who makes what.

p/c, chance over cost, is the best order for independent alternatives with one goal (Kadane and Simon 1977). A
call needs all its inputs (AND), an artifact takes any of its makers (OR): Greiner et al. 2006 show that the
ratio stays best for shallow trees only, and providers correlate what fails, so the numbers below are tuned.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from fqg_env.arrays import SIZES
from fqg_env.chance import ONE, ZERO
from fqg_env.compiled import kernel
from fqg_env.faults import TAINT
from fqg_env.fields import ATTEMPTS_UNIT, Artifact, Belief, Call, Doubt, Run
from fqg_env.rules import FIRST_CALL
from policies.recovery.walk import mends, usable

MOST_MAKERS = 3
"""Alternatives that count towards the chance of an artifact."""
_TINY = 1e-4


class Numbers(NamedTuple):
    """What is tuned in the index rule. Prices and gains are in return, where all goals together weigh 1."""

    margin: float
    """Least gain for which it goes on."""
    price_share: float
    """What the price of a way counts in whether to go on: it is paid in full only where all goes wrong."""
    order: float
    """From 0, order by p/c, to 1, order by p^2/c: how far a likely call is preferred to a cheap one."""
    rebuild_above: float
    """A held artifact that is bad with a higher chance is made anew, where that is likelier good."""
    later_maker: float
    """An alternative succeeds this much less often after another has failed."""
    later_variant: float
    """The same for another variant of the function that has failed."""
    attempt_price: float
    """What an attempt is worth besides its cost and time, where waiting may save one."""
    wait_price: float
    """What waited time costs, as a multiple of time that is worked."""
    silent_price: float
    """What silently bad output costs before it is found out, besides the attempt that made it."""
    fits: float
    """How long a way takes, as a multiple of its typical time, against the time left; 0: not looked at."""
    inspect_gain: float
    """What an inspection saves, as a share of what a silent fault would waste."""
    verify_gain: float
    """What a verify saves, as a share of what a goal that is delivered bad would cost."""


@kernel
def textbook(margin: float, price_share: float, rebuild_above: float) -> Numbers:
    """The numbers of p/c as it is in books: nothing else is tuned. In the order of the fields."""
    return Numbers(
        margin, price_share, 0.0, rebuild_above, 0.8, 0.8, 0.01, 1.0, 0.005, 0.0, 0.5, 0.8
    )


class View(NamedTuple):
    """What the rule reads of one observation, and which actions are legal."""

    calls: Any
    artifacts: Any
    needs: Any
    makes: Any
    probes: Any
    belief: Any
    doubt: Any
    run: Any
    mask: Any


@kernel
def view_in(o: Any, mask: Any) -> View:
    """The view of one observation record and the mask beside it."""
    return View(o.calls, o.artifacts, o.needs, o.makes, o.probes, o.belief, o.doubt, o.run, mask)


@cache
def ways_dtype(calls: int, artifacts: int) -> np.dtype:
    """What the rule thinks, of each call and each artifact, as one record: room for one decision."""
    c, a = calls, artifacts
    return np.dtype(
        [
            # what a call has to read, the first `n_inputs` of a row; not what it mends
            ("inputs", "i2", (c, a)),
            ("n_inputs", "i2", (c,)),
            # open calls that make an artifact, the first `n_makers` of a row
            ("makers", "i2", (a, c)),
            ("n_makers", "i2", (a,)),
            ("depends", "u8", (a,)),  # bits of the artifacts that its makers read
            # of an attempt of a call
            ("own", "f8", (c,)),  # chance that it makes something good of good inputs
            ("cost", "f8", (c,)),
            ("time", "f8", (c,)),  # share of the time budget, waiting included
            ("waits", "u1", (c,)),  # waiting for its provider pays
            # the same, with the inputs that have to be made first, and what orders calls
            ("way_chance", "f8", (c,)),
            ("way_price", "f8", (c,)),
            ("score", "f8", (c,)),
            ("used", "u1", (c,)),  # scratch
            # of each artifact
            ("have", "u1", (a,)),  # what is held is kept
            ("chance", "f8", (a,)),  # of having it, good
            ("price", "f8", (a,)),
            ("steps", "f8", (a,)),  # attempts
            ("span", "f8", (a,)),  # share of the time budget
        ],
        align=True,
    )


LARGEST = ways_dtype(SIZES["large"].calls, SIZES["large"].artifacts)
"""Room for a level of any size."""


@kernel
def attempts_left(v: View) -> float:
    """Attempts left in the run, up to `ATTEMPTS_UNIT`."""
    return v.run[Run.ATTEMPTS_LEFT] * v.run[Run.ATTEMPT_BUDGET] * ATTEMPTS_UNIT


@kernel
def open_call(v: View, c: int) -> bool:
    """The call makes something, might make it anew, and nothing that lasts forbids it."""
    x = v.calls[c]
    if x[Call.EXISTS] < 0.5 or x[Call.WORK] + x[Call.REPAIR] < 0.5:
        return False
    if x[Call.REPEATS] > 0.5 or x[Call.ATTEMPTS_LEFT] <= 0.0:
        return False  # it would only repeat itself, or the shield has had enough
    if x[Call.IDEMPOTENT] < 0.5 and x[Call.EFFECT_COMMITTED] + x[Call.EFFECT_POSSIBLE] > 0.5:
        return False
    free = v.run[Run.SLOTS_FREE] > 0.0 and x[Call.IN_FLIGHT] < 0.5
    return not (free and x[Call.READABLE] > 0.5 and v.mask[FIRST_CALL + c] == 0)


@kernel
def worth_waiting(v: View, n: Numbers, c: int) -> bool:
    """What an outage would waste of an attempt now is more than the time that an attempt now may save."""
    b = v.belief[c]
    now, later = b[Belief.ANSWERS], b[Belief.ANSWERS_LATER]
    delay = n.wait_price * v.run[Run.TIME_WEIGHT] * b[Belief.LATER_IN]
    saved = (later - now) * (b[Belief.PRICE] + n.attempt_price)
    return later - now > delay and saved > now * delay


@kernel
def prepare_call(v: View, n: Numbers, w: Any, c: int) -> None:
    """Fill what an attempt of one call gives and takes, good inputs given."""
    b = v.belief[c]
    silent = b[Belief.OWN_SILENT]
    own = b[Belief.ANSWERS] / (1.0 - TAINT * b[Belief.BAD_INPUT]) * (1.0 - silent)
    cost = max(_TINY, b[Belief.PRICE]) + n.silent_price * silent
    time = v.calls[c, Call.LATENCY] * v.calls[c, Call.LATENCY]
    w.waits[c] = worth_waiting(v, n, c)
    if w.waits[c]:
        own *= b[Belief.ANSWERS_LATER] / max(_TINY, b[Belief.ANSWERS])
        cost += n.wait_price * v.run[Run.TIME_WEIGHT] * b[Belief.LATER_IN]
        time += b[Belief.LATER_IN]
    w.own[c], w.cost[c], w.time[c] = own, cost, time


@kernel
def list_inputs(v: View, w: Any, c: int) -> bool:
    """Fill the inputs of a call; False where what it mends is not there."""
    k = 0
    needs = v.needs[c]
    for a in range(len(needs)):
        if not needs[a]:
            continue
        if not mends(v, c, a):
            w.inputs[c, k] = a
            k += 1
        elif v.artifacts[a, Artifact.PRESENT] < 0.5:
            return False
    w.n_inputs[c] = k
    return True


@kernel
def prepare(v: View, n: Numbers, w: Any) -> None:
    """Fill what is known of each open call, and who makes what."""
    for a in range(v.artifacts.shape[0]):
        w.n_makers[a] = 0
        w.depends[a] = ZERO
    for c in range(v.calls.shape[0]):
        if not open_call(v, c) or not list_inputs(v, w, c):
            continue
        prepare_call(v, n, w, c)
        reads = ZERO
        for i in range(w.n_inputs[c]):
            reads |= ONE << np.uint64(w.inputs[c, i])
        makes = v.makes[c]
        for a in range(len(makes)):
            if makes[a]:
                w.makers[a, w.n_makers[a]] = c
                w.n_makers[a] += 1
                w.depends[a] |= reads


@kernel
def weigh_way(v: View, n: Numbers, w: Any, c: int) -> None:
    """Fill chance, price and score of a call with the inputs that have to be made first."""
    p, price, steps, span = w.own[c], w.cost[c], 1.0, w.time[c]
    for i in range(w.n_inputs[c]):
        a = w.inputs[c, i]
        p *= w.chance[a]
        price += w.price[a]
        steps += w.steps[a]
        span += w.span[a]
    if n.fits > 0.0:
        if steps > attempts_left(v) + 0.5:
            p = 0.0
        left = v.run[Run.TIME_LEFT]
        if n.fits * span > left:
            p *= left / (n.fits * span)
    w.way_chance[c], w.way_price[c] = p, price
    w.score[c] = p * (1.0 - n.order + n.order * p) / price


@kernel
def best_maker(w: Any, a: int) -> int:
    """The maker of an artifact with the best score among those not used, or -1."""
    best = -1
    for i in range(w.n_makers[a]):
        c = w.makers[a, i]
        if not w.used[c] and w.way_chance[c] > _TINY and (best < 0 or w.score[c] > w.score[best]):
            best = c
    return best


@kernel
def appraise_one(v: View, n: Numbers, w: Any, same_function: Any, a: int) -> None:
    """Fill chance and price of making an artifact: its makers by score, three at most."""
    for i in range(w.n_makers[a]):
        w.used[w.makers[a, i]] = 0
        weigh_way(v, n, w, w.makers[a, i])
    reach, chance, price, before = 1.0, 0.0, 0.0, -1
    w.steps[a], w.span[a] = 1.0, 0.0
    for _ in range(MOST_MAKERS):
        c = best_maker(w, a)
        if c < 0:
            break
        w.used[c] = 1
        p = w.way_chance[c]
        if before < 0:
            w.span[a] = w.time[c]
            for i in range(w.n_inputs[c]):
                w.steps[a] += w.steps[w.inputs[c, i]]
                w.span[a] += w.span[w.inputs[c, i]]
        elif p < w.way_price[c]:
            break
        else:
            p *= n.later_variant if same_function[before, c] else n.later_maker
        before = c
        price += reach * w.way_price[c]
        chance += reach * p
        reach *= max(0.0, 1.0 - p)
    w.chance[a], w.price[a] = chance, price


@kernel
def keep(v: View, w: Any, a: int) -> None:
    """What is held of an artifact is kept."""
    w.have[a] = 1
    w.chance[a] = 1.0 - v.doubt[a, Doubt.BAD]
    w.price[a], w.steps[a], w.span[a] = 0.0, 0.0, 0.0


@kernel
def appraise(v: View, n: Numbers, w: Any, same_function: Any) -> None:
    """Fill the ways of all artifacts, from what is held upwards, until nothing moves any more."""
    size = v.artifacts.shape[0]
    for a in range(size):
        w.have[a] = 0
        w.chance[a], w.price[a], w.steps[a], w.span[a] = 0.0, 0.0, 0.0, 0.0
        if usable(v.artifacts, a) and v.doubt[a, Doubt.BAD] <= n.rebuild_above:
            keep(v, w, a)
    moved = ~ZERO
    for _ in range(size):
        before, moved = moved, ZERO
        for a in range(size):
            fresh = w.have[a] == 0 and v.artifacts[a, Artifact.EXISTS] > 0.5
            if not fresh or not (before == ~ZERO or (w.depends[a] & (before | moved)) != ZERO):
                continue
            was = w.chance[a]
            appraise_one(v, n, w, same_function, a)
            good = 1.0 - v.doubt[a, Doubt.BAD]
            if usable(v.artifacts, a) and w.chance[a] <= good:
                keep(v, w, a)
            if abs(w.chance[a] - was) > 1e-6:
                moved |= ONE << np.uint64(a)
        if moved == ZERO:
            return
