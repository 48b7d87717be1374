"""The command `fqg`: play, look at levels, train, evaluate, and the quickstart that does it all."""

from __future__ import annotations

import contextlib
import itertools
import os
import shlex
import sys
from collections.abc import Iterable, Iterator
from enum import Enum
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from fqg_env.arrays import SIZES
from fqg_env.generator import TIERS
from fqg_env.level import LevelError
from fqg_env.splits import MIX_NAMES, MODE_NAMES, SPLITS
from policies.recovery.registry import PolicyError, policy_named
from training import levels
from training.play import play
from training.terminal import (
    BAD_INPUT,
    INTERRUPTED,
    NOT_ACHIEVED,
    JsonOption,
    command,
    counted,
    fail,
    print_json,
)

app = typer.Typer(
    help="Function Quest: train and judge what decides when functions fail.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(levels.app, name="levels")
app.command()(play)
CONSOLE = Console(stderr=True)
LONGEST_LABEL = 15
"""Letters of a policy's label in a table, which then fits 80 columns; the JSON has it whole."""


def tier_range(text: str) -> tuple[int, int]:
    """`16-20` or `16` as a pair.

    Raises:
        LevelError: it is neither, or out of range.
    """
    low, _, high = text.partition("-")
    try:
        pair = (int(low), int(high or low))
    except ValueError:
        raise LevelError(f"--tiers {text!r}: write one tier or a range, as in 16-20") from None
    if not 1 <= pair[0] <= pair[1] <= TIERS:
        raise LevelError(f"--tiers {text!r}: tiers run from 1 to {TIERS}, the lower first")
    return pair


EXTRAS = {
    "train": ("sb3_contrib", "torch", "onnx"),
    "models": ("cv2", "py3langid", "rapidocr", "sklearn"),
}


def need(*extras: str) -> None:
    """Leave with one sentence where an extra that a command needs is missing."""
    missing = [
        extra for extra in extras if any(find_spec(module) is None for module in EXTRAS[extra])
    ]
    if missing:
        names = ",".join(extras)
        fail(
            f'this needs the extra {" and ".join(missing)}; install with: pip install -e ".[{names}]"'
        )


@contextlib.contextmanager
def bar(description: str, total: float) -> Iterator[Any]:
    """A progress bar on standard error with time left; yields a function(completed, note)."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with Progress(*columns, console=CONSOLE) as progress:
        task = progress.add_task(description, total=total, note="")

        def update(completed: float, note: str = "") -> None:
            progress.update(task, completed=completed, note=note)

        yield update


def figures_table(title: str, heads: tuple[str, ...]) -> Table:
    """An empty table that fits a terminal of 80 columns."""
    table = Table(
        title=Text(title), box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), title_justify="left"
    )
    for i, head in enumerate(heads):
        table.add_column(head, justify="right" if i else "left", overflow="fold")
    return table


def or_dash(value: float | None, form: str) -> str:
    """A figure in a form, a dash where there is none."""
    return "-" if value is None else format(value, form)


def short(label: str, labels: Iterable[str]) -> str:
    """The end of a long label, for one line of a table; whole where that of another would be the same."""
    end = label[len("...") - LONGEST_LABEL :]
    alike = [other for other in labels if other.endswith(end)]
    return label if len(label) <= LONGEST_LABEL or len(alike) > 1 else f"...{end}"


def print_figures(console: Console, result: dict[str, Any], title: str) -> None:
    """The figures of an evaluation, and below them the differences, and why a policy has none."""
    judged = {name: p for name, p in result["policies"].items() if "error" not in p}
    if judged:
        console.print(policy_table(judged, title))
    if result["paired"]:
        console.print(paired_table(judged, result["paired"]))
    for name, p in result["policies"].items():
        if "error" in p:
            console.print(Text(f"{name} failed: {p['error']}", "red"))


def policy_table(policies: dict[str, dict[str, Any]], title: str) -> Table:
    """The figures of policies that were judged."""
    oracle = any(p["fraction_of_oracle"] is not None for p in policies.values())
    beside = ("of oracle",) if oracle else ()
    heads = ("policy", "success", "return", "+-95%", *beside, "tries", "cost", "wrong", "ms")
    table = figures_table(title, heads)
    table.caption = "tries and cost: per success; ms: one decision, median"
    for name, p in policies.items():
        low, high = p["return_ci95"]
        table.add_row(
            Text(short(name, policies)),
            f"{p['success_rate']:.1%}",
            f"{p['return_mean']:.3f}",
            f"{(high - low) / 2:.3f}",
            *((or_dash(p["fraction_of_oracle"], ".1%"),) if oracle else ()),
            or_dash(p["attempts_per_success"], ".1f"),
            or_dash(p["cost_per_success"], ".2f"),
            f"{p['wrong_delivered_rate']:.1%}",
            or_dash(p["decision_ms_p50"], ".3f"),
            style="bold" if name == "trained" else None,
        )
    return table


def paired_table(policies: dict[str, dict[str, Any]], paired: dict[str, dict[str, Any]]) -> Table:
    """Differences in return: each pair once, the better first; where there is `trained`, only its own."""
    table = figures_table("Differences in return, level by level", ("", "mean", "95%"))
    ranked = sorted(policies, key=lambda name: -policies[name]["return_mean"])
    pairs = list(itertools.combinations(ranked, 2))
    if "trained" in policies:
        pairs = [("trained", name) for name in ranked if name != "trained"]
    for one, other in pairs:
        p = paired[f"{one}/{other}"]
        low, high = p["difference_ci95"]
        names = f"{short(one, policies)} - {short(other, policies)}"
        table.add_row(Text(names), f"{p['difference_mean']:+.3f}", f"{low:+.3f} to {high:+.3f}")
    return table


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


SeedOption = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of the run.")]
RecipeOption = Annotated[str, typer.Option(help="Name of a recipe, or a YAML file.")]


def going_on(recipe: str, seed: int, out: Path, device: Device = Device.AUTO) -> str:
    """The command that goes on with a training that was cut."""
    words = ["fqg", "train", "--recipe", recipe, "--seed", str(seed), "--out", str(out)]
    if device is not Device.AUTO:
        words += ["--device", device.value]
    return shlex.join([*words, "--resume"])


def warn_of_calibration(trained: dict[str, Any]) -> None:
    """Say on standard error where the chances of success that a policy tells are worth little."""
    from training.success import calibration_warning

    warning = calibration_warning(trained["success_ece"])
    if warning:
        typer.echo(f"fqg: {warning}", err=True)


@app.command(
    epilog="Example: fqg train --recipe quick --seed 0 --out runs/quick",
)
@command
def train(
    recipe: RecipeOption = "quick",
    seed: SeedOption = 0,
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
    from training.checkpoint import clear_earlier, find_checkpoint
    from training.ppo import Interrupted, device_named
    from training.ppo import train as run
    from training.recipe import read_recipe

    chosen = read_recipe(recipe)
    device_named(device.value)
    if resume:
        find_checkpoint(out, chosen, seed)
    else:
        clear_earlier(out, force)
    with bar("training", chosen.steps) as update:
        try:
            result = run(
                chosen,
                seed,
                out,
                resume,
                device.value,
                lambda p: update(
                    p.steps, f"return {p.return_mean:.3f} success {p.success_rate:.1%}"
                ),
            )
        except Interrupted:
            fail(f"interrupted; go on with: {going_on(recipe, seed, out, device)}", INTERRUPTED)
    warn_of_calibration(result)
    if as_json:
        print_json(result)
        return
    typer.echo(
        f"{result['steps']:,} steps in {result['elapsed_s']:.0f} s "
        f"({result['steps_per_s']:.0f} a second), return {or_dash(result['return_mean'], '.3f')}, "
        f"success {or_dash(result['success_rate'], '.1%')}\npolicy: {result['policy']}"
    )


@app.command(
    epilog="Example: fqg evaluate --policies index,code_aware,oracle --split test --tiers 16-20",
)
@command
def evaluate(
    policies: Annotated[
        str, typer.Option(help="Names, policy folders or module:Class, separated by commas.")
    ] = "random,retry_fallback,cascade,code_aware,index,oracle",
    split: Annotated[str, typer.Option(help=f"Levels: {', '.join(SPLITS)}.")] = "test",
    episodes: Annotated[int, typer.Option(min=1, help="Levels that each policy plays.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Number of the first level.")] = 0,
    tiers: Annotated[
        str, typer.Option(help="One tier or a range, 1 to 20. exact and exact_train have none.")
    ] = "1-20",
    size: Annotated[str, typer.Option(help=f"Largest size: {', '.join(SIZES)}.")] = "small",
    mix: Annotated[
        str, typer.Option(help=f"Of faults: {', '.join(MIX_NAMES)}; else the split's own.")
    ] = "",
    mode: Annotated[
        str, typer.Option(help=f"Who owns failures: {', '.join(MODE_NAMES)}.")
    ] = "hybrid",
    levels_dir: Annotated[
        Path | None, typer.Option("--levels", help="Folder of level files to play instead.")
    ] = None,
    workers: Annotated[
        int,
        typer.Option(
            min=1,
            help="Processes; they change no figure. With 2, a policy that kills its own costs only itself.",
        ),
    ] = 1,
    as_json: JsonOption = False,
) -> None:
    """Let policies play the same levels under the same luck, and compare them.

    The exit code is 0 where a policy was judged, and 4 where every one failed.
    """
    from training import evaluate as judge

    labels = dict.fromkeys(name.strip() for name in policies.split(",") if name.strip())
    if not labels:
        fail("--policies names none; write names separated by commas, as in index,code_aware")
    for name in labels:
        try:
            policy_named(name)
        except PolicyError as problem:
            fail(str(problem))
    if levels_dir and (mix or mode != "hybrid"):
        fail("--mix and --mode say how levels are drawn; leave them out beside --levels")
    setting = judge.Setting(
        split="levels" if levels_dir else split,
        episodes=episodes,
        seed=seed,
        tiers=tier_range(tiers),
        size=size,
        mix=mix,
        mode=mode,
        levels=judge.level_files(levels_dir) if levels_dir else (),
    )
    judge.check_setting(setting)
    done = 0
    with bar("evaluating", episodes * len(labels)) as update:

        def tell(label: str, n: int) -> None:
            nonlocal done
            done += n
            update(done, label)

        try:
            result = judge.evaluate({name: name for name in labels}, setting, workers, tell)
        except PolicyError as problem:
            fail(str(problem))
    if as_json:
        print_json(result)
    else:
        print_figures(Console(highlight=False), result, judge.evaluation_title(result))
    if all("error" in p for p in result["policies"].values()):
        raise typer.Exit(NOT_ACHIEVED)


@app.command(epilog="Example: fqg tune --policies router,lookup --trials 120 --episodes 2000")
@command
def tune(
    policies: Annotated[str, typer.Option(help="Rules, separated by commas; all by default.")] = "",
    trials: Annotated[int, typer.Option(min=1, help="Sets of numbers that each rule tries.")] = 120,
    episodes: Annotated[int, typer.Option(min=8, help="Levels that a trial plays.")] = 2000,
    seed: SeedOption = 0,
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


@app.command(epilog="Example: fqg quickstart --out quickstart")
@command
def quickstart(
    out: Annotated[
        Path, typer.Option(help="Folder for the policy, the journal, the report.")
    ] = Path("quickstart"),
    recipe: RecipeOption = "quick",
    seed: SeedOption = 0,
    episodes: Annotated[int, typer.Option(min=1, help="Held-out levels.")] = 2048,
    pages: Annotated[int, typer.Option(min=1, help="Scanned pages.")] = 12,
    as_json: JsonOption = False,
) -> None:
    """Train a conductor, judge it, deploy it on a real workflow: about 5 minutes on 2 cores.

    A quickstart replaces what an earlier quickstart left in OUT, its policy too.
    """
    need("train", "models")
    from training import quickstart as whole
    from training.ppo import Interrupted
    from training.recipe import read_recipe

    chosen = read_recipe(recipe)
    workers = max(1, min(2, os.cpu_count() or 1))
    plan = whole.Plan(chosen, seed, out, episodes, pages, workers)
    with contextlib.ExitStack() as bars:
        watch = Watcher(plan, bars)
        try:
            result = whole.quickstart(plan, watch.progress())
        except Interrupted:
            fail(f"interrupted; train on with: {going_on(recipe, seed, out)}", INTERRUPTED)
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


class Watcher:
    """The progress bars of a quickstart, one stage after another."""

    def __init__(self, plan: Any, bars: contextlib.ExitStack):
        self.plan, self.bars = plan, bars
        self.update: Any = lambda completed, note="": None
        self.done = 0

    def progress(self) -> Any:
        """What the quickstart tells."""
        from training.quickstart import Progress as Told

        return Told(self.training, self.episodes, self.page, self.stage)

    def begin(self, description: str, total: float) -> None:
        """End the bar before and show the next."""
        self.bars.close()
        self.done = 0
        self.update = self.bars.enter_context(bar(description, total))

    def stage(self, title: str) -> None:
        """A stage begins."""
        from training.quickstart import RIVALS

        totals = {
            "Training": self.plan.recipe.steps,
            "Judging": self.plan.episodes * (len(RIVALS) + 1),
            "Deploying": 2 * self.plan.pages,
        }
        self.begin(title, totals[title.split(maxsplit=1)[0]])

    def training(self, point: Any) -> None:
        """A rollout has ended."""
        note = f"return {point.return_mean:.3f} success {point.success_rate:.1%}"
        self.update(point.steps, note)

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
    except KeyboardInterrupt:
        typer.echo("fqg: interrupted; run the same command to start again", err=True)
        sys.exit(INTERRUPTED)
    except Exception as problem:
        if type(problem).__name__ == "NoArgsIsHelpError":
            typer.echo(str(problem), err=True)
            sys.exit(BAD_INPUT)
        if hasattr(problem, "format_message"):  # of the command line, made for users
            typer.echo(f"fqg: {' '.join(problem.format_message().split())}", err=True)
            sys.exit(BAD_INPUT)
        if os.environ.get("FQG_DEBUG"):
            raise
        text = " ".join(f"{type(problem).__name__}: {problem}".split())
        typer.echo(f"fqg: a fault of ours: {text} (set FQG_DEBUG=1 to see where)", err=True)
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
