"""`--version` of both programs."""

from __future__ import annotations

import importlib.metadata
from typing import Annotated

import typer

PACKAGE = "fqg-conductor"


def _tell(asked: bool) -> None:
    if asked:
        typer.echo(f"{PACKAGE} {importlib.metadata.version(PACKAGE)}")
        raise typer.Exit


VersionOption = Annotated[
    bool,
    typer.Option("--version", callback=_tell, is_eager=True, help="Print the version, and end."),
]


def program(version: VersionOption = False) -> None:
    """What a program takes before the name of a command."""
