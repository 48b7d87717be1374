"""The rules play legally, and stand in the order that they should."""

from __future__ import annotations

import numpy as np
import pytest
from hand_drawn import SMALL, Game, level, maker, one_move, preset

from fqg_env.arrays import GROUP, Group
from fqg_env.lanes import Lanes
from fqg_env.level import Artifact, Goal
from fqg_env.puzzle import Faults, Puzzle
from fqg_env.rules import STOP, WAIT
from fqg_env.splits import Source, level_key
from fqg_env.witness import witness
from policies.recovery.base import Policy
from policies.recovery.index import Index
from policies.recovery.oracle import Oracle
from policies.recovery.registry import HAND_RULES, tunable
from policies.recovery.rules import HandRule, Numbers, RandomPolicy, Rule


def seen(lanes: Lanes) -> dict[str, np.ndarray]:
    """The observation of all lanes, as policies get it."""
    return {name: lanes.observations[name] for name in lanes.observations.dtype.names or ()}


def decide(policy: object, lanes: Lanes) -> np.ndarray:
    """The policy's actions [N]; also checks the form of its answer."""
    if isinstance(policy, Oracle):
        decision = policy.plan(lanes)
    else:
        assert isinstance(policy, Policy)
        decision = policy.decide(seen(lanes), lanes.masks)
    assert decision.action.shape == (lanes.n,) and decision.action.dtype == np.int64
    running = lanes.done == 0
    np.testing.assert_allclose(decision.probabilities[running].sum(1), 1.0, rtol=1e-5)
    return decision.action


def episodes(policy: object, n: int, tiers: tuple[int, int], split: str = "validation") -> Lanes:
    """The same n episodes played to their end."""
    lanes = Lanes(n, SMALL, source=Source(tiers=tiers))
    lanes.keys[:] = [level_key(split, i) for i in range(n)]
    lanes.draw_levels()
    lanes.begin()
    while not lanes.done.all():
        lanes.step(decide(policy, lanes))
    lanes.judge()
    return lanes


RULES = [tunable(name) for name in HAND_RULES]
ALL = [*RULES, tunable("thompson"), Index()]


def by_the_book(rule: Rule) -> HandRule:
    """A rule with three tries, one wait before a retry, and the default plan first."""
    return HandRule(
        rule, Numbers(float(rule), 3.0, 2.0, 1.0, 2.0, 0.0, 1.0, 2.0, 1.0, 1.0, 0.05, 0.05)
    )


@pytest.mark.parametrize("policy", [*ALL, Oracle(), RandomPolicy(0)], ids=lambda p: p.name)
def test_no_policy_answers_an_illegal_action(policy: object) -> None:
    lanes = episodes(policy, 600, (1, 20), "train")
    assert (lanes.boards["refused"] == 0).all()
    assert (lanes.boards["unsafe_repeats"][lanes.levels["unsafe_repeats_allowed"] == 0] == 0).all()
    assert lanes.truths["episode_length"].max() < 200


@pytest.fixture(scope="module")
def returns() -> dict[str, float]:
    """Mean return on 1,000 validation episodes of tiers 16 to 20."""
    policies = [*ALL, Oracle(), RandomPolicy(0)]
    return {
        p.name: float(episodes(p, 1000, (16, 20)).truths["episode_return"].mean()) for p in policies
    }


def test_the_order_of_the_rules(returns: dict[str, float]) -> None:
    best = max(returns[rule.name] for rule in RULES)
    assert returns["oracle"] > returns["index"] + 0.1 > best + 0.1, returns
    assert min(returns["code_aware"], returns["cascade"]) > returns["random"] + 0.1


def test_a_rule_is_stateless(returns: dict[str, float]) -> None:
    lanes = Lanes(64, SMALL, source=Source(tiers=(16, 20)))
    lanes.keys[:] = [level_key("validation", i) for i in range(64)]
    lanes.draw_levels()
    lanes.begin()
    for policy in ALL:
        whole = policy.decide(seen(lanes), lanes.masks)
        halves = [
            policy.decide({k: v[part] for k, v in seen(lanes).items()}, lanes.masks[part])
            for part in (slice(40, 64), slice(0, 40))
        ]
        assert np.array_equal(whole.action, np.concatenate([h.action for h in halves[::-1]]))


def test_the_oracle_solves_only_what_has_a_witness() -> None:
    """And most of that: it knows every cause, but not the coin flips."""
    n = 150
    lanes = episodes(Oracle(), n, (1, 20))
    solved = lanes.success == 1
    fresh = Lanes(n, SMALL, belief=False)
    fresh.keys[:] = [level_key("validation", i) for i in range(n)]
    fresh.draw_levels()
    solvable = np.array([witness(fresh, i) is not None for i in range(n)])
    assert (solved & ~solvable).sum() <= n // 50  # the search for a witness is bounded
    assert solved.sum() > 0.75 * solvable.sum()


def play(policy: Policy, drawn: object, **hidden: object) -> tuple[list[str], Game]:
    """What a policy chooses on a hand-drawn level, by name."""
    game = Game(Puzzle(level=drawn, faults=Faults(**hidden)), belief=True)
    names = ("WAIT", "STOP", *game.drawn.call_names)
    chosen = []
    while not game.lanes.done[0]:
        action = decide(policy, game.lanes)
        chosen.append(names[action[0]])
        game.lanes.step(action)
    return chosen, game


@pytest.mark.parametrize("policy", ALL, ids=lambda p: p.name)
def test_all_solve_what_takes_one_move(policy: Policy) -> None:
    chosen, game = play(policy, one_move())
    assert chosen == ["read", "STOP"] and game.success


TWO = level({"read": maker("text"), "copy": maker("text", variants={"default": preset(20.0, 2.0)})})


def test_retry_tries_the_plan_three_times_with_waits_between() -> None:
    chosen, _ = play(by_the_book(Rule.RETRY), TWO, functions={"read": "broken"})
    assert chosen == ["read", "WAIT", "read", "WAIT", "read", "STOP"]


def test_cascade_tries_each_once() -> None:
    chosen, game = play(by_the_book(Rule.CASCADE), TWO, functions={"read": "broken"})
    assert chosen == ["read", "copy", "STOP"] and game.success


def test_retry_fallback_goes_on_to_the_next() -> None:
    chosen, game = play(by_the_book(Rule.RETRY_FALLBACK), TWO, functions={"read": "broken"})
    assert chosen == ["read", "WAIT", "read", "WAIT", "read", "copy", "STOP"] and game.success


def test_code_aware_repeats_only_what_may_pass() -> None:
    for key in range(20):
        drawn = TWO.model_copy(update={"key": key})
        chosen, game = play(by_the_book(Rule.CODE_AWARE), drawn, functions={"read": "broken"})
        assert chosen[-2:] == ["copy", "STOP"] and game.success
        group = int(GROUP[game.board["last_category"][0]])
        # the last answer is the one after which it left: a third, a crash again, or one that stays
        least = {Group.TRANSIENT: 3, Group.CRASH: 2}.get(Group(group), 1)
        assert least <= chosen.count("read") <= 3


def test_the_index_makes_what_is_missing_first() -> None:
    artifacts = {"page": Artifact(given=True), "draft": Artifact(), "text": Artifact(goal=Goal())}
    drawn = level({"draw": maker("draft"), "read": maker("text", inputs=("draft",))}, artifacts)
    assert play(Index(), drawn)[0] == ["draw", "read", "STOP"]


def test_the_index_gives_up_what_is_not_worth_its_price() -> None:
    dear = level({"read": maker("text", variants={"default": preset(300.0, 99.0)})})
    chosen, game = play(Index(), dear, functions={"read": "broken"})
    assert chosen.count("read") <= 2 and game.total > -0.35


def test_all_stop_when_nothing_is_left() -> None:
    lanes = Lanes(1, SMALL)
    Puzzle(level=one_move()).load(lanes)
    lanes.begin()
    mask = np.zeros_like(lanes.masks)
    mask[:, STOP] = 1
    for policy in (*ALL, RandomPolicy(0)):
        assert policy.decide(seen(lanes), mask).action.tolist() == [STOP]
    mask[:, WAIT] = 1
    for policy in ALL:
        assert policy.decide(seen(lanes), mask).action[0] in (WAIT, STOP)
