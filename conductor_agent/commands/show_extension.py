"""What people see of a single call and of a check."""

from __future__ import annotations

import json
from typing import Any

from rich.table import Table
from rich.text import Text

from conductor_agent.authoring.grade import Report
from conductor_agent.commands.show import Terminal, beyond
from conductor_agent.enforcers import in_words
from conductor_agent.hosting.command import packed
from conductor_agent.hosting.contract import Reply
from conductor_agent.plain import clean
from fqg_env.outcome import OwnRecovery, StandardError, to_json

MOST_SHOWN = 400
GOOD, POOR = 0.9, 0.5
"""From which score on a point is shown as good; below it as fair, and under the second as poor."""


def reply_as_json(reply: Reply) -> dict[str, Any]:
    """The keys that are documented; bytes among the outputs are `{"$base64": "..."}`."""
    outcome = reply.outcome
    if isinstance(outcome, StandardError):
        told = json.loads(to_json(outcome))
    else:
        told = {**json.loads(to_json(outcome)), "outputs": packed(outcome.outputs)}
    usage = reply.usage
    return {
        "status": "failed" if isinstance(outcome, StandardError) else "succeeded",
        "outcome": told,
        "elapsed_s": usage.wall_s,
        "start_s": usage.start_s,
        "cpu_s": usage.cpu_s,
        "peak_memory_bytes": usage.peak_memory_bytes,
    }


def show_reply(console: Terminal, reply: Reply) -> None:
    """The outcome of one call."""
    outcome, usage = reply.outcome, reply.usage
    took = f"{usage.wall_s:.2f} s ({usage.start_s:.2f} s to start)"
    took += f", {usage.peak_memory_bytes / 1e6:.0f} MB"
    if isinstance(outcome, StandardError):
        console.tell((outcome.category.value, "red"), f"  {outcome.message}  {took}")
        for what, text in _facts(outcome):
            console.tell((f"  {what}: ", "dim"), text[:MOST_SHOWN])
    else:
        console.tell(("succeeded", "green"), f"  {took}")
        for name, value in outcome.outputs.items():
            quality = outcome.quality.get(name)
            claim = "" if quality is None else f"  (claims quality {quality:.2f})"
            console.tell((f"  {name}: ", "bold"), _value(value), claim)
    own = outcome.own_recovery
    if own != OwnRecovery():
        tried = ", ".join(own.tried) or "no more is said"
        console.tell(
            ("  own recovery: ", "dim"), f"{own.attempts} repeats, {own.elapsed_s:.2f} s, {tried}"
        )


def _facts(failure: StandardError) -> list[tuple[str, str]]:
    """What is known of a failure, in words."""
    helps = {True: "may help", False: "does not help", None: "may or may not help"}
    facts = [("to blame", failure.blame.value), ("a repeat", helps[failure.retryable])]
    facts += [("input", f"{one.artifact}: {one.reason}") for one in failure.blamed_inputs]
    if beyond(failure.message, failure.detail):
        facts.append(("detail", failure.detail))
    if failure.policy is not None:
        facts.append((failure.policy.action + " by", in_words(failure.policy.enforcer)))
    if failure.partial is not None:
        facts.append(("left", f"{failure.partial.fraction:.0%} of {failure.partial.artifact}"))
    return facts


def _value(value: Any) -> str:
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    text = value if isinstance(value, str) else json.dumps(packed(value), ensure_ascii=False)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}... ({len(text)} letters)"


def show_report(console: Terminal, report: Report) -> None:
    """Points with scores, and the advice of those that are not full."""
    console.tell(
        (f"{report.letter} ", "bold"),
        f"{report.number:.2f}  {report.name}, {report.kind}, profile {report.profile}, "
        f"{report.calls} calls",
    )
    table = Table(box=None, pad_edge=False)
    for title in ("point", "score", "seen"):
        table.add_column(title)
    for one in report.findings:
        score = "-" if one.score is None else f"{one.score:.2f}"
        table.add_row(one.point, Text(score, _colour(one.score)), Text(clean(one.seen)))
    console.print(table)
    for one in report.findings:
        if one.advice:
            console.tell((f"{one.point}: ", "bold"), one.advice)


def _colour(score: float | None) -> str:
    if score is None:
        return "dim"
    return "green" if score >= GOOD else "yellow" if score >= POOR else "red"
