"""The index rule: order calls by chance of success over cost (p/c) under the posterior, along the graph.

p/c is optimal for independent alternatives with one goal (Kadane and Simon 1977). Here it is carried along
an AND-OR graph: the chance and price of an artifact follow from its makers in p/c order and from what they
read. It rebuilds what is probably bad, waits out an outage where that pays, inspects and verifies where the
news is worth its price, and stops when nothing is worth its price. It is the floor of the conductor, and
its choice is one of the inputs of the trained networks.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fqg_env.compiled import kernel
from fqg_env.faults import TAINT
from fqg_env.observation import Artifact, Belief, Call, Doubt, Run
from fqg_env.rules import FIRST_CALL, STOP, WAIT
from policies.recovery.base import Decision, Observation, certain, fields
from policies.recovery.walk import usable

FIELDS = ("calls", "artifacts", "needs", "makes", "probes", "belief", "doubt", "run")

REBUILD_ABOVE = 0.5
"""A held artifact that is bad with a higher chance than this counts as missing."""
MARGIN = 0.001
"""Least gain in return for which it goes on."""
INSPECT_GAIN = 0.5
"""What an inspection saves, as a share of what a silent fault would waste."""
LATER_MAKER = 0.8
"""A second alternative succeeds this much less often after a first one has failed."""
ATTEMPT_PRICE = 0.01
"""What an attempt is worth besides its cost and time: the shield and the budget count them."""
SILENT_PRICE = 0.005
"""What silently bad output costs before it is found out, besides the attempt that made it."""
_TINY = 1e-4


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


class Ways(NamedTuple):
    """What the rule thinks of each artifact."""

    have: Any
    """[A] 1 where what is held is kept: probably good, or better than anything that could be made."""
    chance: Any
    """[A] of having it, good."""
    price: Any
    """[A] of that, in return."""


@kernel
def own_chance(v: View, c: int) -> float:
    """Chance that an attempt makes something good, given good inputs."""
    answers = v.belief[c, Belief.ANSWERS] / (1.0 - TAINT * v.belief[c, Belief.BAD_INPUT])
    return answers * (1.0 - v.belief[c, Belief.OWN_SILENT])


@kernel
def mends(v: View, c: int, a: int) -> bool:
    """The call repairs the artifact: it reads a version that may be bad, and makes another."""
    return v.calls[c, Call.REPAIR] > 0.5 and v.needs[c, a] and v.makes[c, a]


@kernel
def open_call(v: View, c: int) -> bool:
    """The call exists, the shield leaves it an attempt, it may make something new, and has what it mends."""
    x = v.calls[c]
    if x[Call.REPEATS] > 0.5:
        return False  # it would only repeat itself
    spent = x[Call.IDEMPOTENT] < 0.5 and x[Call.EFFECT_COMMITTED] + x[Call.EFFECT_POSSIBLE] > 0.5
    if x[Call.EXISTS] < 0.5 or x[Call.ATTEMPTS_LEFT] <= 0.0 or spent:
        return False
    if x[Call.REPAIR] > 0.5:
        for a in range(v.artifacts.shape[0]):
            if mends(v, c, a) and v.artifacts[a, Artifact.PRESENT] < 0.5:
                return False
    return True


@kernel
def waits(v: View, c: int) -> bool:
    """What an outage would waste of an attempt now is more than the time that an attempt now may save."""
    now, later = v.belief[c, Belief.ANSWERS], v.belief[c, Belief.ANSWERS_LATER]
    delay = v.run[Run.TIME_WEIGHT] * v.belief[c, Belief.LATER_IN]
    saved = (later - now) * (v.belief[c, Belief.PRICE] + ATTEMPT_PRICE)
    return later - now > delay and saved > now * delay


@kernel
def call_way(v: View, ways: Ways, c: int) -> Any:
    """(chance, price) of making something good by this call, inputs made first where they are missing."""
    p = own_chance(v, c)
    cost = max(_TINY, v.belief[c, Belief.PRICE]) + SILENT_PRICE * v.belief[c, Belief.OWN_SILENT]
    if waits(v, c):
        p *= v.belief[c, Belief.ANSWERS_LATER] / max(_TINY, v.belief[c, Belief.ANSWERS])
        cost += v.run[Run.TIME_WEIGHT] * v.belief[c, Belief.LATER_IN]
    for a in range(v.needs.shape[1]):
        if v.needs[c, a] and not mends(v, c, a):
            p *= ways.chance[a]
            cost += ways.price[a]
    return p, cost


@kernel
def best_maker(v: View, ways: Ways, a: int, used: Any) -> int:
    """The maker of an artifact with the best p/c among those not used, or -1."""
    best = -1
    score = 0.0
    for c in range(v.calls.shape[0]):
        if v.makes[c, a] and not used[c] and open_call(v, c):
            p, cost = call_way(v, ways, c)
            if p > _TINY and (best < 0 or p / cost > score):
                best, score = c, p / cost
    return best


@kernel
def appraise_one(v: View, ways: Ways, a: int, used: Any) -> Any:
    """(chance, price) of making an artifact: its makers in p/c order, three at most."""
    used[:] = 0
    reach, p_all, cost_all = 1.0, 0.0, 0.0
    for _ in range(3):
        c = best_maker(v, ways, a, used)
        if c < 0:
            break
        used[c] = 1
        p, cost = call_way(v, ways, c)
        if p < cost and p_all > 0.0:
            break
        p *= LATER_MAKER if p_all > 0.0 else 1.0
        cost_all += reach * cost
        p_all += reach * p
        reach *= 1.0 - p
    return p_all, cost_all


@kernel
def appraise(v: View, ways: Ways, rebuild_above: float) -> None:
    """Fill the ways: what is held and probably good, and the makers of the rest, from below upwards."""
    n = v.artifacts.shape[0]
    used = np.zeros(v.calls.shape[0], np.uint8)
    for a in range(n):
        bad = v.doubt[a, Doubt.BAD]
        ways.have[a] = usable(v.artifacts, a) and bad <= rebuild_above
        ways.chance[a] = 1.0 - bad if ways.have[a] else 0.0
        ways.price[a] = 0.0
    for _ in range(n):
        moved = False
        for a in range(n):
            if v.artifacts[a, Artifact.EXISTS] < 0.5 or ways.have[a]:
                continue
            p, cost = appraise_one(v, ways, a, used)
            good = 1.0 - v.doubt[a, Doubt.BAD]
            if usable(v.artifacts, a) and p <= good:
                ways.have[a] = 1
                p, cost = good, 0.0
            moved = moved or abs(p - ways.chance[a]) > 1e-6
            ways.chance[a], ways.price[a] = p, cost
        if not moved:
            return


@kernel
def making(v: View, a: int) -> bool:
    """An attempt in flight may make the artifact."""
    for c in range(v.calls.shape[0]):
        if v.makes[c, a] and v.calls[c, Call.IN_FLIGHT] > 0.5:
            return True
    return False


@kernel
def descend(v: View, ways: Ways, goal: int) -> int:
    """The call to make now towards a goal: the best maker, or the likeliest to fail of what it lacks.

    Returns the call, -1 where there is none, -2 where it is in flight.
    """
    used = np.zeros(v.calls.shape[0], np.uint8)
    a = goal
    for _ in range(4 * v.artifacts.shape[0]):
        if making(v, a):
            return -2
        c = best_maker(v, ways, a, used)
        if c < 0:
            return -1
        lacking = -1
        for need in range(v.artifacts.shape[0]):
            if v.needs[c, need] and not ways.have[need] and not mends(v, c, need):
                if lacking < 0 or ways.chance[need] < ways.chance[lacking]:
                    lacking = need
        if lacking >= 0:
            a = lacking
        elif v.mask[FIRST_CALL + c]:
            return c
        else:
            used[c] = 1
    return -1


@kernel
def gain_of(v: View, ways: Ways, goal: int) -> float:
    """What going on towards a goal is worth over delivering what is held of it."""
    wrong = 1.0 + v.run[Run.WRONG_WEIGHT]
    held = 1.0 - wrong * v.doubt[goal, Doubt.BAD] if usable(v.artifacts, goal) else 0.0
    weight = v.artifacts[goal, Artifact.GOAL_WEIGHT]
    return weight * (ways.chance[goal] - held) - ways.price[goal]


@kernel
def inspect_first(v: View, ahead: float) -> int:
    """A probe to use now, or -1: a silent fault of the calls it advises on would waste more than its price.

    `ahead` is the price of the way to the goal, which is lost if its beginning turns out bad.
    """
    for c in range(v.calls.shape[0]):
        x = v.calls[c]
        if x[Call.INSPECT] < 0.5 or not v.mask[FIRST_CALL + c] or x[Call.TRIES] > 0.0:
            continue
        saved = 0.0
        for other in range(v.calls.shape[0]):
            for a in range(v.probes.shape[1]):
                reads = v.probes[c, a] and v.needs[other, a]
                if reads and v.calls[other, Call.ALTERNATIVES] > 0.0:
                    saved = max(saved, v.belief[other, Belief.OWN_SILENT] * ahead)
        if v.belief[c, Belief.PRICE] < INSPECT_GAIN * saved:
            return c
    return -1


@kernel
def verify_first(v: View) -> int:
    """A verify of a held goal whose verdict is worth its price, or -1."""
    for c in range(v.calls.shape[0]):
        if v.calls[c, Call.VERIFY] < 0.5 or not v.mask[FIRST_CALL + c]:
            continue
        for a in range(v.probes.shape[1]):
            y = v.artifacts[a]
            if not v.probes[c, a] or y[Artifact.GOAL_WEIGHT] == 0.0 or y[Artifact.REJECTED] > 0.5:
                continue
            asked = v.calls[c, Call.TRIES] >= y[Artifact.VERSION]
            worth = v.doubt[a, Doubt.BAD] * y[Artifact.GOAL_WEIGHT] * v.run[Run.WRONG_WEIGHT]
            dear = v.belief[c, Belief.PRICE] + MARGIN
            if not asked and 0.8 * worth * v.belief[c, Belief.ANSWERS] > dear:
                return c
    return -1


@kernel
def choose(v: View, rebuild_above: float, margin: float) -> int:
    """The index rule's action for one observation."""
    n = v.artifacts.shape[0]
    ways = Ways(np.zeros(n, np.uint8), np.zeros(n), np.zeros(n))
    appraise(v, ways, rebuild_above)
    best, gain, ahead, flying = -1, margin, 0.0, False
    for g in range(n):
        if v.artifacts[g, Artifact.GOAL_WEIGHT] == 0.0 or ways.have[g]:
            continue
        worth = gain_of(v, ways, g)
        if worth <= gain:
            continue
        c = descend(v, ways, g)
        if c == -2:
            flying = True
        elif c >= 0:
            best, gain, ahead = c, worth, ways.price[g]
    if best < 0:
        verify = verify_first(v)
        if verify >= 0:
            return FIRST_CALL + verify
        return WAIT if flying and v.mask[WAIT] else STOP
    if v.mask[WAIT] and waits(v, best):
        return WAIT
    inspect = inspect_first(v, ahead)
    return FIRST_CALL + (inspect if inspect >= 0 else best)


@kernel
def choose_all(all_: View, rebuild_above: float, margin: float, out: Any) -> None:
    """`choose` for N observations."""
    for n in range(len(out)):
        v = View(
            all_.calls[n],
            all_.artifacts[n],
            all_.needs[n],
            all_.makes[n],
            all_.probes[n],
            all_.belief[n],
            all_.doubt[n],
            all_.run[n],
            all_.mask[n],
        )
        out[n] = choose(v, rebuild_above, margin)


class Index:
    """The index rule as a policy; needs an observation with belief."""

    name = "index"

    def __init__(self, rebuild_above: float = REBUILD_ABOVE, margin: float = MARGIN):
        self.rebuild_above, self.margin = rebuild_above, margin

    def actions(self, observation: Observation, mask: np.ndarray) -> np.ndarray:
        """[N] the chosen actions."""
        out = np.zeros(len(mask), np.int64)
        mask = np.ascontiguousarray(mask, np.uint8)
        view = View(*(*fields(observation, *FIELDS), mask))
        choose_all(view, self.rebuild_above, self.margin, out)
        return out

    def decide(self, observation: Observation, mask: np.ndarray) -> Decision:
        """Choose by p/c under the posterior."""
        return certain(self.actions(observation, mask), mask.shape[1], self.name)
