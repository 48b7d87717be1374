"""Scenario 2 for real: sequences, gate and methods by hand, and the extensions behind their wall in each mode."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import pytest

from conductor_agent.by_mode.cases import workflow_in
from conductor_agent.by_mode.play import SUCCESS, Played, play_one
from conductor_agent.files.workflow import read_workflow
from conductor_agent.hosting.extension import call, failure
from conductor_agent.record.events import Finished
from conductor_agent.record.journal import Journal
from conductor_agent.rna_folding import expert_fold, needs
from conductor_agent.rna_folding.cases import (
    ENOUGH,
    EXPERT,
    GOAL,
    METHODS,
    NAIVE,
    WORKFLOW,
    case,
    cases,
    f1_of,
    naive,
)
from conductor_agent.rna_folding.expert_fold import fold as expert
from conductor_agent.rna_folding.find_stems import find_stems
from conductor_agent.rna_folding.gate import energy, pairs_of, plausible, stacked
from conductor_agent.rna_folding.letters import NotRnaError, bases_of
from conductor_agent.rna_folding.methods import METHODS as WAYS
from conductor_agent.rna_folding.methods import assembled, parts_of
from conductor_agent.rna_folding.naive_fold import fold as naively
from conductor_agent.rna_folding.sequences import PARTNER, Kind, make_sequence
from conductor_agent.runs import begin
from fqg_env.level import Responsibility
from fqg_env.outcome import Category
from policies.recovery.rules import HandRule, Rule

HYBRID, CONDUCTOR, COMMUNITY = Responsibility
CASCADE = HandRule(Rule.CASCADE)
WALL_S = 4.0
FOLDABLE = [kind for kind in Kind if kind is not Kind.PROTEIN]
HAIRPIN, ITS_FOLD = "GGGGCAAAAGCCCC", "(((((....)))))"
with_library = pytest.mark.usefixtures("library")


@pytest.fixture(scope="module")
def library():
    return pytest.importorskip("RNA", reason="ViennaRNA is not installed")


def folding(sequence: str, structure: str) -> dict:
    return {"sequence": sequence, "structure": structure}


# Sequences


def test_a_seed_gives_one_sequence_of_each_kind():
    made = {kind: make_sequence(kind, 1) for kind in Kind}
    assert made == {kind: make_sequence(kind, 1) for kind in Kind}
    texts = {one.text for one in made.values()} | {make_sequence(kind, 2).text for kind in Kind}
    assert len(texts) == 2 * len(Kind)


@pytest.mark.parametrize("kind", FOLDABLE)
def test_a_designed_fold_pairs_letters_that_can_pair(kind):
    designed = make_sequence(kind, 0)
    bases, pairs = bases_of(designed.text), pairs_of(designed.structure)
    assert len(bases) == len(designed.structure)
    assert pairs and all(PARTNER[bases[i]] == bases[j] for i, j in pairs.items())
    reach = max(j - i for i, j in pairs.items())
    assert (reach > 300) is (kind is Kind.FAR)


# Letters and gate


def test_a_file_and_letters_of_dna_are_an_rna():
    assert bases_of(">a name\nacgt\nAC GN\n") == "ACGUACGN"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no sequence"),
        (">only a name\n", "no sequence"),
        (">a\nAC\n>b\nGU\n", "several"),
        ("ACGUNNNNNN", "not known"),
        ("ACGE", "no RNA has: E"),
        (make_sequence(Kind.PROTEIN, 0).text, "letters that no RNA has"),
    ],
)
def test_what_is_no_rna_is_refused_with_the_reason(text, said):
    with pytest.raises(NotRnaError, match=said):
        bases_of(text)


@pytest.mark.parametrize("kind", FOLDABLE)
@pytest.mark.parametrize("seed", range(3))
def test_the_gate_passes_every_true_fold(kind, seed):
    designed = make_sequence(kind, seed)
    assert plausible(folding(bases_of(designed.text), designed.structure)) == 1.0


def test_the_gate_counts_the_energy_of_stacks():
    # GC on GC, GC on GC, GC on GC, GC on CG: five pairs, four stacks
    assert stacked(HAIRPIN, {i: 13 - i for i in range(5)}) == pytest.approx(3 * 3.26 + 3.42)
    assert energy("CG", "CG") == energy("GC", "GC") == 3.26  # the same from the other strand
    assert energy("GU", "AU") == 1.0
    long = HAIRPIN + "A" * 100
    assert 0 < plausible(folding(long, ITS_FOLD + "." * 100)) < 0.5


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        {},
        {"sequence": HAIRPIN},
        folding("", ""),
        folding(HAIRPIN, ""),
        folding(HAIRPIN, "." * 14),
        folding(HAIRPIN, ITS_FOLD + "."),
        folding(HAIRPIN, "(((((....))))."),
        folding(HAIRPIN, ")))))....((((("),
        folding(HAIRPIN, "[[[[[....]]]]]"),
        folding(HAIRPIN.replace("A", "E"), ITS_FOLD),
        folding(HAIRPIN.replace("C", "A"), ITS_FOLD),
    ],
)
def test_the_gate_rejects_what_is_no_fold(wrong):
    assert plausible(wrong) == 0.0


def test_quality_is_the_f1_of_pairs():
    truth = "((..))((..))"
    assert f1_of({GOAL: folding("", truth)}, truth) == 1.0
    assert f1_of({GOAL: folding("", "((..))......")}, truth) == pytest.approx(2 * 2 / 6)
    for nothing in ({}, {GOAL: None}, {GOAL: folding("", "((..))")}, {GOAL: folding("", "." * 12)}):
        assert f1_of(nothing, truth) == 0.0
    assert f1_of({GOAL: folding("", truth)}, "") == 0.0


# Methods


def test_the_parts_of_a_fold_stand_side_by_side():
    assert list(parts_of("..((.)).(..(..)).")) == [(2, "((.))"), (8, "(..(..))")]


def test_parts_are_put_together_with_the_least_energy_and_without_overlap():
    hits = [
        (0, 5, -2.0, "(...)"),
        (3, 8, -5.0, "(...)"),
        (8, 13, -1.0, "(...)"),
        (6, 11, -2.5, "(...)"),
    ]
    structure, least = assembled(14, hits)
    assert (structure, least) == ("...(...)(...).", -6.0)
    assert assembled(3, []) == ("...", 0.0)
    assert assembled(5, [(0, 5, 1.0, "(...)")]) == (".....", 0.0)


@with_library
def test_near_pairs_are_found_by_every_method_and_far_ones_by_the_exact_one_alone():
    for seed in range(2):
        for kind, exact_alone in ((Kind.SHORT, False), (Kind.FAR, True)):
            designed = make_sequence(kind, seed)
            good = {
                name: f1_of({GOAL: {"structure": way(designed.text)[0]}}, designed.structure)
                >= ENOUGH
                for name, way in WAYS.items()
            }
            assert good == {"exact": True, "span": not exact_alone, "window": not exact_alone}


@with_library
def test_the_library_is_silent_about_what_it_cannot_fold():
    """Why there is a gate: if this changes, the scenario has changed."""
    protein, huge = make_sequence(Kind.PROTEIN, 0).text, make_sequence(Kind.HUGE, 0).text
    assert set(call(naively, {"sequence": protein}).outputs[GOAL]["structure"]) == {"."}
    assert call(naively, {"sequence": huge}).outputs[GOAL]["structure"] == ""


def test_needed_seconds_part_what_fits_the_wall_from_what_does_not_by_far():
    def times_the_wall(method: str, kind: Kind) -> float:
        return needs.seconds(method, len(make_sequence(kind, 0).structure), slow=1.0) / WALL_S

    for method in WAYS:
        assert times_the_wall(method, Kind.FAR) < 1 / 3
        assert times_the_wall(method, Kind.HUGE) > 3
    assert times_the_wall("exact", Kind.LONG) > 3 and times_the_wall("span", Kind.LONG) > 3
    assert times_the_wall("window", Kind.LONG) < 1 / 3


@with_library
def test_slowness_is_measured():
    assert 0.05 < needs.slowness() < 50


# The expert's extension


@pytest.fixture
def ask(monkeypatch):
    """Ask the expert in this process, on a machine that is so slow as the test says."""

    def asked(kind: Kind, *, slow: float = 1.0, deadline_s: float = WALL_S, recover: bool = True):
        monkeypatch.setattr(expert, "loader", lambda: slow)
        request = {"sequence": make_sequence(kind, 0).text}
        return call(expert, request, deadline_s=deadline_s, recover=recover)

    return asked


@with_library
def test_the_expert_reads_a_file_and_claims_the_quality_of_its_method(ask):
    outcome = ask(Kind.FASTA, deadline_s=60.0)
    assert outcome.outputs[GOAL]["sequence"] == bases_of(make_sequence(Kind.FASTA, 0).text)
    assert outcome.outputs[GOAL]["method"] == "exact"
    assert outcome.quality == {GOAL: expert_fold.QUALITY["exact"]}
    assert outcome.own_recovery.tried == ()


@with_library
def test_the_expert_goes_to_a_lighter_method_where_the_exact_one_does_not_fit(ask):
    outcome = ask(Kind.LONG, deadline_s=20.0, slow=2.0)
    assert outcome.outputs[GOAL]["method"] == "window"
    assert outcome.own_recovery.tried == ("degrade:window",)
    assert outcome.own_recovery.attempts == 0
    assert outcome.quality == {GOAL: expert_fold.QUALITY["window"]}
    assert f1_of(outcome.outputs, make_sequence(Kind.LONG, 0).structure) >= ENOUGH


@with_library
def test_where_an_estimate_errs_the_method_is_ended_and_a_lighter_one_answers(ask, monkeypatch):
    for method in ("exact", "span"):  # thought to take no time; they take more than there is
        monkeypatch.setitem(needs.SECONDS, method, lambda kilo: 0.0)
    outcome = ask(Kind.LONG, deadline_s=5.0)
    assert outcome.outputs[GOAL]["method"] == "window"
    assert outcome.own_recovery.tried == ("degrade:span", "degrade:window")
    assert outcome.own_recovery.attempts == 2
    assert 0 < outcome.own_recovery.elapsed_s < 5.0


def test_without_own_recovery_it_says_at_once_what_would_fit(ask):
    for kind, hinted in ((Kind.LONG, ["fold/window"]), (Kind.HUGE, [])):
        refused = ask(kind, recover=False)
        assert (refused.category, refused.retryable) == (Category.UNABLE, False)
        assert [hint.call for hint in refused.hints] == hinted
        assert refused.own_recovery.attempts == 0 and refused.own_recovery.tried == ()
        assert "by the method 'exact'; there are 4.0 s" in refused.message


def test_what_no_method_can_do_in_time_is_refused(ask):
    refused = ask(Kind.HUGE)
    assert (refused.category, refused.hints) == (Category.UNABLE, ())


def test_what_is_no_rna_is_named_as_the_bad_input(monkeypatch):
    monkeypatch.setattr(expert, "loader", lambda: 1.0)
    for extension in (expert, find_stems):
        refused = failure(extension, {"sequence": make_sequence(Kind.PROTEIN, 0).text})
        assert refused.category is Category.INVALID_INPUT
        assert refused.blamed_inputs[0].artifact == "sequence"


def test_a_library_that_dies_is_a_failure_with_its_last_words(ask, monkeypatch, tmp_path):
    program = tmp_path / "dies.py"
    program.write_text("import sys; sys.exit('no memory')")
    monkeypatch.setattr(expert_fold, "PROGRAM", program)
    died = ask(Kind.SHORT)
    assert died.category is Category.CRASHED
    assert "ended with code 1 and said: no memory" in died.detail


# The fallback


def test_the_fallback_finds_a_hairpin_and_one_that_does_not_match_in_its_stem():
    plain = "AA" + HAIRPIN + "AA"
    found = call(find_stems, {"sequence": f">x\n{plain}\n"}).outputs[GOAL]
    assert found == {"sequence": plain, "structure": f"..{ITS_FOLD}..", "method": "stems"}
    flawed = "GGGGAGGCCAAAAGGCCACCCC"
    assert (
        call(find_stems, {"sequence": flawed}).outputs[GOAL]["structure"]
        == "((((.((((....)))).))))"
    )
    assert set(call(find_stems, {"sequence": "ACACAC"}).outputs[GOAL]["structure"]) == {"."}


def test_the_fallback_is_cruder_than_enough_for_far_pairs_and_enough_for_huge_ones():
    for kind in (Kind.FAR, Kind.HUGE):
        designed = make_sequence(kind, 0)
        outcome = call(find_stems, {"sequence": designed.text})
        assert (f1_of(outcome.outputs, designed.structure) >= ENOUGH) is (kind is Kind.HUGE)


# Real processes in each mode


def run(folder: Path, kind: Kind, mode: Responsibility, *, by: str = EXPERT) -> Played:
    path = WORKFLOW if by == EXPERT else METHODS
    return play_one(case(kind, 0, path, by), mode, CASCADE, folder / "runs.sqlite")


def told(played: Played) -> list[tuple[str, str]]:
    return [(one.call, one.outcome) for one in played.tries]


@with_library
@pytest.mark.parametrize("mode", Responsibility)
def test_what_is_long_for_the_expert(tmp_path, mode):
    played = run(tmp_path, Kind.LONG, mode)
    assert (played.status, played.good, played.violations) == ("succeeded", True, 0)
    if mode is CONDUCTOR:
        assert told(played) == [("fold", "UNABLE"), ("find_stems", SUCCESS)]
    else:
        assert told(played) == [("fold", SUCCESS)]
        assert played.tries[0].tried == ("degrade:window",)


@with_library
@pytest.mark.parametrize("mode", [HYBRID, COMMUNITY])
def test_what_is_huge_for_the_expert_needs_somebody_else(tmp_path, mode):
    played = run(tmp_path, Kind.HUGE, mode)
    assert told(played)[0] == ("fold", "UNABLE")
    assert (played.good, len(played.tries)) == ((True, 2) if mode is HYBRID else (False, 1))


@with_library
def test_what_is_long_for_the_naive_meets_the_wall(tmp_path):
    played = run(tmp_path, Kind.LONG, COMMUNITY, by=NAIVE)
    assert told(played) == [("fold/exact", "TIMEOUT")]
    assert (played.status, played.violations) == ("failed", 1)
    assert (played.tries[0].limit, played.quality) == ("wall_s", 0.0)
    assert played.elapsed_s >= WALL_S


@with_library
@pytest.mark.parametrize("kind", [Kind.FASTA, Kind.HUGE, Kind.PROTEIN])
def test_what_the_naive_folds_in_silence_is_seen_by_the_gate(tmp_path, kind):
    played = run(tmp_path, kind, COMMUNITY, by=NAIVE)
    assert told(played) == [("fold/exact", "LOW_QUALITY")]
    assert (played.status, played.good) == ("failed", False)


@with_library
def test_after_the_naive_the_conductor_goes_to_the_fallback(tmp_path):
    played = run(tmp_path, Kind.FASTA, HYBRID, by=NAIVE)
    assert [one.call for one in played.tries] == [
        "fold/exact",
        "fold/span",
        "fold/window",
        "find_stems",
    ]
    assert (played.good, played.violations) == (True, 0)


def test_without_the_library_one_sentence_says_so_and_the_fallback_delivers(tmp_path):
    (tmp_path / "RNA.py").write_text("raise ModuleNotFoundError('No module', name='RNA')")

    def hide(data):
        data["extensions"]["fold"]["import_paths"] = [str(tmp_path)]

    text = make_sequence(Kind.SHORT, 0).text
    workflow = workflow_in(HYBRID, WORKFLOW, {"sequence": text}, hide)
    result = asyncio.run(begin(workflow, CASCADE, tmp_path / "runs.sqlite", memory=False))
    with Journal.read(tmp_path / "runs.sqlite") as journal:
        first, second = (e for e in journal.events(result.run_id) if isinstance(e, Finished))
    assert first.outcome.category is Category.UNSUPPORTED
    assert (
        'ViennaRNA is not installed in this Python: pip install "fqg-conductor[models]" brings it'
        in first.outcome.detail
    )
    assert first.outcome.message.startswith(
        'The Python package RNA is missing: pip install "fqg-conductor[models]" brings it (methods.py, line '
    )
    assert (second.call, result.status) == ("find_stems", "succeeded")


@with_library
def test_cases_are_the_same_for_both_authors():
    experts, naives = cases(2), naive(2)
    assert [one.name for one in experts] == [one.name for one in naives]
    assert [one.name for one in experts] == [f"{kind.value} {n}" for kind in Kind for n in (0, 1)]
    source = [one[0].workflow(HYBRID).extensions["fold"].source.source for one in (experts, naives)]
    assert source == [EXPERT, NAIVE]


def test_the_workflows_that_are_shipped_can_be_read():
    for path, variants in ((WORKFLOW, ["default"]), (METHODS, list(WAYS))):
        workflow = read_workflow(path)
        assert list(workflow.level.functions["fold"].variants) == variants
        assert workflow.extensions["fold"].limits.wall_s == WALL_S
        assert bases_of(workflow.inputs["sequence"])
        assert dataclasses.asdict(workflow)["notes"] == ()
