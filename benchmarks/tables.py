"""Tables in Markdown, and the form of a figure in them: a share, a mean or a difference with its interval."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any


def share(value: float | None) -> str:
    """A share as a percentage; a dash where there is none."""
    return "-" if value is None else f"{100 * value:.1f}%"


def spread(mean: float, interval: Sequence[float]) -> str:
    """A mean with its interval."""
    return f"{mean:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]"


def signed(pair: dict[str, Any] | None, digits: int = 3) -> str:
    """A paired difference of `fqg evaluate` with its interval over levels; empty where there is none."""
    if pair is None:
        return ""
    low, high = pair["difference_ci95"]
    form = f"+.{digits}f"
    return f"{pair['difference_mean']:{form}} [{low:{form}}, {high:{form}}]"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The lines of a table."""
    lines = [" | ".join(cells) for cells in (head, *rows)]
    return "\n".join(
        ["| " + lines[0] + " |", "|" + "---|" * len(head)] + [f"| {x} |" for x in lines[1:]]
    )
