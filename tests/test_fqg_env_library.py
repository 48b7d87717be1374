"""The levels with a story play as their stories say."""

from __future__ import annotations

import numpy as np
import pytest
from hand_drawn import Game

from fqg_env import library
from fqg_env.errors import LevelError
from fqg_env.game import Game as Played
from fqg_env.rules import STOP
from fqg_env.score import points
from fqg_env.witness import solves, witness


@pytest.fixture
def room() -> Game:
    return Game(library.load("escape_the_room"))


def test_the_rusty_key_fails_and_never_retries(room: Game) -> None:
    room.act("find_key")
    at_s = float(room.board["at_s"])
    room.act("use_key/rusty_key")
    assert not room.held("way_out") and room.board["failed"] == 1
    assert room.board["begun"] == 2  # one attempt each: nobody tried again
    assert room.board["at_s"] > at_s
    room.act("use_key/rusty_key")
    assert not room.held("way_out") and room.board["failed"] == 2


def test_combining_first_opens_the_door(room: Game) -> None:
    room.act("find_key", "combine_items")
    assert room.held("complete_key")
    room.act("use_key/complete_key")
    assert room.held("way_out")
    room.act("STOP")
    assert room.success and room.total > 0.8


def test_the_complete_key_cannot_be_used_before_it_is_there(room: Game) -> None:
    assert "use_key/complete_key" not in room.legal
    room.act("use_key/complete_key")
    assert room.board["refused"] == 1


def test_picking_the_lock_works_now_and_then() -> None:
    puzzle = library.load("escape_the_room")
    answers = []
    for seed in range(60):
        game = Game(puzzle, seed)
        game.act("pick_lock")
        answers.append(game.held("way_out"))
    assert 0.45 < sum(answers) / len(answers) < 0.85


def test_breaking_the_window_is_dear_and_cannot_be_undone(room: Game) -> None:
    room.act("break_window")
    assert room.held("way_out") and room.board["effect"].max() == 2
    assert "break_window" not in room.legal
    room.act("STOP")
    assert room.success and room.total < 0.9


def test_its_witness_is_the_key(room: Game) -> None:
    names = ("WAIT", "STOP", *room.drawn.call_names)
    found = witness(room.puzzle)
    assert found is not None
    assert [names[a] for a in found] == [
        "find_key",
        "combine_items",
        "use_key/complete_key",
        "STOP",
    ]
    assert solves(room.puzzle, found)


LOOK, SMELL, WASH, LIST = "look_inside_fridge", "check_freshness", "wash_glass", "inventory"
PATHS = {
    "A": ((), 100),
    "B": ((LOOK,), 110),
    "C": ((SMELL,), 120),
    "D": ((LOOK, SMELL), 130),
    "E": ((LOOK, SMELL, WASH), 140),
    "F": ((LOOK, LIST, SMELL, WASH), 145),
    "G": ((SMELL, WASH), 130),
    "H": ((LOOK, WASH), 120),
    "I": ((SMELL, LIST), 125),
    "J": ((LOOK, LIST), 115),
}


def milk(*steps: str) -> tuple[int, bool]:
    """The points of these steps at John's, and whether he has drunk."""
    puzzle = library.load("johns_milk")
    game = Played.of(puzzle)
    for step in steps:
        action = game.understand(step)
        assert isinstance(action, int) and game.legal(action), step
        game.play(action)
    game.lanes.step(np.array([STOP]))
    game.lanes.judge()
    return points(puzzle.points, game.attempts), bool(game.lanes.success[0])


@pytest.mark.parametrize("path", PATHS)
def test_johns_milk_gives_the_published_points(path: str) -> None:
    optional, worth = PATHS[path]
    steps = ["open_fridge", *[s for s in (LOOK,) if s in optional], "grab_item"]
    steps += [s for s in (LIST, SMELL, WASH) if s in optional]
    assert milk(*steps, "pour_into_glass", "drink_from_glass") == (worth, True)


def test_a_redundant_step_costs_points() -> None:
    steps = ("open_fridge", "grab_item", "pour_into_glass", "drink_from_glass")
    assert milk(*steps) == (100, True)
    assert milk("open_fridge", *steps) == (95, True)


def test_the_glass_is_washed_before_it_is_full_or_not_at_all() -> None:
    game = Played.of(library.load("johns_milk"))
    for step in ("open_fridge", "grab_item", "pour_into_glass"):
        game.play(int(game.understand(step)))
    assert not game.legal(int(game.understand("wash_glass")))


def test_the_key_takes_six_steps() -> None:
    game = Game(library.load("the_key"))
    game.act("look_around", "inspect_floor", "find_key", "use_key/rusty_key")
    assert not game.held("unlocked_door")
    game.act("combine_items", "use_key/complete_key", "open_door", "STOP")
    assert game.success and game.board["attempts"] == 7


def test_the_model_from_nowhere_is_ended_by_its_limit_unless_it_is_given_little() -> None:
    for seed in range(20):
        game = Game(library.load("scenario_1"), seed)
        game.act("community_model/default")
        assert not game.held("summary")
        game.act("community_model/short_input")
        assert game.board["present"][1] or game.board["lost"].any()


def test_the_machine_is_too_much_for_the_kitchen_and_the_hand_is_not() -> None:
    for seed in range(20):
        game = Game(library.load("prepare_the_banquet"), seed)
        game.act("chop_vegetables/with_the_machine", "WAIT")
        assert not game.held("vegetables")
        game.act("chop_vegetables/by_hand")
        while game.board["in_flight"] and not game.board["stopped"]:
            game.act("WAIT")
        assert game.held("vegetables") or game.board["lost"].any() or game.board["stopped"]


@pytest.mark.parametrize("name", library.names())
def test_every_level_tells_a_story_of_its_own(name: str) -> None:
    puzzle = library.load(name)
    told = " ".join((puzzle.level.story, *puzzle.says.values()))
    assert len(puzzle.level.story) > 100
    assert not [mark for mark in ("TODO", "FIXME", "lorem", "<", "{", "XXX") if mark in told]
    for function in puzzle.level.functions.values():
        assert function.description.endswith(".")
    for artifact in puzzle.level.artifacts.values():
        assert artifact.description


@pytest.mark.parametrize("name", library.names())
def test_every_level_of_the_library_has_a_witness(name: str) -> None:
    assert witness(library.load(name)) is not None


def test_an_unknown_name_is_answered_with_the_near_one() -> None:
    with pytest.raises(LevelError, match="Did you mean 'escape_the_room'"):
        library.load("escape_room")
