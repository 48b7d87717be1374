"""Drawings of `charts.py` as pictures that a notebook shows, and a timeline of attempts."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from training.pages.charts import PALETTE, label, line, svg, ticks, titled

STYLE = "text{font:12px system-ui,sans-serif;fill:#1c2430}text.axis{fill:#5a6675}"
DRAWN = re.compile(r'<svg width="(\d+)" viewBox="0 0 \d+ (\d+)"[^>]*>(.*)</svg>', re.DOTALL)
LEGEND, SQUARE, LETTER = 26, 10, 6.8
"""Height of the line that says what colours mean, its squares, and the mean width of a letter."""
GOOD, BAD, NEITHER = PALETTE[2], PALETTE[3], "#94a3b8"
ROW, MARGIN, WIDTH = 30.0, 12.0, 960.0


class Picture:
    """A drawing with its style inside, so that it stands alone; Jupyter asks for `_repr_svg_`.

    Args:
        drawing: what a function of `charts.py` answers.
        palette: what its colours stand for, to be said above it.
        title: what it shows, for those who do not see it; empty where the page says it.

    Raises:
        ValueError: it is no drawing, as where a chart had nothing to draw.
    """

    def __init__(self, drawing: str, palette: Mapping[str, str] | None = None, title: str = ""):
        found = DRAWN.search(drawing)
        if found is None:
            raise ValueError("there is nothing drawn here; did the chart get any values?")
        width, height, inside = int(found[1]), int(found[2]), found[3]
        down = LEGEND if palette else 0
        named = f"<title>{html.escape(title)}</title>" if title else ""
        self.text = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height + down}" '
            f'viewBox="0 0 {width} {height + down}">{named}<style>{STYLE}</style>'
            f'<rect width="100%" height="100%" fill="#fff"/>{legend(palette or {})}'
            f'<g transform="translate(0,{down})">{inside}</g></svg>'
        )

    def __repr__(self) -> str:
        return "a picture"

    def _repr_svg_(self) -> str:
        return self.text


def legend(palette: Mapping[str, str]) -> str:
    """What each colour stands for, in one line."""
    parts, x = [], MARGIN
    for name, colour in palette.items():
        square = f'<rect x="{x:.0f}" y="6" width="{SQUARE}" height="{SQUARE}" fill="{colour}"/>'
        parts += [square, label(x + SQUARE + 5, 15, name)]
        x += SQUARE + 22 + LETTER * len(name)
    return "".join(parts)


class Span(NamedTuple):
    """Something that took its time."""

    begins_s: float
    ends_s: float
    words: str
    good: bool | None
    """None: neither good nor bad, as a wait."""


def timeline(rows: Mapping[str, Sequence[Span]]) -> str:
    """A row of bars over time for each name: green what went well, red what failed, grey what is neither."""
    left = 24.0 + LETTER * max(map(len, rows), default=0)
    width = WIDTH - left - 20
    until_s = max((span.ends_s for spans in rows.values() for span in spans), default=0.0)
    if until_s <= 0.0:
        return ""
    unit = 10.0 ** max(0, len(f"{until_s:.0f}") - 1)  # `ticks` is for small numbers
    foot = 6 + ROW * len(rows)

    def x(at_s: float) -> float:
        return left + at_s / until_s * width

    parts = []
    for t in (unit * tick for tick in ticks(0.0, until_s / unit)):
        parts += [line(x(t), 4, x(t), foot), label(x(t), foot + 16, f"{t:g} s", "middle", "axis")]
    for i, (name, spans) in enumerate(rows.items()):
        parts.append(label(left - 8, 6 + ROW * i + 18, name, "end"))
        parts += [bar_of(span, x(span.begins_s), x(span.ends_s), 6 + ROW * i) for span in spans]
    return svg(WIDTH, foot + 24, parts)


def bar_of(span: Span, begins: float, ends: float, top: float) -> str:
    """One bar, with its words where they fit."""
    colour = NEITHER if span.good is None else GOOD if span.good else BAD
    wide = max(3.0, ends - begins - 1)
    bar = (
        f'<rect x="{begins:.1f}" y="{top + 3:.0f}" width="{wide:.1f}" height="22" fill="{colour}"/>'
    )
    if wide > 8 + LETTER * len(span.words):
        inside = html.escape(span.words)
        bar += f'<text x="{begins + 5:.1f}" y="{top + 18:.0f}" style="fill:#fff">{inside}</text>'
    return titled(bar, f"{span.words}: {span.begins_s:.2f} to {span.ends_s:.2f} s")
