"""`fqg train`: what it takes, what it shows meanwhile, and how it goes on where it was cut."""

from __future__ import annotations

import contextlib
import shlex
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from conductor_agent.plain import counted
from training.pages.terminal_tables import or_dash
from training.terminal import (
    INTERRUPTED,
    JsonOption,
    RunSeedOption,
    bar,
    command,
    fail,
    need,
    print_json,
)


class Device(str, Enum):
    """Where to train."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


RecipeOption = Annotated[str, typer.Option(help="Name of a recipe, or a YAML file.")]


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
