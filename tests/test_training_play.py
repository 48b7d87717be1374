"""`fqg play` with what a player types on standard input."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from hand_drawn import level, maker, one_move, preset, probe
from typer.testing import CliRunner, Result

from fqg_env.game import Game, Word
from fqg_env.level import Artifact, CallKind, Goal
from fqg_env.puzzle import Faults, Puzzle, write_puzzle
from training.commands.levels import app as levels
from training.commands.play import play

app = typer.Typer()
app.command()(play)


def played(*lines: str, arguments: tuple[str, ...] = ()) -> Result:
    return CliRunner().invoke(app, list(arguments), input="".join(line + "\n" for line in lines))


def test_the_door_opens() -> None:
    result = played("find_key", "use_key", "combine_items", "5", "stop")
    assert result.exit_code == 0, result.output
    for sentence in (
        "The door fell shut behind you.",
        "find_key: Half a key under the carpet, and a fragment behind the clock.",
        "use_key/rusty_key: Nothing happens.",
        "combine_items: They click together. A complete key.",
        "use_key/complete_key: The lock turns. The door opens.",
        "Done: what had to be delivered is there, and good.",
        "base          100 of 100",
        "of 200, ",
        "return        0.9",
    ):
        assert sentence in result.stdout


def test_leaving_with_nothing_is_exit_4() -> None:
    result = played("stop")
    assert result.exit_code == 4 and "Not done." in result.stdout
    assert "score         0 of 200, Apprentice" in result.stdout
    result = played("quit")
    assert result.exit_code == 4 and "You leave. Nothing is delivered." in result.stdout


def test_the_end_of_the_input_stops_the_run() -> None:
    result = played("find_key")
    assert result.exit_code == 4 and "The run is over: stopped." in result.stdout


def test_what_cannot_be_done_is_explained_and_costs_nothing() -> None:
    result = played("use_kee", "use_key/complete_key", "99", "-3", "undo", "help", "board", "stop")
    assert "There is no 'use_kee'. Did you mean 'use_key'?" in result.stdout
    assert "It needs complete_key first." in result.stdout
    assert "There is no action 99; they run from 0 to 7." in result.stdout
    assert "There is no undo" in result.stdout and "Type the number of an action" in result.stdout
    assert "Grand Maestro from 181" in result.stdout and "Points" not in result.stdout
    assert "1 of 12" not in result.stdout  # no attempt was charged


def test_points_are_told_with_their_most_and_what_takes_some() -> None:
    result = played("help", "open_fridge", "open_fridge", "stop", arguments=("johns_milk",))
    assert "at most 145 here" in result.stdout and "done before takes 5" in result.stdout
    assert "points        -5 of 145; -5 for each step that fails" in result.stdout


def test_an_empty_line_shows_the_board_again() -> None:
    result = played("", "board", "stop")
    assert result.stdout.count("find_key") == 3 and "There is no" not in result.stdout


def test_what_is_not_understood_is_answered_with_all_that_is_possible() -> None:
    drawn = level({f"read_{i}": maker("text") for i in range(14)})
    names = ", ".join(drawn.call_names)
    assert game(drawn).possible() == f"possible now: WAIT, STOP, {names}"
    result = played("xyzzy", "stop")
    assert "There is no 'xyzzy'.\npossible now: WAIT, STOP, find_key, pick_lock" in result.stdout


def test_a_function_may_have_the_name_of_a_word() -> None:
    room = game(level({"board": maker("text"), "look": maker("text")}))
    assert [room.understand(name) for name in ("board", "look", "help")] == [2, 3, Word.HELP]


def test_a_function_with_two_open_variants_asks_which() -> None:
    result = played("find_key", "combine_items", "use_key", "stop")
    assert "Which one? use_key/rusty_key, use_key/complete_key." in result.stdout


def test_what_is_played_is_what_levels_show_shows_for_the_same_options() -> None:
    which = ("--tier", "9", "--seed", "3")
    assert "test, tier 9, chain, seed 3" in played("quit", arguments=which).stdout
    assert "test, tier 9, chain, seed 3" in CliRunner().invoke(levels, ["show", *which]).stdout
    assert "exact, seed 3" in played("quit", arguments=("--split", "exact", "--seed", "3")).stdout


def test_a_generated_level_and_a_file_can_be_played(tmp_path: Path) -> None:
    result = played("wait", "stop", arguments=("--split", "train", "--tier", "3", "--seed", "7"))
    assert result.exit_code == 4 and "s pass." in result.stdout
    path = tmp_path / "mine.yaml"
    write_puzzle(Puzzle(level=one_move(), faults=Faults()), path)
    result = played("read", "stop", arguments=(str(path),))
    assert result.exit_code == 0 and "read: it works." in result.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("escape_room",), "Did you mean 'escape_the_room'?"),
        (("nowhere.yaml",), "there is no such file"),
        (("--tier", "0"), "there is no tier 0"),
        (("--seed", "3"), "give a level: a name"),
    ],
)
def test_bad_input_is_one_sentence(arguments: tuple[str, ...], sentence: str) -> None:
    result = played(arguments=arguments)
    assert result.exit_code == 2 and sentence in result.stderr and result.stderr.count("\n") == 1


def test_help_has_an_example() -> None:
    assert "Example: fqg play escape_the_room" in played(arguments=("--help",)).stdout


def game(drawn: object, **hidden: object) -> Game:
    return Game.of(Puzzle(level=drawn, faults=Faults(**hidden)))


def test_gates_verdicts_and_blame_are_told() -> None:
    artifacts = {
        "page": Artifact(given=True),
        "draft": Artifact(),
        "text": Artifact(goal=Goal(), gate=True),
    }
    drawn = level(
        {
            "draw": maker("draft"),
            "read": maker("text", inputs=("draft",), fidelity=1.0),
            "judge": probe(CallKind.VERIFY, "draft"),
            "look": probe(CallKind.INSPECT, "draft"),
        },
        artifacts,
    )
    told = set()
    for key in range(12):
        room = game(drawn.model_copy(update={"key": key}), functions={"draw": "silent"})
        for action in (2, 4, 5, 3):
            told |= set(room.play(action))
    assert {
        "It says that the draft is bad.",
        "The gate rejects the text.",
        "It blames the draft.",
        "It has nothing to recommend.",
    } <= told


def test_hints_are_told() -> None:
    drawn = level(
        {
            "read": maker("text", variants={"a": preset(), "b": preset()}),
            "look": probe(CallKind.INSPECT, "page").model_copy(update={"fidelity": 0.9}),
        }
    )
    told = set()
    for key in range(12):
        told |= set(
            game(drawn.model_copy(update={"key": key}), functions={"read": "wrong:b"}).play(4)
        )
    assert "It recommends read/b (90% sure)." in told


def test_flights_are_told() -> None:
    room = game(one_move(max_in_flight=2))
    assert room.play(2) == ["read is on its way."]
    assert room.why_not(2) == "It is on its way already."
    said = []
    while room.board["in_flight"]:
        said += room.play(0)
    assert said[-1] == "read: it works."


def test_the_shield_is_told() -> None:
    drawn = level({"read": maker("text", idempotent=False)})
    room = game(drawn, functions={"read": "silent"})
    room.play(2)
    assert "may not be tried again" in room.why_not(2)


def test_a_lost_answer_is_not_told() -> None:
    """The key of one level whose first answer is lost."""
    for key in range(2000):
        lost = Game.of(Puzzle(level=one_move(), faults=Faults()), key)
        said = lost.play(2)
        if lost.board["lost"][0]:
            assert said == ["The answer of read was lost on the way."]
            assert lost.attempts == []
            return
    pytest.fail("no answer was lost")


def test_the_seed_draws_what_is_wrong_where_a_level_does_not_say_it() -> None:
    said = {
        played("enhance_prompt/small", "stop", arguments=("six_models", "--seed", str(i))).output
        for i in range(6)
    }
    again = played("enhance_prompt/small", "stop", arguments=("six_models", "--seed", "0")).output
    assert len(said) > 1 and again in said
