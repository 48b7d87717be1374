"""lookup: a table says what to do with a call after its last category group and so many attempts.

Source: runbooks and error-handling matrices. It is the test of the game, too: if a table did nearly as well
as the best policy, there would be nothing to learn (its cells are fitted, see `fqg tune`).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple

from fqg_env.arrays import Group
from fqg_env.compiled import kernel
from policies.recovery.tuned import HandTuned, Range
from policies.recovery.walk import (
    Sight,
    backs_off,
    failures,
    last_group,
    new_standing,
    place,
    sight_of,
    walk,
)


class Move(IntEnum):
    """What a cell of the table says of a call."""

    RETRY = 0
    BACK_OFF = 1  # wait, then retry
    NEXT = 2  # the next alternative
    REBUILD = 3  # make an input anew, then retry; the next alternative where none can be
    STOP = 4  # no alternative either


class Numbers(NamedTuple):
    """The table: a cell (see `Move`) for each group after one failure, and after two or more."""

    transient_1: float
    transient_2: float
    resource_1: float
    resource_2: float
    input_1: float
    input_2: float
    output_1: float
    output_2: float
    crash_1: float
    crash_2: float
    denied_1: float
    denied_2: float
    unable_1: float
    unable_2: float
    waits: float
    on_plan: float
    by_reputation: float
    spend: float


MOST_TRIES = 4.0
"""A call that the table would retry for ever is given up."""


@kernel
def cell(numbers: Numbers, group: int, failed: float) -> int:
    """What the table says of a call that has failed so often, lastly with this group."""
    first = failed < 1.5
    if group == Group.TRANSIENT:
        return int(numbers.transient_1 if first else numbers.transient_2)
    if group == Group.RESOURCE:
        return int(numbers.resource_1 if first else numbers.resource_2)
    if group == Group.INPUT:
        return int(numbers.input_1 if first else numbers.input_2)
    if group == Group.OUTPUT:
        return int(numbers.output_1 if first else numbers.output_2)
    if group == Group.CRASH:
        return int(numbers.crash_1 if first else numbers.crash_2)
    if group == Group.DENIED:
        return int(numbers.denied_1 if first else numbers.denied_2)
    return int(numbers.unable_1 if first else numbers.unable_2)


@kernel
def choose(v: Sight, numbers: Numbers) -> int:
    """The table's action for one observation."""
    s = new_standing(v.calls.shape[0])
    for c in range(v.calls.shape[0]):
        x = v.calls[c]
        s.rank[c] = place(x, numbers.on_plan, numbers.by_reputation)
        failed, group = failures(x), last_group(x)
        if failed < 0.5 or group <= Group.SUCCESS:
            continue
        move = cell(numbers, group, failed)
        s.gone[c] = move == Move.NEXT or failed > MOST_TRIES - 0.5
        s.ends[c] = move == Move.STOP
        s.pause[c] = move == Move.BACK_OFF and backs_off(v, x, numbers.waits)
        s.rebuild[c] = move == Move.REBUILD
    return walk(v, s, numbers.spend)


@kernel
def choose_all(all_: Sight, numbers: Numbers, out: Any) -> None:
    """`choose` for N observations."""
    for n in range(len(out)):
        out[n] = choose(sight_of(all_, n), numbers)


class Lookup(HandTuned):
    """The table as a policy."""

    name = table = "lookup"
    kind = Numbers
    space = {  # noqa: RUF012 (it is read only)
        **{name: Range(0, 4, whole=True) for name in Numbers._fields[:14]},
        "waits": Range(1, 3, whole=True),
        "on_plan": Range(0.0, 2.0),
        "by_reputation": Range(0.0, 4.0),
        "spend": Range(0.2, 1.0),
    }
    choose_all = staticmethod(choose_all)
