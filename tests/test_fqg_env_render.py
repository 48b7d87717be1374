"""The board as text, and the score of a run."""

from __future__ import annotations

import numpy as np
import pytest
from hand_drawn import Events, Game, level, maker, one_move, preset, probe

from fqg_env import library, rules
from fqg_env.arrays import CATEGORIES, Effect, Gate, Stopped
from fqg_env.level import Artifact, CallKind, Goal
from fqg_env.outcome import Category
from fqg_env.render import (
    ENDS,
    WORDS,
    acts_once,
    amount,
    artifact_row,
    bar,
    board_as_text,
    category_name,
    category_words,
    duration,
)
from fqg_env.score import Score, most_points, points, score, titles

SHOWN = """\
drawn
  time       ##..................  40 s of 5 min 20 s
  cost       ....................  2 of 100
  attempts   ##..................  2 of 16
  in flight  ....................  0 of 2, 2 free
artifacts
  page  used up               a scan
  text  rejected by its gate  goal 1, essential; gate
actions
     action     reads -> makes          by      cost  time   notes
  0  WAIT
  1  STOP
  2  read/fast  page (used up) -> text  local   1     ?      may have acted; 2x, last LOW_QUALITY
  3  read/slow  page (used up) -> text  local   ?     1 min  may have acted; hint 75%
  4  look       inspect page            office  0.1   1 s    reported down
  5  mend       repair: text -> text            1     10 s"""


def test_the_board_is_drawn_in_columns() -> None:
    drawn = level(
        {
            "read": maker(
                "text",
                variants={
                    "fast": preset().model_copy(update={"latency_s": None}),
                    "slow": preset(60.0).model_copy(update={"cost": None}),
                },
                consumes=("page",),
                idempotent=False,
            ),
            "look": probe(CallKind.INSPECT, "page").model_copy(update={"provider": "office"}),
            "mend": maker("text", inputs=("text",), provider=None, kind=CallKind.REPAIR),
        },
        {
            "page": Artifact(given=True, description="a scan"),
            "text": Artifact(goal=Goal(), gate=True),
        },
        max_in_flight=2,
    )
    events = Events(drawn)
    events.run("read/fast", 20, Category.TIMEOUT, cost=1.0, effect=Effect.POSSIBLE)
    rules.signal(events.level, events.board, drawn.providers.index("office"), 0, 90.0, 20.0)
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


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (np.nan, "?"),
        (0.0, "0 s"),
        (0.0712, "0.071 s"),
        (9.36, "9.4 s"),
        (59.7, "1 min"),
        (100.0, "1 min 40 s"),
        (1090.0, "18 min 10 s"),
        (3599.8, "1 h"),
        (7510.0, "2 h 5 min"),
    ],
)
def test_times_are_told_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_what_acts_once_says_whether_it_has_acted() -> None:
    drawn = level({"send": maker("text", idempotent=False), "read": maker("text")})
    told = []
    for effect in Effect:
        events = Events(drawn)
        events.board["effect"][0] = effect
        told.append(acts_once(events.level, events.board, 0))
        assert acts_once(events.level, events.board, 1) == ""
    assert told == ["acts once", "may have acted", "has acted"]
    events = Events(drawn)
    events.level["unsafe_repeats_allowed"] = 1
    assert acts_once(events.level, events.board, 0) == "unsafe to repeat"


def test_bars_are_never_longer_than_full() -> None:
    assert bar(0.0) == "." * 20 and bar(9.0) == "#" * 20


def test_a_second_version_shows() -> None:
    events = Events(one_move())
    for i in (1, 2):
        events.run("read", i, made=("text",))
    assert artifact_row(events.drawn, events.board, 1)[1] == "held (version 2)"


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


def test_the_most_points_are_those_of_every_function_once() -> None:
    worth = {"look": 10, "open": 15, "shout": -2}
    assert most_points(worth) == points(worth, [("look", True), ("open", True)]) == 25
    assert points(worth, [("look", True), ("look", True)]) == 5


def test_the_titles_are_told_from_the_lowest_on() -> None:
    assert (
        titles()
        == "Apprentice from 0, Journeyman from 101, Master from 151, Grand Maestro from 181"
    )
