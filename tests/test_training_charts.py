"""Charts on made-up figures: what they say, that nothing is cut or overlaps, and that nothing breaks out."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from made_up_figures import JUDGED, POINTS, figures, numbers
from PIL import ImageFont

from policies.recovery.registry import BUILT_IN
from training.pages.charts import (
    LEGIBLE,
    LETTER,
    PAGE,
    bars,
    colours,
    curve,
    line_chart,
    scatter,
    spread_out,
    stacked_bars,
    ticks,
)
from training.pages.grouped_bars import grouped_bars

PALETTE = colours(["a", "b"])


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 0.05, [0.0, 0.02, 0.04]),
        (-0.1, 0.8, [0.0, 0.2, 0.4, 0.6, 0.8]),
        (0.0, 1.0, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (-1.0, 1.0, [-1.0, -0.5, 0.0, 0.5, 1.0]),
    ],
)
def test_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(expected)


def test_bars_have_an_axis_and_leave_out_who_failed() -> None:
    drawn = bars(JUDGED["policies"], "trained")
    assert "return; whisker: 95% interval" in drawn
    assert drawn.count("<rect") == 4 and "broken" not in drawn
    assert min(numbers(drawn, "x")) >= 0
    assert bars({"broken": {"error": "no"}}, "trained") == ""


def test_the_axis_of_the_curve_starts_at_zero() -> None:
    drawn = curve(POINTS)
    assert ">0.00</text>" in drawn and ">16,384</text>" in drawn and ">327,680 steps<" in drawn
    below = [{**POINTS[0], "return_mean": -0.3}, POINTS[1]]
    assert ">-0.20</text>" in curve(below)
    assert curve(POINTS[:1]) == ""


def test_lines_run_from_corner_to_corner_and_say_whose_they_are() -> None:
    drawn = line_chart({"<a>": ([-1.0, 1.0], [1.0, 0.0])}, {"<a>": "#123456"}, "return", "share")
    assert "<title>&lt;a&gt;</title>" in drawn
    assert f'points="52.0,22.0 {PAGE - 20:.1f},322.0"' in drawn
    assert ">100%<" in drawn and ">-0.5<" in drawn
    assert line_chart({}, {}, "x", "y") == ""


def test_points_have_whiskers_and_names_that_do_not_overlap() -> None:
    points = {"a": (0.2, 0.5, 0.4, 0.6), "b": (0.2, 0.49, 0.4, 0.6)}
    drawn = scatter(points, PALETTE, "cost", "return")
    assert drawn.count("<circle") == 2 and "a: 0.500 at 20.0%" in drawn
    heights = [float(y) for y in re.findall(r'y="([\d.]+)" text-anchor="start">[ab]<', drawn)]
    assert len(heights) == 2 and abs(heights[0] - heights[1]) >= 13


def test_plots_use_the_width_of_the_page_and_shrink_no_further_than_can_be_read() -> None:
    named = {"a": (0.2, 0.5, 0.4, 0.6), "mine:Eager": (0.2, 0.49, 0.4, 0.6)}
    groups = {f"tier {i}": {"a": 0.25, "b": 0.5} for i in range(4)}
    for drawn in (
        bars(JUDGED["policies"], "trained"),
        curve(POINTS),
        line_chart({"a": ([-1.0, 1.0], [1.0, 0.0])}, PALETTE, "return", "share"),
        scatter(named, colours(list(named)), "cost", "return"),
        grouped_bars(groups, PALETTE),
    ):
        assert f'<svg width="{PAGE:.0f}"' in drawn and f"min-width:{LEGIBLE:.0f}px" in drawn
        assert max(numbers(drawn, "x2") + numbers(drawn, "x")) <= PAGE
    small = stacked_bars([("RATE_LIMITED", 1, {"a": 1.0})], PALETTE)
    assert 'style="min-width:450px"' in small


def test_many_policies_have_a_colour_and_a_row_each() -> None:
    names = list(BUILT_IN)
    palette = colours(names)
    assert len(set(palette.values())) == len(names)
    points = {name: (0.4, 0.25 + i / 1000, 0.2, 0.3) for i, name in enumerate(names)}
    drawn = scatter(points, palette, "cost", "return")
    heights = sorted(float(y) for y in re.findall(r'y="([\d.]+)" text-anchor="start">', drawn))
    assert len(heights) == len(names) and min(b - a for a, b in pairwise(heights)) > 16


def test_what_is_moved_apart_stays_in_order_and_near() -> None:
    assert spread_out([0.0, 100.0], 10.0, 0.0) == [0.0, 100.0]
    assert spread_out([50.0, 50.0, 50.0, 200.0], 10.0, 0.0) == [40.0, 50.0, 60.0, 200.0]
    assert spread_out([1.0, 2.0, 90.0], 10.0, 0.0) == [0.0, 10.0, 90.0]
    assert spread_out([20.0, 28.0, 31.0], 10.0, 0.0) == pytest.approx([49 / 3, 79 / 3, 109 / 3])


def test_a_group_has_a_bar_for_each_policy_that_has_a_value() -> None:
    drawn = grouped_bars(
        {"tier 1": {"a": 0.25, "b": None}, "tier 2": {"a": 1.0, "b": 0.0}}, PALETTE
    )
    assert drawn.count("<rect") == 3
    assert "a, tier 1: 25.0%" in drawn and "b, tier 1" not in drawn
    below = grouped_bars({"tier 1": {"a": -0.25, "b": 0.5}}, PALETTE, share=False)
    assert "a, tier 1: -0.250" in below and min(numbers(below, "height")) > 0
    assert grouped_bars({"tier 1": {"a": None}}, PALETTE) == ""


def test_shares_fill_the_whole_bar() -> None:
    drawn = stacked_bars([("RATE_LIMITED", 1234, {"a": 0.75, "b": 0.25})], PALETTE)
    assert sum(numbers(drawn, "width")[1:]) == pytest.approx(240.0)
    assert ">rate limited<" in drawn and ">1,234<" in drawn


def test_the_longest_name_beside_shares_has_room() -> None:
    name = "DEPENDENCY_FAILED_AND_MORE"
    drawn = stacked_bars([(name, 1, {"a": 1.0}), ("TIMEOUT", 1, {"b": 1.0})], PALETTE)
    ends = [float(x) for x in re.findall(r'<text x="([\d.]+)"[^>]*text-anchor="end"', drawn)]
    assert ends == [ends[0]] * 2 and ends[0] >= LETTER * len(name)


def test_a_bar_of_a_mean_has_its_interval_as_a_whisker() -> None:
    groups, halves = {"1 to 2": {"a": 0.5, "b": 0.2}}, {"1 to 2": {"a": 0.25, "b": None}}
    drawn = grouped_bars(groups, PALETTE, share=False, halves=halves)
    (whisker,) = re.findall(r'y1="([\d.]+)" x2="[\d.]+" y2="([\d.]+)" stroke="#111"', drawn)
    low, high = map(float, whisker)
    assert low - high == pytest.approx(170.0 * 0.5 / 0.75, abs=0.1)  # 0.25 to 0.75 of 0 to 0.75
    assert "a, 1 to 2: 0.500 [0.250, 0.750]" in drawn


def widest(words: str, bold: bool) -> float:
    """Pixels of words at the size of a narrow screen, in a font that is wider than most."""
    return float(ImageFont.load_default(15).getlength(words)) * (1.3 if bold else 1.15)


def test_no_name_is_cut_at_the_edge_on_a_narrow_screen_either() -> None:
    long = "mine:TheCarefulOneOfMine"
    policies = {name: figures(0.5) for name in (long, "index")}
    points = dict.fromkeys(policies, (0.2, 0.5, 0.4, 0.6))
    shares = {"one": dict.fromkeys(policies, 1.0)}
    for drawn in (
        bars(policies, long),
        scatter(points, colours(list(points)), "cost", "return"),
        grouped_bars(shares, colours(list(points))),
        line_chart({"a": ([0.0, 1.0], [1.0, 0.0])}, PALETTE, "return", "share"),
    ):
        wide = float(re.findall(r'viewBox="0 0 (\d+)', drawn)[0])
        words = r'<text x="([\d.]+)" y="[\d.]+" text-anchor="(\w+)"( class="us")?[^>]*>([^<]*)'
        for x, anchor, bold, text in re.findall(words, drawn):
            begins = (
                float(x) - widest(text, bool(bold)) * {"start": 0, "middle": 0.5, "end": 1}[anchor]
            )
            assert begins >= 0 and begins + widest(text, bool(bold)) <= wide, text
