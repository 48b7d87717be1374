"""What people see on a terminal: progress, results and plans.

Lines are put together from texts and styles, never from markup: what others wrote is shown as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from conductor_agent.files.workflow import Workflow
from conductor_agent.plain import clean, counted, fall_silent
from conductor_agent.record.events import (
    CodeChanged,
    Decided,
    Ended,
    Event,
    Finished,
    Lost,
    Signal,
    Waited,
)
from conductor_agent.results import Goal, Result
from fqg_env.outcome import Category, StandardError
from fqg_env.row import Strategy
from policies.resource.violations import amount

COLOURS = {"succeeded": "green", "partial": "yellow", "failed": "red", "unfinished": "cyan"}
MAX_DETAIL = 300
"""Letters of a detail that are shown; the journal and `explain --json` have it whole."""
CERTAIN = 0.995
"""From this share on a choice is told without it."""
Part = str | tuple[str, str]
"""A text, or a text and its style."""


class Terminal(Console):
    """Where people look. When that is not possible any more it falls silent; a run goes on and its exit code
    tells.
    """

    def print(self, *objects: Any, **options: Any) -> None:
        """Print, unless standard output cannot be written to: closed at the other end, or on a full disk."""
        try:
            super().print(*objects, **options)
        except OSError:
            self.on_broken_pipe()

    def on_broken_pipe(self) -> None:
        """Called when standard output was closed at the other end."""
        if not self.quiet:
            self.quiet = True
            fall_silent()

    def tell(self, *parts: Part) -> None:
        """Print one line."""
        self.print(line(*parts), soft_wrap=True)


def line(*parts: Part) -> Text:
    """A line of texts, styled or not."""
    pairs = ((part, "") if isinstance(part, str) else part for part in parts)
    return Text.assemble(*((clean(text), style) for text, style in pairs))


def changed(event: CodeChanged) -> str:
    """That a run goes on under other code than before."""
    return f"the code of {', '.join(event.code)} is not that of before; what was made stays"


class Progress:
    """Tells each event as it comes."""

    def __init__(self, console: Terminal) -> None:
        self.console = console

    def __call__(self, event: Event) -> None:
        """One line for what people want to know."""
        match event:
            case Decided():
                self._decided(event)
            case Finished():
                self._finished(event)
            case Lost():
                self._line(event, ("lost", "yellow"), f" the answer of attempt {event.attempt + 1}")
            case Signal():
                self._line(event, f"news: {event.provider} is {'up' if event.up else 'down'}")
            case CodeChanged():
                self._line(event, changed(event))
            case Waited():
                self._line(event, "  waited")
            case Ended():
                self._line(event, f"stopped ({event.reason})")
            case _:
                pass

    def _decided(self, event: Decided) -> None:
        if event.action == "STOP":
            return
        share = event.probabilities.get(event.action, 1.0)
        sure = "" if share > CERTAIN else f" {share:.0%}"
        label = "" if event.strategy == Strategy.FIRST_TRY else event.strategy.replace("_", " ")
        who = " · ".join(word for word in (label, event.source + sure) if word)
        self._line(event, (event.action, "bold"), "  ", (who, "dim"))
        if event.why:
            self._line(event, "  ", (event.why, "yellow"))

    def _finished(self, event: Finished) -> None:
        outcome, took = event.outcome, (f"{event.elapsed_s:.2f} s", "dim")
        if isinstance(outcome, StandardError):
            # to be called off is neither good nor bad
            style = "dim" if outcome.category is Category.CANCELLED else "red"
            word, text = (outcome.category.value, style), outcome.message
        else:
            word, text = ("ok", "green"), ", ".join(event.made) or outcome.message or "done"
        self._line(event, f"  {event.call}: ", word, f" {text}  ", took)
        if isinstance(outcome, StandardError) and (more := beyond(outcome.message, outcome.detail)):
            self._line(event, "    ", (more, "dim"))

    def _line(self, event: Event, *parts: Part) -> None:
        self.console.tell((f"{event.at_s:8.2f}", "dim"), "  ", *parts)


def shortened(detail: str) -> str:
    """The end of a detail as one line: of a log the last words tell why."""
    text = " ".join(detail.split())
    return text if len(text) <= MAX_DETAIL else f"... {text[-MAX_DETAIL:]}"


def beyond(message: str, detail: str) -> str:
    """What a detail says that its message does not, shortened; empty: nothing."""
    return "" if " ".join(detail.split()) in message else shortened(detail)


def show_result(console: Terminal, result: Result, journal: str) -> None:
    """What a run came to."""
    console.tell(
        (result.status, f"bold {COLOURS[result.status]}"),
        f"  {counted(result.attempts, 'attempt')}, {result.elapsed_s:.2f} s, cost {result.cost:.2f}  ",
        (f"run {result.run_id} in {journal}", "dim"),
    )
    for name, goal in result.goals.items():
        state = ("delivered", "green") if goal.delivered else ("missing", "red")
        console.tell(f"  {name}: ", state, *qualities(goal))


def qualities(goal: Goal) -> Iterator[Part]:
    """What is known of how good a goal is, and who says so."""
    if goal.measured is not None:
        yield f"  quality {goal.measured:.2f} measured by its gate"
    if goal.quality is not None:
        yield f"  quality {goal.quality:.2f} claimed by its maker"


def show_plan(
    console: Terminal,
    workflow: Workflow,
    profile: str,
    enforcement: Mapping[str, Mapping[str, str]],
) -> None:
    """What would be done, under which limits, and which of these nothing enforces here."""
    level = workflow.level
    console.tell((level.name, "bold"), f"  goals: {', '.join(level.goals)}")
    for note in workflow.notes:
        console.tell("  ", ("left out", "yellow"), f" {note}")
    order = [level.call_names[c] for c in level.default_plan]
    console.tell(f"  plan: {' -> '.join(order)}")
    budget = level.budget
    console.tell(
        f"  budget: {budget.time_s:g} s, cost {budget.cost:g}, {counted(budget.attempts, 'attempt')}"
    )
    table = columns("function", "class", "time", "memory", "source")
    for name, bound in workflow.extensions.items():
        limits = bound.limits
        cells = (
            name, bound.kind, amount(limits.wall_s, "s"), amount(limits.memory_bytes, "bytes"),
            bound.source.source,
        )  # fmt: skip
        table.add_row(*map(line, cells))
    console.print(table)
    loose = [name for name, row in enforcement.items() if row["level"] in ("NONE", "COUNTED")]
    told = f"not enforced here: {', '.join(loose)}" if loose else "each limit is enforced here"
    console.tell(f"  profile {profile}, {told}; `conductor limits` shows by what")


def show_limits(console: Terminal, enforcement: Mapping[str, Mapping[str, str]]) -> None:
    """What enforces each limit here."""
    table = columns("limit", "enforced", "by")
    for name, row in enforcement.items():
        table.add_row(*map(line, (name, row["level"], row["mechanism"])))
    console.print(table)


def show_profiles(console: Terminal, used: str, reasons: Mapping[str, str]) -> None:
    """Which profile holds, and why the others do not."""
    for name, reason in reasons.items():
        if name == used:
            console.tell("profile ", (name, "bold"))
        elif reason:
            console.tell(f"  not {name}: {reason}")


def columns(*titles: str, whole: tuple[str, ...] = ()) -> Table:
    """A table whose cells fold where the terminal is narrow; those of the columns in `whole` do not."""
    table = Table(box=None)
    for title in titles:
        table.add_column(title, no_wrap=title in whole, overflow="fold")
    return table
