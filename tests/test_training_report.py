"""The report on made-up figures: what the charts and tables say, and that nothing breaks out of the page."""

from __future__ import annotations

import re
from itertools import pairwise, permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ImageFont

from policies.recovery.registry import BUILT_IN
from training.judging.episodes import EPISODE, Played
from training.judging.evaluate import Judged, Question
from training.judging.replay import Replay, Step, ToldLevel
from training.judging.setting import Setting
from training.pages.charts import (
    LEGIBLE,
    LETTER,
    PAGE,
    TINTS,
    bars,
    colours,
    curve,
    line_chart,
    scatter,
    spread_out,
    stacked_bars,
    ticks,
)
from training.pages.charts import PALETTE as PALETTE_OF_POLICIES
from training.pages.evaluation_page import (
    MOST_PANELS,
    banded,
    champion,
    episode_to_show,
    how_to_look,
    plots,
    reaction_panels,
    replayed,
    rivals_of,
    side_by_side,
)
from training.pages.grouped_bars import grouped_bars
from training.pages.report import deployment, evaluation, write_report
from training.pages.terminal_tables import pairs_to_tell


def figures(mean: float, half: float = 0.02) -> dict[str, Any]:
    return {
        "success_rate": 0.5,
        "return_mean": mean,
        "return_ci95": [mean - half, mean + half],
        "fraction_of_oracle": None,
        "attempts_per_success": 3.0,
        "cost_per_success": 0.4,
        "wrong_delivered_rate": 0.01,
        "decision_ms_p50": 0.02,
    }


def result(**policies: dict[str, Any]) -> dict[str, Any]:
    return {
        "split": "test",
        "episodes": 2048,
        "tiers": [6, 20],
        "size": "small",
        "mix": "published",
        "mode": "hybrid",
        "levels": [],
        "policies": policies,
        "paired": {
            "trained/index": {"difference_mean": 0.02, "difference_ci95": [0.01, 0.03]},
        },
    }


JUDGED = result(
    random=figures(-0.05),
    index=figures(0.45),
    oracle=figures(0.7),
    broken={"error": "ValueError: <b>no</b> idea"},
    trained=figures(0.47),
)
POINTS = [
    {"steps": 16384 * (i + 1), "return_mean": 0.4 + i / 400, "success_rate": 0.5 + i / 500}
    for i in range(20)
]


def run(run_id: str, good: dict[str, bool], attempts: int) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "defects": ["skew", "noise"],
        "good": good,
        "attempts": attempts,
        "cost": 2.9,
    }


def deployed(pages: int) -> dict[str, Any]:
    def label(name: str) -> dict[str, Any]:
        good = {"text": True, "language": True, "search": False}
        return {
            "policy": name,
            "pages": pages,
            "success_rate": 0.5,
            "goals": {"text": pages},
            "cost": 31.4,
            "attempts": 70,
            "elapsed_s": 12.3,
            "wrong_delivered_rate": 0.25,
            "runs": [run(f"20260101-00000{i}-{name[:6]}", good, 1 + i) for i in range(pages)],
        }

    return {"rule": label("code_aware"), "trained": label("conductor")}


def numbers(text: str, attribute: str) -> list[float]:
    return [float(n) for n in re.findall(rf' {attribute}="(-?[\d.]+)"', text)]


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


def test_who_failed_stands_below_the_table_escaped() -> None:
    page = evaluation(JUDGED)
    table, below = page.split("</table>")
    assert "broken" not in table
    assert "<li>broken: ValueError: &lt;b&gt;no&lt;/b&gt; idea</li>" in below
    assert "2,048 levels of test, tiers 6 to 20, small, mix published, mode hybrid" in page
    files = {
        **JUDGED,
        "tiers": None,
        "mix": None,
        "mode": None,
        "levels": ["a.yaml"],
        "episodes": 1,
    }
    assert "1 episode of 1 level file<" in evaluation(files)


def test_shares_of_a_bound_have_a_column_where_it_is_known_and_are_explained() -> None:
    assert "of oracle" not in evaluation(JUDGED) and "of Bayes" not in evaluation(JUDGED)
    share = {"fraction_of_oracle": 0.875, "fraction_of_bayes": 1.012}
    page = evaluation(result(index=figures(0.45) | share, retry=figures(0.1)))
    assert "<th>of Bayes</th><th>of oracle</th>" in page
    assert "<td>101.2%</td><td>87.5%</td>" in page
    assert "Of Bayes: mean return over the exact value of these levels" in page
    assert "A dash: there is no such figure" in page


def test_each_page_names_its_runs_and_sums_are_named_sums(tmp_path: Path) -> None:
    page = deployment(deployed(2), tmp_path)
    for run_id in ("20260101-000001-code_a", "20260101-000000-conduc"):
        assert f"<code>{run_id}</code>" in page
    assert "conductor explain ID --journal journal.sqlite" in page
    for head in ("cost, all pages", "attempts, all pages", "seconds, all pages"):
        assert f"<th>{head}</th>" in page
    assert "1 attempt, cost" in page and "2 attempts, cost" in page


def test_what_is_wide_scrolls_in_its_own_box(tmp_path: Path) -> None:
    sections = [curve(POINTS), evaluation(JUDGED), deployment(deployed(2), tmp_path)]
    page = write_report(tmp_path / "report.html", "Made up", sections).read_text()
    for start in ("<table", "<svg"):
        assert page.count(start) == page.count('<div class="wide">' + start) > 0
    assert ".wide{max-width:100%;overflow-x:auto}" in page
    assert 'name="viewport"' in page


PALETTE = colours(["a", "b"])


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


def group(mean: float, episodes: int) -> dict[str, Any]:
    error = 0.1 if episodes > 1 else None
    return {
        "episodes": episodes, "success_rate": mean, "return_mean": mean, "return_se": error,
    }  # fmt: skip


def test_neighbouring_tiers_are_put_together_by_their_episodes() -> None:
    by = {str(tier): group(float(tier), tier) for tier in range(1, 9)}
    bands, halves = banded({"a": {"by": {"tier": by}}}, "tier")
    assert list(bands) == ["1 to 2", "3 to 4", "5 to 6", "7 to 8"]
    assert bands["1 to 2"]["a"] == pytest.approx(5 / 3)
    assert halves["1 to 2"]["a"] is None  # one level has no spread
    assert halves["3 to 4"]["a"] == pytest.approx(1.96 * 0.1 * (3**2 + 4**2) ** 0.5 / 7)
    few = banded({"a": {"by": {"tier": {"4": group(0.5, 1)}}}}, "tier")
    assert few == ({"4": {"a": 0.5}}, {"4": {"a": None}})
    assert list(banded({"a": {"by": {"template": by}}}, "template")[0]) == list(by)


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


def test_the_champion_is_told_nothing_hidden() -> None:
    assert champion(JUDGED) == "trained"
    others = {name: p for name, p in JUDGED["policies"].items() if name != "trained"}
    assert champion({"policies": others}) == "index"  # not the oracle
    assert champion({"policies": {"oracle": figures(0.5)}}) == "oracle"
    assert plots({"policies": {"broken": {"error": "no"}}}) == ""


def test_two_replays_stand_beside_each_other() -> None:
    steps = (Step(0.0, "read", ("read: nobody answers",), False), Step(12.0, "wait", (), None))
    one = Replay(steps, "stopped, text is delivered and good", 0.9, True)
    other = Replay(
        (Step(0.0, "stop and deliver", (), None),), "stopped, text is missing", 0.0, False
    )
    told = ToldLevel("a <level>", ("read: fails now and then",))
    look = how_to_look(Setting(seed=4, mode="community"), 3, 18)
    page = replayed({"a": one, "b": other}, told, "the first", look)
    assert "a &lt;level&gt;" in page and "read: fails now and then" in page
    assert page.count("<li>") == 3 and '<span class="no">read: nobody answers</span>' in page
    assert "a: solved, return 0.900" in page and "b: not solved" in page
    assert ">12 s<" in page
    command = "fqg levels show --split test --tier 18 --seed 7 --size small --solution"
    assert (
        f"<code>{command}</code>. It shows it in mode hybrid; here the mode is community." in page
    )


def reacting(mean: float) -> dict[str, Any]:
    reaction = {"NOT_CALLED": {"failures": 3, "shares": {"retry": 1.0}}}
    return figures(mean) | {"reactions": reaction}


def test_ones_own_policies_are_shown_whatever_their_return() -> None:
    policies = {name: reacting(0.1 * i) for i, name in enumerate(BUILT_IN) if i < 6}
    own_ones = {"mine:Eager": reacting(-0.3), "runs/a": reacting(-0.2)}
    page = reaction_panels(policies | own_ones)
    shown = re.findall("<h3>(.*?)</h3>", page)
    assert len(shown) == MOST_PANELS and shown[:2] == ["runs/a", "mine:Eager"]
    assert shown[2] == list(policies)[-1]
    assert "6 of 8 are shown, your own first, then the highest returns." in page
    assert "6 of 7 are shown, the highest returns." in reaction_panels(
        policies | {"search": reacting(0.0)}
    )
    assert "are shown" not in reaction_panels(policies)


def test_the_page_is_about_ones_own_policies_where_they_take_part() -> None:
    told = result(**{
        "index": figures(0.45), "code_aware": figures(0.4), "oracle": figures(0.7),
        "mine:Eager": figures(0.1), "runs/a": figures(0.2), "mine:Boom": {"error": "no"},
    })  # fmt: skip
    one = {"difference_mean": -0.2, "difference_ci95": [-0.3, -0.1]}
    names = [name for name, p in told["policies"].items() if "error" not in p]
    told["paired"] = {f"{a}/{b}": one for a, b in permutations(names, 2)}
    told["gap"] = {"rule": "code_aware", "bound": None}
    pairs = re.findall(r"<li>(\S+) minus (\S+):", evaluation(told, champion(told)))
    assert pairs == [
        ("oracle", "index"), ("oracle", "code_aware"), ("oracle", "runs/a"), ("oracle", "mine:Eager"),
        ("index", "code_aware"), ("index", "runs/a"), ("index", "mine:Eager"),
        ("code_aware", "runs/a"), ("code_aware", "mine:Eager"), ("runs/a", "mine:Eager"),
    ]  # fmt: skip
    assert pairs == pairs_to_tell({name: told["policies"][name] for name in names})
    assert rivals_of(judged(told))[0] == ("runs/a", "index")
    for name in ("mine:Eager", "runs/a"):
        told["policies"][name] = {"error": "no"}
    assert champion(told) == "index" and rivals_of(judged(told))[0] == ("index", "code_aware")
    assert "index minus code_aware" in evaluation(told, "index")


def judged(told: dict[str, Any], **returns: list[float]) -> Judged:
    """Judged policies with these returns, a level each; a return above 0.5 is a success."""
    played = {}
    for name, each in returns.items():
        episodes = np.zeros(len(each), EPISODE)
        episodes["return"], episodes["attempts"], episodes["met"] = each, 2, 1
        episodes["success"] = np.array(each) > 0.5
        played[name] = Played(episodes, np.zeros((0, 0)), 0, 0, 0.0, np.zeros(0))
    return Judged(Question({}, Setting()), told, played)


def test_a_level_is_shown_on_which_two_policies_differ_or_it_is_said_that_none_is() -> None:
    ours = [0.1, 0.3, 0.9]
    seen = judged(JUDGED, trained=ours, index=ours, random=[0.1, 0.6, 0.4], retry=[0.1, 0.2, 0.9])
    assert episode_to_show(seen, "trained", "random")[0] == 2  # type: ignore[index]
    assert episode_to_show(seen, "trained", "retry")[0] == 1  # type: ignore[index]
    assert episode_to_show(seen, "trained", "index") is None
    told = result(trained=figures(0.4), index=figures(0.4)) | {"gap": {"rule": None}}
    page = side_by_side(judged(told, trained=ours, index=ours))
    assert "trained and index came to the same return on every level" in page


def test_a_policy_has_one_colour_on_a_page() -> None:
    told = {name: p for name, p in JUDGED["policies"].items() if "error" not in p}
    palette = colours(list(told))
    page = evaluation(JUDGED, "index")
    for name in told:
        (rect,) = re.findall(rf">{name}</text><rect [^>]*/>", page)
        assert palette[name] in rect
    assert not {*TINTS} & {*PALETTE_OF_POLICIES}


def test_a_difference_whose_interval_holds_nothing_is_told_as_a_tie() -> None:
    told = {**JUDGED, "paired": {}}
    for other, low in (("index", -0.01), ("random", 0.01)):
        told["paired"][f"trained/{other}"] = {
            "difference_mean": 0.02,
            "difference_ci95": [low, 0.03],
        }
    page = evaluation(told)
    assert "trained minus index: +0.020 [-0.010, +0.030] a tie</li>" in page
    assert "trained minus random: +0.020 [+0.010, +0.030]</li>" in page


def test_how_to_look_at_a_level_fits_what_it_is(tmp_path: Path) -> None:
    assert "show --split exact --seed 4 --size small --solution<" in how_to_look(
        Setting(split="exact"), 4, -1
    )
    turns = Setting(mix="published,stress")
    assert "--seed 4 --size small --mix published --solution<" in how_to_look(turns, 4, 2)
    assert "--seed 5 --size small --mix stress --solution<" in how_to_look(turns, 5, 2)
    files = Setting(levels=("a.yaml", "b c.yaml"))
    assert "fqg levels show &#x27;b c.yaml&#x27; --solution<" in how_to_look(files, 3, -1)
