"""Calls under way: waiting, answers that come late, twice or never, news of outages."""

from __future__ import annotations

import pytest
from hand_drawn import (
    Events,
    Game,
    level,
    maker,
    one_move,
    preset,
)

from fqg_env import reading, rules
from fqg_env.arrays import Effect, Stopped
from fqg_env.outcome import Category


class TestWait:
    def test_the_quantum_doubles(self) -> None:
        game = Game(one_move())
        times = []
        for _ in range(4):
            game.act("WAIT")
            times.append(float(game.board["at_s"]))
        assert times == [10.0, 30.0, 70.0, 150.0]  # 1/32 of 320 s, then twice as long each

    def test_it_begins_anew_after_an_attempt(self) -> None:
        game = Game(one_move())
        game.act("WAIT", "WAIT", "read")
        now = float(game.board["at_s"])
        game.act("WAIT")
        assert game.board["at_s"] == now + 10.0

    def test_it_ends_at_an_announced_retry_after(self) -> None:
        events = Events(one_move())
        events.run("read", 1, Category.RATE_LIMITED, retry_after_s=2.5)
        assert reading.wait_until(events.level, events.board) == 3.5

    def test_it_ends_when_an_announced_outage_ends(self) -> None:
        events = Events(one_move())
        rules.signal(events.level, events.board, 0, 0, 4.0, 1.0)
        assert reading.wait_until(events.level, events.board) == 4.0
        rules.signal(events.level, events.board, 0, 1, 0.0, 2.0)
        assert reading.wait_until(events.level, events.board) == 12.0

    def test_it_ends_when_a_flight_passes_its_p95(self) -> None:
        variants = {"default": preset(1.0, p95_s=3.0)}
        events = Events(level({"read": maker("text", variants=variants)}, max_in_flight=2))
        events.begin("read", 0)
        assert reading.wait_until(events.level, events.board) == 3.0
        rules.waited(events.level, events.board, 3.0)
        assert reading.wait_until(events.level, events.board) == 23.0  # now the quantum, doubled

    def test_it_ends_at_a_completion(self) -> None:
        drawn = level({"read": maker("text")}, max_in_flight=2)
        game = Game(drawn)
        game.act("read")
        assert game.board["in_flight"] == 1 and game.board["at_s"] == 0.0
        game.act("WAIT")  # the declared 10 s times 0.7 to 1.3
        if game.board["in_flight"]:
            assert game.board["at_s"] == 10.0
            game.act("WAIT")
        assert game.held("text") and game.board["waits_in_a_row"] == 0

    def test_it_never_passes_the_time_budget(self) -> None:
        game = Game(one_move())
        while not game.board["stopped"]:
            game.act("WAIT")
        assert game.board["at_s"] == 320.0 and game.board["stopped"] == Stopped.TIME


def test_a_lost_answer_leaves_a_possible_effect() -> None:
    for idempotent in (True, False):
        events = Events(level({"pay": maker("text", idempotent=idempotent)}))
        rules.lose(events.level, events.board, events.begin("pay"), 5.0)
        board = events.board
        assert board["lost"][0] == 1 and board["in_flight"] == 0 and board["at_s"] == 5.0
        assert board["effect"][0] == (Effect.NONE if idempotent else Effect.POSSIBLE)
        assert ("pay" in events.legal()) == idempotent


def test_an_answer_that_comes_twice_counts_once() -> None:
    events = Events(one_move())
    attempt = events.begin("read")
    assert events.finish(attempt, 1, made=("text",)) == 0
    before = events.boards.tobytes()
    assert events.finish(attempt, 2, made=("text",)) == -1
    rules.lose(events.level, events.board, attempt, 2.0)
    assert events.boards.tobytes() == before


def test_news_of_an_outage_is_kept_until_it_is_over() -> None:
    events = Events(one_move())
    rules.signal(events.level, events.board, 0, 0, 50.0, 1.0)
    assert events.board["down_until_s"][0] == 50.0 and events.board["at_s"] == 1.0
    rules.signal(events.level, events.board, 0, 1, 0.0, 2.0)
    assert events.board["down_until_s"][0] == 0.0


class TestFlights:
    def two(self, **more: object) -> Game:
        slow = {"default": preset(100.0, 4.0)}
        quick = {"default": preset(10.0, 2.0)}
        functions = {
            "quick": maker("text", variants=quick),
            "slow": maker("text", variants=slow, **more),  # type: ignore[arg-type]
        }
        return Game(level(functions, max_in_flight=2))

    def test_the_redundant_one_is_cancelled_and_charged_its_part(self) -> None:
        game = self.two()
        game.act("slow", "quick")  # both slots are taken: time runs to a completion
        assert game.held("text") and game.board["in_flight"] == 0
        assert game.last("slow") == "CANCELLED" and game.last("quick") == "SUCCESS"
        ran = float(game.board["at_s"])
        charged = float(game.board["cost"]) - ran / 10.0 * 2.0
        # it would have cost 4 for 100 s, in proportion whatever it really took
        assert charged == pytest.approx(ran / 100.0 * 4.0)

    def test_what_is_not_idempotent_flies_on(self) -> None:
        game = self.two(idempotent=False)
        game.act("slow", "quick")
        assert game.held("text") and game.board["in_flight"] == 1
        game.act("STOP")
        assert game.last("slow") == "CANCELLED"
        assert game.board["effect"][1] == Effect.POSSIBLE

    def test_a_call_in_flight_is_not_begun_again(self) -> None:
        game = self.two()
        game.act("slow")
        assert "slow" not in game.legal and "quick" in game.legal

    def test_a_failure_does_not_cancel_the_other(self) -> None:
        functions = {
            "quick": maker("text"),
            "slow": maker("text", variants={"default": preset(100.0)}),
        }
        game = Game(level(functions, max_in_flight=2), functions={"quick": "broken"})
        game.act("slow", "quick")
        assert game.board["in_flight"] == 1 and not game.held("text")
