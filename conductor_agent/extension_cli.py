"""`conductor extension`: what authors and operators do with extensions."""

from __future__ import annotations

import typer

app = typer.Typer(
    name="extension",
    help="Make, check, run and list extensions.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
