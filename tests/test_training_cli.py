"""The command line: what it prints for people, what it refuses, and its exit codes."""

from __future__ import annotations

import html
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import hand_drawn
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from fqg_env.puzzle import Puzzle, write_puzzle
from policies.recovery.base import Decision, certain
from policies.recovery.registry import BUILT_IN
from training import cli
from training.cli import app
from training.judging.evaluate import evaluation_title
from training.pages import terminal_tables


def fqg(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "100"})


class Stops:
    """It stops at once, on whatever level."""

    name = "stops"

    def decide(self, observation, mask) -> Decision:
        return certain(np.ones(len(mask), np.int64), mask.shape[1], self.name)


class Brackets:
    """It fails with a text that looks like markup."""

    name = "brackets"

    def decide(self, observation, mask) -> Decision:
        raise ValueError("expected [/foo] " + "and so on " * 8)


STOPS, BRACKETS = f"{__name__}:Stops", f"{__name__}:Brackets"


def test_an_error_with_brackets_costs_no_table_and_stands_below_it() -> None:
    result = fqg("evaluate", "--policies", f"{BRACKETS},{STOPS}", "--episodes", "2")
    assert result.exit_code == 0, result.output  # one of them was judged
    table, below = result.stdout.split("decision, median")
    assert "Stops" in table and "Brackets" not in table
    told = " ".join(below.split())
    assert f"{BRACKETS} failed: ValueError: expected [/foo] and so on" in told


def test_where_no_policy_was_judged_the_exit_code_says_so() -> None:
    result = fqg("evaluate", "--policies", BRACKETS, "--episodes", "2")
    assert result.exit_code == 4
    assert "expected [/foo]" in result.stdout
    assert fqg("evaluate", "--policies", BRACKETS, "--episodes", "2", "--json").exit_code == 4


def test_labels_with_brackets_are_printed_as_they_are() -> None:
    p = {
        "success_rate": 1.0,
        "return_mean": 1.0,
        "return_ci95": [1.0, 1.0],
        "fraction_of_oracle": None,
        "attempts_per_success": None,
        "cost_per_success": None,
        "wrong_delivered_rate": 0.0,
        "decision_ms_p50": None,
    }
    console = terminal_tables.Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    told = {"policies": {"runs/[/b]x": p}, "paired": {}}
    terminal_tables.print_figures(console, told, "1 level of [/b]")
    text = console.export_text()
    console.file.close()
    assert "runs/[/b]x" in text and "1 level of [/b]" in text
    assert "of oracle" not in text  # it did not play


def test_a_dash_is_explained_in_one_line_below_its_table() -> None:
    heads = ("policy", "ex/tr", "im/tr", "pass^8", "gap")
    whole = ("index", "50%", "40%", "30.0%", "0%")
    assert terminal_tables.why_dashes(heads, [whole]) == ""
    told = terminal_tables.why_dashes(heads, [whole, ("-", "-", "-", "30.0%", "-")])
    assert told == (
        "\n-: no such fault in the way (ex/tr, im/tr); "
        "the bound is not above the rule on these levels (gap)"
    )


def test_templates_show_the_share_of_bayes_and_say_what_it_is() -> None:
    result = fqg("evaluate", "--policies", "index,oracle", "--split", "exact", "--episodes", "9")
    assert result.exit_code == 0, result.output
    told = " ".join(result.stdout.split())
    assert "of Bayes: mean return over the exact value of these levels" in told
    assert "so it can pass 100% by a little" in told
    assert "wrong: share of the levels on which something bad was delivered" in told
    assert "false give-ups: stopped with an essential goal missing" in told
    assert "-: not timed (ms)" in told and "-: no such fault in the way (" in told


def test_a_long_label_shows_its_end_where_that_tells_it_from_others() -> None:
    far, near, same = (
        "runs/a/very/long/way/to/a/policy",
        "index",
        "else/a/very/long/way/to/a/policy",
    )
    assert terminal_tables.short(near, [far, near]) == "index"
    assert terminal_tables.short(far, [far, near]) == ".../to/a/policy"
    assert terminal_tables.short(far, [far, same]) == far


def test_a_long_class_of_ones_own_is_cut_from_the_right() -> None:
    mine, other, long = "mypolicy:TwoStrikes", "yours:TwoStrikes", "mypolicy:TwoStrikesAndAPause"
    assert terminal_tables.short(mine, [mine, "index", long]) == "TwoStrikes"
    assert terminal_tables.short(long, [mine, "index", long]) == "TwoStrikesAn..."
    assert terminal_tables.short(mine, [mine, other]) == mine


def test_differences_stand_below_the_table_each_pair_once() -> None:
    result = fqg("evaluate", "--policies", f"{STOPS},index,oracle", "--episodes", "40")
    table, below = result.stdout.split("Differences in return, level by level")
    assert "of oracle" in table and "of oracle" not in below
    lines = [line.removesuffix(" a tie").split() for line in below.splitlines() if " - " in line]
    assert [line[0] for line in lines] == ["oracle", "oracle", "index"]
    for *_, mean, low, to, high in lines:
        assert to == "to" and float(low) <= float(mean) <= float(high) and float(mean) >= 0


def test_the_title_says_what_was_played(tmp_path: Path) -> None:
    result = fqg(
        "evaluate", "--policies", STOPS, "--episodes", "3", "--mix", "stress",
        "--mode", "community", "--tiers", "4-6", "--json",
    )  # fmt: skip
    data = json.loads(result.stdout)
    assert (data["mix"], data["mode"]) == ("stress", "community")
    said = "3 levels of test, tiers 4 to 6, small, mix stress, mode community"
    assert evaluation_title(data) == said
    one = data | {"episodes": 1, "split": "unseen", "mix": "shifted"}
    assert evaluation_title(one).startswith("1 level of unseen")
    for name in "abc":
        write_puzzle(Puzzle(level=hand_drawn.one_move()), tmp_path / f"{name}.yaml")
    result = fqg("evaluate", "--policies", STOPS, "--levels", str(tmp_path), "--episodes", "7")
    assert "7 episodes of 3 level files" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--size", "huge"], "there is no size 'huge'"),
        (["--mix", "stres"], "Did you mean 'stress'?"),
        (["--mode", "hybird"], "Did you mean 'hybrid'?"),
        (["--split", "unsen"], "Did you mean 'unseen'?"),
        (
            ["--levels", ".", "--mix", "stress"],
            "--mix says how levels are drawn; leave it out beside --levels",
        ),
        (
            ["--levels", ".", "--tiers", "1-20"],
            "--tiers says how levels are drawn; leave it out beside --levels",
        ),
        (
            ["--levels", ".", "--split", "test", "--size", "small"],
            "--split and --size say how levels are drawn",
        ),
        (
            ["--simulations", "5", "--time-per-decision", "1"],
            "both limit a planner; give one of them",
        ),
        (
            ["--policies", "index", "--simulations", "5", "--episodes", "1"],
            "--simulations is for policies that plan",
        ),
        (["--report", "/nowhere/at/all.html"], "name a file in a folder that is there"),
        (["--split", "exact", "--tiers", "3-5"], "'exact' have no tiers; leave --tiers out"),
        (["--split", "exact", "--tiers", "1-20"], "'exact' have no tiers; leave --tiers out"),
        (["--policies", " , "], "--policies names none"),
    ],
)
def test_what_is_unknown_is_refused_before_a_bar_appears(arguments: list[str], says: str) -> None:
    result = fqg("evaluate", *arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert says in result.stderr
    assert result.stderr.count("\n") == 1 and result.stderr.startswith("fqg: ")


def test_what_was_cut_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FQG_CACHE_DIR", str(tmp_path))

    def cut(question: object, tell: object, failed: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("training.judging.evaluate.judge", cut)
    result = fqg("evaluate", "--policies", "index")
    assert result.exit_code == 130
    kept = f"run the same command to go on; what was played is kept in {tmp_path}/fqg/evaluations"
    assert kept in result.stderr
    result = fqg("evaluate", "--policies", "index", "--no-cache")
    assert result.exit_code == 130 and "the same command to start again" in result.stderr
    monkeypatch.setenv("FQG_CACHE_DIR", "/dev/null/cache")
    result = fqg("evaluate", "--policies", "index")
    assert result.exit_code == 130 and "kept" not in result.stderr
    assert "the same command to start again" in result.stderr


CUTS = """
import os, signal

class Cuts:
    name = "cuts"

    def decide(self, observation, mask):
        print("said while it played")
        os.kill(os.getppid(), signal.SIGINT)  # as if somebody pressed Ctrl-C
        signal.pause()
"""


def test_ctrl_c_ends_what_is_playing_and_says_how_to_go_on(tmp_path: Path) -> None:
    (tmp_path / "cutting.py").write_text(CUTS)
    run = subprocess.run(
        [
            sys.executable, "-m", "training.start", "evaluate", "--policies", "index,cutting:Cuts",
            "--episodes", "8", "--json",
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert run.returncode == 130, run.stderr
    assert "run the same command to go on; what was played is kept in " in run.stderr
    assert "Traceback" not in run.stderr
    assert run.stdout == "" and "said while it played" in run.stderr


def wrong_of(page: str) -> tuple[list[str], str]:
    """The command that shows the level of a page, and what is wrong in the level."""
    section = page.split("One level, side by side")[1]
    command = re.findall("<code>(fqg levels show .*?)</code>", section)[0]
    rest = section.split("which neither is told: ")[1]
    return shlex.split(html.unescape(command)), html.unescape(rest.split(".</p>")[0])


def test_a_report_is_one_page_that_loads_nothing(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    result = fqg(
        "evaluate", "--policies", f"index,cascade,oracle,{STOPS},{BRACKETS}", "--episodes", "40",
        "--tiers", "10-20", "--report", str(page), "--json",
    )  # fmt: skip
    assert json.loads(result.stdout)["report"] == str(page)
    text = page.read_text("utf-8")
    for words in (
        "Return against cost", "Performance profile", "Return by tier", "Recovery by kind of fault",
        "What each policy does after an error", "One level, side by side", "expected [/foo]",
    ):  # fmt: skip
        assert words in text
    command, wrong = wrong_of(text)
    shown = fqg(*command[1:])
    assert shown.exit_code == 0, shown.output
    told = shown.stdout.split("what is wrong")[1].split("a way")[0]
    assert [line.strip() for line in told.splitlines() if line] == wrong.split("; ")
    assert f"<h3>{STOPS}: not solved" in text
    assert not re.search(r"<script|<link|src=\"(?!data:)|url\(|http", text)


@pytest.mark.parametrize("group", [[], ["levels"]])
def test_without_a_command_the_help_is_printed_as_it_is(
    group: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["fqg", *group])
    with pytest.raises(SystemExit) as end:
        cli.main()
    said = capsys.readouterr().err
    assert end.value.code == 2
    assert said.startswith("Usage: fqg ") and said.count("\n") > 8


def test_wrong_usage_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["fqg", "evaluate", "--episodes", "0"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    said = capsys.readouterr().err
    assert end.value.code == 2
    assert said.startswith("fqg: ") and said.count("\n") == 1


def test_two_examples_of_a_command_are_two_paragraphs() -> None:
    assert "\n\n  Example: fqg play --tier" in fqg("play", "--help").stdout


def test_the_options_name_what_they_take() -> None:
    told = " ".join(fqg("evaluate", "--help").stdout.split())
    assert "train, validation, test, unseen" in told
    assert "published, production, stress, shifted" in told
    assert "hybrid, conductor, community" in told
    assert ", ".join(BUILT_IN) in told and "module:Class" in told
    assert "replaces what an earlier quickstart left" in " ".join(
        fqg("quickstart", "--help").stdout.split()
    )
