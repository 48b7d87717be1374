"""Scenario 1 for real: real processes meet real walls, in each of the three modes."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from conductor_agent.by_mode.play import SUCCESS, play_one
from conductor_agent.files.workflow import read_workflow
from conductor_agent.hosting.contract import CallRequest
from conductor_agent.hosting.supervisor import Supervisor
from conductor_agent.hosting.watch import tree
from conductor_agent.record.events import Finished
from conductor_agent.record.journal import Journal
from conductor_agent.record.ledger import Ledger
from conductor_agent.scenario_1.cases import WORKFLOW, case, cases, scenario
from conductor_agent.scenario_1.community_model import TIMEOUT_S
from conductor_agent.scenario_1.documents import Kind, is_summary, make_document
from fqg_env.level import Responsibility
from fqg_env.outcome import Category, StandardError
from policies.recovery.rules import HandRule, Rule

SCALE, PATIENT_SCALE = 0.5, 2.0
"""The wall in short, for what meets it; with room, for what ends before it on a busy machine too."""
WALL_S = 1.5
SLACK_S = 15.0
"""Workers start, and the machine may be busy; the 2 hours are far away all the same."""
LATE, EARLY = 0, 3
"""Seeds of accented documents: the accent is behind the excerpt, or in it."""
HYBRID, CONDUCTOR, COMMUNITY = Responsibility
COMMUNITY_MODEL, EXCERPT, FALLBACK = (
    "community_model/default",
    "community_model/excerpt",
    "fallback_model",
)


class Run:
    """One run in a mode, under a policy that tries each call once, in the order of cost."""

    def __init__(
        self,
        folder: Path,
        mode: Responsibility,
        kind: Kind,
        seed: int = LATE,
        scale: float = SCALE,
    ):
        self.journal = folder / "runs.sqlite"
        self.played = play_one(case(kind, seed, scale), mode, HandRule(Rule.CASCADE), self.journal)
        with Journal.read(self.journal) as journal:
            events = journal.events(self.played.run_id)
        outcomes = [event.outcome for event in events if isinstance(event, Finished)]
        self.errors = [one for one in outcomes if isinstance(one, StandardError)]

    @property
    def calls(self) -> list[str]:
        return [one.call for one in self.played.tries]

    @property
    def categories(self) -> list[Category]:
        return [one.category for one in self.errors]

    def ledger(self) -> list[dict]:
        with Journal.read(self.journal) as journal:
            ledger = Ledger(journal)
            return ledger.violations(ledger.named("community_model"))


def engines() -> list[str]:
    """Command lines of engines that run below this process."""
    lines = []
    for pid in tree.descendants(os.getpid()):
        try:
            lines.append(Path(f"/proc/{pid}/cmdline").read_text())
        except OSError:  # it has ended meanwhile
            continue
    return [line for line in lines if "engine.py" in line]


# The 2-hour timeout meets the wall


def test_alone_the_community_is_stopped_by_the_wall_and_delivers_nothing(tmp_path):
    run = Run(tmp_path, COMMUNITY, Kind.ACCENTED)
    assert TIMEOUT_S == 7200
    assert (run.played.status, run.played.good, run.calls) == ("failed", False, [COMMUNITY_MODEL])
    assert run.categories == [Category.TIMEOUT]
    proof = run.errors[0].policy
    assert (proof.name, proof.limit, proof.unit, proof.action) == (
        "wall_s",
        WALL_S,
        "s",
        "killed",
    )
    assert WALL_S <= proof.observed < WALL_S + SLACK_S
    assert WALL_S <= run.played.elapsed_s < WALL_S + SLACK_S
    [broken] = run.ledger()
    assert (broken["limit"], broken["call"], broken["seen"]) == (
        "wall_s",
        COMMUNITY_MODEL,
        proof.observed,
    )
    assert broken["run_id"] == run.played.run_id
    assert engines() == []


@pytest.mark.parametrize("mode", [HYBRID, CONDUCTOR])
def test_a_conductor_goes_on_after_the_wall_with_other_parameters(tmp_path, mode):
    run = Run(tmp_path, mode, Kind.ACCENTED, LATE)
    assert (run.calls, run.categories) == ([COMMUNITY_MODEL, EXCERPT], [Category.TIMEOUT])
    assert run.played.tries[1].strategy == "other_parameters"
    assert (run.played.status, run.played.good, run.played.violations) == ("succeeded", True, 1)
    assert run.played.elapsed_s < WALL_S + SLACK_S


def test_where_every_way_of_the_community_meets_the_wall_the_fallback_is_taken(tmp_path):
    run = Run(tmp_path, HYBRID, Kind.ACCENTED, EARLY)
    assert run.calls == [COMMUNITY_MODEL, EXCERPT, FALLBACK]
    assert run.categories == [Category.TIMEOUT] * 2
    assert (run.played.status, run.played.good, run.played.violations) == ("succeeded", True, 2)
    assert [broken["limit"] for broken in run.ledger()] == ["wall_s", "wall_s"]
    assert 2 * WALL_S <= run.played.elapsed_s < 2 * WALL_S + SLACK_S


def test_without_the_wall_its_own_timeout_would_have_ended_it():
    """The same document and code with a shorter timeout of its own: it answers, and no limit is broken."""
    bound = scenario(HYBRID, "").extensions["community_model"]
    limits = bound.limits.model_copy(update={"wall_s": 30.0})
    document = make_document(Kind.ACCENTED, LATE)
    request = CallRequest({"document": document}, {"timeout_s": 0.2})

    async def ask():
        async with Supervisor() as supervisor:
            reply = await supervisor.call(bound.source, request, limits)
            return reply.outcome, engines()

    failure, running = asyncio.run(ask())
    assert running and engines() == []
    assert (failure.category, failure.policy) == (Category.TIMEOUT, None)
    assert failure.cause.message == "The engine did not answer."


# The crash on bad input


@pytest.mark.parametrize("mode", Responsibility)
def test_a_crash_without_a_word_is_a_failure_with_its_exit_code(tmp_path, mode):
    run = Run(tmp_path, mode, Kind.NOTES)
    assert set(run.categories) == {Category.CRASHED}
    assert "code 1" in run.errors[0].message + run.errors[0].detail
    assert run.played.violations == 0
    if mode is COMMUNITY:
        assert (run.played.status, run.calls) == ("failed", [COMMUNITY_MODEL])
    else:
        assert (run.played.status, run.played.good) == ("succeeded", True)
        assert run.calls == [COMMUNITY_MODEL, EXCERPT, FALLBACK]


# Its own repeats


@pytest.mark.parametrize("mode", [HYBRID, COMMUNITY])
def test_own_recovery_resolves_what_passes_and_the_conductor_never_sees_it(tmp_path, mode):
    run = Run(tmp_path, mode, Kind.LONG, scale=PATIENT_SCALE)
    [only] = run.played.tries
    assert (only.call, only.outcome, run.played.good) == (COMMUNITY_MODEL, SUCCESS, True)
    assert only.own_repeats >= 1 and 0 < only.own_recovery_s <= only.elapsed_s


def test_with_own_recovery_off_the_raw_failure_reaches_the_policy(tmp_path):
    run = Run(tmp_path, CONDUCTOR, Kind.LONG, scale=PATIENT_SCALE)
    assert run.categories == [Category.UNAVAILABLE]
    assert [one.own_repeats for one in run.played.tries] == [0, 0]
    assert (run.calls, run.played.good) == ([COMMUNITY_MODEL, EXCERPT], True)


@pytest.mark.parametrize("mode", Responsibility)
def test_endless_repeats_end_within_the_limit_or_do_not_begin(tmp_path, mode):
    run = Run(tmp_path, mode, Kind.HUGE, scale=1.0)
    first = run.errors[0]
    assert (first.category, first.policy) == (Category.UNAVAILABLE, None)
    assert run.played.violations == 0 and run.ledger() == []
    if mode is CONDUCTOR:
        assert first.own_recovery.attempts == 0
    else:
        assert first.own_recovery.attempts >= 1
        assert 0 < first.own_recovery.elapsed_s <= 2 * WALL_S
    assert run.played.status == ("failed" if mode is COMMUNITY else "succeeded")
    assert run.played.elapsed_s < 2 * WALL_S + SLACK_S


# What it comes to


def test_there_is_a_case_for_each_kind_and_seed_that_knows_a_summary_of_its_own():
    made = cases(2, scale=2.0)
    assert [one.name for one in made] == [
        f"{kind.value} {seed}" for kind in Kind for seed in (0, 1)
    ]
    first, second = make_document(Kind.PLAIN, 0), make_document(Kind.PLAIN, 1)
    summary = {"summary": first.split(". ")[0]}
    assert [made[0].good(summary), made[1].good(summary), made[0].good({})] == [1.0, 0.0, 0.0]
    assert made[1].workflow(HYBRID).inputs == {"document": second}
    assert made[1].workflow(HYBRID).level.budget.time_s == 72.0
    modes = [made[0].workflow(mode).level.responsibility for mode in Responsibility]
    assert modes == list(Responsibility)


def test_a_summary_is_a_few_lines_of_the_document_and_not_all_of_it():
    document = make_document(Kind.PLAIN, 0)
    first, second, *_ = document.split(". ")
    assert is_summary(f"{first}\n{second}", document)
    for wrong in (None, "", first + "\nNobody wrote this", f"{first}\n{first}", document):
        assert not is_summary(wrong, document)
    assert not is_summary("\n".join(document.split(". ")[:4]), document)


def test_a_seed_gives_one_document_of_each_kind():
    texts = {kind: make_document(kind, 1) for kind in Kind}
    assert texts == {kind: make_document(kind, 1) for kind in Kind}
    assert len({*texts.values(), *(make_document(kind, 2) for kind in Kind)}) == 2 * len(Kind)
    assert {kind for kind, text in texts.items() if not text.isascii()} == {Kind.ACCENTED}


def test_the_scale_moves_every_second_but_the_two_hours():
    shipped = read_workflow(WORKFLOW)
    scaled = scenario(HYBRID, "A text. And more.", 100.0)
    assert scaled.extensions["community_model"].limits.wall_s == 300.0
    assert scaled.level.budget.time_s == 100 * shipped.level.budget.time_s
    own = [v.parameters for v in scaled.level.functions["community_model"].variants.values()]
    assert own == [{}, {"sentences": 3}]
