"""An extension's own recovery within policy: repeats, then lighter presets."""

from __future__ import annotations

from typing import Any

import pytest
from flaky import Flaky

from conductor_agent.hosting.extension import (
    Extension,
    InvalidInput,
    Preset,
    call,
    extension,
)
from conductor_agent.hosting.sdk.context import Context
from conductor_agent.hosting.sdk.harness import SkippedTime
from fqg_env.outcome import (
    Category,
    OwnRecovery,
    StandardError,
    Success,
)


def with_retry(service: Flaky, **options: Any) -> Extension:
    @extension(output="text")
    def fetch(*, context: Context):
        return context.retry(service, **options)

    return fetch


def ask(service: Flaky, *, recover: bool = True, deadline_s: float = 60.0, **options: Any):
    fetch = with_retry(service, **options)
    return call(fetch, recover=recover, deadline_s=deadline_s, time=service.time)


def test_a_retry_is_reported():
    service = Flaky(2)
    outcome = ask(service, backoff_s=0.5, cost=0.25)
    assert isinstance(outcome, Success) and outcome.outputs == {"text": "text"}
    own = outcome.own_recovery
    assert (own.attempts, own.cost, own.tried) == (2, 0.5, ("retry",))
    assert own.elapsed_s == pytest.approx(0.5 + 1.0, abs=0.05)


def test_a_first_success_reports_nothing():
    assert ask(Flaky(0)).own_recovery == OwnRecovery()


def test_after_the_last_attempt_the_failure_keeps_its_category():
    service = Flaky(9)
    outcome = ask(service, attempts=4)
    assert isinstance(outcome, StandardError) and outcome.category is Category.UNAVAILABLE
    assert service.calls == 4 and outcome.own_recovery.attempts == 3


def test_without_recovery_the_first_failure_is_answered():
    service = Flaky(1)
    outcome = ask(service, recover=False)
    assert isinstance(outcome, StandardError) and outcome.category is Category.UNAVAILABLE
    assert service.calls == 1 and outcome.own_recovery == OwnRecovery()


@pytest.mark.parametrize(("own_retries", "calls"), [(None, 5), (3, 4), (1, 2), (0, 1)])
def test_a_budget_of_repeats_ends_them(own_retries, calls):
    service = Flaky(9)
    outcome = call(with_retry(service, attempts=5), own_retries=own_retries, time=service.time)
    assert isinstance(outcome, StandardError) and outcome.category is Category.UNAVAILABLE
    assert (service.calls, outcome.own_recovery.attempts) == (calls, calls - 1)


def test_what_is_not_named_is_not_repeated():
    service = Flaky(1, InvalidInput("bad", artifact="page"))
    assert ask(service).category is Category.INVALID_INPUT and service.calls == 1


@pytest.mark.parametrize(
    ("deadline_s", "takes_s", "calls"),
    [(10.0, 0.0, 3), (1.2, 0.0, 2), (0.5, 0.0, 1), (4.0, 3.0, 1), (7.0, 3.0, 2)],
)
def test_a_retry_gives_up_in_time_to_answer(deadline_s, takes_s, calls):
    service = Flaky(9, takes_s=takes_s)
    ask(service, deadline_s=deadline_s, backoff_s=0.5)
    assert service.calls == calls
    assert service.time.skipped_s < deadline_s


def test_a_retry_waits_as_long_as_it_is_told():
    class Limited(ConnectionError):
        retry_after_s = 7.0

    service = Flaky(1, Limited("slow down"))
    assert ask(service, backoff_s=0.1).own_recovery.elapsed_s == pytest.approx(7.0, abs=0.05)


def test_asynchronous_retries():
    service = Flaky(2)

    @extension(output="text")
    async def fetch(context: Context):
        async def get():
            return service()

        return await context.retry(get)

    outcome = call(fetch)
    assert outcome.outputs == {"text": "text"} and outcome.own_recovery.attempts == 2
    assert call(fetch, recover=False).outputs == {"text": "text"}  # it works by now


def test_retry_refuses_nonsense():
    assert ask(Flaky(0), attempts=0).category is Category.CRASHED


def fold(presets: list[Preset]) -> Extension:
    @extension(output="shape")
    def run(context: Context):
        return context.degrade(presets)

    return run


def too_heavy() -> str:
    raise MemoryError


EXACT = Preset("exact", lambda: "precise", needs_s=8.0, quality=0.95)
ROUGH = Preset("rough", lambda: "about", needs_s=1.0, quality=0.6)
HEAVY = Preset("heavy", too_heavy, needs_s=8.0, quality=0.99)


def test_the_most_precise_preset_that_fits_answers_and_claims_its_quality():
    outcome = call(fold([EXACT, ROUGH]))
    assert outcome == Success(outputs={"shape": "precise"}, quality={"shape": 0.95})
    outcome = call(fold([EXACT, ROUGH]), deadline_s=5)
    assert outcome.outputs == {"shape": "about"} and outcome.quality == {"shape": 0.6}
    assert outcome.own_recovery == OwnRecovery(tried=("degrade:rough",))


def test_a_preset_that_fails_is_followed_by_a_lighter_one():
    outcome = call(fold([HEAVY, ROUGH]))
    assert outcome.quality == {"shape": 0.6}
    assert (outcome.own_recovery.attempts, outcome.own_recovery.tried) == (1, ("degrade:rough",))
    assert call(fold([HEAVY, HEAVY])).category is Category.OUT_OF_RESOURCES


def test_without_recovery_only_the_first_preset_is_tried():
    assert call(fold([HEAVY, ROUGH]), recover=False).category is Category.OUT_OF_RESOURCES
    outcome = call(fold([EXACT, ROUGH]), deadline_s=5, recover=False)
    assert outcome.outputs == {"shape": "precise"}


def test_a_preset_that_takes_too_long_ends_at_its_checkpoint_and_leaves_time_for_the_next():
    time = SkippedTime()
    left = []

    @extension(output="shape")
    def run(context: Context):
        def slow():
            while True:
                time.sleep(0.5)
                context.checkpoint()

        def light():
            left.append(context.deadline_s)
            return "about"

        return context.degrade([Preset("slow", slow, needs_s=3), Preset("light", light, needs_s=2)])

    outcome = call(run, deadline_s=6, time=time)
    assert outcome.outputs == {"shape": "about"} and outcome.own_recovery.attempts == 1
    assert left[0] >= 1.9


def test_asynchronous_presets():
    async def heavy():
        raise MemoryError

    async def light():
        return "about"

    @extension(output="shape")
    async def run(context: Context):
        return await context.degrade([Preset("heavy", heavy), Preset("light", light, quality=0.5)])

    outcome = call(run)
    assert outcome.outputs == {"shape": "about"} and outcome.quality == {"shape": 0.5}
    assert outcome.own_recovery.attempts == 1


def test_what_the_author_claims_is_kept():
    @extension
    def run(context: Context):
        value = context.degrade([EXACT])
        own = OwnRecovery(attempts=7)
        return Success(outputs={"shape": value}, quality={"shape": 0.1}, own_recovery=own)

    outcome = call(run)
    assert outcome.quality == {"shape": 0.1} and outcome.own_recovery.attempts == 7


def test_degrade_refuses_nonsense():
    assert call(fold([])).category is Category.CRASHED
    assert call(fold([Preset("x", lambda: 1, quality=7)])).category is Category.CRASHED


def test_lighter_presets_after_a_failure_are_of_the_same_budget():
    presets = [HEAVY, HEAVY._replace(name="heavy too"), ROUGH]
    assert call(fold(presets), own_retries=2).outputs == {"shape": "about"}
    outcome = call(fold(presets), own_retries=1)
    assert isinstance(outcome, StandardError) and outcome.category is Category.OUT_OF_RESOURCES
    assert outcome.own_recovery.attempts == 1
    skipped = call(fold([EXACT, ROUGH]), own_retries=0, deadline_s=5)  # no failure, so no repeat
    assert skipped.outputs == {"shape": "about"}
