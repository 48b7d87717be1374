"""The rules of the game, one at a time, on boards drawn by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hand_drawn import (
    SMALL,
    Events,
    Game,
    level,
    maker,
    one_move,
    preset,
    probe,
    same_records,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from fqg_env import reading, rules
from fqg_env.arrays import CANCELLED, MAX_STEPS, Gate, Stopped
from fqg_env.lanes import Lanes
from fqg_env.level import (
    Artifact,
    Budget,
    CallKind,
    Goal,
    GoalKind,
    Responsibility,
    Shield,
)
from fqg_env.outcome import Category
from fqg_env.splits import level_key

GATED = {"page": Artifact(given=True), "text": Artifact(goal=Goal(), gate=True)}
CHAIN = {"page": Artifact(given=True), "draft": Artifact(), "text": Artifact(goal=Goal())}


def test_one_move_to_solve() -> None:
    game = Game(one_move())
    game.act("read")
    assert game.held("text") and not game.board["stopped"]
    assert game.act("STOP") == pytest.approx(1.0)
    assert game.success and game.board["stopped"] == Stopped.POLICY
    assert 0.95 < game.total < 1.0  # the price of one attempt


def test_stop_at_once_returns_exactly_zero() -> None:
    game = Game(one_move())
    assert game.act("STOP") == 0.0 and game.total == 0.0 and not game.success


def test_a_bad_delivery_costs_its_share() -> None:
    game = Game(one_move(), functions={"read": "silent"})
    game.act("read")
    assert game.act("STOP") == pytest.approx(-0.6) and not game.success


def test_an_illegal_action_costs_one_attempt_and_changes_nothing_else() -> None:
    drawn = level({"draw": maker("draft"), "read": maker("text", inputs=("draft",))}, CHAIN)
    game = Game(drawn)
    before = game.lanes.boards.copy()
    assert game.act("read") == 0.0  # its input is not there
    assert game.board["attempts"] == 1 and game.board["refused"] == 1
    before["attempts"] = before["refused"] = before["steps"] = 1
    assert same_records(game.lanes.boards, before)


@pytest.mark.parametrize("action", [-1, 2 + 1, 17, 10**9])
def test_actions_that_do_not_exist_are_refused(action: int) -> None:
    game = Game(one_move())
    game.lanes.step(np.array([action]))
    assert game.board["refused"] == 1 and not game.board["stopped"]


def test_a_function_takes_what_it_consumes() -> None:
    artifacts = {**CHAIN, "copy": Artifact()}
    drawn = level(
        {"draw": maker("draft"), "sell": maker("text", inputs=("draft",), consumes=("draft",))},
        artifacts,
    )
    events = Events(drawn)
    events.run("draw", 1, made=("draft",))
    assert events.legal() == ["WAIT", "STOP", "draw", "sell"]
    events.begin("sell", 1)
    assert not events.board["present"][events.artifact("draft")]
    assert "sell" not in events.legal()


def test_what_a_gate_rejects_stays_and_only_probes_and_repairs_read_it() -> None:
    artifacts = {
        "page": Artifact(given=True),
        "draft": Artifact(gate=True),
        "text": Artifact(goal=Goal()),
    }
    drawn = level(
        {
            "draw": maker("draft"),
            "read": maker("text", inputs=("draft",)),
            "mend": maker("draft", inputs=("draft",), kind=CallKind.REPAIR),
            "look": probe(CallKind.INSPECT, "draft"),
            "judge": probe(CallKind.VERIFY, "draft"),
        },
        artifacts,
    )
    events = Events(drawn)
    assert events.legal() == ["WAIT", "STOP", "draw"]
    events.run("draw", 1, Category.LOW_QUALITY, made=("draft",), gate=Gate.REJECTED)
    a = events.artifact("draft")
    assert events.board["present"][a] and events.board["rejected"][a]
    assert events.board["times_rejected"][a] == 1
    assert events.legal() == ["WAIT", "STOP", "draw", "mend", "look", "judge"]
    events.run("mend", 2, made=("draft",), gate=Gate.PASSED)
    assert "read" in events.legal() and events.board["checks_passed"][a] == 1


def test_a_repair_mends_what_is_bad() -> None:
    drawn = level(
        {
            "draw": maker("text"),
            "mend": maker("text", inputs=("text",), kind=CallKind.REPAIR),
        }
    )
    game = Game(drawn, functions={"draw": "silent"})
    game.act("draw", "mend")
    assert game.last("mend") == "SUCCESS"
    assert game.act("STOP") == 1.0 and game.success


def test_a_rejected_goal_is_not_delivered() -> None:
    events = Events(level({"read": maker("text")}, GATED))
    events.run("read", 1, Category.LOW_QUALITY, made=("text",), gate=Gate.REJECTED)
    assert not reading.delivered(events.level, events.board, events.artifact("text"))


def test_a_new_version_replaces_the_old() -> None:
    drawn = level({"read": maker("text"), "copy": maker("text")}, GATED)
    events = Events(drawn)
    a = events.artifact("text")
    quality = np.full(SMALL.artifacts, 0.25)
    events.run("read", 1, made=("text",), gate=Gate.PASSED, quality=quality)
    events.run("copy", 2, made=("text",), gate=Gate.PASSED, quality=2 * quality)
    board = events.board
    assert board["version"][a] == 2 and board["maker"][a] == events.call("copy")
    assert (board["claimed_before"][a], board["claimed"][a]) == (0.25, 0.5)
    assert board["made_at_s"][a] == 2.0 and board["checks_passed"][a] == 1


def test_what_has_gone_stale_is_neither_read_nor_delivered() -> None:
    artifacts = {
        "page": Artifact(given=True),
        "draft": Artifact(time_to_live_s=5.0),
        "text": Artifact(goal=Goal(), time_to_live_s=5.0),
    }
    drawn = level({"draw": maker("draft"), "read": maker("text", inputs=("draft",))}, artifacts)
    events = Events(drawn)
    events.run("draw", 1, made=("draft",))
    assert "read" in events.legal()
    rules.waited(events.level, events.board, 6.0)
    assert "read" in events.legal()
    rules.waited(events.level, events.board, 6.5)
    assert "read" not in events.legal()


class TestBudgets:
    def test_time_cancels_what_is_in_flight_and_charges_its_part(self) -> None:
        variants = {"default": preset(320.0, 8.0)}
        drawn = level({"read": maker("text", variants=variants)}, max_in_flight=2)
        game = Game(drawn, latency_s={"read": 640.0})  # far longer than declared
        game.act("read")
        while not game.board["stopped"]:
            game.act("WAIT")
        assert game.board["stopped"] == Stopped.TIME
        assert game.board["last_category"][0] == CANCELLED
        assert game.board["cost"] == pytest.approx(320.0 / 640.0 * 8.0)
        assert game.board["failed"] == 0  # a cancelled attempt is no failure

    def test_cost(self) -> None:
        game = Game(
            level({"read": maker("text")}, budget=Budget(time_s=320.0, cost=1.0, attempts=9)),
            functions={"read": "broken"},
        )
        while not game.board["stopped"]:
            game.act("read")
        assert game.board["stopped"] == Stopped.COST

    def test_attempts_deliver_what_is_there(self) -> None:
        game = Game(one_move(budget=Budget(time_s=320.0, cost=100.0, attempts=1)))
        assert game.act("read") > 0.9
        assert game.board["stopped"] == Stopped.ATTEMPTS and game.success

    def test_after_the_end_nothing_moves(self) -> None:
        game = Game(one_move())
        game.act("STOP")
        before = game.lanes.boards.tobytes()
        assert game.act("read") == 0.0
        assert game.legal == ["STOP"] and game.lanes.boards.tobytes() == before


class TestCommunity:
    drawn = level(
        {
            "draw": maker("draft"),
            "read": maker("text", inputs=("draft",)),
            "copy": maker("text", inputs=("draft",)),
        },
        CHAIN,
        plan=("draw", "read"),
        responsibility=Responsibility.COMMUNITY,
    )

    def test_only_the_next_planned_call_is_legal(self) -> None:
        game = Game(self.drawn)
        assert game.legal == ["STOP", "draw"]
        game.act("draw")
        assert game.legal == ["STOP", "read"]
        game.act("read")
        assert game.legal == ["STOP"]
        assert game.act("STOP") == 1.0

    def test_after_a_failure_only_stop_is(self) -> None:
        game = Game(self.drawn, functions={"draw": "broken"})
        game.act("draw")
        assert game.legal == ["STOP"]

    def test_after_a_failure_nothing_else_is_waited_for(self) -> None:
        events = Events(
            self.drawn.model_copy(update={"max_in_flight": 2, "plan": ("draw", "read")})
        )
        first = events.begin("draw")
        assert events.legal() == ["WAIT", "STOP"]
        events.finish(first, 1, Category.CRASHED)
        assert events.legal() == ["STOP"]

    def test_an_empty_plan_is_the_first_maker_of_each(self) -> None:
        drawn = self.drawn.model_copy(update={"plan": ()})
        assert [drawn.call_names[c] for c in drawn.default_plan] == ["draw", "read"]


def test_success_needs_every_essential_goal_and_no_other() -> None:
    artifacts = {
        "page": Artifact(given=True),
        "text": Artifact(goal=Goal(weight=0.7)),
        "summary": Artifact(goal=Goal(kind=GoalKind.RECOMMENDED, weight=0.3)),
    }
    drawn = level({"read": maker("text"), "sum_up": maker("summary")}, artifacts)
    game = Game(drawn)
    game.act("sum_up")
    assert game.act("STOP") == pytest.approx(0.3) and not game.success
    game = Game(drawn)
    game.act("read")
    assert game.act("STOP") == pytest.approx(0.7) and game.success


# --- any sequence of actions ---------------------------------------------------------------------------

LANES = 8
_LANES = Lanes(LANES, SMALL, belief=False)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**20),
    actions=st.lists(st.integers(-2, 19), min_size=1, max_size=60),
    only_legal=st.booleans(),
)
def test_every_episode_ends_and_its_return_is_bounded(
    seed: int, actions: list[int], only_legal: bool
) -> None:
    """The actions are repeated until every lane has ended; STOP is left out, so that budgets have to end it."""
    lanes = _LANES
    lanes.keys[:] = [level_key("train", seed + i) for i in range(LANES)]
    lanes.draw_levels()
    lanes.begin()
    total = np.zeros(LANES)
    for step in range(MAX_STEPS):
        action = np.full(LANES, actions[step % len(actions)])
        action[action == rules.STOP] = rules.WAIT
        if only_legal:
            legal = lanes.masks[np.arange(LANES), np.clip(action, 0, 17)] == 1
            action[~legal] = rules.WAIT
        lanes.step(action)
        total += lanes.rewards
        if lanes.done.all():
            break
    assert lanes.done.all()
    assert (np.abs(total) <= 1.0 + 1e-9).all()
    assert np.allclose(total, lanes.truths["episode_return"])
    assert (lanes.boards["in_flight"] == 0).all()


def test_the_worst_that_can_happen_is_minus_one() -> None:
    drawn = level(
        {"pay": maker("text", idempotent=False, variants={"default": preset(40.0, 20.0)})},
        shield=Shield(retries_per_function=64, retry_share=1.0, unsafe_repeats="allowed"),
    )
    game = Game(drawn, functions={"pay": "silent"})
    while not game.board["stopped"]:
        game.act("pay")
    assert -1.0 - 1e-9 <= game.total < -0.9
