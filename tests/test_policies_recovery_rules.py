"""What each rule does on small boards, what its numbers change, and that it answers by what it sees alone."""

from __future__ import annotations

import numpy as np
import pytest
from hand_drawn import SMALL, Game, level, maker, one_move, preset, probe

from fqg_env.arrays import CODES, GROUP, Group
from fqg_env.fields import Artifact as Y
from fqg_env.fields import Belief, Call, Run
from fqg_env.lanes import Lanes
from fqg_env.level import Artifact, CallKind, Goal
from fqg_env.outcome import Category
from fqg_env.puzzle import Faults, Puzzle
from fqg_env.rules import FIRST_CALL, WAIT
from fqg_env.splits import Source, level_key
from policies.recovery import breaker, index, lookup, router, spfr, tuned
from policies.recovery.registry import BUILT_IN, TUNABLE, policy_named, tunable
from policies.recovery.rules import HandRule, Numbers, Rule
from policies.recovery.thompson import Thompson


def seen(lanes: Lanes) -> dict[str, np.ndarray]:
    return {name: lanes.observations[name] for name in lanes.observations.dtype.names or ()}


def play(policy, drawn, **hidden) -> tuple[list[str], Game]:
    game = Game(Puzzle(level=drawn, faults=Faults(**hidden)), belief=True)
    names = ("WAIT", "STOP", *game.drawn.call_names)
    chosen = []
    while not game.lanes.done[0]:
        action = policy.decide(seen(game.lanes), game.lanes.masks).action
        chosen.append(names[action[0]])
        game.lanes.step(action)
    return chosen, game


class Seen:
    """Two makers of a goal as a rule sees them; what a test says of them is written over it."""

    def __init__(self, drawn=None):
        drawn = drawn or level(
            {"read": maker("text"), "copy": maker("text", variants={"default": preset(20.0, 2.0)})}
        )
        self.lanes = Lanes(1, SMALL)
        Puzzle(level=drawn).load(self.lanes)
        self.lanes.begin()
        self.names = ("WAIT", "STOP", *drawn.call_names)
        self.fields = {name: value.copy() for name, value in seen(self.lanes).items()}
        self.mask = self.lanes.masks.copy()

    def failed(self, name: str, *categories: Category) -> Seen:
        """The call has failed so, in this order."""
        x = self.fields["calls"][0, self.names.index(name) - FIRST_CALL]
        for category in categories:
            group = int(GROUP[CODES[category]])
            x[Call.GROUP_COUNT + group] += 0.25
            x[Call.LAST_GROUP : Call.LAST_GROUP + len(Group)] = 0.0
            x[Call.LAST_GROUP + group] = 1.0
            x[Call.TRIES] += 0.125
        return self

    def asks(self, policy) -> str:
        return self.names[policy.decide(self.fields, self.mask).action[0]]


def table(**cells) -> lookup.Lookup:
    start = lookup.Numbers(*[float(lookup.Move.NEXT)] * 14, 1.0, 2.0, 0.0, 1.0)
    return lookup.Lookup(start._replace(**cells))


# --- lookup -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("move", "does"),
    [
        (lookup.Move.RETRY, "read"),
        (lookup.Move.BACK_OFF, "WAIT"),
        (lookup.Move.NEXT, "copy"),
        (lookup.Move.REBUILD, "copy"),  # what it reads was given
        (lookup.Move.STOP, "STOP"),
    ],
)
def test_a_cell_of_the_table_says_what_to_do(move, does):
    once = Seen().failed("read", Category.UNAVAILABLE)
    assert once.asks(table(transient_1=float(move))) == does
    assert once.asks(table(crash_1=float(move), transient_2=float(move))) == "copy"
    twice = once.failed("read", Category.UNAVAILABLE)
    assert twice.asks(table(transient_2=float(move))) == does


def test_the_table_makes_an_input_anew_once_per_failure():
    artifacts = {"page": Artifact(given=True), "draft": Artifact(), "text": Artifact(goal=Goal())}
    drawn = level(
        {
            "draw": maker("draft"),
            "sketch": maker("draft", variants={"default": preset(20.0, 2.0)}),
            "read": maker("text", inputs=("draft",)),
        },
        artifacts,
    )
    game = Game(drawn, belief=True)
    game.act("draw")
    board = Seen(drawn)
    board.fields = {name: value.copy() for name, value in seen(game.lanes).items()}
    board.mask = game.lanes.masks.copy()
    rule = table(input_1=float(lookup.Move.REBUILD))
    assert board.failed("read", Category.INVALID_INPUT).asks(rule) == "sketch"
    draft = drawn.artifact_names.index("draft")
    board.fields["artifacts"][0, draft, Y.VERSION] += 0.125
    assert board.asks(rule) == "read"


# --- circuit breaker and router -----------------------------------------------------------------------

SHARED = level(
    {
        "read": maker("text", provider="a"),
        "copy": maker("text", provider="a", variants={"default": preset(20.0, 2.0)}),
        "type": maker("text", provider="b", variants={"default": preset(40.0, 9.0)}),
    }
)


def broken_circuit(**numbers) -> breaker.CircuitBreaker:
    start = breaker.Numbers(2.0, 0.2, 4.0, 0.0, 1.0, 2.0, 0.0, 1.0)
    return breaker.CircuitBreaker(start._replace(**numbers))


def test_a_circuit_opens_after_failures_in_a_row_at_a_provider():
    faults = {"functions": {"read": "broken", "copy": "broken"}}
    chosen, game = play(broken_circuit(), SHARED, **faults)
    assert chosen == ["read", "read", "type", "STOP"] and game.success
    assert play(broken_circuit(threshold=1.0), SHARED, **faults)[0] == ["read", "type", "STOP"]


def test_a_circuit_is_half_open_after_its_cool_down():
    alone = level({"read": maker("text", provider="a")})
    chosen, _ = play(broken_circuit(tries=3.0), alone, functions={"read": "broken"})
    trials = "".join("w" if name == "WAIT" else name[0] for name in chosen)
    assert trials.startswith("rrw") and trials.endswith(
        "wrS"
    )  # a trial after the cool-down, no more
    impatient = broken_circuit(waits_out=0.0)
    assert play(impatient, alone, functions={"read": "broken"})[0] == ["read", "read", "STOP"]


def test_the_router_goes_by_its_weights_and_lets_cool_down_what_failed():
    start = router.Numbers(1.0, 1.0, 0.0, 0.0, 3.0, 1.0, 0.5, 2.0, 1.0)
    rule = router.Router(start)
    assert Seen(SHARED).asks(rule) == "read"  # the cheapest of equals
    assert Seen(SHARED).failed("read", Category.UNAVAILABLE).asks(rule) == "copy"
    by_provider = router.Router(start._replace(by_provider=9.0))
    tried = Seen(SHARED).failed("read", Category.UNAVAILABLE)
    tried.fields["calls"][0, :2, Call.PROVIDER_FAILURE] = 1.0 / 3.0
    assert tried.asks(by_provider) == "type"


# --- spfr ---------------------------------------------------------------------------------------------


def test_spfr_tries_more_often_later_in_the_plan():
    steps = ("one", "two", "three")
    artifacts = {"page": Artifact(given=True), "one": Artifact(), "two": Artifact()}
    artifacts["three"] = Artifact(goal=Goal())
    before = dict(zip(steps, ("page", "one", "two"), strict=True))
    drawn = level(
        {f"make_{s}": maker(s, inputs=(before[s],)) for s in steps},
        artifacts,
        plan=[f"make_{s}" for s in steps],
    )
    rule = spfr.Spfr(spfr.Numbers(3.0, 5.0, 7.0, 1.0, 0.0, 2.0, 0.0, 1.0))
    for at, tries in (("make_one", 3), ("make_two", 5), ("make_three", 7)):
        board = Seen(drawn)
        x = board.fields["artifacts"][0]
        for made in steps[: steps.index(at[5:])]:
            x[drawn.artifact_names.index(made), [Y.PRESENT, Y.VERSION]] = 1.0, 0.125
        board.mask[:] = 1
        # no group counts beyond four, so the failures are of two groups
        board.failed(at, *[Category.UNAVAILABLE] * min(4, tries - 1))
        board.failed(at, *[Category.CRASHED] * max(0, tries - 5))
        assert board.asks(rule) == at
        assert board.failed(at, Category.CRASHED).asks(rule) == "STOP"


# --- code-aware ---------------------------------------------------------------------------------------


EXPERT = Numbers(3.0, 3.0, 2.0, 1.0, 0.0, 0.0, 1.0, 4.0, 1.0, 4.0, 0.05, 0.05)


def test_code_aware_follows_a_hint_and_leaves_a_provider_that_fails():
    rule = HandRule(Rule.CODE_AWARE, EXPERT)
    board = Seen(SHARED)
    assert board.asks(rule) == "read"
    board.fields["calls"][0, 2, Call.HINT] = 0.9
    board.fields["calls"][0, 2, Call.HINT_RELIABILITY] = 0.9
    assert board.asks(rule) == "type"
    board = Seen(SHARED).failed("read", Category.REFUSED)
    board.fields["calls"][0, :2, Call.PROVIDER_FAILURE] = 0.5
    assert board.asks(rule) == "type"


def test_code_aware_verifies_a_goal_once_where_that_is_cheap():
    drawn = level({"read": maker("text"), "check": probe(CallKind.VERIFY, "text")})
    assert play(HandRule(Rule.CODE_AWARE, EXPERT), drawn)[0] == ["read", "check", "STOP"]
    never = HandRule(Rule.CODE_AWARE, EXPERT._replace(verifies=0.0))
    assert play(never, drawn)[0] == ["read", "STOP"]


# --- thompson -----------------------------------------------------------------------------------------


def dealt(n: int) -> Lanes:
    lanes = Lanes(n, SMALL, source=Source(tiers=(16, 20)))
    lanes.keys[:] = [level_key("validation", i) for i in range(n)]
    lanes.draw_levels()
    lanes.begin()
    return lanes


def test_thompson_draws_by_what_it_sees_and_its_seed():
    lanes = dealt(64)
    one = Thompson().actions(seen(lanes), lanes.masks)
    assert np.array_equal(one, Thompson().actions(seen(lanes), lanes.masks))
    others = [Thompson(seed=s).actions(seen(lanes), lanes.masks) for s in range(1, 5)]
    assert any((one != other).any() for other in others)
    alone = [
        Thompson().actions(
            {k: v[i : i + 1] for k, v in seen(lanes).items()}, lanes.masks[i : i + 1]
        )
        for i in range(64)
    ]
    assert np.array_equal(one, np.concatenate(alone))


def test_thompson_without_spread_is_p_over_c():
    numbers = tunable("thompson").numbers._replace(spread=0.0)
    lanes = dealt(64)
    plain = index.Numbers(
        numbers.margin, numbers.price_share, 0.0, numbers.rebuild_above, 0.8, 0.8, 0.01, 1.0,
        0.005, 0.0, 0.5, 0.8,
    )  # fmt: skip
    one = Thompson(numbers).actions(seen(lanes), lanes.masks)
    assert np.array_equal(one, index.Index(plain).actions(seen(lanes), lanes.masks))


# --- index --------------------------------------------------------------------------------------------


def test_a_dear_way_is_gone_while_its_chance_is_worth_it():
    dear = level({"read": maker("text", variants={"default": preset(300.0, 99.0)})})
    board = Seen(dear)
    numbers = tunable("index").numbers._replace(fits=0.0, margin=0.001)
    board.fields["belief"][0, 0, :] = 0.0
    board.fields["belief"][0, 0, Belief.ANSWERS] = 0.2
    board.fields["belief"][0, 0, Belief.ANSWERS_LATER] = 0.2
    board.fields["belief"][0, 0, Belief.PRICE] = 0.3
    assert board.asks(index.Index(numbers._replace(price_share=1.0))) == "STOP"
    assert board.asks(index.Index(numbers._replace(price_share=0.3))) == "read"


def test_a_way_that_does_not_fit_into_the_time_left_is_worth_less():
    board = Seen(level({"read": maker("text", variants={"default": preset(300.0, 1.0)})}))
    board.fields["run"][0, Run.TIME_LEFT] = 0.01
    board.mask[0, WAIT] = 0
    numbers = tunable("index").numbers._replace(price_share=1.0, margin=0.02)
    assert board.asks(index.Index(numbers._replace(fits=0.0))) == "read"
    assert board.asks(index.Index(numbers._replace(fits=1.5))) == "STOP"


def test_the_index_chooses_the_same_for_one_and_for_many():
    lanes = dealt(64)
    many = index.Index().actions(seen(lanes), lanes.masks)
    alone = [
        index.Index().actions(
            {k: v[i : i + 1] for k, v in seen(lanes).items()}, lanes.masks[i : i + 1]
        )
        for i in range(64)
    ]
    assert np.array_equal(many, np.concatenate(alone))


# --- all ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TUNABLE)
def test_the_numbers_in_the_file_are_in_their_ranges(name):
    rule = policy_named(name)
    assert rule.name == name and name in BUILT_IN
    assert set(rule.space) <= set(rule.numbers._fields)
    for field, each in rule.space.items():
        value = getattr(rule.numbers, field)
        assert each.low <= value <= each.high and (not each.whole or value == int(value))
    assert tuned.tuned()["made"][name]["command"].startswith("fqg tune")


def test_a_file_that_lacks_a_number_is_one_sentence(monkeypatch):
    monkeypatch.setattr(tuned, "tuned", lambda: {"router": {"by_price": 1.0, "by_prise": 2.0}})
    with pytest.raises(ValueError, match="by_prise.*by_success.*fqg tune"):
        tuned.tuned_numbers("router", router.Numbers)


@pytest.mark.parametrize("name", TUNABLE)
def test_a_rule_stops_where_it_has_spent_its_share(name):
    rule = policy_named(name)
    if "spend" not in rule.numbers._fields:
        pytest.skip("it goes by what going on is worth")
    frugal = tunable(name, rule.numbers._replace(spend=0.4))
    board = Seen(one_move())
    board.fields["run"][0, Run.COST_LEFT] = 0.5
    assert board.asks(frugal) == "STOP"
    board.fields["run"][0, Run.COST_LEFT] = 0.7
    assert board.asks(frugal) == "read"
