"""`fqg compare`: who owns failures, the conductor, the extension or both, measured under one policy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from conductor_agent.record.journal import JournalError
from policies.recovery.registry import BUILT_IN, PolicyError
from training.commands.evaluate import tier_range
from training.commands.setting_options import (
    MixesOption,
    SeedOption,
    SizeOption,
    SplitOption,
    TiersOption,
)
from training.disk import check_file, why_not
from training.judging.setting import Setting
from training.terminal import INTERRUPTED, JsonOption, bar, command, fail, print_json


def compare(
    policy: Annotated[
        str,
        typer.Option(
            help=f"Who decides in every mode: {', '.join(BUILT_IN)} (but none that plans); a folder that was "
            "exported; or your own module:Class."
        ),
    ] = "shipped",
    settings: Annotated[
        str,
        typer.Option(
            help="Separated by commas: generated, scenario_1, scenario_2, scenario_1_real, scenario_2_real, "
            "scenario_2_naive, scanned_page; all where it is not given."
        ),
    ] = "",
    episodes: Annotated[
        int, typer.Option(min=1, max=10**7, help="Levels of each setting of the game.")
    ] = 4096,
    cases: Annotated[
        int, typer.Option(min=1, max=1000, help="Inputs of each kind, in real workflows.")
    ] = 2,
    split: SplitOption = "test",
    seed: SeedOption = 0,
    tiers: TiersOption = "1-20",
    size: SizeOption = "small",
    mix: MixesOption = "",
    journal: Annotated[
        Path | None, typer.Option(help="Keep the real runs here, for `conductor explain`.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write a page with the plots to this HTML file.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Play levels and real workflows in each mode: community, conductor, hybrid.

    The same policy, inputs, faults and luck in each. Real workflows start real processes and take a few
    seconds a run; what needs an extra that is missing is left out, and named.
    """
    from training.decision import compared

    if report:
        check_file("--report", report)
    chosen = tuple(dict.fromkeys(name.strip() for name in settings.split(",") if name.strip()))
    if settings and not chosen:
        fail(f"--settings {settings!r} names none; leave it out for all of them")
    question = compared.Question(
        policy,
        chosen or compared.SETTINGS,
        Setting(split, episodes, seed, tier_range(tiers), size, mix),
        cases,
        journal,
    )
    result = watched(question)
    if report:
        result["report"] = str(report)
    print_json(result) if as_json else show(result)
    if report:
        write(report, result)


def write(report: Path, result: dict[str, Any]) -> None:
    """Write the page, once what was found is told: a disk that fails costs only the page."""
    from training.decision.words import write_page

    try:
        write_page(report, result)
    except OSError as problem:
        fail(f"--report {report}: {why_not(problem, 'name a file in another folder')}")


def watched(question: Any) -> dict[str, Any]:
    """Compare under a progress bar; what cannot be had is one sentence."""
    from training.decision import compared

    try:
        plan = compared.planned(question)
        with bar("comparing", plan.work) as update:
            return compared.compare(plan, update)
    except (PolicyError, JournalError) as problem:
        fail(str(problem))
    except KeyboardInterrupt:
        fail(
            "interrupted; nothing of it runs on. Begin again, with --settings where some are enough",
            INTERRUPTED,
        )


def show(result: dict[str, Any]) -> None:
    """Print the tables."""
    from training.decision.words import (
        HEAD,
        MODES,
        PROPOSAL,
        READ,
        SETTING_WORDS,
        differences,
        known,
        left_out,
        matrix,
        tables,
    )  # fmt: skip
    from training.pages.terminal_tables import figures_table

    console = Console(highlight=False, markup=False)
    for name, rows in tables(result).items():
        table = figures_table(f"{SETTING_WORDS[name]}, policy {result['policy']}", HEAD)
        for row in rows:
            table.add_row(*row)
        table.caption = "\n".join(differences(result, name))
        console.print(table)
    console.print(f"{READ}\n\nWhat the decision was taken for")
    for line in known(matrix(result)):
        values = ", ".join(f"{mode} {v}" for mode, v in zip(MODES, line.values, strict=True))
        console.print(f"  {line.name}: {values}\n    {line.measure}")
    console.print(f"  {PROPOSAL}")
    for name, why in result["skipped"].items():
        console.print(left_out(name, why))
    if "report" in result:
        console.print(f"report: {result['report']}")


compare_command = command(compare)
