"""`fqg play`: the game in a terminal, for people. The rules are those that policies are trained on."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Annotated

import typer
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from fqg_env.arrays import Stopped
from fqg_env.game import Game, Word
from fqg_env.render import (
    CALL_HEAD,
    ENDS,
    State,
    artifact_row,
    artifact_state,
    bar,
    budget_rows,
    call_row,
)
from fqg_env.rules import FIRST_CALL, WAIT
from fqg_env.score import REDUNDANT, most_points, score, titles
from fqg_env.score import points as points_of
from fqg_env.splits import level_key
from training.commands.levels import (
    Generated,
    MixOption,
    SeedOption,
    SizeOption,
    SplitOption,
    TierOption,
    chosen,
)
from training.terminal import NOT_ACHIEVED, command, given

HELP = f"""Type the number of an action or the name of a call; a function with one open variant needs no variant.
  wait (0)    let time run        stop (1)    deliver what is there; the run is over
  board       show it again       quit        leave without delivering
A call answers once: what to try next, and whether it is tried again, is up to you. Every attempt costs time and money.
What is dimmed cannot be chosen now. There is no undo.
  used up     the call consumes it; it has to be made again before it can be read again
  acts once   a call that may not be repeated once it may have acted
  repair      a call that may also read what a gate has rejected; so may verify and inspect
Score: at most 200. 100 for what is delivered and good; in proportion to it 50 for time and cost left,
30 for attempts that do not fail, 20 for attempts whose work is delivered.
Titles: {titles()}."""
STATE_STYLES = {State.HELD: "bold green", State.REJECTED: "red", State.EXPIRED: "red"}
FIRST_LEVEL = "escape_the_room"
PIPED_WIDTH = 110


def show_board(console: Console, game: Game) -> None:
    """Budgets, artifacts and actions as tables."""
    budgets = Table.grid(padding=(0, 2))
    for name, share, words in budget_rows(game.record, game.board):
        budgets.add_row(name, bar(share), words)
    console.print(budgets)
    artifacts = Table("artifact", "", "", box=None, header_style="bold")
    for a in range(len(game.level.artifacts)):
        name, state, notes = artifact_row(game.level, game.board, a)
        style = STATE_STYLES.get(artifact_state(game.level, game.board, a), "")
        artifacts.add_row(Text(name, style), Text(state, style), Text(notes))
    console.print(artifacts)
    calls = Table(*CALL_HEAD, box=None, header_style="bold")
    calls.add_row("0", "wait", style="" if game.legal(WAIT) else "dim")
    calls.add_row("1", "stop")
    for c in range(len(game.level.calls)):
        style = "" if game.legal(FIRST_CALL + c) else "dim"
        calls.add_row(*map(Text, call_row(game.level, game.record, game.board, c)), style=style)
    console.print(calls)


def help_text(worth: Mapping[str, int]) -> str:
    """The help, with how points are counted where a level is scored in them."""
    if not worth:
        return HELP
    most, taken = most_points(worth), -REDUNDANT
    return (
        f"{HELP}\nPoints: at most {most} here, for what works the first time; "
        f"a step that fails or has been done before takes {taken}."
    )


def show_end(console: Console, game: Game, worth: Mapping[str, int]) -> bool:
    """How it ended and what it is worth, in points too where `worth` has some; was it a success?"""
    verdict, success = game.verdict(), bool(game.lanes.success[0])
    score_ = score(game.record, game.board, game.lanes.truths[0])
    reason = Stopped(int(game.board["stopped"]))
    console.print(
        Text(
            f"\nThe run is over: {ENDS[reason]}. {verdict}", "bold green" if success else "bold red"
        )
    )
    table = Table.grid(padding=(0, 2))
    for name, value, most in zip(score_._fields, score_, (100, 50, 30, 20), strict=True):
        table.add_row(name, f"{value:.0f} of {most}")
    table.add_row(Text("score", "bold"), Text(f"{score_.total} of 200, {score_.title}", "bold"))
    table.add_row("", Text(titles(), "dim"))
    table.add_row("return", f"{float(game.lanes.truths['episode_return'][0]):.3f}")
    if worth:
        earned, most = points_of(worth, game.attempts), most_points(worth)
        rule = f"{REDUNDANT} for each step that fails or has been done before"
        table.add_row("points", f"{earned} of {most}; {rule}")
    console.print(table)
    return success


def ask(console: Console) -> str | None:
    """The next line that is typed; None at the end of the input."""
    console.print("> ", end="")
    line = sys.stdin.readline()
    if not sys.stdin.isatty():
        console.print(Text(line.rstrip("\n")))
    return line.strip() if line else None


def converse(console: Console, game: Game, worth: Mapping[str, int]) -> bool:
    """Play until the run is over; returns False where the player left."""
    show_board(console, game)
    while not game.over:
        typed = ask(console)
        meant = game.understand("stop" if typed is None else typed)
        match meant:
            case Word.QUIT:
                return False
            case Word.HELP:
                console.print(Text(help_text(worth)))
            case Word.BOARD:
                show_board(console, game)
            case str():
                console.print(Text(f"{meant}\n{game.possible()}"))
            case _ if not game.legal(meant):
                console.print(Text(game.why_not(meant)))
            case _:
                for sentence in game.play(meant):
                    console.print(Text(sentence))
                if not game.over:
                    show_board(console, game)
    return True


@command
def play(
    context: typer.Context,
    level: Annotated[
        str | None, typer.Argument(help=f"Name in the library, or a file; else {FIRST_LEVEL}.")
    ] = None,
    split: SplitOption = "test",
    tier: TierOption = None,
    seed: SeedOption = 0,
    size: SizeOption = "small",
    mix: MixOption = "",
) -> None:
    """Play a level in the terminal. The exit code is 0 when it is solved and 4 when it is not.

    The level is the one that `fqg levels show` shows for the same options.

    Example: fqg play escape_the_room

    Example: fqg play --tier 3 --seed 7
    """
    first = level is None and not given(context, "split", "tier", "seed", "size", "mix")
    puzzle = chosen(FIRST_LEVEL if first else level, Generated(split, tier, seed, size, mix))
    # the luck of a seed that is named; where the level does not say what is wrong, it draws that too
    drawn = given(context, "seed") or not puzzle.faults
    game = Game.of(puzzle, int(level_key(split, seed)) if drawn else None)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)
    story = game.level.story or "Make what has to be delivered."
    console.print(Panel(Text(story), title=Text(game.level.name), width=min(100, console.width)))
    console.print("Type `help` for help.\n")
    if not converse(console, game, puzzle.points):
        console.print("You leave. Nothing is delivered.")
        raise typer.Exit(NOT_ACHIEVED)
    if not show_end(console, game, puzzle.points):
        raise typer.Exit(NOT_ACHIEVED)
