"""Whole runs: YAML, real processes and a real journal."""

import asyncio
import os
import threading

import numpy as np
import pytest
from hand_written import FOLDER, work, workflow

from conductor_agent.explain import explain
from conductor_agent.files.checks import measured_within
from conductor_agent.hosting.testing import FakeHost
from conductor_agent.hosting.watch import tree
from conductor_agent.record.events import Decided, Finished
from conductor_agent.record.fold import replay
from conductor_agent.record.journal import Journal
from conductor_agent.runs import begin
from fqg_env.fields import Call
from fqg_env.level import Level
from fqg_env.outcome import Category, OwnRecovery, Phase, SideEffects, StandardError, error
from policies.recovery.base import certain
from policies.recovery.index import Index
from policies.recovery.rules import HandRule, Rule

PAGE = FOLDER / "page.yaml"
ONCE = FOLDER / "once.yaml"


class Run:
    """One finished run and its journal."""

    def __init__(self, tmp_path, flow, policy=None):
        self.path = tmp_path / "conductor.sqlite"
        self.result = asyncio.run(begin(flow, policy or HandRule(Rule.CASCADE), self.path))
        with Journal.read(self.path) as journal:
            self.events = journal.events(self.result.run_id)
            self.level = Level.model_validate_json(journal.run(self.result.run_id).level)

    @property
    def finished(self):
        return [event for event in self.events if isinstance(event, Finished)]

    @property
    def errors(self):
        return [e.outcome for e in self.finished if isinstance(e.outcome, StandardError)]


def test_a_run_with_failures_ends_well_and_its_replay_gives_the_logged_observations(tmp_path):
    from conductor_agent.files.workflow import read_workflow

    run = Run(tmp_path, read_workflow(PAGE), Index())
    assert run.result.status == "succeeded"
    assert run.result.values == {"text": "the quick brown fox"}
    assert {e.category for e in run.errors} == {Category.CRASHED, Category.LOW_QUALITY}
    logged = [event.observation for event in run.events if isinstance(event, Decided)]
    assert len(set(logged)) == len(logged)
    assert replay(run.level, run.events) == logged
    assert all(step.same_observation for step in explain(run.level, run.events))


def test_a_bad_200_is_a_failure_and_the_fallback_works(tmp_path):
    flow = workflow(
        {
            "empty": work(parameters={"outputs": {}}),
            "wrong": work(parameters={"outputs": {"text": 7}}),
            "short": work(parameters={"outputs": {"text": "a"}}),
            "poor": work(parameters={"outputs": {"text": "abc"}, "quality": {"text": 1.0}}),
            "echo": work(),
        },
        {name: {"extension": "fixed"} for name in ("empty", "wrong", "short", "poor")}
        | {"echo": {}},
        {
            "text": {
                "goal": {"weight": 1},
                "check": {
                    "type": "text",
                    "schema": {"minLength": 2},
                    "quality": "gates.py:length",
                    "minimum": 0.5,
                },
            }
        },
    )
    run = Run(tmp_path, flow)
    said = [(e.category, e.phase) for e in run.errors]
    assert said == [(Category.INVALID_OUTPUT, Phase.OUTPUT)] * 3 + [
        (Category.LOW_QUALITY, Phase.QUALITY)
    ]
    assert [e.made.get("text") is not None for e in run.finished] == [False] * 3 + [True] * 2
    assert run.finished[3].made["text"].passed is False
    assert run.finished[3].made["text"].quality == 1.0
    assert run.result.values == {"text": "a page"}


def test_a_gate_that_cannot_measure_rejects(tmp_path):
    check = {"quality": "gates.py:fails", "minimum": 0}
    flow = workflow(
        {"echo": work()}, {"echo": {}}, {"text": {"goal": {"weight": 1}, "check": check}}
    )
    run = Run(tmp_path, flow)
    assert run.result.status == "failed"
    assert "could not be measured (RuntimeError: no scale)" in run.errors[0].message


def test_a_gate_that_never_answers_has_not_measured():
    ended = threading.Event()
    try:
        found = asyncio.run(measured_within(0.01, lambda _: ended.wait(), "a page"))
    finally:
        ended.set()
    assert found == (0.0, "the quality could not be measured within 0.01 s")


def test_limits_crashes_and_hints_become_outcomes(tmp_path):
    flow = workflow(
        {
            "look": {"kind": "inspect", "probes": ["page"], "variants": {"default": {"parameters": {"advises": "echo"}}}},
            "unable": work(parameters={"hint": "echo"}),
            "crash": work(),
            "slow": work(0.1),
            "echo": work(),
        },
        {"look": {"extension": "inspect"}, "slow": {"limits": {"wall_s": 0.3}}}
        | {name: {} for name in ("unable", "crash", "echo")},
    )  # fmt: skip

    class InOrder:
        name = "in_order"

        def decide(self, observation, mask):
            tried = observation["calls"][0][:, Call.TRIES] > 0
            legal = [i for i in range(2, mask.shape[1]) if mask[0, i] and not tried[i - 2]]
            return certain(np.array([legal[0] if legal else 1]), mask.shape[1], self.name)

    run = Run(tmp_path, flow, InOrder())
    assert [e.category for e in run.errors] == [Category.UNABLE, Category.CRASHED, Category.TIMEOUT]
    assert run.finished[0].outcome.hints[0].call == "echo"
    steps = explain(run.level, run.events)
    assert [s.strategy for s in steps] == [
        "inspect", "first_try", "fallback", "fallback", "follow_hint", "deliver",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("mode", "recover"), [("hybrid", True), ("conductor", False), ("community", True)]
)
def test_own_recovery_is_switched_by_responsibility(tmp_path, mode, recover):
    run = Run(tmp_path, workflow({"recover": work()}, {"recover": {}}, responsibility=mode))
    told = f"recover={recover} key={run.result.run_id}/recover/1-"
    assert run.result.values["text"].startswith(told)


def test_a_call_that_is_not_idempotent_may_have_acted_and_is_not_repeated(tmp_path):
    flow = workflow({"crash": work(idempotent=False), "echo": work()}, {"crash": {}, "echo": {}})
    run = Run(tmp_path, flow, HandRule(Rule.RETRY_FALLBACK))
    assert [(e.call, e.outcome.side_effects) for e in run.finished] == [
        ("crash", SideEffects.POSSIBLE),
        ("echo", SideEffects.NONE),
    ]


def test_a_success_that_is_not_idempotent_is_committed(tmp_path):
    flow = workflow({"echo": work(idempotent=False)}, {"echo": {}})
    run = Run(tmp_path, flow, HandRule(Rule.RETRY_FALLBACK))
    assert [e.outcome.side_effects for e in run.finished] == [SideEffects.COMMITTED]


def test_of_two_at_once_the_first_success_ends_the_other_with_its_process(tmp_path):
    flow = workflow(
        {"slow": work(parameters={"started": str(tmp_path / "pid")}), "echo": work()},
        {"slow": {"limits": {"write_paths": [str(tmp_path)]}}, "echo": {}},
        max_in_flight=2,
    )
    before = set(tree.descendants(os.getpid()))

    class Both:
        name = "both"

        def decide(self, observation, mask):
            legal = [
                i for i in (2, 3) if mask[0, i] and not observation["calls"][0][i - 2, Call.TRIES]
            ]
            if legal == [3] and not (tmp_path / "pid").exists():
                legal = [0]  # not before the other is in flight for sure
            return certain(np.array([legal[0] if legal else 1]), mask.shape[1], self.name)

    run = Run(tmp_path, flow, Both())
    assert [e.call for e in run.finished] == ["echo", "slow"]
    assert run.errors[0].category is Category.CANCELLED
    assert run.result.status == "succeeded"
    assert set(tree.descendants(os.getpid())) <= before
    logged = [event.observation for event in run.events if isinstance(event, Decided)]
    assert replay(run.level, run.events) == logged


def test_flaky_is_retried(tmp_path):
    flow = workflow({"flaky": work(parameters={"from_attempt": 2})}, {"flaky": {}})
    run = Run(tmp_path, flow, HandRule(Rule.CODE_AWARE))
    assert run.result.values == {"text": "at last"}
    assert [e.call for e in run.finished] == ["flaky", "flaky"]


def test_total_retry_time_is_kept_by_the_conductor(tmp_path):
    flow = workflow(
        {"flaky": work(parameters={"from_attempt": 9})},
        {"flaky": {"limits": {"total_retry_s": 1e-4}}},
        shield={"retries_per_function": 3},
    )
    run = Run(tmp_path, flow, HandRule(Rule.RETRY))
    assert run.errors[0].category is Category.UNAVAILABLE
    refused = run.errors[2]
    assert (refused.category, refused.code, refused.cost) == (
        Category.POLICY_VIOLATION, "LIMIT_TOTAL_RETRY", 0.0,
    )  # fmt: skip


def test_a_deadline_is_what_the_run_has_left_and_for_repeats_what_they_have_left(tmp_path):
    own = OwnRecovery(attempts=3, elapsed_s=4.0)
    answers = [error(Category.UNAVAILABLE, "no", own_recovery=own)] * 2 + [{"text": "yes"}]
    host = FakeHost({"flaky": answers}, wall_s=3.0)
    flow = workflow(
        {"flaky": work()},
        {"flaky": {"limits": {"total_retry_s": 10}}},
        budget={"time_s": 90, "cost": 50},
    )
    done = asyncio.run(begin(flow, HandRule(Rule.CODE_AWARE), tmp_path / "j", host=host))
    assert done.status == "succeeded"
    first, second, third = (request.deadline_s for _, request in host.requests)
    assert 89 < first <= 90
    assert (second, third) == (10 - 4, 10 - 4 - 3)


def test_a_missing_or_rejected_input_is_refused_before_anything_starts():
    from conductor_agent.live_world import Attempt, Held, LiveWorld

    flow = workflow({"echo": work()}, {"echo": {}})
    host = FakeHost({})
    world = LiveWorld(flow, host)
    for inputs in ({}, {"page": Held("", "x", rejected=True)}):
        answer = asyncio.run(world.attempt(Attempt("run", 0, 1, "key", inputs, 9.0)))
        assert answer.outcome.category is Category.DEPENDENCY_FAILED
        assert answer.outcome.blamed_inputs[0].artifact == "page"
    assert host.requests == []
