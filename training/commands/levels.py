"""`fqg levels`: look at levels, check level files, write generated levels with their hidden faults."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from conductor_agent.plain import counted
from fqg_env import arrays, library
from fqg_env.describe import describe
from fqg_env.errors import LevelError, suggest
from fqg_env.faces import size_named
from fqg_env.lanes import Lanes
from fqg_env.puzzle import Puzzle, describe_faults, write_puzzle
from fqg_env.render import board_as_text
from fqg_env.rules import reset
from fqg_env.shapes import TIERS
from fqg_env.splits import (
    ALL_TIERS,
    MIX_NAMES,
    SPLITS,
    Source,
    check_split,
    level_key,
    level_name,
    source_of,
)
from fqg_env.unsolvable import find_unsolvable
from fqg_env.witness import witness
from training.disk import why_not
from training.judging.hidden_words import run_by, wrongs
from training.judging.setting import level_files
from training.learning.out_folder import check_writable
from training.level_reader import read_level_file
from training.terminal import BAD_INPUT, JsonOption, command, fail, print_json

app = typer.Typer(
    help="Look at levels, check level files, write generated ones.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@dataclass(frozen=True)
class Generated:
    """Which generated level: number `seed` of a split, at a tier."""

    split: str = "test"
    tier: int | None = None
    """None: the split has templates."""
    seed: int = 0
    size: str = "small"
    mix: str = ""
    """Of faults; empty: the split's own."""

    @property
    def name(self) -> str:
        """The name of its file."""
        tier = "" if self.tier is None else f"tier{self.tier}-"
        mix = f"{self.mix}-" if self.mix else ""
        return f"{self.split}-{mix}{tier}seed{self.seed}"


def source_for(which: Generated) -> Source:
    """What a generated level is drawn from, once it is known that there is such a level; nothing is drawn.

    Raises:
        LevelError: there is no such split, tier, mix, seed or size.
    """
    check_split(which.split)
    if which.tier is None and not SPLITS[which.split].templates:
        raise LevelError("give a tier of the level, as in `--tier 3 --seed 0`")
    if which.tier is not None and not 1 <= which.tier <= TIERS:
        raise LevelError(f"there is no tier {which.tier}; they run from 1 to {TIERS}")
    size_named(which.size)
    level_key(which.split, which.seed)
    return source_of(which.split, ALL_TIERS if which.tier is None else which.tier, which.mix)


def generated(which: Generated) -> Puzzle:
    """A generated level with its hidden faults.

    Raises:
        LevelError: there is no such split, tier, mix, seed or size.
    """
    source = source_for(which)
    lanes = Lanes(1, size_named(which.size), belief=False, source=source)
    lanes.keys[0] = level_key(which.split, which.seed)
    lanes.draw_levels()
    name = level_name(which.split, source, int(lanes.levels["key"][0]), which.seed)
    level = describe(lanes.levels[0], name)
    return Puzzle(level=level, faults=describe_faults(level, lanes.hidden[0]))


def find(name_or_file: str) -> Puzzle:
    """A level of the library by its name, or a level file.

    Raises:
        LevelError: there is neither; or the file is wrong.
    """
    path = Path(name_or_file)
    if name_or_file in library.names():
        return library.load(name_or_file)
    if path.exists() or path.suffix in (".yaml", ".yml") or len(path.parts) > 1:
        return read_level_file(path)
    raise LevelError(
        f"there is no level {name_or_file!r}, in the library or as a file."
        + suggest(name_or_file, library.names())
    )


def chosen(level: str | None, which: Generated) -> Puzzle:
    """The level that a command line means: a name or file, or one of a split, by its tier if it has any.

    Raises:
        LevelError: it means both, neither, or one that is not there.
    """
    if level is not None and which.tier is not None:
        raise LevelError("give a level, or a tier (with split and seed), not both")
    if level is not None:
        return find(level)
    check_split(which.split)
    if which.tier is None and not SPLITS[which.split].templates:
        raise LevelError(
            "give a level: a name (see `fqg levels list`), a file, or `--tier 3 --seed 0`"
        )
    return generated(which)


def summary(puzzle: Puzzle) -> dict[str, Any]:
    """A level in a few numbers."""
    level = puzzle.level
    return {
        "title": level.name,
        "size": level.size.name,
        "calls": len(level.calls),
        "artifacts": len(level.artifacts),
        "goals": {name: goal.weight for name, goal in level.goals.items()},
        "hidden_faults": puzzle.faults is not None,
    }


def in_numbers(told: dict[str, Any]) -> str:
    """Calls and artifacts of a summary."""
    return f"{counted(told['calls'], 'call')}, {counted(told['artifacts'], 'artifact')}"


SplitOption = Annotated[str, typer.Option(help=f"Seed space: {', '.join(SPLITS)}.")]
TierOption = Annotated[
    int | None,
    typer.Option(
        help=f"Difficulty, 1 to {TIERS}: a generated level. exact and exact_train have none."
    ),
]
SeedOption = Annotated[int, typer.Option(min=0, help="Number of the level in its split.")]
MixOption = Annotated[
    str,
    typer.Option(
        help=f"Mix of faults: {', '.join(MIX_NAMES)}; the split's own where none is named."
    ),
]
SizeOption = Annotated[str, typer.Option(help=f"Largest size: {', '.join(arrays.SIZES)}.")]


@app.command("list")
@command
def list_levels(as_json: JsonOption = False) -> None:
    """List the levels with a story, and how generated ones are named.

    Example: fqg levels list --json
    """
    levels = [{"name": name, **summary(library.load(name))} for name in library.names()]
    if as_json:
        print_json(
            {"levels": levels, "splits": list(SPLITS), "tiers": TIERS, "sizes": list(arrays.SIZES)}
        )
        return
    width = max(len(entry["name"]) for entry in levels)
    for entry in levels:
        told = f"{entry['title']}: {in_numbers(entry)}, goal {', '.join(entry['goals'])}"
        told += "" if entry["size"] == "small" else f"; size {entry['size']}"
        typer.echo(f"{entry['name']:<{width}}  {told}")
    typer.echo(
        f"\nGenerated ones have a split ({', '.join(SPLITS)}), a tier (1 to {TIERS}; "
        "none in exact and exact_train) and a seed (0 and up):"
    )
    typer.echo("  fqg levels show --split test --tier 12 --seed 0")


@app.command()
@command
def show(
    level: Annotated[str | None, typer.Argument(help="Name in the library, or a file.")] = None,
    split: SplitOption = "test",
    tier: TierOption = None,
    seed: SeedOption = 0,
    size: SizeOption = "small",
    mix: MixOption = "",
    solution: Annotated[
        bool, typer.Option("--solution", help="Also what is really wrong, and a way to solve it.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show one level as its first move finds it.

    Example: fqg levels show escape_the_room

    Example: fqg levels show --split test --tier 9 --seed 3 --solution
    """
    puzzle = chosen(level, Generated(split, tier, seed, size, mix))
    actions = witness(puzzle) if solution else None
    names = ("WAIT", "STOP", *puzzle.level.call_names)
    way = [names[a] for a in actions] if actions is not None else None
    if as_json:
        data: dict[str, Any] = {**summary(puzzle), "level": puzzle.level.model_dump(mode="json")}
        if solution:
            data["faults"] = puzzle.faults.model_dump(mode="json") if puzzle.faults else None
            data["witness"] = way
        print_json(data)
        return
    record = puzzle.level.record()
    board = arrays.new(arrays.board_dtype(puzzle.level.size), 1)
    reset(record[0], board[0])
    typer.echo(puzzle.level.story + "\n" if puzzle.level.story else "", nl=bool(puzzle.level.story))
    typer.echo(board_as_text(puzzle.level, record[0], board[0]))
    typer.echo("\nwho runs what")
    for provider, functions in run_by(puzzle.level).items():
        typer.echo(f"  {provider}: {', '.join(functions)}")
    if solution:
        show_solution(puzzle, way)


def show_solution(puzzle: Puzzle, way: list[str] | None) -> None:
    """What is really wrong, and a way to solve it."""
    faults = puzzle.faults
    typer.echo("\nwhat is wrong")
    told = list(wrongs(puzzle, faults)) if faults else []
    nothing = "nothing" if faults else "drawn anew from the prior for every key"
    typer.echo("\n".join(f"  {sentence}" for sentence in told or [nothing]))
    none = "none: it cannot be solved" if not way and cannot_be_solved(puzzle) else "none was found"
    typer.echo("\na way\n  " + (", ".join(way) if way else none))


def cannot_be_solved(puzzle: Puzzle) -> bool:
    """It is proven that nobody can solve it."""
    lanes, out = Lanes(1, puzzle.level.size, belief=False), np.zeros(1, np.uint8)
    puzzle.load(lanes)
    find_unsolvable(lanes.levels, lanes.hidden, out)
    return bool(out[0])


def in_folders(names: list[str]) -> list[str]:
    """Files, and those in folders, sorted.

    Raises:
        LevelError: there is none in a folder.
    """
    return [
        file for name in names for file in (level_files(name) if Path(name).is_dir() else [name])
    ]


@app.command(short_help="Check level files.")
@command
def validate(
    files: Annotated[list[str], typer.Argument(help="Level files, or folders of them.")],
    as_json: JsonOption = False,
) -> None:
    """Check level files; each bad one is answered with one sentence, and the exit code is 2.

    Example: fqg levels validate my_level.yaml other.yaml
    """
    answers: dict[str, dict[str, Any]] = {}
    for file in in_folders(files):
        try:
            answers[file] = {"valid": True, **summary(read_level_file(file))}
        except LevelError as problem:
            answers[file] = {"valid": False, "problem": str(problem)}
    if as_json:
        print_json({"files": answers})
    for file, answer in answers.items():
        if not answer["valid"]:
            typer.echo(f"fqg: {answer['problem']}", err=True)
        elif not as_json:
            typer.echo(f"{file}: good ({in_numbers(answer)})")
    if not all(answer["valid"] for answer in answers.values()):
        raise typer.Exit(BAD_INPUT)


@app.command(short_help="Write generated levels, with what is hidden in them.")
@command
def make(
    out: Annotated[
        Path, typer.Option(help="Folder for the files; it is made where it is missing.")
    ],
    tier: TierOption = None,
    split: SplitOption = "test",
    count: Annotated[int, typer.Option(min=1, help="How many.")] = 1,
    seed: Annotated[int, typer.Option(help="Number of the first one in its split.")] = 0,
    size: SizeOption = "small",
    mix: MixOption = "",
    as_json: JsonOption = False,
) -> None:
    """Write generated levels to files that hold the hidden faults too, so that others can judge on them.

    A file holds the level and its faults; the luck of attempts is drawn when it is played, by --seed of
    `fqg evaluate --levels`. Levels of `test` are played as `fqg evaluate --split test` plays them only with
    the same --seed everywhere; those of another split under another luck than there.

    Example: fqg levels make --tier 12 --split test --count 10 --seed 0 --out levels
    """
    source_for(Generated(split, tier, seed, size, mix))
    check_writable(out)
    written = []
    for i in range(count):
        which = Generated(split, tier, seed + i, size, mix)
        puzzle = generated(which)
        try:
            write_puzzle(puzzle, out / f"{which.name}.yaml")
        except OSError as problem:
            fail(f"{out}: {why_not(problem, 'name another folder')}")
        written.append(str(out / f"{which.name}.yaml"))
    if as_json:
        print_json({"files": written})
    else:
        typer.echo("\n".join(written))
