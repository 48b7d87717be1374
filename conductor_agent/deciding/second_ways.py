"""Second ways to do what may have been done: after a payment by card that may have gone through, no transfer.

The shield keeps a function that is not idempotent from being repeated once it may have acted. In a real
workflow two functions often do the same thing to the world, and whoever wrote them down as two ways to one
result wants it done once.
"""

from __future__ import annotations

from conductor_agent.record.fold import Fold
from fqg_env.arrays import Effect
from fqg_env.row import function_of
from fqg_env.rules import FIRST_CALL


def bar_second_ways(fold: Fold) -> dict[str, str]:
    """Take calls that would do what may have been done already, or is being done, out of the mask, where the
    shield forbids repeats of that kind.

    Args:
        fold: the run so far, looked at.

    Returns:
        The names of these calls, with why, as it goes on after `which`.
    """
    level, barred = fold.level, {}
    if level.shield.unsafe_repeats == "allowed":
        return {}
    for number, name in enumerate(level.call_names):
        if fold.mask[0, FIRST_CALL + number] and (other := done_by(fold, number)):
            fold.mask[0, FIRST_CALL + number] = 0
            barred[name] = f"does once more what {other} may have done"
    return barred


def done_by(fold: Fold, call: int) -> str:
    """The other function that may have done what this call does, where neither is idempotent and both make
    the same thing; empty where there is none.
    """
    level, function = fold.level, function_of(fold.level, call)
    if function.idempotent:
        return ""
    acting = {level.calls[flying].function for flying in fold.flights().values()}
    for number, one in enumerate(level.calls):
        other = function_of(level, number)
        if one.function == level.calls[call].function or other.idempotent:
            continue
        may_have = fold.board["effect"][fold.record["function"][number]] >= Effect.POSSIBLE
        if (may_have or one.function in acting) and set(other.outputs) & set(function.outputs):
            return one.function
    return ""
