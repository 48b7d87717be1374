"""The index rule: order calls by chance of success over cost (p/c) under the posterior, along the graph.

p/c is optimal for independent alternatives with one goal (Kadane and Simon 1977). Here it is carried along
an AND-OR graph: the chance and price of an artifact follow from its makers in p/c order and from what they
read. It rebuilds what is probably bad, waits out an outage where that pays, inspects and verifies where the
news is worth its price, and stops when nothing is worth its price. It is the floor of the conductor, and
its choice is one of the inputs of the trained networks.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fqg_env.compiled import kernel
from fqg_env.faults import TAINT
from fqg_env.observation import Artifact, Belief, Call, Doubt, Run
from fqg_env.rules import FIRST_CALL, STOP, WAIT
from policies.recovery.base import Decision, Observation, certain, fields

FIELDS = ("calls", "artifacts", "needs", "makes", "probes", "belief", "doubt", "run")

REBUILD_ABOVE = 0.4
"""A held artifact that is bad with a higher chance than this counts as missing."""
MARGIN = 0.005
"""Least gain in return for which it goes on."""
INSPECT_GAIN = 0.5
"""What an inspection saves, as a share of what a silent fault would waste."""
SAME_PROVIDER = 0.8
"""A second alternative succeeds this much less often after a first one has failed."""
ATTEMPT_PRICE = 0.01
"""What an attempt is worth besides its cost and time: the shield and the budget count them."""
SILENT_PRICE = 0.005
"""What silently bad output costs before it is found out, besides the attempt that made it."""
_TINY = 1e-4


@kernel
def usable(artifacts: Any, a: int) -> bool:
    """Held, not rejected, not too old."""
    y = artifacts[a]
    return y[Artifact.PRESENT] > 0.5 and y[Artifact.REJECTED] < 0.5 and y[Artifact.AGE] < 1.0


@kernel
def own_chance(belief: Any, c: int) -> float:
    """Chance that an attempt makes something good, given good inputs."""
    answers = belief[c, Belief.ANSWERS] / (1.0 - TAINT * belief[c, Belief.BAD_INPUT])
    return answers * (1.0 - belief[c, Belief.OWN_SILENT])


@kernel
def open_call(calls: Any, c: int) -> bool:
    """The call exists, the shield leaves it an attempt, and it may make something new."""
    x = calls[c]
    if x[Call.REPEATS] > 0.5:
        return False  # it would only repeat itself
    spent = x[Call.IDEMPOTENT] < 0.5 and x[Call.EFFECT_COMMITTED] + x[Call.EFFECT_POSSIBLE] > 0.5
    return x[Call.EXISTS] > 0.5 and x[Call.ATTEMPTS_LEFT] > 0.0 and not spent


@kernel
def waits(belief: Any, time_weight: float, c: int) -> bool:
    """What an outage would waste of an attempt now is more than the time that an attempt now may save."""
    now, later = belief[c, Belief.ANSWERS], belief[c, Belief.ANSWERS_LATER]
    delay = time_weight * belief[c, Belief.LATER_IN]
    saved = (later - now) * (belief[c, Belief.PRICE] + ATTEMPT_PRICE)
    return later - now > delay and saved > now * delay


@kernel
def call_way(calls: Any, needs: Any, belief: Any, run: Any, chance: Any, price: Any, c: int) -> Any:
    """(chance, price) of making something good by this call, inputs made first where they are missing."""
    p = own_chance(belief, c)
    cost = max(_TINY, belief[c, Belief.PRICE]) + SILENT_PRICE * belief[c, Belief.OWN_SILENT]
    if waits(belief, run[Run.TIME_WEIGHT], c):
        p *= belief[c, Belief.ANSWERS_LATER] / max(_TINY, belief[c, Belief.ANSWERS])
        cost += run[Run.TIME_WEIGHT] * belief[c, Belief.LATER_IN]
    for a in range(needs.shape[1]):
        if needs[c, a]:
            p *= chance[a]
            cost += price[a]
    return p, cost


@kernel
def best_maker(
    calls: Any,
    needs: Any,
    makes: Any,
    belief: Any,
    run: Any,
    chance: Any,
    price: Any,
    a: int,
    used: Any,
) -> int:
    """The maker of an artifact with the best p/c among those not used, or -1."""
    best = -1
    score = 0.0
    for c in range(calls.shape[0]):
        if makes[c, a] and not used[c] and open_call(calls, c):
            p, cost = call_way(calls, needs, belief, run, chance, price, c)
            if p > _TINY and (best < 0 or p / cost > score):
                best, score = c, p / cost
    return best


@kernel
def appraise(
    calls: Any,
    artifacts: Any,
    needs: Any,
    makes: Any,
    belief: Any,
    doubt: Any,
    run: Any,
    rebuild_above: float,
    have: Any,
    chance: Any,
    price: Any,
) -> None:
    """Fill chance [A] and price [A] of having each artifact, good: makers in p/c order, from below upwards.

    have [A] becomes 1 where what is held is kept: probably good, or better than anything that could be made.
    """
    n = artifacts.shape[0]
    used = np.zeros(calls.shape[0], np.uint8)
    for a in range(n):
        have[a] = usable(artifacts, a) and doubt[a, Doubt.BAD] <= rebuild_above
        chance[a] = 1.0 - doubt[a, Doubt.BAD] if have[a] else 0.0
        price[a] = 0.0
    for _ in range(n):
        moved = False
        for a in range(n):
            if artifacts[a, Artifact.EXISTS] < 0.5 or have[a]:
                continue
            for c in range(calls.shape[0]):
                used[c] = 0
            reach, p_all, cost_all = 1.0, 0.0, 0.0
            for _try in range(3):
                c = best_maker(calls, needs, makes, belief, run, chance, price, a, used)
                if c < 0:
                    break
                used[c] = 1
                p, cost = call_way(calls, needs, belief, run, chance, price, c)
                if p < cost and p_all > 0.0:
                    break
                p *= SAME_PROVIDER if p_all > 0.0 else 1.0
                cost_all += reach * cost
                p_all += reach * p
                reach *= 1.0 - p
            if usable(artifacts, a) and p_all <= 1.0 - doubt[a, Doubt.BAD]:
                have[a] = 1
                p_all, cost_all = 1.0 - doubt[a, Doubt.BAD], 0.0
            if abs(p_all - chance[a]) > 1e-6:
                moved = True
            chance[a], price[a] = p_all, cost_all
        if not moved:
            return


@kernel
def making(calls: Any, makes: Any, a: int) -> bool:
    """An attempt in flight may make the artifact."""
    for c in range(calls.shape[0]):
        if makes[c, a] and calls[c, Call.IN_FLIGHT] > 0.5:
            return True
    return False


@kernel
def descend(
    calls: Any,
    artifacts: Any,
    needs: Any,
    makes: Any,
    belief: Any,
    run: Any,
    mask: Any,
    have: Any,
    chance: Any,
    price: Any,
    goal: int,
) -> int:
    """The call to make now towards a goal: the best maker, or the likeliest to fail of what it lacks.

    Returns the call, -1 where there is none, -2 where it is in flight.
    """
    used = np.zeros(calls.shape[0], np.uint8)
    a = goal
    for _ in range(4 * artifacts.shape[0]):
        if making(calls, makes, a):
            return -2
        c = best_maker(calls, needs, makes, belief, run, chance, price, a, used)
        if c < 0:
            return -1
        lacking = -1
        for need in range(artifacts.shape[0]):
            if needs[c, need] and not have[need]:
                if lacking < 0 or chance[need] < chance[lacking]:
                    lacking = need
        if lacking >= 0:
            a = lacking
        elif mask[FIRST_CALL + c]:
            return c
        else:
            used[c] = 1
    return -1


@kernel
def gain_of(artifacts: Any, doubt: Any, run: Any, chance: Any, price: Any, g: int) -> float:
    """What going on towards a goal is worth over delivering what is held of it."""
    wrong = 1.0 + run[Run.WRONG_WEIGHT]
    held = 1.0 - wrong * doubt[g, Doubt.BAD] if usable(artifacts, g) else 0.0
    return artifacts[g, Artifact.GOAL_WEIGHT] * (chance[g] - held) - price[g]


@kernel
def inspect_first(calls: Any, needs: Any, probes: Any, belief: Any, mask: Any, ahead: float) -> int:
    """A probe to use now, or -1: a silent fault of the calls it advises on would waste more than its price.

    `ahead` is the price of the way to the goal, which is lost if its beginning turns out bad.
    """
    for c in range(calls.shape[0]):
        x = calls[c]
        if x[Call.INSPECT] < 0.5 or not mask[FIRST_CALL + c] or x[Call.TRIES] > 0.0:
            continue
        saved = 0.0
        for other in range(calls.shape[0]):
            for a in range(probes.shape[1]):
                if probes[c, a] and needs[other, a] and calls[other, Call.ALTERNATIVES] > 0.0:
                    saved = max(saved, belief[other, Belief.OWN_SILENT] * ahead)
        if belief[c, Belief.PRICE] < INSPECT_GAIN * saved:
            return c
    return -1


@kernel
def verify_first(
    calls: Any,
    artifacts: Any,
    probes: Any,
    belief: Any,
    doubt: Any,
    run: Any,
    mask: Any,
    chance: Any,
) -> int:
    """A verify of a held goal whose verdict is worth its price, or -1."""
    for c in range(calls.shape[0]):
        if calls[c, Call.VERIFY] < 0.5 or not mask[FIRST_CALL + c]:
            continue
        for a in range(probes.shape[1]):
            y = artifacts[a]
            if not probes[c, a] or y[Artifact.GOAL_WEIGHT] == 0.0 or y[Artifact.REJECTED] > 0.5:
                continue
            asked = calls[c, Call.TRIES] >= y[Artifact.VERSION]
            worth = doubt[a, Doubt.BAD] * y[Artifact.GOAL_WEIGHT] * run[Run.WRONG_WEIGHT]
            if (
                not asked
                and 0.8 * worth * belief[c, Belief.ANSWERS] > belief[c, Belief.PRICE] + MARGIN
            ):
                return c
    return -1


@kernel
def choose(
    calls: Any,
    artifacts: Any,
    needs: Any,
    makes: Any,
    probes: Any,
    belief: Any,
    doubt: Any,
    run: Any,
    mask: Any,
    rebuild_above: float,
    margin: float,
) -> int:
    """The index rule's action for one observation."""
    n = artifacts.shape[0]
    have = np.zeros(n, np.uint8)
    chance = np.zeros(n)
    price = np.zeros(n)
    appraise(calls, artifacts, needs, makes, belief, doubt, run, rebuild_above, have, chance, price)
    best, gain, ahead, flying = -1, margin, 0.0, False
    for g in range(n):
        if artifacts[g, Artifact.GOAL_WEIGHT] == 0.0:
            continue
        worth = gain_of(artifacts, doubt, run, chance, price, g)
        if have[g] or worth <= gain:
            continue
        c = descend(
            calls,
            artifacts,
            needs,
            makes,
            belief,
            run,
            mask,
            have,
            chance,
            price,
            g,
        )
        if c == -2:
            flying = True
        elif c >= 0:
            best, gain, ahead = c, worth, price[g]
    verify = verify_first(calls, artifacts, probes, belief, doubt, run, mask, chance)
    if best < 0:
        if verify >= 0:
            return FIRST_CALL + verify
        return WAIT if flying and mask[WAIT] else STOP
    if mask[WAIT] and waits(belief, run[Run.TIME_WEIGHT], best):
        return WAIT
    inspect = inspect_first(calls, needs, probes, belief, mask, ahead)
    return FIRST_CALL + (inspect if inspect >= 0 else best)


@kernel
def choose_all(
    calls: Any,
    artifacts: Any,
    needs: Any,
    makes: Any,
    probes: Any,
    belief: Any,
    doubt: Any,
    run: Any,
    mask: Any,
    rebuild_above: float,
    margin: float,
    out: Any,
) -> None:
    """`choose` for N observations."""
    for n in range(len(out)):
        out[n] = choose(
            calls[n],
            artifacts[n],
            needs[n],
            makes[n],
            probes[n],
            belief[n],
            doubt[n],
            run[n],
            mask[n],
            rebuild_above,
            margin,
        )


class Index:
    """The index rule as a policy; needs an observation with belief."""

    name = "index"

    def __init__(self, rebuild_above: float = REBUILD_ABOVE, margin: float = MARGIN):
        self.rebuild_above, self.margin = rebuild_above, margin

    def actions(self, observation: Observation, mask: np.ndarray) -> np.ndarray:
        """[N] the chosen actions."""
        out = np.zeros(len(mask), np.int64)
        mask = np.ascontiguousarray(mask, np.uint8)
        calls, artifacts, needs, makes, probes, belief, doubt, run = fields(observation, *FIELDS)
        view = (calls, artifacts, needs, makes, probes, belief, doubt, run, mask)
        choose_all(*view, self.rebuild_above, self.margin, out)
        return out

    def decide(self, observation: Observation, mask: np.ndarray) -> Decision:
        """Choose by p/c under the posterior."""
        return certain(self.actions(observation, mask), mask.shape[1], self.name)
