"""The figures of an evaluation as tables for a terminal of 80 columns."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from conductor_agent.plain import counted
from training.judging.bounds import BAYES

LONGEST_LABEL = 15
"""Letters of a policy's label in a table, which then fits 80 columns; the JSON has it whole."""


def figures_table(title: str, heads: tuple[str, ...]) -> Table:
    """An empty table that fits a terminal of 80 columns."""
    table = Table(
        title=Text(title), box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0),
        title_justify="left", caption_justify="left",
    )  # fmt: skip
    for i, head in enumerate(heads):
        table.add_column(head, justify="right" if i else "left", overflow="fold", no_wrap=i == 0)
    return table


def or_dash(value: float | None, form: str) -> str:
    """A figure in a form, a dash where there is none."""
    return "-" if value is None else format(value, form)


WHY_A_DASH = {
    "of Bayes": "the exact value is not positive",
    "of oracle": "the oracle has no positive return",
    "tries": "no success",
    "cost": "no success",
    "ms": "not timed",
    "ex/tr": "no such fault in the way",
    "ex/pe": "no such fault in the way",
    "im/tr": "no such fault in the way",
    "im/pe": "no such fault in the way",
    "pass^8": "fewer than 8 levels",
    "false give-ups": "nobody can solve any level",
    "gap": "the bound is not above the rule on these levels",
}
"""Column -> why a policy has no figure there."""


def why_dashes(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A line that says why there is a dash, for the columns that have one; empty where none has."""
    reasons: dict[str, list[str]] = {}
    for head, cells in zip(heads, zip(*rows, strict=True), strict=True):
        if head in WHY_A_DASH and "-" in map(str, cells):
            reasons.setdefault(WHY_A_DASH[head], []).append(head)
    told = "; ".join(f"{why} ({', '.join(where)})" for why, where in reasons.items())
    return f"\n-: {told}" if told else ""


OF_BAYES = (
    "mean return over the exact value of these levels, which nobody who is not told the hidden faults "
    "exceeds in the mean; the luck of these levels is in the return, so it can pass 100% by a little"
)
OF_ORACLE = (
    "mean return over that of the oracle, who is told the hidden faults: a reference, not a rival"
)
SHARES = {
    "of Bayes": ("fraction_of_bayes", OF_BAYES),
    "of oracle": ("fraction_of_oracle", OF_ORACLE),
}
"""Column with the share of a bound -> its key, and what it is."""


def known_shares(policies: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[str, str]]:
    """Those of `SHARES` whose bound is known."""
    return {
        head: share
        for head, share in SHARES.items()
        if any(p.get(share[0]) is not None for p in policies.values())
    }


def short(label: str, labels: Iterable[str]) -> str:
    """A label for one line of a table; a long one whole where that of another would be the same."""
    shown = cut(label)
    alike = [other for other in labels if other != label and cut(other) == shown]
    return label if alike else shown


def cut(label: str) -> str:
    """A long label: of a `module:Class` the beginning of the class, of a path its end."""
    if len(label) <= LONGEST_LABEL:
        return label
    module, colon, own = label.rpartition(":")
    if colon and own.isidentifier() and "/" not in module:
        return own if len(own) <= LONGEST_LABEL else f"{own[: LONGEST_LABEL - len('...')]}..."
    return f"...{label[len('...') - LONGEST_LABEL :]}"


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
    known = dict(list(known_shares(policies).items())[:1])  # both do not fit; the JSON has them
    heads = ("policy", "success", "return", "+-95%", *known, "tries", "cost", "wrong", "ms")
    table = figures_table(title, heads)
    rows: list[tuple[Text | str, ...]] = []
    for name, p in policies.items():
        low, high = p["return_ci95"]
        cells: tuple[Text | str, ...] = (
            Text(short(name, policies)),
            f"{p['success_rate']:.1%}",
            f"{p['return_mean']:.3f}",
            f"{(high - low) / 2:.3f}",
            *(or_dash(p.get(key), ".1%") for key, _ in known.values()),
            or_dash(p["attempts_per_success"], ".1f"),
            or_dash(p["cost_per_success"], ".2f"),
            f"{p['wrong_delivered_rate']:.1%}",
            or_dash(p["decision_ms_p50"], ".3f"),
        )
        rows.append(cells)
        table.add_row(*cells, style="bold" if name == "trained" else None)
    table.caption = "".join(f"{head}: {what}\n" for head, (_, what) in known.items())
    table.caption += "tries and cost: per success; ms: one decision, median;\n"
    table.caption += "wrong: share of the levels on which something bad was delivered as a goal"
    table.caption += why_dashes(heads, rows)
    return table


def recovery_table(policies: dict[str, dict[str, Any]], gap: dict[str, Any]) -> Table:
    """How policies recover: success where a fault of each cell is in the way, pass^8, and how they stop."""
    with_gap = gap["rule"] is not None and gap["bound"] is not None
    more = ("gap",) if with_gap else ()
    heads = ("policy", "ex/tr", "ex/pe", "im/tr", "im/pe", "<=1", "pass^8", "false give-ups", *more)
    table = figures_table("Recovery", heads)
    table.caption = (
        "success where an explicit/implicit, transient/permanent fault is in the way;\n"
        "<=1: with one recovery attempt at most; pass^8: under each of 8 lucks;\n"
        "false give-ups: stopped with an essential goal missing where nothing proves that nobody can make it"
    )
    if with_gap:
        table.caption += f";\ngap: closed from {gap['rule']} towards {gap['bound']}"
        table.caption += " (luck may pass 100%)" if gap["bound"] == BAYES else ""
    rows: list[tuple[Text | str, ...]] = []
    for name, p in policies.items():
        cells: tuple[Text | str, ...] = (
            Text(short(name, policies)),
            *(or_dash(cell["rate"], ".0%") for cell in p["recovery"].values()),
            f"{p['success_by_recoveries']['1']:.1%}",
            or_dash(p["pass_8"], ".1%"),
            or_dash(p["give_ups"]["false_give_up_rate"], ".1%"),
            *((or_dash(p["gap_closed"], ".0%"),) if with_gap else ()),
        )
        rows.append(cells)
        table.add_row(*cells)
    table.caption += why_dashes(heads, rows)
    return table


def tie(low: float, high: float) -> str:
    """Says so where the interval of a difference holds 0: these levels do not tell the two apart."""
    return " a tie" if low <= 0.0 <= high else ""


def pairs_to_tell(policies: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Each pair of judged policies once, the better first; where there is `trained`, only its own."""
    ranked = sorted(policies, key=lambda name: -policies[name]["return_mean"])
    if "trained" in policies:
        return [("trained", name) for name in ranked if name != "trained"]
    return list(itertools.combinations(ranked, 2))


def paired_table(policies: dict[str, dict[str, Any]], paired: dict[str, dict[str, Any]]) -> Table:
    """Differences in return, of each pair that is told."""
    table = figures_table("Differences in return, level by level", ("", "mean", "95%", ""))
    for one, other in pairs_to_tell(policies):
        p = paired[f"{one}/{other}"]
        low, high = p["difference_ci95"]
        names = f"{short(one, policies)} - {short(other, policies)}"
        interval = f"{low:+.3f} to {high:+.3f}"
        table.add_row(Text(names), f"{p['difference_mean']:+.3f}", interval, tie(low, high))
    return table
