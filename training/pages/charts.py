"""Charts as SVG, drawn by hand: no script, nothing loaded, a title on everything that has a value."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import Any

BLUE, GREY, LINE = "#2563eb", "#94a3b8", "#e3e7ec"
PAGE = 960.0
"""Width of a plot that has a page to itself."""
LEGIBLE = 640.0
"""A plot shrinks to this width at most; on a narrower screen it scrolls."""
NAME_ROW = 17.0
"""Between the names of a column."""
LETTER, BOLD_LETTER = 9.2, 10.0
"""Mean width of a letter at the size that words have on a narrow screen, which is the largest."""


def ticks(low: float, high: float) -> list[float]:
    """At most seven round values from `low` to `high`, 0 among them where it lies between."""
    step = next((s for s in (0.02, 0.05, 0.1, 0.2, 0.5) if (high - low) / s <= 6), 1.0)
    return [i * step for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


def svg(width: float, height: float, parts: Sequence[str]) -> str:
    """A drawing that shrinks with the page while its words can be read, and then scrolls."""
    least = min(width, LEGIBLE)
    return (
        f'<div class="wide"><svg width="{width:.0f}" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'style="min-width:{least:.0f}px">'
        f"{''.join(parts)}</svg></div>"
    )


def line(x1: float, y1: float, x2: float, y2: float, stroke: str = LINE, width: int = 1) -> str:
    """A straight line."""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
        f'stroke="{stroke}" stroke-width="{width}"/>'
    )


def label(x: float, y: float, text: str, anchor: str = "start", kind: str = "") -> str:
    """A piece of text."""
    mark = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{mark}>{html.escape(text)}</text>'


def bars(policies: dict[str, dict[str, Any]], ours: str) -> str:
    """Return of each policy with its 95% interval, as SVG; the name of `ours` stands out."""
    shown = {name: p for name, p in policies.items() if "error" not in p}
    if not shown:
        return ""
    low = min(0.0, *(p["return_ci95"][0] for p in shown.values()))
    high = max(0.05, *(p["return_ci95"][1] for p in shown.values()))
    left = max(60.0, 16 + BOLD_LETTER * max(map(len, shown)))
    width, row, bottom = max(400.0, PAGE - 60 - left), 30, 10 + 30 * len(shown)

    def x(value: float) -> float:
        return left + (value - low) / (high - low) * width

    parts = [line(x(t), 4, x(t), bottom) for t in ticks(low, high)]
    parts += [label(x(t), bottom + 16, f"{t:.2f}", "middle", "axis") for t in ticks(low, high)]
    palette = colours(list(shown))
    for i, (name, p) in enumerate(shown.items()):
        y = 10 + i * row
        a, b = sorted((x(0.0), x(p["return_mean"])))
        c, d = (x(v) for v in p["return_ci95"])
        parts += [
            label(left - 8, y + 14, name, "end", "us" if name == ours else ""),
            f'<rect x="{a:.1f}" y="{y}" width="{b - a:.1f}" height="18" fill="{palette[name]}"/>',
            line(c, y + 9, d, y + 9, "#111", 2),
            label(max(b, d) + 6, y + 14, f"{p['return_mean']:.3f}"),
        ]
    parts.append(label(left, bottom + 36, "return; whisker: 95% interval", kind="axis"))
    return svg(left + width + 60, bottom + 44, parts)


DRAWN = "Training draws its actions; judged, the policy takes the likeliest"
"""Why the figures of a training lie below those of an evaluation."""


def curve(points: Sequence[dict[str, Any]]) -> str:
    """Return and success over training steps, as SVG; the axis begins at 0, or below where a return does."""
    if len(points) < 2:
        return ""
    height, left, top = 260.0, 50.0, 10.0
    width = PAGE - 20 - left
    steps = [p["steps"] for p in points]
    values = [p[key] for p in points for key in ("return_mean", "success_rate")]
    low, high = min(0.0, *values), max(0.05, *values)

    def y(value: float) -> float:
        return top + (high - value) / (high - low) * height

    def path(key: str, colour: str) -> str:
        corners = " ".join(
            f"{left + (p['steps'] - steps[0]) / max(1, steps[-1] - steps[0]) * width:.1f},{y(p[key]):.1f}"
            for p in points
        )
        return f'<polyline points="{corners}" fill="none" stroke="{colour}" stroke-width="2"/>'

    parts = [line(left, y(t), left + width, y(t)) for t in ticks(low, high)]
    parts += [label(left - 8, y(t) + 4, f"{t:.2f}", "end", "axis") for t in ticks(low, high)]
    parts += [path("success_rate", GREY), path("return_mean", BLUE)]
    under = top + height
    parts += [
        label(left, under + 18, f"{steps[0]:,}", "start", "axis"),
        label(left + width, under + 18, f"{steps[-1]:,} steps", "end", "axis"),
        label(left, under + 40, f"Blue: return. Grey: share of episodes that succeed. {DRAWN}."),
    ]
    return svg(left + width + 20, under + 48, parts)


PALETTE = (
    "#2563eb",
    "#d97706",
    "#0a7a3d",
    "#b3261e",
    "#7c3aed",
    "#0891b2",
    "#be185d",
    "#65a30d",
    "#475569",
    "#a16207",
    "#111827",
    "#f472b6",
    "#5eead4",
    "#fbbf24",
    "#6b21a8",
    "#a3a3a3",
)
"""Colours of policies, in the order in which they are named; enough for all that are built in."""


TINTS = (
    "#93c5fd",
    "#fcd34d",
    "#86efac",
    "#fca5a5",
    "#c4b5fd",
    "#67e8f9",
    "#f9a8d4",
    "#cbd5e1",
    "#57534e",
)
"""Colours of what is no policy, beside charts in which colours stand for policies."""


def colours(names: Sequence[str]) -> dict[str, str]:
    """A colour for each policy; they repeat where there are many."""
    return {name: PALETTE[i % len(PALETTE)] for i, name in enumerate(names)}


def key(palette: dict[str, str]) -> str:
    """What each colour stands for, as a line of HTML."""
    return (
        '<p class="key note">'
        + " ".join(
            f'<b><span style="background:{colour}"></span>{html.escape(name)}</b>'
            for name, colour in palette.items()
        )
        + "</p>"
    )


def titled(shape: str, title: str) -> str:
    """A shape that says its value when it is pointed at."""
    return f"<g><title>{html.escape(title)}</title>{shape}</g>"


def line_chart(
    series: dict[str, tuple[Sequence[float], Sequence[float]]],
    palette: dict[str, str],
    across: str,
    up: str,
) -> str:
    """Lines of shares (from 0 to 1) over a number, one per policy."""
    xs = [x for its, _ in series.values() for x in its]
    if not xs:
        return ""
    height, left, top = 300.0, 52.0, 22.0
    width = PAGE - 20 - left
    low, high = min(xs), max(xs)

    def at(x: float, y: float) -> tuple[float, float]:
        return left + (x - low) / max(1e-9, high - low) * width, top + (1.0 - y) * height

    parts = [label(left, 12, up, kind="axis")]
    for t in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        y = at(low, t)[1]
        parts += [line(left, y, left + width, y), label(left - 6, y + 4, f"{t:.0%}", "end", "axis")]
    for t in ticks(low, high):
        x = at(t, 0.0)[0]
        parts += [
            line(x, top, x, top + height),
            label(x, top + height + 16, f"{t:g}", "middle", "axis"),
        ]
    for name, (its, ys) in series.items():
        corners = " ".join("{:.1f},{:.1f}".format(*at(x, y)) for x, y in zip(its, ys, strict=True))
        shape = (
            f'<polyline points="{corners}" fill="none" stroke="{palette[name]}" stroke-width="2"/>'
        )
        parts.append(titled(shape, name))
    parts.append(label(left + width, top + height + 34, across, "end", "axis"))
    return svg(left + width + 20, top + height + 42, parts)


def bounds(values: Sequence[float]) -> tuple[float, float]:
    """An axis for these, with a little room at both ends."""
    room = max(0.02, 0.08 * (max(values) - min(values)))
    return min(values) - room, max(values) + room


def scatter(
    points: dict[str, tuple[float, float, float, float]],
    palette: dict[str, str],
    across: str,
    up: str,
) -> str:
    """One point per policy: (x, y, low, high), with its whisker; the names stand in a column beside them."""
    if not points:
        return ""
    height, left, top = 300.0, 52.0, 22.0
    names = max(90.0, 12 + LETTER * max(map(len, points)))
    width = max(420.0, PAGE - 26 - names - left)
    low, high = bounds([bound for point in points.values() for bound in point[2:]])
    most = 1.15 * max(0.05, *(p[0] for p in points.values()))

    def at(x: float, y: float) -> tuple[float, float]:
        return left + x / most * width, top + (high - y) / (high - low) * height

    parts = [label(left, 12, up, kind="axis")]
    for t in ticks(low, high):
        y = at(0.0, t)[1]
        parts += [line(left, y, left + width, y), label(left - 6, y + 4, f"{t:g}", "end", "axis")]
    for t in ticks(0.0, most):
        x = at(t, low)[0]
        parts += [
            line(x, top, x, top + height),
            label(x, top + height + 16, f"{t:.0%}", "middle", "axis"),
        ]
    column, ranked = left + width + 26, sorted(points.items(), key=lambda p: -p[1][1])
    heights = spread_out([at(p[0], p[1])[1] for _, p in ranked], NAME_ROW, top)
    for (name, (cost, mean, least, greatest)), beside in zip(ranked, heights, strict=True):
        (x, y), colour = at(cost, mean), palette[name]
        shape = (
            line(x, y, column - 8, beside, colour)
            + line(x, at(cost, least)[1], x, at(cost, greatest)[1], colour, 2)
            + f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colour}"/>'
            + f'<rect x="{column - 8:.1f}" y="{beside - 5:.1f}" width="10" height="10" fill="{colour}"/>'
            + label(column + 6, beside + 4, name)
        )
        parts.append(titled(shape, f"{name}: {mean:.3f} at {cost:.1%}"))
    foot = max(top + height, *heights)
    parts.append(label(left + width, top + height + 34, across, "end", "axis"))
    return svg(column + names, foot + 42, parts)


def spread_out(heights: Sequence[float], row: float, least: float) -> list[float]:
    """Heights (ascending) moved a row apart, each near where it was, none above `least`."""
    blocks: list[tuple[float, int]] = []  # (middle, how many); those that would touch become one
    for height in heights:
        middle, n = height, 1
        while blocks and middle - (n - 1) / 2 * row < blocks[-1][0] + (blocks[-1][1] + 1) / 2 * row:
            before, m = blocks.pop()
            middle, n = (before * m + middle * n) / (m + n), m + n
        blocks.append((middle, n))
    apart = [middle + (i - (n - 1) / 2) * row for middle, n in blocks for i in range(n)]
    return [max(height, least + i * row) for i, height in enumerate(apart)]


def stacked_bars(rows: Sequence[tuple[str, int, dict[str, float]]], palette: dict[str, str]) -> str:
    """Per row a bar of shares that sum to 1, with the number of cases that it rests on."""
    if not rows:
        return ""
    left, width, row = max(150.0, 16 + LETTER * max(len(name) for name, _, _ in rows)), 240.0, 20
    parts = []
    for i, (name, cases, shares) in enumerate(rows):
        y, x = 4 + i * row, left
        parts.append(label(left - 6, y + 12, name.lower().replace("_", " "), "end"))
        for what, colour in palette.items():
            wide = shares.get(what, 0.0) * width
            if wide > 0.0:
                shape = (
                    f'<rect x="{x:.1f}" y="{y}" width="{wide:.1f}" height="15" fill="{colour}"/>'
                )
                parts.append(titled(shape, f"{name}: {what} {shares[what]:.0%}"))
            x += wide
        parts.append(label(left + width + 6, y + 12, f"{cases:,}", kind="axis"))
    return svg(left + width + 60, 8 + row * len(rows), parts)
