"""The figures of an evaluation as tables for a terminal of 80 columns."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from training.terminal import counted

LONGEST_LABEL = 15
"""Letters of a policy's label in a table, which then fits 80 columns; the JSON has it whole."""


def figures_table(title: str, heads: tuple[str, ...]) -> Table:
    """An empty table that fits a terminal of 80 columns."""
    table = Table(
        title=Text(title), box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), title_justify="left"
    )
    for i, head in enumerate(heads):
        table.add_column(head, justify="right" if i else "left", overflow="fold", no_wrap=i == 0)
    return table


def or_dash(value: float | None, form: str) -> str:
    """A figure in a form, a dash where there is none."""
    return "-" if value is None else format(value, form)


def short(label: str, labels: Iterable[str]) -> str:
    """The end of a long label, for one line of a table; whole where that of another would be the same."""
    end = label[len("...") - LONGEST_LABEL :]
    alike = [other for other in labels if other.endswith(end)]
    return label if len(label) <= LONGEST_LABEL or len(alike) > 1 else f"...{end}"


def print_figures(console: Console, result: dict[str, Any], title: str) -> None:
    """The figures of an evaluation, and below them the differences, and why a policy has none."""
    judged = {name: p for name, p in result["policies"].items() if "error" not in p}
    if judged:
        console.print(policy_table(judged, title))
        if all("recovery" in p for p in judged.values()):
            console.print(recovery_table(judged, result["gap"]))
    if result["paired"]:
        console.print(paired_table(judged, result["paired"]))
    for name, p in judged.items():
        if p.get("illegal_actions"):
            words = counted(p["illegal_actions"], "illegal action")
            console.print(Text(f"{name} answered {words}; each cost it an attempt", "red"))
    for name, p in result["policies"].items():
        if "error" in p:
            console.print(Text(f"{name} failed: {p['error']}", "red"))


def policy_table(policies: dict[str, dict[str, Any]], title: str) -> Table:
    """The figures of policies that were judged."""
    shares = {"of Bayes": "fraction_of_bayes", "of oracle": "fraction_of_oracle"}
    had = [
        (head, key)
        for head, key in shares.items()
        if any(p.get(key) is not None for p in policies.values())
    ]
    known = dict(had[:1])  # both do not fit 80 columns; the JSON has them
    heads = ("policy", "success", "return", "+-95%", *known, "tries", "cost", "wrong", "ms")
    table = figures_table(title, heads)
    table.caption = "tries and cost: per success; ms: one decision, median"
    for name, p in policies.items():
        low, high = p["return_ci95"]
        table.add_row(
            Text(short(name, policies)),
            f"{p['success_rate']:.1%}",
            f"{p['return_mean']:.3f}",
            f"{(high - low) / 2:.3f}",
            *(or_dash(p.get(key), ".1%") for key in known.values()),
            or_dash(p["attempts_per_success"], ".1f"),
            or_dash(p["cost_per_success"], ".2f"),
            f"{p['wrong_delivered_rate']:.1%}",
            or_dash(p["decision_ms_p50"], ".3f"),
            style="bold" if name == "trained" else None,
        )
    return table


def recovery_table(policies: dict[str, dict[str, Any]], gap: dict[str, Any]) -> Table:
    """How policies recover: success where a fault of each cell is in the way, pass^8, and how they stop."""
    with_gap = gap["rule"] is not None and gap["bound"] is not None
    heads = ("policy", "ex/tr", "ex/pe", "im/tr", "im/pe", "<=1", "pass^8", "false stop")
    table = figures_table("Recovery", (*heads, *(("gap",) if with_gap else ())))
    table.caption = (
        "success where an explicit/implicit, transient/permanent fault is in the way;\n"
        "<=1: with one recovery attempt at most; pass^8: under each of 8 lucks"
    )
    if with_gap:
        table.caption += f";\ngap: closed from {gap['rule']} towards {gap['bound']}"
    for name, p in policies.items():
        table.add_row(
            Text(short(name, policies)),
            *(or_dash(cell["rate"], ".0%") for cell in p["recovery"].values()),
            f"{p['success_by_recoveries']['1']:.1%}",
            or_dash(p["pass_8"], ".1%"),
            or_dash(p["give_ups"]["false_give_up_rate"], ".1%"),
            *((or_dash(p["gap_closed"], ".0%"),) if with_gap else ()),
        )
    return table


def paired_table(policies: dict[str, dict[str, Any]], paired: dict[str, dict[str, Any]]) -> Table:
    """Differences in return: each pair once, the better first; where there is `trained`, only its own."""
    table = figures_table("Differences in return, level by level", ("", "mean", "95%"))
    ranked = sorted(policies, key=lambda name: -policies[name]["return_mean"])
    pairs = list(itertools.combinations(ranked, 2))
    if "trained" in policies:
        pairs = [("trained", name) for name in ranked if name != "trained"]
    for one, other in pairs:
        p = paired[f"{one}/{other}"]
        low, high = p["difference_ci95"]
        names = f"{short(one, policies)} - {short(other, policies)}"
        table.add_row(Text(names), f"{p['difference_mean']:+.3f}", f"{low:+.3f} to {high:+.3f}")
    return table
