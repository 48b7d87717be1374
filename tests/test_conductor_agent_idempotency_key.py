"""The idempotency key: the same for attempts that ask for the same, and for no others."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hand_written import work, workflow

from conductor_agent.idempotency_key import idempotency_key
from conductor_agent.record.events import Event, Finished, Lost, Started
from conductor_agent.record.fold import Fold
from fqg_env.level import Level
from fqg_env.outcome import Category, Outcome, Success, error
from fqg_env.row import Made

FUNCTIONS = {
    "echo": work(),
    "other": work(),
    "look": {"kind": "inspect", "probes": ["page"], "variants": {"default": {}}},
    "check": {"kind": "verify", "probes": ["page"], "variants": {"default": {}}},
}
READ = {"page": "a" * 64}


def level() -> Level:
    bound = {name: {} for name in FUNCTIONS}
    return workflow(FUNCTIONS, bound).level


def key(events: Sequence[Event], call: str = "echo", inputs: dict[str, str] = READ) -> str:
    run = Fold(level())
    for event in events:
        run.apply(event)
    return idempotency_key("run", run, run.call(call), inputs)


def started(number: int, call: str = "echo") -> Started:
    return Started(at_s=float(number), attempt=number, call=call, key="")


def finished(number: int, outcome: Outcome, call: str = "echo", *, made: bool = False) -> Finished:
    things = {"text": Made()} if made else {}
    at_s = number + 0.5
    return Finished(
        at_s=at_s, attempt=number, call=call, outcome=outcome, elapsed_s=0.5, made=things
    )


def test_it_names_run_call_and_what_is_asked_for() -> None:
    run, call, what = key([]).split("/")
    assert (run, call) == ("run", "echo")
    assert what.startswith("1-") and len(what) == 10


def test_a_repeat_after_a_failure_or_a_lost_answer_has_the_same() -> None:
    failed = [started(0), finished(0, error(Category.TIMEOUT, "late"))]
    lost = [started(0), Lost(at_s=0.7, attempt=0)]
    assert key(failed) == key(lost) == key([])


def test_after_a_success_and_for_other_values_it_is_another() -> None:
    made = [started(0), finished(0, Success(), made=True)]
    by_another = [started(0, "other"), finished(0, Success(), "other", made=True)]
    keys = [key([]), key(made), key([], inputs={"page": "b" * 64}), key([], "other")]
    assert len(set(keys)) == 4
    assert key(by_another) == key(made)


@pytest.mark.parametrize("probe", ["look", "check"])
def test_a_probe_that_found_something_out_looks_anew(probe: str) -> None:
    once: list[Event] = [started(0, probe), finished(0, Success(), probe)]
    lost: list[Event] = [started(0, probe), Lost(at_s=0.7, attempt=0), started(1, probe)]
    failed = finished(1, error(Category.UNAVAILABLE, "not there"), probe)
    twice = [*once, started(1, probe), finished(1, Success(), probe)]
    assert len({key([], probe), key(once, probe), key(twice, probe)}) == 3
    assert key(once, probe) == key([*once, started(1, probe), failed], probe)
    assert key(once, probe) == key([*lost, finished(1, Success(), probe)], probe)


@pytest.mark.parametrize("probe", ["look", "check"])
def test_a_probe_whose_answer_was_lost_or_failed_is_asked_for_the_same(probe: str) -> None:
    without_news = (
        Lost(at_s=0.7, attempt=0),
        finished(0, error(Category.TIMEOUT, "late"), probe),
        finished(0, error(Category.CANCELLED, "not wanted"), probe),
    )
    for ended in without_news:
        assert key([started(0, probe), ended], probe) == key([], probe)


def test_the_order_in_which_values_are_read_is_none() -> None:
    a, b = {"page": "a" * 64}, {"scan": "b" * 64}
    assert key([], inputs={**a, **b}) == key([], inputs={**b, **a})


def test_each_version_of_each_output_counts() -> None:
    functions = {
        "both": work(outputs=["text", "note"]),
        "echo": work(),
        "jot": work(outputs=["note"]),
    }
    run = Fold(workflow(functions, None, {"note": {}}).level)
    keys = {idempotency_key("run", run, run.call("both"), READ)}
    for number, (call, made) in enumerate((("echo", "text"), ("jot", "note"))):
        run.apply(started(number, call))
        ended = Finished(
            at_s=number + 0.5, attempt=number, call=call, outcome=Success(), elapsed_s=0.5,
            made={made: Made()},
        )  # fmt: skip
        run.apply(ended)
        keys.add(idempotency_key("run", run, run.call("both"), READ))
    assert len(keys) == 3
