"""The command `fqg`: play, look at levels, tune, train, evaluate, and the quickstart that does it all."""

from __future__ import annotations

from typing import NoReturn

import typer

from conductor_agent.commands.ending import to_its_end
from conductor_agent.commands.version import program
from training.commands import dataset, levels
from training.commands.attention import attend
from training.commands.compare import compare_command
from training.commands.compile import compile_rules
from training.commands.evaluate import evaluate_command
from training.commands.play import play
from training.commands.quickstart import quickstart
from training.commands.train import train
from training.commands.tune import tune_command

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
app.command(epilog="Example: fqg train --recipe quick --seed 0 --out runs/quick")(train)
app.command(
    short_help="Search the numbers of the hand rules.",
    epilog="Example: fqg tune --policies router,lookup --trials 120 --episodes 2000",
)(tune_command)
app.command("compile", epilog="Example: fqg compile --sizes small,standard")(compile_rules)
app.command(
    short_help="Train a conductor, judge it, and deploy it on real pages.",
    epilog="Example: fqg quickstart --out quickstart",
)(quickstart)


def main() -> NoReturn:
    """Entry point of `fqg`: every usage error is one sentence and exit code 2."""
    to_its_end(
        "fqg",
        lambda: app(standalone_mode=False, prog_name="fqg"),
        interrupted="interrupted; run the same command to start again",
    )
