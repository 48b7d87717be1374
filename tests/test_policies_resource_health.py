"""Health: the documented ladders, what follows a breach, and that worse conduct never makes healthier."""

import tomllib
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fqg_env.outcome import Blame, Category, error
from policies.resource.health import (
    Conduct,
    Consequence,
    Health,
    State,
    blames,
    conduct,
    follows,
    health,
    read_rules,
    shipped,
)
from policies.resource.violations import BREACHES, Limit

GOOD, FAILED, SLOW, EXCESS, ESCAPE = Conduct


def after(*calls):
    """The health after calls without a pardon."""
    return health([calls])


def stretch(text):
    """Conduct as letters: g good, f failed, s slow, x excess, e escape."""
    return [dict(zip("gfsxe", Conduct, strict=True))[letter] for letter in text]


def test_a_stranger_is_healthy():
    assert health([]) == health([[]]) == Health()


@pytest.mark.parametrize(
    ("calls", "state"),
    [
        ("f", State.HEALTHY),
        ("f" + "g" * 18 + "f", State.STABLE),  # 2 in 20
        ("f" + "g" * 19 + "f", State.HEALTHY),  # 2 in 21
        ("ff" + "g" * 12 + "f", State.UNSTABLE),  # 3 in 15
        ("ff" + "g" * 13 + "f", State.STABLE),  # 3 in 16
        ("fff" + "g" * 7 + "f", State.CRITICAL),  # 3 in 10
        ("fff" + "g" * 8 + "f", State.UNSTABLE),  # 3 in 11
        ("ffff" + "g" * 5 + "f", State.QUARANTINED),  # 5 in 10
        ("ffff" + "g" * 6 + "f", State.CRITICAL),  # 5 in 11
        ("fffff", State.QUARANTINED),
    ],
)
def test_the_ladder_down(calls, state):
    found = after(*stretch(calls))
    assert (found.state, found.left_out) == (state, state is State.QUARANTINED)


@pytest.mark.parametrize(
    ("calls", "goods", "state"),
    [
        ("ffff", 10, State.UNSTABLE),  # 10 of 12, and 3 in 10 are no longer among the last
        ("fff", 15, State.STABLE),  # 15 of 18, and 3 in 15 are no longer among the last
        ("ff", 20, State.HEALTHY),  # 20 of 20
    ],
)
def test_the_ladder_up_is_climbed_when_what_took_it_down_is_over(calls, goods, state):
    assert after(*stretch(calls + "g" * (goods - 1))).state == state + 1
    assert after(*stretch(calls + "g" * goods)).state is state


def test_the_documented_counts_overlap_and_it_does_not_flap():
    """15 good ones of 18 with three failures in 15 among them: it stays down until those are over."""
    before = "g" * 30 + "fff"
    states = [after(*stretch(before + "g" * n)).state for n in range(14)]
    assert states[0] is State.UNSTABLE
    assert State.STABLE not in states[:13]


def test_on_probation_one_failure_in_50_calls_takes_it_down():
    back = stretch("ff" + "g" * 20)
    assert after(*back) == Health(State.HEALTHY, probation_calls=50)
    assert after(*back, FAILED).state is State.STABLE
    assert after(*back, *[GOOD] * 49, FAILED).state is State.STABLE
    assert after(*back, *[GOOD] * 50, FAILED).state is State.HEALTHY


def test_excess_is_warned_of_then_lowers_then_quarantines():
    calls, seen = [], []
    for _ in range(3):
        calls += [*[GOOD] * 5, EXCESS]
        seen.append((follows(calls), after(*calls).state, after(*calls).left_out))
    assert seen == [
        (Consequence.WARN, State.HEALTHY, False),
        (Consequence.LOWER, State.UNSTABLE, False),  # as a failure by one, and at once by another
        (Consequence.QUARANTINE, State.QUARANTINED, True),
    ]


def test_breaches_long_ago_are_over():
    calls = stretch(("x" + "g" * 20) * 4)
    assert (follows([*calls, EXCESS]), after(*calls).left_out) == (Consequence.WARN, False)


def test_an_escape_quarantines_at_once():
    assert after(*[GOOD] * 100, ESCAPE) == Health(State.QUARANTINED, left_out=True, breaches=1)


def test_to_be_slow_is_a_failure_and_no_more():
    for calls in ("s" * 4, "sgsgs", "ss"):
        slow, failed = after(*stretch(calls)), after(*stretch(calls.replace("s", "f")))
        assert (slow.state, slow.left_out) == (failed.state, failed.left_out)
    assert {follows(stretch("s" * n)) for n in range(1, 9)} == {Consequence.WARN}


def test_a_pardon_lets_it_in_on_trial():
    bad = stretch("fffff")
    assert health([bad, []]) == Health(State.QUARANTINED, left_out=False)
    assert health([bad, stretch("ffff")]).left_out is False
    assert health([bad, stretch("fffff")]).left_out is True
    assert health([bad, stretch("g" * 7)]).state is State.QUARANTINED
    assert health([bad, stretch("fg" + "g" * 7)]).state is State.CRITICAL  # 8 of 10
    assert health([bad, [ESCAPE], []]).left_out is False
    climbed = [health([bad, stretch("g" * n)]).state for n in (8, 10, 15, 20)]
    assert climbed == [State.CRITICAL, State.UNSTABLE, State.STABLE, State.HEALTHY]
    assert health([bad, stretch("g" * 30)]) == Health(State.HEALTHY, probation_calls=40)


def test_who_is_left_out_stays_so_whatever_it_does():
    found = health([stretch("e" + "g" * 100)])
    assert (found.state, found.left_out) == (State.QUARANTINED, True)


CONDUCT = st.sampled_from(Conduct)
STRETCHES = st.lists(st.lists(st.tuples(CONDUCT, CONDUCT), max_size=80), min_size=1, max_size=3)


@given(STRETCHES)
def test_worse_conduct_never_makes_healthier(pairs):
    """Any calls against the same ones, some of which are worse."""
    better = health([[min(pair) for pair in part] for part in pairs])
    worse = health([[max(pair) for pair in part] for part in pairs])
    assert better.state <= worse.state
    assert better.left_out <= worse.left_out
    assert better.breaches <= worse.breaches


OFTEN_GOOD = st.sampled_from([GOOD] * 12 + [FAILED] * 3 + [EXCESS])
ONE_MORE = st.tuples(st.lists(OFTEN_GOOD, min_size=1, max_size=150), st.data())


@given(ONE_MORE)
def test_one_failure_more_never_makes_healthier(drawn):
    """The same among calls that mostly go well, where it climbs and is on probation."""
    calls, data = drawn
    at = data.draw(st.integers(0, len(calls) - 1))
    worse = [*calls[:at], Conduct(max(calls[at], FAILED)), *calls[at + 1 :]]
    assert after(*calls).state <= after(*worse).state
    assert after(*calls).left_out <= after(*worse).left_out


@given(st.lists(CONDUCT, max_size=60), st.lists(CONDUCT, max_size=60))
def test_only_what_is_within_the_longest_window_counts(before, calls):
    """From one state with a clean sheet of that length, what was before it makes no difference."""
    clean = [GOOD] * 200
    known, stranger = health([[*before, *clean, *calls]]), health([[*clean, *calls]])
    if not health([before]).left_out:
        assert known.state == stranger.state


def test_blame_and_category_say_what_counts():
    def counts(category, **fields):
        failure = error(category, "no", **fields)
        return blames(failure), conduct(category, blamed=blames(failure), limit=None)

    assert counts(Category.CRASHED, blame=Blame.EXTENSION) == (True, FAILED)
    assert counts(Category.CRASHED) == (True, FAILED)  # who names nobody names itself
    assert counts(Category.UNABLE, blame=Blame.EXTENSION) == (True, None)
    assert counts(Category.LOW_QUALITY, blame=Blame.EXTENSION) == (True, None)
    assert counts(Category.UNAVAILABLE, blame=Blame.EXTENSION) == (False, None)
    assert counts(Category.INVALID_INPUT, blame=Blame.UPSTREAM) == (False, None)
    assert counts(Category.CANCELLED, blame=Blame.POLICY) == (False, None)
    assert counts(Category.TIMEOUT, blame=Blame.POLICY) == (False, None)
    assert conduct(None, blamed=False, limit=None) is GOOD
    assert conduct(None, blamed=False, limit="memory_bytes") is EXCESS
    assert conduct(Category.TIMEOUT, blamed=True, limit="wall_s") is SLOW
    assert conduct(Category.CANCELLED, blamed=False, limit="network") is ESCAPE


def test_every_limit_that_can_be_an_extensions_fault_has_a_kind_of_breach():
    kinds = {
        limit: conduct(None, blamed=True, limit=limit.value)
        for limit in Limit
        if BREACHES[limit].blame is Blame.EXTENSION
    }
    slow = {limit for limit, kind in kinds.items() if kind is SLOW}
    assert slow == {Limit.WALL, Limit.START_WALL}
    assert set(kinds.values()) <= {SLOW, EXCESS, ESCAPE}


def test_thresholds_are_data():
    text = resources.files("policies.resource").joinpath("health.toml").read_text("utf-8")
    data = tomllib.loads(text)
    assert read_rules(data) == shipped()
    data["down"]["healthy"] = {"count": 1, "within": 1}
    assert health([[FAILED]], read_rules(data)).state is State.STABLE
    data["breaches"]["excess"]["then"] = ["quarantine"]
    assert health([[EXCESS]], read_rules(data)).left_out is True
    with pytest.raises(KeyError):
        read_rules({**data, "down": {"sick": {"count": 1, "within": 1}}})
