"""What people see on a terminal: progress, results, plans and explanations."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from conductor_agent.events import Decided, Ended, Event, Finished, Lost, Signal, Waited
from conductor_agent.explain import Step
from conductor_agent.runs import Result
from conductor_agent.workflow import Workflow
from fqg_env.outcome import StandardError
from fqg_env.row import Strategy

COLOURS = {"succeeded": "green", "partial": "yellow", "failed": "red", "unfinished": "cyan"}


class Terminal(Console):
    """Where people look. When nobody does any more it falls silent; a run goes on and its exit code tells."""

    def on_broken_pipe(self) -> None:
        """Called when standard output was closed at the other end."""
        self.quiet = True
        fall_silent()


def fall_silent() -> None:
    """Let standard output lead nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Progress:
    """Tells each event as it comes."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def __call__(self, event: Event) -> None:
        """One line for what people want to know."""
        match event:
            case Decided():
                self._decided(event)
            case Finished():
                self._finished(event)
            case Lost():
                self._line(event, f"[yellow]lost[/] the answer of attempt {event.attempt}")
            case Signal():
                word = "is up" if event.up else "is down"
                self._line(event, f"news: {escape(event.provider)} {word}")
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
        sure = "" if share > 0.995 else f" {share:.0%}"
        label = "" if event.strategy == Strategy.FIRST_TRY else event.strategy.replace("_", " ")
        who = f"[dim]{' · '.join(word for word in (label, event.source + sure) if word)}[/]"
        self._line(event, f"[bold]{escape(event.action)}[/]  {who}")
        if event.why:
            self._line(event, f"  [yellow]{escape(event.why)}[/]")

    def _finished(self, event: Finished) -> None:
        took = f"[dim]{event.elapsed_s:.2f} s[/]"
        if isinstance(event.outcome, StandardError):
            word = f"[red]{event.outcome.category.value}[/] {escape(event.outcome.message)}"
        else:
            made = ", ".join(event.made) or event.outcome.message or "done"
            word = f"[green]ok[/] {escape(made)}"
        self._line(event, f"  {escape(event.call)}: {word}  {took}")

    def _line(self, event: Event, text: str) -> None:
        self.console.print(f"[dim]{event.at_s:8.2f}[/]  {text}", soft_wrap=True)


def show_result(console: Console, result: Result, journal: str) -> None:
    """What a run came to."""
    colour = COLOURS[result.status]
    console.print(
        f"[bold {colour}]{result.status}[/]  {result.attempts} attempts, "
        f"{result.elapsed_s:.2f} s, cost {result.cost:.2f}  [dim]run {result.run_id} in {escape(journal)}[/]",
        soft_wrap=True,
    )
    for name, goal in result.goals.items():
        state = "[green]delivered[/]" if goal.delivered else "[red]missing[/]"
        claim = "" if goal.quality is None else f"  claimed quality {goal.quality:.2f}"
        console.print(f"  {escape(name)}: {state}{claim}")


def show_plan(
    console: Console, workflow: Workflow, enforcement: Mapping[str, Mapping[str, str]]
) -> None:
    """What would be done, under which limits, and what enforces them here."""
    level = workflow.level
    console.print(f"[bold]{escape(level.name)}[/]  goals: {escape(', '.join(level.goals))}")
    for note in workflow.notes:
        console.print(f"  [yellow]left out[/] {escape(note)}")
    order = [level.call_names[c] for c in level.default_plan]
    console.print(f"  plan: {escape(' -> '.join(order))}")
    budget = level.budget
    console.print(
        f"  budget: {budget.time_s:g} s, cost {budget.cost:g}, {budget.attempts} attempts"
    )
    table = Table("function", "class", "wall_s", "memory_bytes", "source", box=None)
    for name, bound in workflow.extensions.items():
        limits = bound.limits
        table.add_row(
            name,
            bound.kind,
            f"{limits.wall_s:g}",
            str(limits.memory_bytes),
            escape(bound.source.source),
        )
    console.print(table)
    show_limits(console, enforcement)


def show_limits(console: Console, enforcement: Mapping[str, Mapping[str, str]]) -> None:
    """What enforces each limit here."""
    table = Table("limit", "enforced", "by", box=None)
    for name, row in enforcement.items():
        table.add_row(name, row["level"], escape(row["mechanism"]))
    console.print(table)


def show_runs(console: Console, rows: list[dict[str, Any]]) -> None:
    """The runs of a journal."""
    table = Table(box=None)
    table.add_column("run", no_wrap=True, overflow="fold")
    for title in ("workflow", "policy", "status", "attempts", "seconds", "cost"):
        table.add_column(title)
    for row in rows:
        if "problem" in row:
            table.add_row(row["run_id"], "", "", f"[red]{row['status']}[/]")
            continue
        table.add_row(
            row["run_id"],
            escape(row["name"]),
            escape(row["policy"]),
            f"[{COLOURS[row['status']]}]{row['status']}[/]",
            str(row["attempts"]),
            f"{row['elapsed_s']:.2f}",
            f"{row['cost']:.2f}",
        )
    console.print(table)
    for row in rows:
        if "problem" in row:
            console.print(f"[red]{escape(row['problem'])}[/]", soft_wrap=True)


def show_steps(console: Console, steps: list[Step]) -> None:
    """Each decision, what was believed, what came of it."""
    differ = sum(not step.same_observation for step in steps)
    if differ:
        text = (
            f"{differ} observations differ from those logged: another version or machine wrote them"
        )
        console.print(f"[yellow]{text}[/]")
    for number, step in enumerate(steps, 1):
        console.print(
            f"[dim]{step.at_s:8.2f}[/]  {number}. [bold]{escape(step.action)}[/]  "
            f"{step.strategy.replace('_', ' ')}  [dim]{escape(step.source)} {step.probability:.0%}[/]",
            soft_wrap=True,
        )
        for line in (*_believed(step), *([step.why] if step.why else [])):
            console.print(f"            [dim]{escape(line)}[/]", soft_wrap=True)
        for told in step.outcome:
            console.print(f"            {escape(_told(told))}", soft_wrap=True)


def _believed(step: Step) -> list[str]:
    believed = step.believed
    lines = []
    if "answers" in believed:
        lines.append(
            f"believed: answers {believed['answers']:.2f}, well {believed['answers_well']:.2f}, "
            f"never works {believed['never_works']:.2f}"
        )
    down = believed["provider_down"].items()
    told = {name: p for name, p in down if p > 0.5 or name == believed.get("provider")}
    lines += [f"provider {name} is down: {p:.2f}" for name, p in told.items()]
    lines += [f"{n} is bad: {p:.2f}" for n, p in believed["artifact_bad"].items() if p > 0.05]
    return lines


def _told(told: dict[str, Any]) -> str:
    if told["event"] != "finished":
        return " ".join(f"{value}" for value in told.values())
    hints = "".join(f"; hint {h['for']} {h['p']:.2f}" for h in told.get("hints", ()))
    text = told["message"] or ", ".join(told["made"])
    return f"{told['call']}: {told['category']} {text} ({told['elapsed_s']:.2f} s){hints}"
