"""`conductor new` and `conductor schema`: what a person begins with, and what an editor checks files by."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from conductor_agent.commands.options import JsonOption
from conductor_agent.plain import print_json


def new(
    path: Annotated[Path, typer.Argument(help="A new folder; its name becomes the module's.")],
    as_json: JsonOption = False,
) -> None:
    """Write a workflow that runs at once, with its extensions, a test and a README.

    Its first function fails on the input that is written beside it, and the second recovers.

    Example: conductor new my_flow && conductor run my_flow/workflow.yaml
    """
    from conductor_agent.authoring.new_workflow import write_workflow

    files = write_workflow(path)
    if as_json:
        print_json({"files": [str(file) for file in files]})
        return
    from conductor_agent.commands.show import Terminal

    console = Terminal()
    for file in files:
        console.tell(f"wrote {file}")
    console.tell(f"next: conductor run {path / 'workflow.yaml'}")


def schema(
    name: Annotated[
        str | None, typer.Argument(help="Of which file; without it, the names there are.")
    ] = None,
    only_path: Annotated[
        bool, typer.Option("--path", help="Where the schema lies, not what it holds.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Print the JSON Schema of a file: level, limits, manifest, recipe or workflow.

    Editors complete and check a file by it; `new` writes the line that tells them so. With --json a schema
    is one line, and without a name it is told where each lies.

    Example: conductor schema workflow
    """
    from conductor_agent.files.schema_files import schema_names, schema_path, schema_text

    if name is None:
        paths = {name: str(schema_path(name)) for name in schema_names()}
        if as_json:
            print_json({"schemas": paths})
            return
        for known, path in paths.items():
            typer.echo(path if only_path else known)
    elif only_path:
        path = str(schema_path(name))
        print_json({"path": path}) if as_json else typer.echo(path)
    elif as_json:
        print_json(json.loads(schema_text(name)))
    else:
        typer.echo(schema_text(name), nl=False)
