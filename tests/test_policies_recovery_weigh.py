"""The chances that `weigh` folds in are those that `likelihood` says, outcome by outcome and cell by cell."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from hand_drawn import SMALL
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from fqg_env import arrays
from fqg_env.arrays import CATEGORIES, SUCCESS, Gate
from fqg_env.exact import TEMPLATES
from fqg_env.faults import (
    FLAKE_PASSES,
    WINDOW_UNTIL,
    WINDOWS,
    Inputs,
    fidelity_of,
    is_probe,
)
from fqg_env.lanes import template_records
from fqg_env.likelihood import likelihood
from policies.recovery.facts import OUTPUT
from policies.recovery.joint import tables_of
from policies.recovery.weigh import (
    FLAKE_TICKS,
    FROM,
    TICKS,
    UNTIL,
    Outcome,
    What,
    gated,
    may_say,
    weigh_failure,
    weigh_work,
)

LEVELS = [record for split in TEMPLATES for record in template_records(split, SMALL)]
ENDS = (3, 1 + WINDOWS)  # window 0 is never
PASSES = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.filter_too_much]
)


class Attempt(NamedTuple):
    """An attempt of a call on a template, and what comes of it."""

    template: int
    """Of `LEVELS`."""
    call: int
    source: int
    """Bit number of the maker of what it reads; -1: that was given."""
    uses: int
    tick: int
    outcome: Outcome

    @property
    def level(self) -> Any:
        """The template as a record."""
        return LEVELS[self.template]

    @property
    def left(self) -> int:
        """Ticks until the window ends whose end is announced."""
        return int(UNTIL[self.outcome.says - 2]) - self.tick


@st.composite
def attempts(draw: st.DrawFn, *, failed: bool, says: tuple[int, int] = (0, 0)) -> Attempt:
    """Any attempt of any call of a template, that fails or that does not; `says`: from, to."""
    template = draw(st.integers(0, len(LEVELS) - 1))
    level = LEVELS[template]
    call = draw(st.integers(0, int(level["calls"]) - 1))
    tables = tables_of(level)
    reads = bool((level["needs"][call] & ~level["given"].astype(bool)).any())
    source = draw(st.integers(0, int(tables.source.max()))) if reads else -1
    uses, tick = draw(st.integers(1, 4)), draw(st.integers(0, TICKS - 1))
    if failed:
        category = draw(st.integers(1, CATEGORIES - 1))
        told = draw(st.integers(*says))
        if told >= 2:  # early, or no window would end later
            tick = draw(st.integers(int(FROM[told - 2]), min(int(UNTIL[told - 2]), TICKS) - 1))
        assume(may_say(category, told, tick, fidelity_of(level, call)))
        blamed = draw(st.integers(0, 1)) if told == 0 and level["needs"][call].any() else 0
        outcome = Outcome(What.FAILED, category, told, 0, blamed)
    elif is_probe(level, call):
        outcome = Outcome(What.ANSWERED, SUCCESS, 0, 0, 0)
    elif gated(level, call) and draw(st.booleans()):
        outcome = Outcome(What.REJECTED, OUTPUT, 0, 0, 0)
    else:
        outcome = Outcome(What.MADE, SUCCESS, 0, 0, 0)
    return Attempt(template, call, source, uses, tick, outcome)


def weighed(a: Attempt) -> np.ndarray:
    """[S, W, K, X] what `weigh` multiplies in."""
    tables = tables_of(a.level)
    f = int(a.level["function"][a.call])
    before = np.ones(tables.chance.shape[1:])
    weigh = weigh_failure if a.outcome.what == What.FAILED else weigh_work
    weigh(a.level, tables, before, a.call, a.tick, a.uses, a.source, a.outcome)
    return tables.chance[f, :, :, : int(tables.faults[f])]


def row_of(a: Attempt) -> Any:
    """The attempt as an outcome row, of an extension that took no time."""
    row = arrays.new(arrays.row_dtype(SMALL), 1)[0]
    level, o = a.level, a.outcome
    row["category"] = o.category
    if o.says == 1:
        row["retry_after_s"] = FLAKE_PASSES * level["time_budget_s"]
    elif o.says >= 2:
        until_s = WINDOW_UNTIL[o.says - 2] * level["time_budget_s"]
        row["retry_after_s"] = until_s - began_s(a)
    if o.blamed:
        row["blamed"][int(np.argmax(level["needs"][a.call] > 0))] = 1
    if o.what in (What.MADE, What.REJECTED):
        row["made"] = level["makes"][a.call]
        verdict = Gate.PASSED if o.what == What.MADE else Gate.REJECTED
        row["gate"] = np.where(row["made"] & level["gate"], verdict, Gate.NONE)
    return row


def began_s(a: Attempt) -> float:
    """When the attempt began, in seconds."""
    return a.tick / TICKS * float(a.level["time_budget_s"])


def said(a: Attempt) -> np.ndarray:
    """[W, K, inputs] what `likelihood` says."""
    f = int(a.level["function"][a.call])
    faults = int(tables_of(a.level).faults[f])
    row, at_s = row_of(a), began_s(a)
    out = np.empty((WINDOWS, faults, len(Inputs)))
    for w, k, i in np.ndindex(out.shape):
        out[w, k, i] = likelihood(a.level, a.call, w, k, a.uses, i, at_s, row)
    return out


def met(a: Attempt, s: int, x: int) -> Inputs:
    """What the attempt meets in what it reads, given who is silently bad and who clashes."""
    if a.source < 0:
        return Inputs.FINE
    if (x >> a.source) & 1:
        return Inputs.CLASH
    return Inputs.BAD if (s >> a.source) & 1 else Inputs.FINE


def assert_same(a: Attempt, expected: np.ndarray) -> None:
    """Each cell of `weigh` is that of the same window, fault and inputs [W, K, inputs]."""
    got = weighed(a)
    for s in range(got.shape[0]):
        for x in range(got.shape[3]):
            want = expected[:, :, met(a, s, x)]
            np.testing.assert_allclose(got[s, :, :, x], want, rtol=1e-9, atol=1e-15)


@PASSES
@given(attempts(failed=False))
def test_what_was_made_and_what_answers_is_as_likely_for_both(a: Attempt) -> None:
    assert_same(a, said(a))


@PASSES
@given(attempts(failed=True))
def test_a_failure_that_announces_nothing_is_as_likely_for_both(a: Attempt) -> None:
    assert_same(a, said(a))


@PASSES
@given(attempts(failed=True, says=(1, 1)) | attempts(failed=True, says=ENDS))
def test_an_announced_time_is_as_likely_for_both(a: Attempt) -> None:
    # where a window ends just when a flake would, `weigh` alone keeps apart who spoke
    until = a.tick + FLAKE_TICKS
    assume(a.left != FLAKE_TICKS if a.outcome.says >= 2 else until not in UNTIL)
    assert_same(a, said(a))
