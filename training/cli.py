"""The command `fqg`: play, look at levels, tune, train, evaluate, and the quickstart that does it all."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import sys
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from conductor_agent.commands.usage import usage_sentence
from conductor_agent.commands.version import program
from conductor_agent.plain import counted
from training.commands import dataset, levels
from training.commands.attention import attend
from training.commands.compare import compare_command
from training.commands.compile import compile_rules
from training.commands.evaluate import evaluate_command
from training.commands.play import play
from training.commands.tune import tune_command
from training.pages.terminal_tables import figures_table, or_dash, print_figures
from training.terminal import (
    BAD_INPUT,
    INTERRUPTED,
    JsonOption,
    RunSeedOption,
    bar,
    command,
    fail,
    need,
    print_json,
)

app = typer.Typer(
    help="Function Quest: train and judge what decides when functions fail.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.callback()(program)
app.add_typer(levels.app, name="levels")
app.add_typer(dataset.app, name="dataset")
app.command()(play)
app.command(short_help="Show what a sequence model heeds after a failure.")(attend)
app.command(
    short_help="Let policies play the same levels, and compare them.",
    epilog="Example: fqg evaluate --policies index,code_aware,oracle --split test --tiers 16-20",
)(evaluate_command)
app.command(
    "compare",
    short_help="Play levels and workflows in each mode of responsibility.",
    epilog="Example: fqg compare --policy shipped --settings generated,scenario_1_real",
)(compare_command)


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


class Device(str, Enum):
    """Where to train."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


RecipeOption = Annotated[str, typer.Option(help="Name of a recipe, or a YAML file.")]


def way_on(recipe: str, seed: int, out: Path, device: Device = Device.AUTO) -> str:
    """How to go on with a training that was cut."""
    from training.learning.out_folder import last_checkpoint

    if last_checkpoint(out) is None:
        return "run the same command again"
    words = ["fqg", "train", "--recipe", recipe, "--seed", str(seed), "--out", str(out)]
    if device is not Device.AUTO:
        words += ["--device", device.value]
    return f"go on with: {shlex.join([*words, '--resume'])}"


def warn_of_calibration(trained: dict[str, Any]) -> None:
    """Say on standard error where the chances of success that a policy tells are worth little."""
    from training.learning.confidence import calibration_warning

    warning = calibration_warning(trained["success_ece"])
    if warning:
        typer.echo(f"fqg: {warning}", err=True)


@app.command(
    epilog="Example: fqg train --recipe quick --seed 0 --out runs/quick",
)
@command
def train(
    recipe: RecipeOption = "quick",
    seed: RunSeedOption = 0,
    out: Annotated[Path, typer.Option(help="Folder for checkpoints and the policy.")] = Path(
        "runs/train"
    ),
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace an earlier training in OUT.")
    ] = False,
    device: Annotated[Device, typer.Option(help="Where to train.")] = Device.AUTO,
    as_json: JsonOption = False,
) -> None:
    """Train a conductor and export it to OUT/policy."""
    if resume and force:
        fail("--resume goes on with the training in OUT and --force replaces it; give one of them")
    need("train")
    from training.disk import NotWritten
    from training.learning.checkpoint import find_checkpoint
    from training.learning.out_folder import clear_earlier
    from training.learning.ppo import Interrupted, device_named
    from training.learning.ppo import train as run
    from training.learning.recipe import read_recipe

    chosen = read_recipe(recipe)
    device_named(device.value)
    if resume:
        find_checkpoint(out, chosen, seed)
    else:
        clear_earlier(out, force)
    with contextlib.ExitStack() as bars:
        shown = TrainingBars(chosen, bars)
        shown.begin("training", chosen.decisions)
        try:
            result = run(
                chosen,
                seed,
                out,
                resume,
                device.value,
                shown.training,
                on_fitting=shown.fitting,
            )
        except Interrupted:
            fail(f"interrupted; {way_on(recipe, seed, out, device)}", INTERRUPTED)
        except NotWritten as problem:
            fail(f"{problem}, then {way_on(recipe, seed, out, device)}")
    warn_of_calibration(result)
    if as_json:
        print_json(result)
        return
    from training.pages.charts import DRAWN

    done = [f"{n:,} {what}" for what in ("labels", "steps") if (n := result[what])]
    typer.echo(
        f"{' and '.join(done)} in {result['elapsed_s']:.0f} s, "
        f"return {or_dash(result['return_mean'], '.3f')}, "
        f"success {or_dash(result['success_rate'], '.1%')}\n({DRAWN[0].lower()}{DRAWN[1:]})\n"
        f"policy: {result['policy']}"
    )


app.command(
    short_help="Search the numbers of the hand rules.",
    epilog="Example: fqg tune --policies router,lookup --trials 120 --episodes 2000",
)(tune_command)


app.command("compile", epilog="Example: fqg compile --sizes small,standard")(compile_rules)


@app.command(
    short_help="Train a conductor, judge it, and deploy it on real pages.",
    epilog="Example: fqg quickstart --out quickstart",
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


class TrainingBars:
    """The progress bars of a training, one stage after another."""

    def __init__(self, recipe: Any, bars: contextlib.ExitStack):
        self.recipe, self.bars = recipe, bars
        self.update: Any = lambda completed, note="": None
        self.fits = False

    def begin(self, description: str, total: float) -> None:
        """End the bar before and show the next."""
        self.bars.close()
        self.update = self.bars.enter_context(bar(description, total))

    def training(self, point: Any) -> None:
        """A rollout has ended."""
        note = f"return {point.return_mean:.3f} success {point.success_rate:.1%} (drawn actions)"
        self.update(point.steps, note)

    def fitting(self, ended: int) -> None:
        """So many of the fresh episodes have ended that confidence is fitted on."""
        from training.learning.confidence import fresh_episodes

        if not self.fits:
            self.fits = True
            total = fresh_episodes(self.recipe)
            self.begin(f"fitting confidence on {counted(total, 'fresh level')}", total)
        self.update(ended)


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


def main() -> None:
    """Entry point of `fqg`: every usage error is one sentence and exit code 2."""
    try:
        code = app(standalone_mode=False, prog_name="fqg")
        if code == INTERRUPTED:  # all is said and saved: nothing is left that a signal could cut
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)
    except KeyboardInterrupt:
        typer.echo("fqg: interrupted; run the same command to start again", err=True)
        sys.exit(INTERRUPTED)
    except Exception as problem:
        if type(problem).__name__ == "NoArgsIsHelpError":
            typer.echo(str(problem), err=True)
            sys.exit(BAD_INPUT)
        if hasattr(problem, "format_message"):  # of the command line, made for users
            typer.echo(f"fqg: {usage_sentence(problem)}", err=True)
            sys.exit(BAD_INPUT)
        if os.environ.get("FQG_DEBUG"):
            raise
        text = " ".join(f"{type(problem).__name__}: {problem}".split())
        typer.echo(f"fqg: a fault of ours: {text} (set FQG_DEBUG=1 to see where)", err=True)
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)
