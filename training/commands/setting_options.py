"""Options of commands that play a setting: which levels, and what is drawn in them."""

from __future__ import annotations

from typing import Annotated

import typer

from fqg_env.arrays import SIZES
from fqg_env.splits import MIX_NAMES, MODE_NAMES, SPLITS

SplitOption = Annotated[str, typer.Option(help=f"Levels: {', '.join(SPLITS)}.")]
SeedOption = Annotated[int, typer.Option(min=0, help="Number of the first level.")]
TiersOption = Annotated[
    str, typer.Option(help="One tier or a range, 1 to 20. exact and exact_train have none.")
]
SizeOption = Annotated[str, typer.Option(help=f"Largest size: {', '.join(SIZES)}.")]
MixesOption = Annotated[
    str,
    typer.Option(
        help=f"Of faults: {', '.join(MIX_NAMES)}; several take turns; else the split's own."
    ),
]
ModeOption = Annotated[str, typer.Option(help=f"Who owns failures: {', '.join(MODE_NAMES)}.")]
