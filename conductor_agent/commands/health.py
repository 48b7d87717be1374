"""`conductor extension list` and `pardon`: what operators see of extensions, and whom they let back in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from conductor_agent.commands.extension import app
from conductor_agent.commands.options import JOURNAL, JournalOption, JsonOption
from conductor_agent.plain import print_json

if TYPE_CHECKING:
    from conductor_agent.commands.show import Part, Terminal
    from conductor_agent.record.standing import Standing

GOOD = "good: share of successes, without failures that are not its own (outages, bad input, cancelled calls)"
COLOURS = {"healthy": "green", "stable": "green", "unstable": "yellow", "critical": "red"}


@app.command(name="list", short_help="List the extensions that a journal knows.")
def list_extensions(journal: JournalOption = JOURNAL, as_json: JsonOption = False) -> None:
    """List the extensions that a journal knows: how they do, what they broke, how far they are trusted.

    Example: conductor extension list --journal conductor.sqlite
    """
    from conductor_agent.record.journal import Journal
    from conductor_agent.record.ledger import Ledger
    from conductor_agent.record.standing import standings

    with Journal.read(journal) as opened:
        found = standings(Ledger(opened))
    if as_json:
        print_json({"extensions": [one.as_json() for one in found]})
        return
    from conductor_agent.commands.show import Terminal

    show_standings(Terminal(), found)


@app.command()
def pardon(
    name: Annotated[str, typer.Argument(help="The extension, as `list` names it.")],
    journal: JournalOption = JOURNAL,
    reason: Annotated[str, typer.Option(help="Why; it is written down.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Let a quarantined extension be called again, on trial. What it did stays written down.

    Example: conductor extension pardon reader:read --reason "the leak is mended"
    """
    from conductor_agent.record.journal import Journal, JournalError
    from conductor_agent.record.ledger import Ledger

    Journal.read(journal).close()  # a pardon makes no journal
    with Journal.create(journal) as opened:
        ledger = Ledger(opened)
        extension = ledger.named(name)
        before = ledger.health(extension)
        if not before.left_out:
            raise JournalError(
                f"{journal}: the extension {extension} is not left out ({before.state.name.lower()}), "
                "so there is nothing to pardon"
            )
        ledger.pardon(extension, reason)
    if as_json:
        print_json({"extension": extension, "left_out": False, "on_trial": True, "reason": reason})
        return
    from conductor_agent.commands.show import Terminal

    Terminal().tell(f"{extension} is called again, on trial")


def show_standings(console: Terminal, found: list[Standing]) -> None:
    """The extensions as a table, and the last violation of each below it."""
    from conductor_agent.commands.show import columns, line

    table = columns(
        *"extension class calls good reputation health broke".split(), whole=("class", "calls")
    )
    for one in found:
        rate = "" if one.success_rate is None else f"{one.success_rate:.0%}"
        mean = one.reputation_mean
        known = "" if mean is None else f"{mean:.2f} on {one.reputation_strength:.0f}"
        broke = ", ".join(f"{limit} {n}x" for limit, n in one.violations.items())
        cells: list[Part] = [one.extension, one.kind, str(one.calls), rate, known, health_of(one)]
        table.add_row(*map(line, [*cells, broke]))
    console.print(table)
    if found:
        console.tell((GOOD, "dim"))
    for one in found:
        if one.last_violation is not None:
            console.tell(one.extension, "  ", (_told(one.last_violation), "dim"))


def health_of(one: Standing) -> Part:
    """The health in words."""
    if one.on_trial:
        return "on trial", "yellow"
    probation = f", on probation for {one.probation_calls}" if one.probation_calls else ""
    return f"{one.health}{probation}", COLOURS.get(one.health, "red")


def _told(violation: dict[str, Any]) -> str:
    """The last violation in a line."""
    from conductor_agent.enforcers import in_words
    from policies.resource.violations import amount

    return (
        f"{violation['limit']}: {amount(violation['seen'], violation['unit'])} seen, "
        f"{amount(violation['allowed'], violation['unit'])} allowed, {violation['action']} by "
        f"{in_words(violation['enforcer'])} in {violation['call']} of "
        f"{violation['run_id']} at {violation['when'][:19]}"
    )
