"""`conductor runs` for people: a line for each run, or two where the terminal is narrow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from conductor_agent.commands.show import COLOURS, Terminal, columns, line

FIGURES = ("run", "status", "attempts", "seconds", "cost")
HEAD = {"policy": "policy", "name": "workflow"}
INDENT = 2
WIDEST = 10_000


def show_runs(console: Terminal, rows: Sequence[Mapping[str, Any]]) -> None:
    """The runs of a journal; policy and workflow stand below a run where they do not fit beside all."""
    wide = columns(*FIGURES, "policy", "workflow", whole=FIGURES)
    for row in rows:
        wide.add_row(*_figures(row), *_names(row))
    unbounded = console.options.update(width=WIDEST)
    if console.measure(wide, options=unbounded).maximum <= console.width:
        console.print(wide)
    else:
        _show_narrow(console, rows)
    for row in rows:
        if "problem" in row:
            console.tell((row["problem"], "red"))


def _show_narrow(console: Terminal, rows: Sequence[Mapping[str, Any]]) -> None:
    """Figures in columns that are as wide as in one table of all, the names of each run below its own."""
    cells = [_figures(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(map(Text, FIGURES), *cells, strict=True)]
    for row, figures in [
        (HEAD, [Text(title, "bold") for title in FIGURES]),
        *zip(rows, cells, strict=True),
    ]:
        one = Table.grid(padding=(0, 2))
        for width in widths:
            one.add_column(width=width, no_wrap=True)
        one.add_row(*figures)
        console.print(one)
        if any(names := _names(row)):
            told = Text("  ").join(names)
            told.stylize("dim")
            console.print(Padding(told, (0, 0, 0, INDENT), expand=False), overflow="fold")


def _figures(row: Mapping[str, Any]) -> list[Text]:
    colour = COLOURS.get(row["status"], "red")
    numbers = [
        f"{row[key]:{form}}" if key in row else ""
        for key, form in (("attempts", "d"), ("elapsed_s", ".2f"), ("cost", ".2f"))
    ]
    return [line(row["run_id"]), line((row["status"], colour)), *map(Text, numbers)]


def _names(row: Mapping[str, Any]) -> list[Text]:
    return [line(row.get("policy", "")), line(row.get("name", ""))]
