"""The report on made-up figures: what the pages and tables say, and that nothing breaks out of them."""

from __future__ import annotations

import re
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up_figures import JUDGED, POINTS, deployed, figures, result

from policies.recovery.registry import BUILT_IN
from training.judging.episodes import EPISODE, Played
from training.judging.evaluate import Judged, Question
from training.judging.replay import Replay, Step, ToldLevel
from training.judging.setting import Setting
from training.pages.charts import PALETTE, TINTS, colours, curve
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
from training.pages.report import deployment, evaluation, write_report
from training.pages.terminal_tables import pairs_to_tell


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
    assert not {*TINTS} & {*PALETTE}


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
