"""The report on made-up figures: what the charts and tables say, and that nothing breaks out of the page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from training.report import bars, curve, deployment, evaluation, ticks, write_report


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
