"""`--version` of both programs."""

from __future__ import annotations

from typing import Annotated

import typer

from conductor_agent.distribution import DISTRIBUTION, installed_version


def _tell(asked: bool) -> None:
    if asked:
        typer.echo(f"{DISTRIBUTION} {installed_version()}")
        raise typer.Exit


VersionOption = Annotated[
    bool,
    typer.Option("--version", callback=_tell, is_eager=True, help="Print the version, and end."),
]


def program(version: VersionOption = False) -> None:
    """What a program takes before the name of a command."""
