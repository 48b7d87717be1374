"""The board as text, and the score of a run."""

from __future__ import annotations

import numpy as np
import pytest
from hand_drawn import Events, Game, level, maker, one_move, preset, probe

from fqg_env import library
from fqg_env.arrays import CATEGORIES, Gate, Stopped
from fqg_env.level import Artifact, CallKind, Goal
from fqg_env.outcome import Category
from fqg_env.render import (
    ENDS,
    WORDS,
    amount,
    artifact_state,
    bar,
    board_as_text,
    category_name,
    category_words,
)
from fqg_env.score import Score, score

SHOWN = """\
drawn
  time      ##..................  40 of 320 s
  cost      ....................  2 of 100
  attempts  ##..................  2 of 16
artifacts
  page  held
  text  rejected  goal 1, essential; gate
actions
                reads -> makes  cost  time  last
  0  WAIT
  1  STOP
  2  read/fast  page -> text    1     ?     2x, last LOW_QUALITY
  3  read/slow  page -> text    ?     60 s  hint 75%
  4  look       inspect page    0.1   1 s"""


def test_the_board_is_drawn_in_columns() -> None:
    drawn = level(
        {
            "read": maker(
                "text",
                variants={
                    "fast": preset().model_copy(update={"latency_s": None}),
                    "slow": preset(60.0).model_copy(update={"cost": None}),
                },
            ),
            "look": probe(CallKind.INSPECT, "page"),
        },
        {"page": Artifact(given=True), "text": Artifact(goal=Goal(), gate=True)},
    )
    events = Events(drawn)
    events.run("read/fast", 20, Category.TIMEOUT, cost=1.0)
    events.run(
        "read/fast", 40, Category.LOW_QUALITY, ("text",), Gate.REJECTED, cost=1.0, hint={"read/slow": 0.75}
    )  # fmt: skip
    assert board_as_text(drawn, events.level, events.board) == SHOWN


def test_what_is_over_and_what_is_in_flight_show() -> None:
    game = Game(one_move(max_in_flight=2))
    game.act("read")
    assert "in flight" in board_as_text(game.drawn, game.lanes.levels[0], game.board)
    game.act("STOP")
    text = board_as_text(game.drawn, game.lanes.levels[0], game.board)
    assert text.startswith("drawn (stopped)") and "CANCELLED" in text


def test_every_category_and_end_has_words() -> None:
    assert set(WORDS) == set(Category) and set(ENDS) == set(Stopped)
    assert [category_words(i) for i in range(CATEGORIES)].count("it works") == 1
    assert category_name(-1) == "never" and category_name(0) == "SUCCESS"


@pytest.mark.parametrize(
    ("value", "text"),
    [(np.nan, "?"), (0.0, "0"), (0.123456, "0.123"), (12.0, "12"), (12345.6, "12,346")],
)
def test_amounts(value: float, text: str) -> None:
    assert amount(value) == text


def test_bars_are_never_longer_than_full() -> None:
    assert bar(0.0, 1.0) == "." * 20 and bar(9.0, 1.0) == "#" * 20


def test_a_second_version_shows() -> None:
    events = Events(one_move())
    for i in (1, 2):
        events.run("read", i, made=("text",))
    assert artifact_state(events.board, 1) == "held (version 2)"


def scored(game: Game) -> Score:
    return score(game.lanes.levels[0], game.board, game.lanes.truths[0])


def test_the_score_of_the_shortest_way() -> None:
    game = Game(library.load("escape_the_room"))
    game.act("find_key", "combine_items", "use_key/complete_key", "STOP")
    points = scored(game)
    assert points.base == 100.0 and points.stability == 30.0 and points.optimisation == 20.0
    assert 40.0 < points.efficiency < 50.0 and points.title == "Grand Maestro"


def test_slips_and_detours_cost_points() -> None:
    game = Game(library.load("escape_the_room"))
    game.act("find_key", "use_key/rusty_key", "combine_items", "use_key/complete_key", "STOP")
    points = scored(game)
    assert points.base == 100.0
    assert points.stability == pytest.approx(30.0 * 3 / 4)
    assert points.optimisation == pytest.approx(20.0 * 3 / 4)


def test_nothing_delivered_nothing_earned() -> None:
    game = Game(one_move())
    game.act("STOP")
    assert sum(scored(game)) == 0.0 and scored(game).title == "Apprentice"
    game = Game(one_move(), functions={"read": "silent"})
    game.act("read", "STOP")
    assert sum(scored(game)) == 0.0
