"""`fqg play`: the game in a terminal, for people. The rules are those that policies are trained on."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from fqg_env import rules
from fqg_env.arrays import CANCELLED, FLIGHTS, SUCCESS, Gate, Kind, Stopped, Verdict
from fqg_env.lanes import Lanes
from fqg_env.level import suggest
from fqg_env.puzzle import Puzzle
from fqg_env.render import ENDS, artifact_row, budget_rows, call_row, category_words
from fqg_env.rules import FIRST_CALL, STOP, WAIT
from fqg_env.score import score
from training.levels import SeedOption, SizeOption, SplitOption, TierOption, chosen
from training.terminal import NOT_ACHIEVED, command

HELP = """Type the number of an action or the name of a call; a function with one open variant needs no variant.
  wait (0)    let time run        stop (1)    deliver what is there; the run is over
  board       show it again       quit        leave without delivering
A call answers once and never tries again: what to try next is up to you. Every attempt costs time and money.
What is dimmed cannot be chosen now. There is no undo."""
FIRST_LEVEL = "escape_the_room"
PIPED_WIDTH = 110


class Game:
    """One level being played, and what has just happened in words."""

    def __init__(self, puzzle: Puzzle, key: int | None = None):
        self.puzzle, self.level = puzzle, puzzle.level
        self.lanes = Lanes(1, puzzle.level.size, belief=False)
        puzzle.load(self.lanes, key)
        self.lanes.begin()

    @property
    def board(self) -> Any:
        """The board as a record."""
        return self.lanes.boards[0]

    @property
    def record(self) -> Any:
        """The level as a record."""
        return self.lanes.levels[0]

    @property
    def over(self) -> bool:
        """The run has ended."""
        return bool(self.board["stopped"])

    def legal(self, action: int) -> bool:
        """The action may be chosen now."""
        return bool(self.lanes.masks[0, action])

    def play(self, action: int) -> list[str]:
        """Play an action; returns what has happened, one sentence each."""
        flying = [bool(self.board["flight_attempt"][m] >= 0) for m in range(FLIGHTS)]
        if action >= FIRST_CALL and False in flying:
            flying[flying.index(False)] = True
        at_s = float(self.board["at_s"])
        self.lanes.step(np.array([action]))
        said = []
        for m in range(FLIGHTS):
            if flying[m] and self.board["flight_attempt"][m] < 0:
                said += self.answer(int(self.board["flight_call"][m]), self.lanes.rows[0, m])
        if not said and action >= FIRST_CALL and not self.over:
            said.append(f"{self.level.call_names[action - FIRST_CALL]} is on its way.")
        if not said and action == WAIT:
            said.append(f"{float(self.board['at_s']) - at_s:.3g} s pass.")
        return said

    def answer(self, call: int, row: Any) -> list[str]:
        """What a call has answered, in words: the story's own where it has some."""
        name, category = self.level.call_names[call], int(row["category"])
        story = self.puzzle.says
        function = self.level.calls[call].function
        mark = "!" if category == SUCCESS else ""
        text = (
            "" if category == CANCELLED else story.get(name + mark, story.get(function + mark, ""))
        )
        said = [f"{name}: {text or category_words(category) + '.'}"]
        for a, artifact in enumerate(self.level.artifact_names):
            if row["gate"][a] == Gate.REJECTED:
                said.append(f"The gate rejects the {artifact}.")
            if row["verdict"][a] != Verdict.NONE:
                good = "good" if row["verdict"][a] == Verdict.GOOD else "bad"
                said.append(f"It says that the {artifact} is {good}.")
            if row["blamed"][a]:
                said.append(f"It blames the {artifact}.")
        hints = [c for c in range(len(self.level.calls)) if row["hint"][c] > 0]
        said += [
            f"It recommends {self.level.call_names[c]} ({row['hint'][c]:.0%} sure)." for c in hints
        ]
        if row["category"] == SUCCESS and self.record["kind"][call] == Kind.INSPECT and not hints:
            said.append("It has nothing to recommend.")
        return said

    def why_not(self, action: int) -> str:
        """Why an action cannot be chosen now."""
        if action == WAIT:
            return "There is nothing to wait for."
        call = action - FIRST_CALL
        function = self.level.functions[self.level.calls[call].function]
        reads = (*self.level.inputs_of(self.level.calls[call]), *function.probes)
        lacking = [n for n in reads if not self.has(n, function.kind.value != "work")]
        if lacking:
            return f"It needs {' and '.join(lacking)} first."
        if rules.flying(self.board, call):
            return "It is on its way already."
        if rules.shielded(self.record, self.board, call):
            return (
                "It may not be tried again: its retries are used up, or a repeat would not be safe."
            )
        return "That is not possible now."

    def has(self, name: str, even_rejected: bool) -> bool:
        """An artifact can be read."""
        a = self.level.artifact_names.index(name)
        if even_rejected:
            return bool(self.board["present"][a])
        return bool(rules.usable(self.record, self.board, a))

    def understand(self, typed: str) -> int | str:
        """The action that is meant, or a sentence for who typed it."""
        low = typed.strip().lower()
        names = {"wait": WAIT, "stop": STOP}
        names |= {name.lower(): FIRST_CALL + c for c, name in enumerate(self.level.call_names)}
        if low in names:
            return names[low]
        if low.lstrip("-").isdigit():
            number = int(low)
            last = FIRST_CALL + len(self.level.calls) - 1
            return (
                number
                if 0 <= number <= last
                else f"There is no action {number}; they run from 0 to {last}."
            )
        family = [FIRST_CALL + c for c in self.level.calls_named(typed.strip())]
        open_ones = [action for action in family if self.legal(action)]
        if len(open_ones) == 1:
            return open_ones[0]
        if family:
            variants = ", ".join(self.level.call_names[a - FIRST_CALL] for a in family)
            return f"Which one? {variants}."
        known = dict.fromkeys([*names, *self.level.functions, "help", "board", "quit"])
        return f"There is no {typed.strip()!r}." + suggest(low, known)


def show_board(console: Console, game: Game) -> None:
    """Budgets, artifacts and actions as tables."""
    budgets = Table.grid(padding=(0, 2))
    for row in budget_rows(game.record, game.board):
        budgets.add_row(*row)
    console.print(budgets)
    artifacts = Table("artifact", "", "", box=None, header_style="bold")
    for a in range(len(game.level.artifacts)):
        name, state, notes = artifact_row(game.level, game.board, a)
        description = game.level.artifacts[name].description
        style = "bold green" if state.startswith("held") else "red" if state == "rejected" else ""
        told = "; ".join(part for part in (description, notes) if part)
        artifacts.add_row(Text(name, style), Text(state, style), Text(told))
    console.print(artifacts)
    calls = Table(
        "", "action", "reads -> makes", "cost", "time", "last", box=None, header_style="bold"
    )
    calls.add_row("0", "wait", style="" if game.legal(WAIT) else "dim")
    calls.add_row("1", "stop")
    for c in range(len(game.level.calls)):
        style = "" if game.legal(FIRST_CALL + c) else "dim"
        calls.add_row(*map(Text, call_row(game.level, game.record, game.board, c)), style=style)
    console.print(calls)


def show_end(console: Console, game: Game) -> bool:
    """How it ended and what it is worth; returns whether it was a success."""
    game.lanes.judge()
    success, wrong = bool(game.lanes.success[0]), bool(game.lanes.wrong[0])
    points = score(game.record, game.board, game.lanes.truths[0])
    verdict = "Done: what had to be delivered is there, and good." if success else "Not done."
    if wrong:
        verdict += " Something that was delivered is bad."
    reason = Stopped(int(game.board["stopped"]))
    console.print(
        Text(
            f"\nThe run is over: {ENDS[reason]}. {verdict}", "bold green" if success else "bold red"
        )
    )
    table = Table.grid(padding=(0, 2))
    for name, value, most in zip(points._fields, points, (100, 50, 30, 20), strict=True):
        table.add_row(name, f"{value:.0f} of {most}")
    table.add_row(Text("score", "bold"), Text(f"{points.total} of 200, {points.title}", "bold"))
    table.add_row("return", f"{float(game.lanes.truths['episode_return'][0]):.3f}")
    console.print(table)
    return success


def ask(console: Console) -> str | None:
    """The next line that is typed; None at the end of the input."""
    console.print("> ", end="")
    line = sys.stdin.readline()
    if not sys.stdin.isatty():
        console.print(Text(line.rstrip("\n")))
    return line.strip() if line else None


def converse(console: Console, game: Game) -> bool:
    """Play until the run is over; returns False where the player left."""
    show_board(console, game)
    while not game.over:
        typed = ask(console)
        if typed is None:
            typed = "stop"
        if typed.lower() in ("quit", "exit", "q"):
            return False
        if typed.lower() in ("help", "?", "h"):
            console.print(Text(HELP))
            continue
        if typed.lower() in ("", "board", "look"):
            show_board(console, game)
            continue
        if typed.lower() == "undo":
            console.print("There is no undo: what is done is done.")
            continue
        action = game.understand(typed)
        if isinstance(action, str):
            console.print(Text(action))
        elif not game.legal(action):
            console.print(Text(game.why_not(action)))
        else:
            for sentence in game.play(action):
                console.print(Text(sentence))
            if not game.over:
                show_board(console, game)
    return True


@command
def play(
    level: Annotated[
        str | None, typer.Argument(help=f"Name in the library, or a file; else {FIRST_LEVEL}.")
    ] = None,
    split: SplitOption = "train",
    tier: TierOption = None,
    seed: SeedOption = 0,
    size: SizeOption = "small",
) -> None:
    """Play a level in the terminal. The exit code is 0 when it is solved and 4 when it is not.

    Example: fqg play escape_the_room

    Example: fqg play --tier 3 --seed 7
    """
    name = FIRST_LEVEL if level is None and tier is None else level
    game = Game(chosen(name, split, tier, seed, size))
    console = Console(highlight=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)
    story = game.level.story or "Make what has to be delivered."
    console.print(Panel(Text(story), title=Text(game.level.name), width=min(100, console.width)))
    console.print("Type `help` for help.\n")
    if not converse(console, game):
        console.print("You leave. Nothing is delivered.")
        raise typer.Exit(NOT_ACHIEVED)
    if not show_end(console, game):
        raise typer.Exit(NOT_ACHIEVED)
