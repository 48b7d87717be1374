"""Escape the Room plays as its story says."""

from __future__ import annotations

import pytest
from hand_drawn import Game

from fqg_env import library
from fqg_env.level import LevelError
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


@pytest.mark.parametrize("name", library.names())
def test_every_level_of_the_library_has_a_witness(name: str) -> None:
    assert witness(library.load(name)) is not None


def test_an_unknown_name_is_answered_with_the_near_one() -> None:
    with pytest.raises(LevelError, match="Did you mean 'escape_the_room'"):
        library.load("escape_room")
