"""The command `conductor`: run real workflows, go on with them, look into them.

Exit codes: 0 succeeded, 1 a fault of ours, 2 bad input, 3 partial, 4 failed, 130 interrupted.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Coroutine
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from conductor_agent.bad_input import BadInput
from conductor_agent.commands import extension, health, write  # noqa: F401  (health adds `list` and `pardon`)
from conductor_agent.commands.ending import Interrupted, say, to_its_end
from conductor_agent.commands.options import JOURNAL, JournalOption, JsonOption
from conductor_agent.commands.version import program
from conductor_agent.delivery import check_out, write_values
from conductor_agent.plain import print_json
from policies.recovery.registry import BUILT_IN, PLANNERS

if TYPE_CHECKING:
    from conductor_agent.files.workflow import Workflow
    from conductor_agent.record.events import Event
    from conductor_agent.results import Result
    from conductor_agent.runs import Watch
    from policies.recovery.base import Policy

EXIT = {"succeeded": 0, "partial": 3, "failed": 4}

app = typer.Typer(
    name="conductor",
    help="Run workflows of models and tools whose failures a trained policy handles.",
    add_completion=False,
    rich_markup_mode=None,
)


app.callback()(program)
app.command(short_help="Write a workflow that runs at once.")(write.new)
app.command(short_help="Print the JSON Schema of a file.")(write.schema)
app.add_typer(extension.app)


POLICIES = (
    f"One of {', '.join(name for name in BUILT_IN if name not in PLANNERS)}; a folder that was exported; "
    "or your own, as module:Class."
)


RunArgument = Annotated[str, typer.Argument(help="A run's id, the beginning of one, or `last`.")]


@app.command()
def run(
    file: Annotated[Path, typer.Argument(help="The workflow, a YAML file.")],
    policy: Annotated[str, typer.Option(help=POLICIES)] = "index",
    limits: Annotated[Path | None, typer.Option(help="The operator's limits, by class.")] = None,
    journal: JournalOption = JOURNAL,
    input: Annotated[  # noqa: A002  (the option is called --input)
        list[str] | None, typer.Option(help="NAME=PATH: the value of a given artifact.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for what is delivered.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything and load each extension; run none.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Run a workflow.

    Example: conductor run page.yaml --input page=scan.png --policy index
    """
    from conductor_agent import runs
    from conductor_agent.files.workflow import read_workflow
    from policies.resource.limits import load_ceiling

    ceiling = load_ceiling(limits) if limits else {}
    workflow = read_workflow(file, inputs=_named_paths(input or []), ceiling=ceiling)
    workflow = _admitted(workflow, journal)
    chosen = _policy(policy)
    if dry_run:
        from conductor_agent.commands.dry_run import show_dry_run

        show_dry_run(workflow, policy, as_json=as_json)
        return
    check_out(out)
    run_id = runs.new_run_id()
    for note in workflow.notes:
        _say(f"left out {note}")
    _finish(
        runs.begin(
            workflow,
            chosen,
            journal,
            ceiling=ceiling,
            watch=_watch(as_json),
            run_id=run_id,
            policy_name=policy,
        ),
        run_id,
        journal,
        out,
        as_json,
    )


@app.command()
def resume(
    run: RunArgument = "last",
    policy: Annotated[str | None, typer.Option(help="Another policy than it began with.")] = None,
    journal: JournalOption = JOURNAL,
    out: Annotated[Path | None, typer.Option(help="Folder for what is delivered.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Go on with a run that was interrupted. Its time counts only while it runs.

    A run that is over is told again.

    Example: conductor resume last
    """
    from conductor_agent import runs

    check_out(out)
    _finish(
        runs.resume(
            run,
            journal,
            lambda name: _policy(policy or name),
            watch=_watch(as_json),
        ),
        run,
        journal,
        out,
        as_json,
    )


@app.command(name="runs")
def list_runs(journal: JournalOption = JOURNAL, as_json: JsonOption = False) -> None:
    """List the runs of a journal, the newest first.

    Example: conductor runs --journal conductor.sqlite
    """
    from conductor_agent.commands.compiling import told_of_compiling
    from conductor_agent.record.journal import Journal
    from conductor_agent.results import summaries

    with told_of_compiling(_say), Journal.read(journal) as opened:
        rows = summaries(opened)
    if as_json:
        print_json({"runs": rows})
        return
    from conductor_agent.commands.show import Terminal
    from conductor_agent.commands.show_runs import show_runs

    show_runs(Terminal(), rows)


@app.command(short_help="Tell each decision of a run, and why.")
def explain(
    run: RunArgument = "last",
    decision: Annotated[
        int | None, typer.Option(min=1, help="Only this decision, numbered from 1.")
    ] = None,
    attempt: Annotated[
        int | None, typer.Option(min=1, help="Only the decision that began this attempt.")
    ] = None,
    journal: JournalOption = JOURNAL,
    as_json: JsonOption = False,
) -> None:
    """Tell each decision of a run: what was known, chosen and believed, and what came of it.

    Example: conductor explain last --decision 2
    """
    from conductor_agent.commands.compiling import told_of_compiling
    from conductor_agent.explain import asked_for
    from conductor_agent.explain import explain as explained
    from conductor_agent.record.journal import Journal
    from conductor_agent.results import folded, summary

    with told_of_compiling(_say), Journal.read(journal) as opened:
        run_id = opened.find(run)
        level, events, _ = folded(opened, run_id)
        steps = asked_for(explained(level, events), run_id, decision, attempt)
        head = summary(opened, run_id)
    if as_json:
        print_json({**head, "steps": [asdict(step) for step in steps]})
        return
    from conductor_agent.commands.show import Terminal
    from conductor_agent.commands.show_steps import show_head, show_steps

    console = Terminal()
    show_head(console, head)
    show_steps(console, steps)


@app.command(short_help="Say what enforces each limit on this machine.")
def limits(
    profile: Annotated[
        str | None, typer.Option(help="Tell of this profile; without it, of the one that is used.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say what enforces each limit on this machine, and why nothing stronger does.

    The strongest profile that holds here is used; CONDUCTOR_PROFILE chooses another one.

    Example: conductor limits --json
    """
    from conductor_agent.hosting.walls.enforcement import enforcement
    from conductor_agent.hosting.walls.profiles import PROFILES
    from conductor_agent.hosting.walls.self_test import strongest, why_not

    if profile is not None and profile not in PROFILES:
        raise BadInput(f"--profile: there is no {profile!r}; there are {', '.join(PROFILES)}")
    used = strongest().name if profile is None else profile
    others = {name: why_not(name) for name in PROFILES}
    if as_json:
        print_json({"profile": used, "limits": enforcement(used), "profiles": others})
        return
    from conductor_agent.commands.show import Terminal, show_limits, show_profiles

    console = Terminal()
    show_profiles(console, used, others)
    show_limits(console, enforcement(used))


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command; every failure is one sentence and an exit code. Alone it shows its help."""
    given = sys.argv[1:] if arguments is None else arguments
    to_its_end(
        "conductor",
        lambda: app(args=given or ["--help"], standalone_mode=False, prog_name="conductor"),
        is_bad_input=_is_bad_input,
    )


# --- what the commands share --------------------------------------------------------------------------


def _finish(
    running: Coroutine[Any, Any, Result], run: str, journal: Path, out: Path | None, as_json: bool
) -> None:
    """Wait for a run, show what it came to, exit as it says."""
    from conductor_agent.commands.compiling import told_of_compiling

    try:
        with told_of_compiling(_say):
            result = asyncio.run(_interruptible(running))
    except (KeyboardInterrupt, asyncio.CancelledError):
        where = "" if journal == JOURNAL else f" --journal {journal}"
        raise Interrupted(f"interrupted; go on with: conductor resume {run}{where}") from None
    if as_json:
        print_json(result.as_json())
    else:
        from conductor_agent.commands.show import Terminal, show_result

        show_result(Terminal(), result, str(journal))
    if out is not None:
        write_values(out, result.values)
    raise typer.Exit(EXIT[result.status])


async def _interruptible(running: Coroutine[Any, Any, Result]) -> Result:
    """SIGTERM ends a run as Ctrl-C does: nothing of it runs on, and it can be gone on with."""
    task = asyncio.ensure_future(running)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


def _admitted(workflow: Workflow, journal: Path) -> Workflow:
    """The workflow without quarantined extensions; says which of the others people should know about."""
    from conductor_agent.quarantine import admitted, warnings
    from conductor_agent.record.journal import Journal
    from conductor_agent.record.ledger import Ledger

    if not journal.is_file():
        return workflow
    with Journal.read(journal) as opened:
        ledger = Ledger(opened)
        for text in warnings(workflow, ledger):
            _say(text)
        return admitted(workflow, ledger)


def _policy(name: str) -> Policy:
    from policies.recovery.registry import deciding

    policy: Policy = deciding(name)
    return policy


def _named_paths(pairs: list[str]) -> dict[str, Path]:
    named = {}
    for pair in pairs:
        name, equals, path = pair.partition("=")
        if not equals or not name or not path:
            raise BadInput(f"--input {pair}: write NAME=PATH")
        named[name] = Path(path)
    return named


def _watch(as_json: bool) -> Watch:
    """Tells people how it goes."""
    from conductor_agent.commands.show import Progress, Terminal

    return _almost_silent if as_json else Progress(Terminal())


def _almost_silent(event: Event) -> None:
    """Whoever reads JSON reads it at the end; that code has changed is told to people, too."""
    from conductor_agent.commands.show import changed
    from conductor_agent.record.events import CodeChanged

    if isinstance(event, CodeChanged):
        _say(changed(event))


def _say(text: str) -> None:
    say("conductor", text)


def _is_bad_input(problem: Exception) -> bool:
    """It names the input that is wrong."""
    from conductor_agent.files.manifest import ManifestError
    from conductor_agent.files.workflow import WorkflowError
    from conductor_agent.hosting.walls.self_test import ProfileError
    from conductor_agent.record.journal import JournalError
    from policies.recovery.registry import PolicyError
    from policies.resource.limits import LimitError

    kinds = (
        BadInput,
        JournalError,
        ManifestError,
        WorkflowError,
        PolicyError,
        LimitError,
        ProfileError,
    )
    return isinstance(problem, kinds)
