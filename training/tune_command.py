"""`fqg tune`: what it takes, how it goes on where it was cut, and what it prints."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from training.tables import figures_table
from training.terminal import (
    INTERRUPTED,
    JsonOption,
    RunSeedOption,
    bar,
    command,
    fail,
    print_json,
)


def tune(
    policies: Annotated[str, typer.Option(help="Rules, separated by commas; all by default.")] = "",
    trials: Annotated[int, typer.Option(min=1, help="Sets of numbers that each rule tries.")] = 120,
    episodes: Annotated[int, typer.Option(min=8, help="Levels that a trial plays.")] = 2000,
    seed: RunSeedOption = 0,
    out: Annotated[
        Path, typer.Option(help="File for the numbers; what it has for other rules stays.")
    ] = Path("tuned.toml"),
    as_json: JsonOption = False,
) -> None:
    """Search the numbers of the hand rules on validation levels, with the same budget for each.

    What is shipped was made by this command with `--out policies/recovery/tuned.toml`.
    """
    from policies.recovery.registry import TUNABLE
    from training import tune as tuning

    names = list(dict.fromkeys(n.strip() for n in policies.split(",") if n.strip())) or [*TUNABLE]
    tuning.check_names(names)
    budget = tuning.Budget(trials, episodes, seed)
    tables = tuning.read_tables(out)
    tuning.write_tables(out, tables)
    found: dict[str, tuning.Found] = {}
    with bar("tuning", trials * len(names)) as update:
        for name in names:
            done = trials * len(found)

            def tell(score: float, name: str = name) -> None:
                nonlocal done
                done += 1
                update(done, f"{name} {score:.4f}")

            try:
                found[name] = tuning.tune_into(tables, name, budget, tell)
            except KeyboardInterrupt:
                left = ",".join(n for n in names if n not in found)
                words = ["--trials", str(trials), "--episodes", str(episodes), "--seed", str(seed)]
                again = shlex.join(["fqg", "tune", "--policies", left, *words, "--out", str(out)])
                fail(f"interrupted; go on with: {again}", INTERRUPTED)
            tuning.write_tables(out, tables)
    if as_json:
        print_json(tuning.as_data(budget, out, found))
        return
    Console(highlight=False).print(tuned_table(found))
    typer.echo(f"numbers: {out}")


def tuned_table(found: dict[str, Any]) -> Table:
    """What tuning came to, on fresh levels."""
    table = figures_table("Mean return on fresh levels", ("rule", "before", "after", "gain", "95%"))
    for name, f in found.items():
        low, high = f.gain_ci95
        figures = (f"{f.before:.3f}", f"{f.after:.3f}", f"{f.gain:+.3f}")
        table.add_row(name, *figures, f"{low:+.3f} to {high:+.3f}")
    return table


tune_command = command(tune)
