"""A real workflow in the three modes: figures by hand, and the command on real processes."""

from __future__ import annotations

import dataclasses
import json

import pytest

from conductor_agent.by_mode import cases as cases_module
from conductor_agent.by_mode.__main__ import main
from conductor_agent.by_mode.cases import WORKFLOWS, Case, cases_of, require
from conductor_agent.by_mode.figures import (
    as_json,
    duplicated,
    figures,
    resolved_inside,
    story_of,
    wasted_s,
)
from conductor_agent.by_mode.play import SUCCESS, Played, Try, play
from conductor_agent.files.workflow import WorkflowError
from conductor_agent.hosting.raised import MODELS
from conductor_agent.record.events import Started
from conductor_agent.record.journal import Journal
from conductor_agent.scenario_1.cases import case
from conductor_agent.scenario_1.documents import Kind
from fqg_env.level import Responsibility
from policies.recovery.rules import HandRule, Rule
from training.decision import words

HYBRID, CONDUCTOR, COMMUNITY = Responsibility
FINE = Try("model", "first_try", SUCCESS, None, 1.0, 0.25, 2, 0.5, ("retry",))
SLOW = Try("model", "first_try", "TIMEOUT", "wall_s", 3.0, 0.0, 0, 0.0)
KEPT = Played(HYBRID, "long 0", "a", "succeeded", True, 1.0, 1.5, 1.0, (FINE,), 0)


def test_figures_tell_the_modes_apart():
    saved = dataclasses.replace(
        KEPT, tries=(SLOW, FINE), elapsed_s=4.5, violations=1, quality=0.8, cost=2.0
    )
    lost = Played(COMMUNITY, "long 1", "b", "failed", False, 0.0, 3.5, 1.0, (SLOW,), 1)
    found = figures([KEPT, saved, lost])
    assert list(found) == ["hybrid", "community"]
    assert found["hybrid"] == {
        "success_rate": 1.0,
        "quality_mean": 0.9,
        "latency_s_mean": 3.0,
        "wasted_fraction": pytest.approx((0.5 + 3.0 + 0.5) / 5.0),
        "violations": 1,
        "attempts": 3,
        "failures_seen_by_conductor": 1,
        "resolved_inside_extension": 2,
        "failures_inside": 4,
        "own_repeats": 4,
        "duplicated_retries": 0,
        "start_s_mean": 0.25,
        "latency_s_max": 4.5,
        "cost_mean": 1.5,
        "runs": 2,
    }
    community = found["community"]
    assert (community["success_rate"], community["quality_mean"]) == (0, 0)
    assert community["wasted_fraction"] == 1


def test_own_recovery_is_no_waste_beyond_its_attempt():
    assert wasted_s(dataclasses.replace(FINE, own_recovery_s=9.0)) == 1.0


def test_a_lighter_preset_that_was_chosen_at_once_counts_as_a_failure_inside():
    lighter = dataclasses.replace(FINE, own_repeats=0, tried=("degrade:rough",))
    assert (lighter.failures_inside, resolved_inside(lighter)) == (1, True)
    after_one = dataclasses.replace(lighter, own_repeats=1)
    assert after_one.failures_inside == 1
    plain = dataclasses.replace(FINE, own_repeats=0, tried=())
    assert (plain.failures_inside, resolved_inside(plain)) == (0, False)
    assert not resolved_inside(dataclasses.replace(lighter, outcome="UNABLE"))


def test_to_ask_again_what_has_repeated_in_vain_is_a_duplicate():
    in_vain = dataclasses.replace(FINE, outcome="UNAVAILABLE")
    other = dataclasses.replace(FINE, call="other")
    assert duplicated((in_vain, other, in_vain, FINE, FINE)) == 2
    assert duplicated((SLOW, SLOW, FINE)) == 0


def test_a_run_is_a_line():
    lost = dataclasses.replace(KEPT, tries=(SLOW,), status="failed", good=False, quality=0.0)
    assert story_of(lost) == "model TIMEOUT (wall_s) 3.0 s; nothing delivered"
    lighter = dataclasses.replace(FINE, own_repeats=1, tried=("degrade:rough",))
    about = dataclasses.replace(KEPT, tries=(lighter,), quality=0.85)
    assert story_of(about) == "model ok 1.0 s, 1 own repeats, by rough; good (0.85)"
    assert as_json([about])[0]["mode"] == "hybrid"
    assert as_json([about])[0]["tries"][0]["tried"] == ("degrade:rough",)


def test_quality_below_what_the_case_asks_for_is_no_success(tmp_path):
    document = case(Kind.PLAIN, 0)
    strict = [
        Case("plain 0", document.workflow, lambda delivered: 0.5, enough) for enough in (0.5, 0.6)
    ]
    watched: list[Played] = []
    rule, journal = HandRule(Rule.CASCADE), tmp_path / "runs.sqlite"
    played = play(strict, rule, journal, modes=iter([COMMUNITY]), watch=watched.append)
    assert played == watched
    assert [(run.quality, run.good) for run in played] == [(0.5, True), (0.5, False)]
    with Journal.read(journal) as opened:  # each run of its own
        for run in played:
            assert sum(isinstance(one, Started) for one in opened.events(run.run_id)) == 1


def test_every_workflow_has_cases_or_says_what_to_install(monkeypatch):
    for name in WORKFLOWS:
        try:
            made = cases_of(name, 1)
        except WorkflowError as problem:
            assert MODELS in str(problem)
            continue
        assert len({one.name for one in made}) == len(made) > 2
    monkeypatch.setattr(cases_module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(WorkflowError, match=r"rna_folding needs RNA, not installed here; install"):
        require("rna_folding", "RNA")


def test_the_command_plays_every_mode_and_answers_one_object(capsys):
    main(["scenario_1", "--policy", "cascade", "--kinds", "notes", "--cases", "1", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert list(told["modes"]) == ["community", "conductor", "hybrid"] == list(words.MODES)
    assert [run["status"] for run in told["runs"]] == ["failed", "succeeded", "succeeded"]
    assert {mode: f["success_rate"] for mode, f in told["modes"].items()} == {
        "hybrid": 1.0,
        "conductor": 1.0,
        "community": 0.0,
    }


def test_the_command_tells_each_run_and_the_figures(capsys, tmp_path):
    journal = str(tmp_path / "runs.sqlite")
    main(
        [
            "scenario_1",
            "--policy",
            "cascade",
            "--kinds",
            "plain",
            "--cases",
            "1",
            "--journal",
            journal,
        ]
    )
    said = capsys.readouterr().out
    assert said.count("community_model/default ok") == 3
    assert said.count("hybrid") == 2
    with Journal.read(journal) as opened:
        assert len(opened.run_ids()) == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["scenario_1", "--policy", "indx"], "there is no policy 'indx'. Did you mean 'index'?"),
        (["scenario_1", "--policy", "oracle"], "a real run needs one that decides"),
        (["scenario_1", "--scale", "200"], "asked for 600, the ceiling is 300"),
        (["scenario_1", "--scale", "-1"], "'-1' is no scale; give a number above 0"),
        (["scenario_1", "--cases", "0"], "give 1 or more"),
        (["scenario_1", "--kinds", "plain,hug"], "no kind of input 'hug'. Did you mean 'huge'?"),
        (["scenario1"], "there is no workflow 'scenario1'. Did you mean 'scenario_1'?"),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence(arguments, said, capsys):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    told = capsys.readouterr().err
    assert end.value.code == 2 and said in told and "Traceback" not in told


def test_what_has_no_scale_says_so(capsys):
    pytest.importorskip("RNA", reason="ViennaRNA is not installed")
    with pytest.raises(SystemExit):
        main(["rna_folding", "--scale", "2"])
    assert "the seconds of rna_folding have no scale" in capsys.readouterr().err
