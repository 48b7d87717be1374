"""`conductor extension`: what authors and operators do with extensions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from conductor_agent.commands.options import JsonOption
from conductor_agent.plain import print_json
from policies.resource.limits import ExtensionClass, load_ceiling

if TYPE_CHECKING:
    from conductor_agent.authoring.grade import Report
    from policies.resource.limits import Settings

FAILED = 4
PASSING = frozenset("ABC")
"""Letters of a check that is passed."""

app = typer.Typer(
    name="extension",
    help="Make, check, run and list extensions.",
    invoke_without_command=True,
    rich_markup_mode=None,
)
PathArgument = Annotated[Path, typer.Argument(help="The extension's folder or manifest.")]
LimitsOption = Annotated[Path | None, typer.Option(help="The operator's limits, by class.")]


@app.callback()
def alone(context: typer.Context) -> None:
    """Make, check, run and list extensions."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command(short_help="Write an extension that works, with its test.")
def new(
    path: Annotated[Path, typer.Argument(help="A new folder; its name becomes the extension's.")],
    kind: Annotated[
        ExtensionClass, typer.Option("--class", help="How heavy it is.")
    ] = ExtensionClass.OPERATOR,
    command: Annotated[bool, typer.Option("--command", help="A program, not a function.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write an extension that works: source, manifest, test, scenario and workflow.

    Example: conductor extension new count_words --class motif
    """
    from conductor_agent.authoring.new_extension import write_extension

    files = write_extension(path, kind, command=command)
    if as_json:
        print_json({"files": [str(file) for file in files]})
        return
    from conductor_agent.commands.show import Terminal

    console = Terminal()
    for file in files:
        console.tell(f"wrote {file}")
    console.tell(f"next: conductor extension run {path} --input text='so it is'")


@app.command()
def run(
    path: PathArgument,
    input: Annotated[  # noqa: A002  (the option is called --input)
        list[str] | None, typer.Option(help="NAME=TEXT or NAME=@FILE, for each input.")
    ] = None,
    parameters: Annotated[str, typer.Option(help="A JSON object.")] = "{}",
    variant: Annotated[str | None, typer.Option(help="Whose parameters it begins with.")] = None,
    recover: Annotated[bool, typer.Option(help="Whether it may recover by itself.")] = True,
    deadline: Annotated[float | None, typer.Option(min=0, help="Seconds; a tighter one.")] = None,
    limits: LimitsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Call an extension once, under its limits. Exit code 0: it succeeded, 4: it failed.

    Example: conductor extension run count_words --input text=@page.txt --parameters '{"least_letters": 3}'
    """
    from conductor_agent.authoring.run_extension import run_extension

    reply = run_extension(
        path,
        input or [],
        parameters,
        variant=variant,
        recover=recover,
        deadline_s=deadline,
        ceiling=_ceiling(limits),
    )
    from conductor_agent.commands.show_extension import reply_as_json, show_reply

    told = reply_as_json(reply)
    if as_json:
        print_json(told)
    else:
        from conductor_agent.commands.show import Terminal

        show_reply(Terminal(), reply)
    raise typer.Exit(0 if told["status"] == "succeeded" else FAILED)


@app.command()
def check(
    path: PathArgument,
    limits: LimitsOption = None,
    journal: Annotated[
        Path | None, typer.Option(help="Give it this reputation to begin with, in this journal.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Attack an extension and grade how it reports its failures. Exit code 0: A to C, 4: D or F.

    Example: conductor extension check count_words --journal conductor.sqlite
    """
    from conductor_agent.authoring.grade import grade

    report = grade(path, ceiling=_ceiling(limits))
    if journal is not None:
        _remember(path, report, journal)
    if as_json:
        print_json(report.as_json())
    else:
        from conductor_agent.commands.show import Terminal
        from conductor_agent.commands.show_extension import show_report

        show_report(Terminal(), report)
    raise typer.Exit(0 if report.letter in PASSING else FAILED)


def _remember(path: Path, report: Report, journal: Path) -> None:
    """What a check found, as what is known of an extension before its first run."""
    from conductor_agent.files.bindings import source_of
    from conductor_agent.files.manifest import find_manifest, read_manifest
    from conductor_agent.record.identity import version_of
    from conductor_agent.record.journal import Journal
    from conductor_agent.record.ledger import Ledger

    file = find_manifest(path)
    manifest = read_manifest(file)
    version = version_of(source_of(manifest, file), manifest.extension.kind.value)
    with Journal.create(journal) as opened:
        ledger = Ledger(opened)
        ledger.record_check(ledger.meet([version])[0], report.mean, report.strength)


def _ceiling(limits: Path | None) -> Settings:
    return load_ceiling(limits) if limits else {}
