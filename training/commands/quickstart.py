"""`fqg quickstart`: what it takes, what it shows meanwhile, and what it prints."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from conductor_agent.plain import counted
from training.commands.train import RecipeOption, TrainingBars, warn_of_calibration, way_on
from training.pages.terminal_tables import figures_table, print_figures
from training.terminal import (
    INTERRUPTED,
    JsonOption,
    RunSeedOption,
    command,
    fail,
    need,
    print_json,
)


@command
def quickstart(
    out: Annotated[
        Path, typer.Option(help="Folder for the policy, the journal, the report.")
    ] = Path("quickstart"),
    recipe: RecipeOption = "quick",
    seed: RunSeedOption = 0,
    episodes: Annotated[int, typer.Option(min=1, help="Held-out levels.")] = 2048,
    pages: Annotated[int, typer.Option(min=1, help="Scanned pages.")] = 12,
    as_json: JsonOption = False,
) -> None:
    """Train a conductor, judge it, deploy it on a real workflow: about 6 minutes on 2 cores.

    A quickstart replaces what an earlier quickstart left in OUT, its policy too.
    """
    need("train", "models")
    from training import quickstart as whole
    from training.disk import NotWritten
    from training.learning.ppo import Interrupted
    from training.learning.recipe import read_recipe

    chosen = read_recipe(recipe)
    workers = max(1, min(2, os.cpu_count() or 1))
    plan = whole.Plan(chosen, seed, out, episodes, pages, workers)
    with contextlib.ExitStack() as bars:
        shown = QuickstartBars(plan, bars)
        try:
            result = whole.quickstart(plan, shown.progress())
        except Interrupted:
            fail(f"interrupted; {way_on(recipe, seed, out)}", INTERRUPTED)
        except NotWritten as problem:
            fail(f"{problem}, then {way_on(recipe, seed, out)}")
    warn_of_calibration(result["train"])
    if as_json:
        print_json(result)
        return
    console = Console(highlight=False, markup=False)
    print_figures(console, result["evaluate"], counted(episodes, "held-out level"))
    console.print(page_table(result["deploy"]))
    replay = result["deploy"]["replay"]
    console.print(
        f"journal folded again: {replay['identical']} of {replay['observations']} observations identical"
    )
    console.print(f"policy: {result['train']['policy']}\nreport: {result['report']}")


def page_table(deploy: dict[str, Any]) -> Table:
    """The figures of a deployment for people."""
    heads = ("policy", "pages done", "texts good", "cost", "tries", "seconds", "wrong")
    table = figures_table("Scanned pages, real models in limited processes", heads)
    table.caption = "cost, tries and seconds: of all pages together"
    for label in ("rule", "trained"):
        d = deploy[label]
        table.add_row(
            Text(f"{label} ({d['policy']})"),
            f"{round(d['success_rate'] * d['pages'])} of {d['pages']}",
            str(d["goals"]["text"]),
            f"{d['cost']:.1f}",
            str(d["attempts"]),
            f"{d['elapsed_s']:.1f}",
            f"{d['wrong_delivered_rate']:.0%}",
            style="bold" if label == "trained" else None,
        )
    return table


class QuickstartBars(TrainingBars):
    """The same, then those of judging and deploying."""

    def __init__(self, plan: Any, bars: contextlib.ExitStack):
        super().__init__(plan.recipe, bars)
        self.plan, self.done = plan, 0

    def progress(self) -> Any:
        """What the quickstart tells."""
        from training.quickstart import Progress

        return Progress(self.training, self.fitting, self.episodes, self.page, self.stage)

    def stage(self, title: str) -> None:
        """A stage begins."""
        from training.quickstart import RIVALS

        totals = {
            "Training": self.plan.recipe.decisions,
            "Judging": self.plan.to_judge * (len(RIVALS) + 1),
            "Deploying": 2 * self.plan.pages,
        }
        self.done = 0
        self.begin(title, totals[title.split(maxsplit=1)[0]])

    def episodes(self, label: str, n: int) -> None:
        """Episodes have ended."""
        self.done += n
        self.update(self.done, label)

    def page(self, label: str, run: Any) -> None:
        """A page is done."""
        self.done += 1
        self.update(self.done, f"{label}: {', '.join(run.defects) or 'clean page'}, {run.status}")
