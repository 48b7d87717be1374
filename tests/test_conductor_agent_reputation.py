"""What a run remembers of earlier ones: reputation, what is recent, what was checked."""

import asyncio

import pytest
from hand_written import FOLDER, work, workflow
from ledgers import (
    CASCADE,
    breach,
    journal_path,  # noqa: F401 (a fixture)
    level_of,
    new_ledger,  # noqa: F401 (a fixture)
    played,
)

from conductor_agent.hosting.testing import FakeHost
from conductor_agent.record.events import Decided, Finished
from conductor_agent.record.fold import replay
from conductor_agent.record.identity import Version
from conductor_agent.record.journal import Journal
from conductor_agent.record.ledger import Ledger
from conductor_agent.record.reputation import (
    DECAY,
    STRONGEST,
    Beta,
    pooled,
    remembered,
    reputation_of,
)
from conductor_agent.record.standing import standings
from conductor_agent.runs import begin, resume
from fqg_env.outcome import Category, Success, error
from policies.recovery.rules import HandRule, Rule


def test_the_first_run_knows_nothing(path):
    level = level_of(path, played(path, {"good": {"text": "hi"}}).run_id)
    assert (level.functions["good"].reputation, level.recent) == (None, {})


def test_recent_is_the_last_runs_and_reputation_all_others(path):
    flow = {name: work() for name in ("bad", "good")}
    here, elsewhere = workflow(flow), workflow(flow)
    object.__setattr__(elsewhere, "path", FOLDER / "elsewhere.yaml")
    bad, good = breach(), {"text": "hi"}
    for _ in range(3):
        played(path, {"bad": bad, "good": good}, elsewhere, memory=False)
    played(path, {"bad": Success(outputs=good), "good": good}, here, memory=False)
    played(path, {"bad": bad, "good": good}, here, memory=False)
    with Journal.create(path) as journal:
        Ledger(journal).record_check("small:bad", 0.5, 3)
        level = remembered(here, Ledger(journal)).level
    assert level.recent["bad"].model_dump() == {"success": DECAY, "failure": 1.0}
    assert level.recent["good"].model_dump() == {
        "success": 1.0,
        "failure": 0.0,
    }  # of the latest run
    reputation = level.functions["bad"].reputation  # three failures elsewhere, and the check
    assert (reputation.mean, reputation.strength) == (0.25, 6.0)
    assert level.functions["good"].reputation.mean == 1.0


def test_an_outage_is_recent_and_no_reputation_and_bad_input_is_neither(path):
    down, bad = error(Category.UNAVAILABLE, "no"), error(Category.INVALID_INPUT, "no")
    answers = {"down": down, "input": bad, "good": {"text": "hi"}}
    for _ in range(9):
        played(path, answers)
    level = level_of(path, played(path, answers).run_id)
    assert level.recent["down"].success == 0.0 < level.recent["down"].failure < 3.2
    assert "input" not in level.recent
    assert level.functions["down"].reputation is level.functions["input"].reputation is None
    assert (level.functions["good"].reputation.mean, level.functions["good"].reputation.strength) == (
        1.0, 1.0,
    )  # fmt: skip


def test_several_attempts_of_one_run_count_as_one(path):
    answers = iter([error(Category.UNAVAILABLE, "no"), {"text": "hi"}])
    flow = workflow({"flaky": work()})
    host = FakeHost({"flaky": lambda _: next(answers)})
    asyncio.run(begin(flow, HandRule(Rule.CODE_AWARE), path, host=host))
    with Journal.read(path) as journal:
        level = remembered(flow, Ledger(journal)).level
    assert level.recent["flaky"].model_dump() == {"success": 0.5, "failure": 0.5}


def test_what_is_declared_what_was_checked_and_what_was_seen_are_pooled():
    assert pooled() is pooled(None, Beta(0.5, 0.0)) is None
    assert pooled(Beta(1.0, 1.0), Beta(0.5, 3.0)) == Beta(0.625, 4.0)
    assert pooled(Beta(0.9, 1000.0)).strength == STRONGEST


def test_what_is_declared_stands_where_nothing_else_is_known(path):
    declared = {"reputation": {"mean": 0.5, "strength": 2}}
    flow = workflow({"good": work(**declared)}, recent={"good": {"success": 2}})
    with Journal.create(path) as journal:
        assert remembered(flow, Ledger(journal)).level == flow.level
    played(path, {"good": {"text": "hi"}}, flow)
    with Journal.create(path) as journal:
        level = remembered(flow, Ledger(journal)).level
    assert level.functions["good"].reputation == flow.level.functions["good"].reputation
    assert level.recent["good"].model_dump() == {"success": 1.0, "failure": 0.0}


def test_without_memory_every_run_begins_alike(path):
    answers = {"bad": breach(), "good": {"text": "hi"}}
    levels = [level_of(path, played(path, answers, memory=False).run_id) for _ in range(4)]
    assert all(level == levels[0] for level in levels)


def test_a_resumed_run_remembers_what_it_did_when_it_began(path):
    """Other runs in between change what is known; the run sees what it saw, bit for bit."""

    class Cut(BaseException):
        """As if the process ended there."""

    def cut(event):
        if isinstance(event, Finished):
            raise Cut

    answers = {"bad": breach(), "good": {"text": "hi"}}
    played(path, answers)
    with pytest.raises(Cut):
        played(path, answers, watch=cut, run_id="cut")
    before = level_of(path, "cut")
    assert before.recent["bad"].failure == 1.0
    played(path, answers)
    host = FakeHost({"bad": lambda _: breach(), "good": lambda _: {"text": "hi"}})
    assert asyncio.run(resume("cut", path, lambda _: CASCADE, host=host)).status == "succeeded"
    assert level_of(path, "cut") == before
    with Journal.read(path) as journal:
        events = journal.events("cut")
        entered = Ledger(journal).outcomes_of("cut")
    logged = [event.observation for event in events if isinstance(event, Decided)]
    assert replay(before, events) == logged
    assert [call for call, _, _ in entered] == [e.call for e in events if isinstance(e, Finished)]


def test_a_check_is_a_prior_that_calls_add_to(ledger):
    extension = ledger.meet([Version("/x/reader.py", "read", "", "operator")])[0]
    ledger.record_check(extension, 0.5, 2)
    ledger.record_check(extension, 0.75, 4)
    assert reputation_of(ledger, extension) == Beta(0.75, 4.0)
    assert [one.reputation_mean for one in standings(ledger)] == [0.75]
    for wrong in ((1.5, 2), (0.5, -1), (0.5, float("inf")), (float("nan"), 1)):
        with pytest.raises(ValueError, match="is none"):
            ledger.record_check(extension, *wrong)
