"""What the suite found, for people: a table, and the table of profiles for the documentation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from sandbox.cases import CASES

from policies.resource.violations import amount

if TYPE_CHECKING:
    from sandbox.suite import Result

WIDTH = 132
"""Columns of a table that goes to a file."""


def show(result: Result) -> None:
    """Print the table and what it comes to."""
    console = Console()
    if not console.is_terminal:
        console.width = WIDTH
    table = Table(title=f"Attacks on profile {result.profile}")
    for name in ("attack", "contained", "how it ended", "gone after"):
        table.add_column(name, justify="right" if name == "gone after" else "left")
    for name, case in result.cases.items():
        verdict = "[green]yes[/]" if case["contained"] else "[bold red]NO[/]"
        gone = f"{case['gone_ms']:.0f} ms" if case.get("gone_ms") is not None else ""
        table.add_row(escape(name), verdict, escape(_ending(case)), gone)
    console.print(table)
    for name, lack in result.not_claimed.items():
        console.print(
            f"not claimed: {escape(name)}: {lack['row']} is {lack['level']} in this profile"
        )
    for name, why in result.not_run.items():
        console.print(f"not run: {escape(name)}: {escape(why)}")
    good = sum(case["contained"] for case in result.cases.values())
    console.print(
        f"{good} of {len(result.cases)} contained; {len(result.not_claimed)} not claimed."
    )
    if result.gone_ms_p99 is not None:
        console.print(f"Every process gone within {result.gone_ms_p99:.0f} ms of the limit (p99).")


def _ending(case: dict[str, Any]) -> str:
    if not case["contained"]:
        return "; ".join(case["why"])
    if case.get("limit"):
        unit = case["unit"]
        seen, allowed = amount(case["observed"], unit), amount(case["allowed"], unit)
        return f"{case['limit']}: {seen} seen, {allowed} allowed ({case['enforcer']})"
    if case.get("policy"):
        proof = case["policy"]
        return f"{proof['limit']}: {amount(proof['observed'], proof['unit'])} seen ({proof['enforcer']})"
    if case["category"]:
        *_, last = ["", *case.get("message", "").splitlines()]
        return f"{case['category']} ({case.get('code')})" + (f": {last.strip()}" if last else "")
    answer = case.get("answer")
    refused = answer.get("refused") if isinstance(answer, dict) else None
    return (
        "refused: " + ", ".join(f"{way} {how}" for way, how in refused.items())
        if refused
        else "answered"
    )


THEMES = {
    "timing": "time: busy, asleep, stopped, deaf to signals",
    "processes": "processes: daemons, bombs, pid hopping, the conductor killed",
    "memory": "memory: held by one, by many, shared, behind descriptors",
    "files": "files: too large, too many, in others' places, hard to remove",
    "network": "network: TCP, UDP, MPTCP, vsock, local sockets, listening",
    "privacy": "secrets, neighbours, the conductor, the kernel",
    "protocol": "protocol: bytes that are no answer, or not the one asked for",
    "crashes": "crashes, floods and lies",
    "manifest": "manifests that grant themselves paths, devices, a network, secrets",
    "loading": "attacks while it is loaded",
}


def markdown(results: list[Result]) -> str:
    """The table of the documentation: attacks contained of attacks tried, by theme and profile."""
    heads = " | ".join(f"*{result.profile}*" for result in results)
    lines = [f"| attacks | tried | {heads} |", "|---|--:|" + "--:|" * len(results)]
    for theme, text in THEMES.items():
        names = [name for name in CASES if name.split("/")[0] == theme]
        cells = " | ".join(_cell(result, names) for result in results)
        lines.append(f"| {text} | {len(names)} | {cells} |")
    times = " | ".join(
        "-" if result.gone_ms_p99 is None else f"{result.gone_ms_p99:.0f} ms" for result in results
    )
    lines.append(f"| every process gone after the limit, p99 | | {times} |")
    return "\n".join(lines) + "\n"


def _cell(result: Result, names: list[str]) -> str:
    run = [result.cases[name]["contained"] for name in names if name in result.cases]
    open_ = sum(name in result.not_claimed for name in names)
    return f"{sum(run)}" + (f" ({open_} not claimed)" if open_ else "")
