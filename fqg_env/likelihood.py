"""How likely an outcome is, given what is hidden: the tables of faults.py read backwards.

Hints are not part of it: see `faults.hint_chance`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from fqg_env.arrays import SUCCESS, Gate
from fqg_env.compiled import kernel
from fqg_env.faults import (
    ANNOUNCED,
    FLAKE_PASSES,
    HIT,
    LONGEST,
    TAINT,
    WINDOW_CAUSE,
    WINDOW_UNTIL,
    WINDOWS,
    Cause,
    Inputs,
    category_chance,
    cause_of,
    down,
    fails,
    false_blame,
    fidelity_of,
    gate_passes,
    is_probe,
    lightest_variant,
    recovers,
    silent,
)

_SOON = 1e-6  # share of the time budget; an announced time is rounded on its way


class Evidence(NamedTuple):
    """What an outcome says whatever is hidden."""

    made: bool
    """It made something, or was a probe that answered."""
    gates_if_bad: float
    """Chance of what its gates said, if what it made is bad."""
    gates_if_good: float
    unblamed: float
    """Chance of its blame, or of none, if an input was not the cause."""
    blamed: float
    """The same if a bad input was."""
    fidelity: float
    recovered: bool
    """The extension tried once more by itself."""
    ended: float
    """When it ended, as a share of the time budget."""
    ahead: float
    """How much later it said to come back, as a share of the time budget; 0: it did not say."""
    exact: bool
    """That is to the millionth what the game announces, as real times hardly ever are: then it is told
    exactly, else as nearly as can be.
    """


@kernel
def made_something(level: Any, row: Any) -> bool:
    """The attempt put something on the board, or was a probe that answered."""
    if row.category == SUCCESS:
        return True
    for a in range(level.artifacts):
        if row.made[a]:
            return True
    return False


@kernel
def gate_likelihood(level: Any, row: Any, bad: bool) -> float:
    """Chance of what the gates said, given that the outputs are bad (or good)."""
    p = 1.0
    for a in range(level.artifacts):
        if row.made[a] and row.gate[a] == Gate.PASSED:
            p *= gate_passes(bad)
        elif row.made[a] and row.gate[a] == Gate.REJECTED:
            p *= 1.0 - gate_passes(bad)
    return p


@kernel
def evidence(level: Any, call: int, began_s: float, row: Any, share: float) -> Evidence:
    """Read an outcome once, for all that may be hidden.

    `share`: chance that the input it names is the first bad one of those it read, if one is bad.
    """
    fidelity, recovered = fidelity_of(level, call), row.own_recovery > 0
    ended = (began_s + row.elapsed_s) / level.time_budget_s
    ahead = row.retry_after_s / level.time_budget_s
    exact = of_the_game(ended + ahead, ahead)
    if made_something(level, row):
        if_bad, if_good = gate_likelihood(level, row, True), gate_likelihood(level, row, False)
        return Evidence(True, if_bad, if_good, 0.0, 0.0, fidelity, recovered, ended, ahead, exact)
    named, first = -1, -1  # the first that is blamed, the first that is read
    for a in range(level.artifacts):
        if row.blamed[a] and named < 0:
            named = a
        if level.needs[call, a] and first < 0:
            first = a
    falsely = false_blame(level, call)
    if named < 0:
        unblamed, blamed = 1.0 - falsely, 1.0 - fidelity
    else:  # false blame falls on the first
        unblamed, blamed = falsely if named == first else 0.0, fidelity * share
    return Evidence(False, 0.0, 0.0, unblamed, blamed, fidelity, recovered, ended, ahead, exact)


@kernel
def recovery_chance(level: Any, cause: int, recovered: bool) -> float:
    """Chance that an extension which failed for this cause has, or has not, tried again by itself."""
    tries = recovers(level, cause)
    return tries if recovered else 1.0 - tries


@kernel
def of_the_game(until_share: float, ahead_share: float) -> bool:
    """An announcement is one that the game makes: the end of a window, or of a passing failure."""
    if abs(ahead_share - FLAKE_PASSES) < _SOON:
        return True
    for w in range(1, WINDOWS):
        if abs(WINDOW_UNTIL[w] - until_share) < _SOON:
            return True
    return False


@kernel
def announced_window(cause: int, until_share: float) -> int:
    """The window of this cause that ends next at an announced time (share of the budget), or -1."""
    best, ends = -1, min(until_share, LONGEST) - _SOON
    for w in range(1, WINDOWS):
        if WINDOW_CAUSE[w] == cause and WINDOW_UNTIL[w] >= ends:
            if best < 0 or WINDOW_UNTIL[w] < WINDOW_UNTIL[best]:
                best = w
    return best


@kernel
def hit_chance(
    level: Any, call: int, window: int, began_s: float, row: Any, seen: Evidence
) -> float:
    """Chance of being hit in this window and showing this outcome."""
    if seen.made or not down(window, began_s, level.time_budget_s):
        return 0.0
    cause = WINDOW_CAUSE[window]
    p = HIT * category_chance(cause, row.category, seen.fidelity) * seen.unblamed
    p *= recovery_chance(level, cause, seen.recovered)
    if seen.ahead > 0.0:
        until = seen.ended + seen.ahead
        if seen.exact:
            return p * ANNOUNCED[cause] * (abs(WINDOW_UNTIL[window] - until) < _SOON)
        ends = announced_window(cause, until)
        return p * ANNOUNCED[cause] * (ends >= 0 and WINDOW_UNTIL[window] == WINDOW_UNTIL[ends])
    # an end that is past by then is not announced
    return p * (1.0 - ANNOUNCED[cause] * (WINDOW_UNTIL[window] > seen.ended))


@kernel
def announcement_chance(cause: int, announced: bool) -> float:
    """Chance that a failure of this cause says, or does not say, when to come back."""
    says = ANNOUNCED[cause] if cause <= Cause.FLAKY else 0.0
    return says if announced else 1.0 - says


@kernel
def own_chance(
    level: Any,
    call: int,
    fault: int,
    lightest: int,
    uses: int,
    inputs: int,
    row: Any,
    seen: Evidence,
) -> float:
    """Chance of an outcome of an attempt that no provider has failed.

    Args:
        fault: what is wrong with the function.
        lightest: its lightest variant.
        uses: its attempts so far, this one included.
        inputs: what it meets in what it reads, see `Inputs`.
    """
    fail = fails(level, call, fault, lightest, uses)
    again = recovers(level, Cause.FLAKY) if 0.0 < fail < 1.0 else 0.0
    work = (1.0 - fail) * (fail * again if seen.recovered else 1.0)
    if seen.made:
        if inputs == Inputs.CLASH:
            return 0.0
        if is_probe(level, call):
            return work
        spoiled = silent(fault, level.variant[call]) or inputs == Inputs.BAD
        passed = 1.0 - TAINT if inputs == Inputs.BAD else 1.0
        return work * passed * (seen.gates_if_bad if spoiled else seen.gates_if_good)
    cause, announced = cause_of(fault), seen.ahead > 0.0
    # a passing failure that is tried again has failed twice
    lasting = fail * (fail if seen.recovered and cause == Cause.FLAKY else 1.0)
    p = lasting * category_chance(cause, row.category, seen.fidelity) * seen.unblamed
    p *= announcement_chance(cause, announced)
    p *= recovery_chance(level, cause, seen.recovered)
    if announced:
        off = abs(seen.ahead - FLAKE_PASSES)
        return p * (off < (_SOON if seen.exact else FLAKE_PASSES))
    if inputs == Inputs.CLASH:
        shown = category_chance(Cause.CLASH, row.category, seen.fidelity) * seen.unblamed
        p += shown * reaches(level, Cause.CLASH, fail, work, seen.recovered)
    elif inputs == Inputs.BAD and not is_probe(level, call):
        shown = category_chance(Cause.BAD_INPUT, row.category, seen.fidelity) * seen.blamed
        p += TAINT * shown * reaches(level, Cause.BAD_INPUT, fail, work, seen.recovered)
    return p


@kernel
def reaches(level: Any, cause: int, fail: float, work: float, recovered: bool) -> float:
    """Chance that the function itself works and what it reads then stops it, own recovery as it was told.

    `work` tells of the own recovery of a function that fails now and then; others do it in vain.
    """
    if 0.0 < fail < 1.0:
        return work
    return (1.0 - fail) * recovery_chance(level, cause, recovered)


@kernel
def likelihood(
    level: Any, call: int, window: int, fault: int, uses: int, inputs: int, began_s: float, row: Any
) -> float:
    """Chance of an outcome, given the window of the provider, the fault of the function, and its inputs.

    `filtering` takes the parts; the whole is what tests hold against draws.
    """
    from_ = evidence(level, call, began_s, row, 1.0)
    lightest = lightest_variant(level, level.function[call])
    up = 1.0 - HIT if down(window, began_s, level.time_budget_s) else 1.0
    own = own_chance(level, call, fault, lightest, uses, inputs, row, from_)
    return hit_chance(level, call, window, began_s, row, from_) + up * own
