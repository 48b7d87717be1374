"""`fqg tune`: what it takes, how it goes on where it was cut, and what it prints."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from conductor_agent.plain import counted
from policies.recovery.registry import TUNABLE
from training.pages.terminal_tables import figures_table
from training.terminal import (
    CONSOLE,
    INTERRUPTED,
    JsonOption,
    RunSeedOption,
    bar,
    command,
    fail,
    print_json,
)


def tune(
    policies: Annotated[
        str, typer.Option(help=f"Rules, separated by commas: {', '.join(TUNABLE)}; all by default.")
    ] = "",
    trials: Annotated[int, typer.Option(min=1, help="Sets of numbers that each rule tries.")] = 120,
    episodes: Annotated[int, typer.Option(min=8, help="Levels that a trial plays.")] = 2000,
    seed: RunSeedOption = 0,
    out: Annotated[
        Path,
        typer.Option(
            help="TOML file for the numbers. One that is there is gone on with: tuning starts from its "
            "numbers, and what it has for other rules stays."
        ),
    ] = Path("tuned.toml"),
    as_json: JsonOption = False,
) -> None:
    """Search the numbers of the hand rules on validation levels, with the same budget for each.

    For each rule OUT gets a table of its numbers, [RULE], and one that says how they were made, [made.RULE]:
    the command, and the mean return on fresh levels before and after. What was found replaces the numbers
    before only where it is surely better there. A new OUT begins as a copy of what ships, and the file is
    written again, whole, after each rule; comments of yours in it are lost.

    To use it: rules read policies/recovery/tuned.toml of the installed package, and no other file. Copy OUT
    over it, or name it as OUT, as what ships was made; `fqg evaluate` then plays with the new numbers.
    """
    from training.judging import tune as tuning

    names = list(dict.fromkeys(n.strip() for n in policies.split(",") if n.strip())) or [*TUNABLE]
    tuning.check_names(names)
    budget = tuning.Budget(trials, episodes, seed)
    tables = tuning.read_tables(out)
    tuning.write_tables(out, tables)
    found: dict[str, tuning.Found] = {}
    typer.echo(
        f"fqg: tuning {', '.join(names)}: {counted(trials, 'trial')} each, "
        f"on up to {counted(episodes, 'level')}; the first trial compiles the rules, "
        "a minute or two where that is new",
        err=True,
    )
    with bar("tuning", trials * len(names)) as update:
        for name in names:
            done = trials * len(found)
            update(done, f"{name}: compiling, first trial")

            def tell(score: float, name: str = name) -> None:
                nonlocal done
                done += 1
                over = done % trials == 0
                update(done, f"{name} {score:.4f}{', judged on fresh levels' if over else ''}")

            try:
                found[name] = tuning.tune_into(tables, name, budget, tell)
            except KeyboardInterrupt:
                left = ",".join(n for n in names if n not in found)
                words = ["--trials", str(trials), "--episodes", str(episodes), "--seed", str(seed)]
                again = shlex.join(["fqg", "tune", "--policies", left, *words, "--out", str(out)])
                fail(f"interrupted; go on with: {again}", INTERRUPTED)
            tuning.write_tables(out, tables)
            CONSOLE.print(Text(f"{name}: {outcome(found[name])}"))
    if as_json:
        print_json(tuning.as_data(budget, out, found))
        return
    Console(highlight=False).print(tuned_table(found))
    typer.echo(f"numbers: {out}")


def outcome(found: Any) -> str:
    """What tuning a rule came to, in a few words."""
    if found.gain > 0.0:
        return f"{found.before:.3f} before, {found.after:.3f} after"
    return f"{found.before:.3f}, nothing surely better was found; its numbers stay"


def tuned_table(found: dict[str, Any]) -> Table:
    """What tuning came to, on fresh levels."""
    table = figures_table("Mean return on fresh levels", ("rule", "before", "after", "gain", "95%"))
    for name, f in found.items():
        low, high = f.gain_ci95
        figures = (f"{f.before:.3f}", f"{f.after:.3f}", f"{f.gain:+.3f}")
        table.add_row(name, *figures, f"{low:+.3f} to {high:+.3f}")
    return table


tune_command = command(tune)
