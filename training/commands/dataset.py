"""`fqg dataset`: log episodes of a policy in Minari's format, and say what a dataset holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from conductor_agent.plain import counted
from policies.recovery.registry import BUILT_IN, PolicyError
from training.commands.evaluate import tier_range
from training.commands.setting_options import (
    MixesOption,
    ModeOption,
    SeedOption,
    SizeOption,
    SplitOption,
    TiersOption,
)
from training.judging.setting import Setting
from training.pages.terminal_tables import or_dash
from training.terminal import JsonOption, bar, command, fail, need, print_json

app = typer.Typer(
    help="Log episodes in Minari's format, and look at datasets.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command(
    short_help="Let a policy play, and keep all of it.",
    epilog="Example: fqg dataset make --policy index --split train --episodes 1000 --out datasets/index-v0",
)
@command
def make(
    out: Annotated[Path, typer.Option(help="Folder for the dataset; it lies in OUT/data.")],
    policy: Annotated[
        str,
        typer.Option(
            help=f"Who plays: {', '.join(BUILT_IN)}; a folder that was exported; or your own module:Class."
        ),
    ] = "index",
    split: SplitOption = "train",
    episodes: Annotated[int, typer.Option(min=1, max=10**7, help="How many.")] = 1000,
    seed: SeedOption = 0,
    tiers: TiersOption = "1-20",
    size: SizeOption = "small",
    mix: MixesOption = "",
    mode: ModeOption = "hybrid",
    as_json: JsonOption = False,
) -> None:
    """Let a policy play, and keep every observation, action and reward, as Minari reads them.

    A small level takes about 13 kB. A folder named as in index-v0 is found by minari.load_dataset("index-v0")
    where MINARI_DATASETS_PATH is the folder around it.
    """
    need("datasets")
    from training.datasets.write import check, write_dataset
    from training.disk import NotWritten

    setting = Setting(split, episodes, seed, tier_range(tiers), size, mix, mode)
    try:
        check(out, policy, setting)
        with bar(f"playing {policy}", episodes) as update:
            made = write_dataset(out, policy, setting, update)
    except PolicyError as problem:
        fail(str(problem))
    except NotWritten as problem:
        fail(f"{problem}, then run the same command again")
    tell(made, as_json)


@app.command(epilog="Example: fqg dataset show datasets/index-v0")
@command
def show(
    folder: Annotated[Path, typer.Argument(help="Folder of the dataset.")],
    as_json: JsonOption = False,
) -> None:
    """Say what a dataset holds, and how it was made."""
    need("datasets")
    from training.datasets.about import describe_dataset

    tell(describe_dataset(folder), as_json)


def tell(told: dict[str, Any], as_json: bool) -> None:
    """Print what a dataset is."""
    if as_json:
        print_json(told)
        return
    tiers = "{} to {}".format(*told["tiers"]) if told["tiers"] else ""
    levels = f"{told['seed']} to {told['seed'] + told['episodes'] - 1}"
    drawn = f", tiers {tiers}, mix {told['mix']}, mode {told['mode']}" if tiers else ""
    typer.echo(
        f"{told['id']}: {counted(told['episodes'], 'episode')}, "
        f"{counted(told['decisions'], 'decision')}, {told['megabytes']:.1f} MB\n"
        f"{told['policy']} on levels {levels} of {told['split']}, {told['size']}{drawn}\n"
        f"return {or_dash(told['return_mean'], '.3f')}, success {or_dash(told['success_rate'], '.1%')}\n"
        f"observation version {told['observation_version']}, Function Quest {told['fqg_version']}, "
        f"Minari {told['minari_version']}\n{told['dataset']}/data"
    )
