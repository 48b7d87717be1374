"""Bars in groups, a bar per policy, with the intervals around their values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from training.pages.charts import PAGE, label, line, svg, ticks, titled


@dataclass(frozen=True)
class BarFrame:
    """Where groups of bars stand, in pixels, and which values lie at its foot and at its top."""

    groups: int
    bars: int
    """In each group."""
    group_width: float
    bar_width: float
    low: float
    high: float
    left: ClassVar[float] = 52.0
    top: ClassVar[float] = 10.0
    height: ClassVar[float] = 170.0

    @property
    def right(self) -> float:
        """Where the last group ends."""
        return self.left + self.group_width * self.groups

    def x(self, group: float, bar: float) -> float:
        """Where a bar of a group begins."""
        margin = (self.group_width - self.bar_width * self.bars) / 2
        return self.left + group * self.group_width + margin + bar * self.bar_width

    def y(self, value: float) -> float:
        """How far down a value lies."""
        return self.top + (self.high - value) / (self.high - self.low) * self.height


def bar_frame(groups: Sequence[str], bars: int, low: float, high: float) -> BarFrame:
    """Bars as wide as the page allows, and groups as wide as their names need."""
    room = PAGE - 10 - BarFrame.left
    bar_width = max(5.0, min(24.0, room / (len(groups) * (bars + 1))))
    longest = max(len(words) for group in groups for words in group.split("\n"))
    group_width = max(12.0 + 6.5 * longest, bar_width * (bars + 1), room / max(3, len(groups)))
    return BarFrame(len(groups), bars, group_width, bar_width, low, high)


def bar_axis(frame: BarFrame, share: bool) -> list[str]:
    """The lines behind the bars, each with its value."""
    parts = []
    for t in (0.0, 0.25, 0.5, 0.75, 1.0) if share else ticks(frame.low, frame.high):
        y, text = frame.y(t), f"{t:.0%}" if share else f"{t:g}"
        parts += [
            line(frame.left, y, frame.right, y),
            label(frame.left - 6, y + 4, text, "end", "axis"),
        ]
    return parts


def bar(
    frame: BarFrame, x: float, value: float, ends: tuple[float, float] | None, colour: str
) -> str:
    """One bar from 0 to its value, with a whisker between the ends of its interval."""
    upper, lower = bar_edges(frame.y(value), frame.y(0.0))
    shape = (
        f'<rect x="{x:.1f}" y="{upper:.1f}" width="{frame.bar_width - 1:.1f}" '
        f'height="{lower - upper:.1f}" fill="{colour}"/>'
    )
    if ends is None:
        return shape
    middle = x + 0.5 * frame.bar_width - 0.5
    return shape + line(middle, frame.y(ends[0]), middle, frame.y(ends[1]), "#111", 2)


def grouped_bars(
    groups: dict[str, dict[str, float | None]],
    palette: dict[str, str],
    share: bool = True,
    halves: dict[str, dict[str, float | None]] | None = None,
) -> str:
    """For each group a bar per policy, of shares (0 to 100%) or of returns; none where there is no value.

    Args:
        groups: group -> policy -> value.
        palette: policy -> colour.
        share: the values are shares.
        halves: group -> policy -> half of the value's interval, drawn as a whisker; None: there is none.
    """
    values = [v for each in groups.values() for v in each.values() if v is not None]
    if not values:
        return ""
    whiskers = intervals(groups, halves or {})
    values += [end for ends in whiskers.values() for end in ends]
    low, high = (0.0, 1.0) if share else (min(0.0, *values), max(0.05, *values))
    frame = bar_frame(list(groups), len(palette), low, high)
    parts = bar_axis(frame, share)
    for g, (group, each) in enumerate(groups.items()):
        for i, (name, colour) in enumerate(palette.items()):
            value, ends = each.get(name), whiskers.get((group, name))
            if value is None:
                continue
            title = f"{name}, {group}: ".replace("\n", " ")
            title += f"{value:.1%}" if share else f"{value:.3f}"
            title += f" [{ends[0]:.3f}, {ends[1]:.3f}]" if ends else ""
            parts.append(titled(bar(frame, frame.x(g, i), value, ends, colour), title))
        for i, words in enumerate(group.split("\n")):
            middle = frame.x(g, len(palette) / 2)
            below = frame.top + frame.height + 16 + 14 * i
            parts.append(label(middle, below, words, "middle", "axis"))
    return svg(frame.right + 10, frame.top + frame.height + 40, parts)


def bar_edges(ends: float, zero: float) -> tuple[float, float]:
    """The upper and the lower edge of a bar, which is seen even of nothing: it then stands on its zero."""
    return (min(ends, zero - 1.0), zero) if ends <= zero else (zero, max(ends, zero + 1.0))


def intervals(
    means: dict[str, dict[str, float | None]], halves: dict[str, dict[str, float | None]]
) -> dict[tuple[str, str], tuple[float, float]]:
    """(group, policy) -> both ends of the interval around its mean, where mean and half are known."""
    out = {}
    for group, each in halves.items():
        for name, half in each.items():
            mean = means[group].get(name)
            if mean is not None and half is not None:
                out[group, name] = mean - half, mean + half
    return out
