"""spfr: the retry script of Symphony: 3, 5 or 7 tries by position in the plan, fewer for lesser goals.

Source: SPFR, the failure script of the project that this one serves. Essential work is tried three times
where it comes first in the plan, five times in the middle, seven times at the end; recommended work once,
optional work once; then the next alternative; then it stops with what there is.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fqg_env.compiled import kernel
from fqg_env.fields import Artifact, Call
from policies.recovery.tuned import HandTuned, Range
from policies.recovery.walk import Sight, backs_off, failures, new_standing, place, sight_of, walk


class Numbers(NamedTuple):
    """What is tuned."""

    first: float
    """Tries of a call in the first third of the plan, or outside it."""
    middle: float
    last: float
    lesser: float
    """Tries of a call that leads to no essential goal."""
    waits: float
    on_plan: float
    by_reputation: float
    spend: float


@kernel
def essential(v: Sight, out: Any) -> None:
    """Fill out [A]: 1 where an artifact is an essential goal, or something that one is made from."""
    n = v.artifacts.shape[0]
    for a in range(n):
        out[a] = v.artifacts[a, Artifact.ESSENTIAL] > 0.5
    for _ in range(n):
        moved = False
        for c in range(v.calls.shape[0]):
            leads = False
            for a in range(n):
                leads = leads or (v.makes[c, a] and out[a])
            for a in range(n):
                if leads and v.needs[c, a] and not out[a]:
                    out[a] = 1
                    moved = True
        if not moved:
            return


@kernel
def tries_of(v: Sight, numbers: Numbers, c: int, matters: Any) -> float:
    """How often a call is tried before the next alternative."""
    leads = False
    for a in range(v.artifacts.shape[0]):
        leads = leads or (v.makes[c, a] and matters[a])
    if not leads:
        return numbers.lesser
    position = 1.0 - v.calls[c, Call.PLAN_POSITION]
    planned = 0.0  # the plan is short: its last call stands where the plan ends
    for d in range(v.calls.shape[0]):
        if v.calls[d, Call.PLAN_POSITION] > 0.0:
            planned = max(planned, 1.0 - v.calls[d, Call.PLAN_POSITION])
    if v.calls[c, Call.PLAN_POSITION] == 0.0 or position * 3.0 < planned:
        return numbers.first
    return numbers.middle if position * 3.0 < 2.0 * planned else numbers.last


@kernel
def choose(v: Sight, numbers: Numbers) -> int:
    """The script's action for one observation."""
    s = new_standing(v.calls.shape[0])
    matters = np.zeros(v.artifacts.shape[0], np.uint8)
    essential(v, matters)
    for c in range(v.calls.shape[0]):
        x = v.calls[c]
        s.gone[c] = failures(x) > tries_of(v, numbers, c, matters) - 0.5
        s.rank[c] = place(x, numbers.on_plan, numbers.by_reputation)
        s.pause[c] = backs_off(v, x, numbers.waits)
    return walk(v, s, numbers.spend)


@kernel
def choose_all(all_: Sight, numbers: Numbers, out: Any) -> None:
    """`choose` for N observations."""
    for n in range(len(out)):
        out[n] = choose(sight_of(all_, n), numbers)


class Spfr(HandTuned):
    """The script as a policy."""

    name = table = "spfr"
    kind = Numbers
    space = {  # noqa: RUF012 (it is read only)
        "first": Range(1, 3, whole=True),
        "middle": Range(1, 5, whole=True),
        "last": Range(1, 7, whole=True),
        "lesser": Range(1, 2, whole=True),
        "waits": Range(0, 3, whole=True),
        "on_plan": Range(0.0, 2.0),
        "by_reputation": Range(0.0, 4.0),
        "spend": Range(0.2, 1.0),
    }
    choose_all = staticmethod(choose_all)
