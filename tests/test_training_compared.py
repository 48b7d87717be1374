"""`fqg compare`: settings in each mode, how modes differ, the alignment matrix, and what is refused."""

from __future__ import annotations

import errno
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from conductor_agent import cli as conductor
from conductor_agent.by_mode import cases
from conductor_agent.record.journal import Journal, JournalError
from fqg_env.errors import LevelError
from fqg_env.level import Responsibility
from policies.recovery.registry import PolicyError
from training import cli
from training.decision import compared, words
from training.decision.alignment import BINDING, SMALLEST, alignment
from training.decision.compared import Question, compare, difference, planned
from training.judging.setting import Setting

GAME = ("generated", "scenario_2")
MODES = {"community", "conductor", "hybrid"}


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return compare(planned(Question("index", GAME, Setting(episodes=64))))


def test_every_setting_has_the_promised_keys_in_each_mode(found: dict[str, Any]) -> None:
    promised = {
        "success_rate", "latency_s_mean", "wasted_fraction", "violations", "attempts",
        "failures_seen_by_conductor", "resolved_inside_extension", "duplicated_retries",
    }  # fmt: skip
    assert set(found["settings"]) == set(GAME)
    for modes in found["settings"].values():
        assert set(modes) == MODES
        assert all(promised <= set(figures) for figures in modes.values())


def test_pairs_are_differences_of_the_figures(found: dict[str, Any]) -> None:
    for name, modes in found["settings"].items():
        pair = found["paired"][name]["hybrid/community"]
        for key in ("success_rate", "latency_s_mean"):
            expected = modes["hybrid"][key] - modes["community"][key]
            assert pair[key]["difference_mean"] == pytest.approx(expected)
            low, high = pair[key]["difference_ci95"]
            assert low <= expected <= high


def test_the_work_that_is_told_adds_up_to_all_that_there_is() -> None:
    plan = planned(Question("index", GAME, Setting(episodes=8)))
    told: list[tuple[int, str]] = []
    compare(plan, lambda done, setting: told.append((done, setting)))
    assert told == [(8 * n, "generated" if n <= 3 else "scenario_2") for n in range(1, 7)]
    assert told[-1][0] == plan.work


def test_each_story_is_its_own_level_under_the_seed_that_is_asked() -> None:
    def attempts(name: str, seed: int) -> dict[str, float]:
        found = compare(planned(Question("index", (name,), Setting(episodes=64, seed=seed))))
        figures: dict[str, float] = found["settings"][name]["conductor"]
        return figures

    asked = [("scenario_1", 0), ("scenario_2", 0), ("scenario_2", 64)]
    one, two, later = (attempts(name, seed) for name, seed in asked)
    assert one != two != later
    assert two == attempts("scenario_2", 0)


def test_shares_of_the_matrix_are_means_over_settings() -> None:
    def of(seen: int, mended: int, repeats: int) -> dict[str, dict[str, float]]:
        figures = {
            "failures_seen_by_conductor": seen,
            "resolved_inside_extension": mended,
            "own_repeats": repeats,
            "failures_with_a_choice": seen // 2,
            "attempts": 1000,
        }
        return dict.fromkeys(MODES, figures)

    found = alignment({"generated": of(6, 2, 4), "scenario_1": of(4, 4, 12)})
    assert found["Extension-First"]["hybrid"] == pytest.approx((2 / 8 + 4 / 8) / 2)
    told = found["FQG Training"]
    assert told["hybrid"]["seen"] == pytest.approx((6 / 10 + 4 / 16) / 2)
    assert told["hybrid"]["with_a_choice"] == pytest.approx(0.5)
    assert told["stars"] == {"conductor": 5, "community": 2, "hybrid": 4}


def test_a_row_tells_counts_per_run_under_their_heads(found: dict[str, Any]) -> None:
    for mode, row in zip(words.MODES, words.tables(found)["generated"], strict=True):
        figures, cells = (
            found["settings"]["generated"][mode],
            dict(zip(words.HEAD, row, strict=True)),
        )
        per_run = {
            "tries": "attempts",
            "twice": "duplicated_retries",
            "limits": "violations",
            "seen": "failures_seen_by_conductor",
            "mended": "resolved_inside_extension",
        }
        assert cells["mode"] == mode
        for head, name in per_run.items():
            assert float(cells[head].lstrip("+")) == pytest.approx(figures[name] / 64, abs=0.006)


def test_differences_are_those_of_hybrid_in_points_and_seconds(found: dict[str, Any]) -> None:
    modes = found["settings"]["generated"]
    for line, other in zip(
        words.differences(found, "generated"), ("conductor", "community"), strict=True
    ):
        points = 100 * (modes["hybrid"]["success_rate"] - modes[other]["success_rate"])
        seconds = modes["hybrid"]["latency_s_mean"] - modes[other]["latency_s_mean"]
        assert line.startswith(f"hybrid minus {other}: success {points:+.1f} [")
        assert f"points, {seconds:+.2f} [" in line


def test_a_constant_difference_has_no_spread() -> None:
    assert difference(np.ones(5), np.zeros(5)) == {
        "difference_mean": 1.0,
        "difference_ci95": [1.0, 1.0],
    }


def test_the_matrix_says_what_each_mode_lets_happen(found: dict[str, Any]) -> None:
    matrix = found["alignment"]
    assert matrix["Extension-First"]["conductor"] == 0.0
    assert matrix["FQG Training"]["conductor"]["seen"] == 1.0
    assert matrix["FQG Training"]["hybrid"]["seen"] < 1.0
    assert matrix["FQG Training"]["community"]["with_a_choice"] == 0.0
    assert not matrix["Exokernel"]["conductor"]["own_recovery"]
    assert matrix["Exokernel"]["hybrid"]["own_recovery"]
    assert matrix["Community Innovation"]["hybrid"] is None


def test_what_an_expert_gains_is_over_the_naive_one() -> None:
    def of(success: float, latency_s: float) -> dict[str, dict[str, float]]:
        figures = {
            "success_rate": success,
            "quality_mean": success,
            "latency_s_mean": latency_s,
            "failures_seen_by_conductor": 1.0,
        }
        return dict.fromkeys(MODES, figures)

    found = alignment({"scenario_2_real": of(0.9, 2.0), "scenario_2_naive": of(0.5, 5.0)})
    gained = found["Community Innovation"]["hybrid"]
    assert gained == pytest.approx(
        {"success_rate": 0.4, "quality_mean": 0.4, "latency_s_mean": -3.0}
    )


def test_the_smallest_extension_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "shout.py").write_text(SMALLEST, "utf-8")
    flow = {
        "workflow": "conductor-workflow/1",
        "name": "Shout",
        "artifacts": {"quiet": {}, "loud": {"goal": {"weight": 1}}},
        "functions": {
            "shout": {
                "inputs": ["quiet"],
                "outputs": ["loud"],
                "variants": {"default": {"cost": 1, "latency_s": 0.1}},
            }
        },
        "budget": {"time_s": 30, "cost": 20},
        "extensions": {"shout": BINDING},
        "inputs": {"quiet": {"text": "hey"}},
    }
    (tmp_path / "flow.yaml").write_text(json.dumps(flow), "utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        conductor.main(["run", "flow.yaml", "--json", "--out", "out"])
    assert end.value.code == 0, capsys.readouterr().err
    assert (tmp_path / "out/loud.txt").read_text("utf-8") == "HEY"


def test_a_real_setting_is_played_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scenario 1 for real, one document of one kind: three runs with real processes."""
    made: list[tuple[str, int]] = []

    def counted(workflow: str, n: int) -> list[cases.Case]:
        made.append((workflow, n))
        return cases.cases_of(workflow, n)

    monkeypatch.setattr(compared, "cases_of", counted)
    journal, report = tmp_path / "runs.sqlite", tmp_path / "report.html"
    result = CliRunner().invoke(
        cli.app,
        ["compare", "--policy", "index", "--settings", "scenario_1_real", "--cases", "1",
         "--journal", str(journal), "--report", str(report), "--json"],
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert made == [("scenario_1", 1)]  # once
    modes = found["settings"]["scenario_1_real"]
    assert modes["community"]["success_rate"] < modes["hybrid"]["success_rate"]
    assert modes["conductor"]["own_repeats"] == 0 < modes["hybrid"]["own_repeats"]
    with Journal.read(journal) as kept:
        assert len(kept.run_ids()) == sum(figures["runs"] for figures in modes.values()) > 0
    assert "Scenario 1, real" in report.read_text("utf-8")


def test_the_expert_and_the_naive_setting_play_extensions_of_different_authors() -> None:
    pytest.importorskip("RNA", reason="ViennaRNA is not installed")
    plan = planned(Question("index", ("scenario_2_real", "scenario_2_naive")))
    sources = {
        name: {
            case.workflow(mode).extensions["fold"].source.source
            for case in its
            for mode in Responsibility
        }
        for name, its in plan.cases.items()
    }
    room = "conductor_agent.rna_folding"
    assert sources == {
        "scenario_2_real": {f"{room}.expert_fold"},
        "scenario_2_naive": {f"{room}.naive_fold"},
    }


def test_what_is_missing_is_left_out_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cases.importlib.util, "find_spec", lambda name: None)
    plan = planned(Question("index", ("scenario_2", "scanned_page"), Setting(episodes=4)))
    found = compare(plan)
    assert set(found["settings"]) == {"scenario_2"}
    assert "models" in found["skipped"]["scanned_page"]
    assert plan.work == 12
    with pytest.raises(LevelError, match="models"):
        planned(Question("index", ("scanned_page",), Setting(episodes=4)))


@pytest.mark.parametrize(
    ("question", "error", "said"),
    [
        (Question("index", ("scenario_3",)), LevelError, "scenario_"),
        (Question("oracle", GAME), PolicyError, "plans"),
        (Question("indx", GAME), PolicyError, "index"),
        (Question("index", GAME, Setting(split="tset")), LevelError, "test"),
    ],
)
def test_what_cannot_be_had_is_one_sentence(
    question: Question, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        planned(question)


RAISES = """
class Own:
    name = "own"

    def decide(self, observation, mask):
        {}
"""


@pytest.mark.parametrize(
    "body", ["raise RuntimeError('no idea')", "raise SystemExit(0)", "return 7"]
)
@pytest.mark.parametrize("setting", ["generated", "scenario_1_real"])
def test_a_policy_that_fails_has_no_figures(
    body: str, setting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a real run the floor goes on in its place: what comes of that is not the policy's."""
    monkeypatch.delitem(sys.modules, "failing_own", raising=False)
    (tmp_path / "failing_own.py").write_text(RAISES.format(body), "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    asked = ["compare", "--policy", "failing_own:Own", "--settings", setting, "--episodes", "2"]
    result = CliRunner().invoke(cli.app, [*asked, "--cases", "1", "--json"])
    assert result.exit_code == 2, result.stderr
    assert result.stdout == ""
    assert (
        "fqg: the policy 'failing_own:Own'" in result.stderr or "the floor had to" in result.stderr
    )


def test_a_policy_that_fails_in_real_runs_alone_is_told_before_anything_is_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = "if len(mask) == 1: raise RuntimeError('one at a time')"
    (tmp_path / "failing_alone.py").write_text(RAISES.format(body), "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    asked = Question("failing_alone:Own", ("generated", "scenario_1_real"), Setting(episodes=4))
    with pytest.raises(PolicyError, match="RuntimeError: one at a time .*failing_alone"):
        planned(asked)


def test_a_journal_is_looked_at_before_anything_is_played(tmp_path: Path) -> None:
    foreign = tmp_path / "notes.txt"
    foreign.write_text("no journal", "utf-8")
    real = ("scenario_2", "scenario_1_real")
    with pytest.raises(JournalError, match="no journal"):
        planned(Question("index", real, Setting(episodes=4), journal=foreign))
    with pytest.raises(LevelError, match="no setting has any"):
        planned(Question("index", GAME, journal=tmp_path / "runs.sqlite"))


def test_a_page_that_cannot_be_written_costs_only_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, result: dict[str, Any]) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(words, "write_page", full)
    asked = [
        "compare",
        "--policy",
        "index",
        "--settings",
        "scenario_2",
        "--episodes",
        "2",
        "--json",
    ]
    result = CliRunner().invoke(cli.app, [*asked, "--report", str(tmp_path / "page.html")])
    assert result.exit_code == 2
    assert json.loads(result.stdout)["settings"]["scenario_2"]["hybrid"]["runs"] == 2
    assert "No space left on device" in result.stderr


def test_settings_that_name_none_are_not_all() -> None:
    result = CliRunner().invoke(cli.app, ["compare", "--settings", " , "])
    assert result.exit_code == 2
    assert "names none" in result.stderr


def test_the_tables_are_printed() -> None:
    result = CliRunner().invoke(
        cli.app, ["compare", "--settings", "generated", "--episodes", "32", "--policy", "index"]
    )
    assert result.exit_code == 0, result.stderr
    assert "hybrid minus conductor" in result.stdout
    assert "stars of 5" in result.stdout and "docs/decision.md" in result.stdout
    assert "community -, conductor -, hybrid -" not in result.stdout  # of naive and expert


def test_what_is_left_out_is_named_once() -> None:
    why = "scanned_page needs cv2, not installed here"
    assert words.left_out("scanned_page", why) == f"left out: {why}"
    assert words.left_out("scenario_2_naive", why) == f"left out: scenario_2_naive: {why}"
