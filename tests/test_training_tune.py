"""Tuning: the same numbers for the same seed, never worse on what it searched, a file that goes on."""

from __future__ import annotations

import json
import tomllib

import numpy as np
import pytest
from typer.testing import CliRunner

from fqg_env.errors import LevelError
from policies.recovery.registry import TUNABLE, tunable
from policies.recovery.tuned import Range
from training.cli import app
from training.judging import tune


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Levels of small size, which other tests have compiled."""
    monkeypatch.setattr(tune, "SIZE", "small")


def fqg(*arguments):
    return CliRunner().invoke(app, ["tune", *arguments], env={"COLUMNS": "100"})


QUICK = ("--trials", "6", "--episodes", "16")


def test_the_same_seed_finds_the_same_and_no_worse():
    start = tunable("spfr").numbers._replace(first=3.0, middle=5.0, last=7.0)
    budget = tune.Budget(12, 64, 3)
    scores = []
    found = tune.search("spfr", start, budget, scores.append)
    assert found == tune.search("spfr", start, budget)
    assert scores == sorted(scores) and len(scores) == budget.trials
    space = tunable("spfr").space
    assert all(r.low <= getattr(found, name) <= r.high for name, r in space.items())


def test_what_was_found_is_kept_only_where_it_is_better_on_fresh_levels(monkeypatch):
    start = tunable("cascade").numbers
    worse = start._replace(spend=0.0)  # it stops at once
    monkeypatch.setattr(tune, "search", lambda *_: worse)
    found = tune.tune("cascade", start, tune.Budget(1, 64, 0))
    assert found.numbers == start and found.gain == 0.0 and found.after == found.before
    found = tune.tune("cascade", worse, tune.Budget(1, 64, 0))
    assert found.numbers == worse
    monkeypatch.setattr(tune, "search", lambda *_: start)
    found = tune.tune("cascade", worse, tune.Budget(1, 64, 0))
    assert found.numbers == start and found.gain == pytest.approx(found.after - found.before)


def test_numbers_stay_in_their_ranges():
    random = np.random.default_rng(0)
    whole, real = Range(1, 4, whole=True), Range(-0.05, 0.05)
    moves = {tune.moved(whole, 2.0, 0.25, random) for _ in range(50)}
    assert moves == {1.0, 3.0, 4.0}
    assert all(-0.05 <= tune.moved(real, 0.05, 0.25, random) <= 0.05 for _ in range(50))


def test_a_whole_space_is_drawn_and_the_rest_stays():
    start = tunable("retry").numbers
    drawn = [tune.drawn(tunable("retry").space, start, np.random.default_rng(s)) for s in range(9)]
    assert len({d.tries for d in drawn}) > 1
    assert {(d.rule, d.by_hint) for d in drawn} == {(start.rule, start.by_hint)}


def test_the_command_writes_numbers_and_how_they_were_made(tmp_path):
    out = tmp_path / "deep" / "tuned.toml"
    result = fqg("--policies", "retry,spfr", *QUICK, "--seed", "1", "--out", str(out), "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["trials"] == 6 and set(told["policies"]) == {"retry", "spfr"}
    tables = tomllib.loads(out.read_text())
    assert set(tables) == {*TUNABLE, "made"}  # the others are as shipped
    assert tables["spfr"] == told["policies"]["spfr"]["numbers"]
    made = tables["made"]["spfr"]
    assert made["command"] == "fqg tune --policies spfr --trials 6 --episodes 16 --seed 1"
    assert made["gain_low"] <= made["gain"] <= made["gain_high"]


def test_the_first_sign_of_life_comes_before_anything_is_compiled(tmp_path, monkeypatch):
    def cut(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(tune, "Board", cut)
    said = fqg("--policies", "spfr", *QUICK, "--out", str(tmp_path / "t.toml")).stderr
    assert said.startswith(
        "fqg: tuning spfr: 6 trials each, on up to 16 levels; the first trial compiles"
    )


def test_the_help_says_what_is_written_and_how_to_use_it():
    told = " ".join(fqg("--help").stdout.split())
    for words in (
        "[made.RULE]",
        "A new OUT begins as a copy of what ships",
        "To use it: rules read",
    ):
        assert words in told
    assert ", ".join(TUNABLE) in told


def test_what_is_cut_says_how_to_go_on(tmp_path, monkeypatch):
    out = tmp_path / "tuned.toml"
    whole = tune.tune

    def cut(name, *rest):
        if name == "spfr":
            raise KeyboardInterrupt
        return whole(name, *rest)

    monkeypatch.setattr(tune, "tune", cut)
    result = fqg("--policies", "retry,spfr,router", *QUICK, "--out", str(out))
    assert result.exit_code == 130
    again = f"fqg tune --policies spfr,router --trials 6 --episodes 16 --seed 0 --out {out}"
    assert again in " ".join(result.stderr.split())
    assert tomllib.loads(out.read_text())["made"]["retry"]["command"].endswith("--seed 0")


def test_bad_input_is_one_sentence(tmp_path):
    result = fqg("--policies", "ruoter", "--out", str(tmp_path / "t.toml"))
    assert result.exit_code == 2 and "Did you mean 'router'" in result.stderr
    (tmp_path / "bad.toml").write_text("[")
    other = tmp_path / "other.toml"
    for text in ("x = 1\n", "[project]\nname = 'mine'\n"):
        other.write_text(text)
        with pytest.raises(LevelError, match="is no rule that is tuned; name another file"):
            tune.read_tables(other)
        assert other.read_text() == text
    with pytest.raises(LevelError, match="cannot be read"):
        tune.read_tables(tmp_path / "bad.toml")
    result = fqg("--policies", "retry", *QUICK, "--out", str(tmp_path))
    assert result.exit_code == 2 and "Traceback" not in result.output
