"""A repeat of which nothing new can come is not made."""

from __future__ import annotations

from typing import Any

import pytest
from hand_written import work, workflow

from conductor_agent.deciding.repeats import ALIKE, REFUSED, Repeats
from conductor_agent.record.events import CodeChanged, Finished, Lost, Started
from fqg_env.outcome import Category, Outcome, Success, error
from fqg_env.row import Made

READ, HELD = {"page": "p"}, {"page": "p", "text": "t"}
REFUSAL = error(Category.INVALID_INPUT, "no", retryable=False)


def seen(*attempts: Any, **artifact: Any) -> Repeats:
    """(inputs, outcome, values), or None for an answer that was lost."""
    level = workflow(
        {"echo": work()}, {"echo": {}}, {"text": {"goal": {"weight": 1}, **artifact}}
    ).level
    run = Repeats(level)
    for number, attempt in enumerate(attempts):
        inputs = READ if attempt is None else attempt[0]
        run.apply(Started(at_s=0.0, attempt=number, call="echo", key="", inputs=inputs))
        if attempt is None:
            run.apply(Lost(at_s=0.0, attempt=number))
            continue
        _, outcome, values = attempt
        run.apply(
            Finished(
                at_s=0.0, attempt=number, call="echo", outcome=outcome, elapsed_s=0.1, values=values,
                made={name: Made() for name in values},
            )
        )  # fmt: skip
    return run


def made(value: str, inputs: dict[str, str] = READ) -> tuple[Any, Outcome, Any]:
    return inputs, Success(), {"text": value}


@pytest.mark.parametrize(
    ("attempts", "why"),
    [
        ([], ""),
        ([made("t")], ""),
        ([made("t"), made("t")], ALIKE),
        ([made("t"), made("u"), made("t")], ""),
        ([made("t"), None, made("t")], ALIKE),
        ([made("t"), made("t", {"page": "other"})], ""),
        ([(READ, REFUSAL, {})], REFUSED),
        ([({"page": "other"}, REFUSAL, {})], ""),
        ([(READ, error(Category.CANCELLED, "another was first"), {})], ""),
        ([(READ, error(Category.UNAUTHORIZED, "log in"), {})], ""),
        ([(READ, error(Category.TIMEOUT, "late", retryable=True), {})], ""),
        ([(READ, error(Category.UNKNOWN, "who knows", retryable=None), {})], ""),
    ],
)
def test_what_came_of_the_same_values_tells(attempts: list[Any], why: str) -> None:
    assert seen(*attempts).why("echo", READ, HELD) == why


def test_another_version_that_is_held_now_may_be_replaced() -> None:
    alike = seen(made("t"), made("t"))
    assert not alike.why("echo", READ, {"page": "p", "text": "of another maker"})
    assert not alike.why("echo", READ, {"page": "p"})  # it was consumed


def test_a_refusal_counts_whatever_is_held() -> None:
    assert seen((READ, REFUSAL, {})).why("echo", READ, {}) == REFUSED


@pytest.mark.parametrize(
    ("code", "why"), [("echo", ""), ("the gate of text", ""), ("another", REFUSED)]
)
def test_changed_code_is_asked_again(code: str, why: str) -> None:
    run = seen((READ, REFUSAL, {}))
    run.apply(CodeChanged(at_s=1.0, code={code: "another digest"}))
    assert run.why("echo", READ, {}) == why


def test_what_former_code_made_is_no_first_of_two() -> None:
    run = seen(made("t"))
    run.apply(CodeChanged(at_s=1.0, code={"echo": "another digest"}))
    for number, why in [(1, ""), (2, ALIKE)]:
        run.apply(Started(at_s=2.0, attempt=number, call="echo", key="", inputs=READ))
        run.apply(
            Finished(
                at_s=2.0, attempt=number, call="echo", outcome=Success(), elapsed_s=0.1, values={"text": "t"},
                made={"text": Made()},
            )
        )  # fmt: skip
        assert run.why("echo", READ, HELD) == why


def test_what_gets_old_is_made_anew() -> None:
    assert not seen(made("t"), made("t"), time_to_live_s=5.0).why("echo", READ, HELD)


def test_what_came_out_otherwise_once_may_do_so_again() -> None:
    changed = seen(made("t"), made("t"), made("u"))
    assert not changed.why("echo", READ, {"page": "p", "text": "u"})


def test_one_output_that_gets_old_is_enough() -> None:
    both = {"text": {"goal": {"weight": 1}}, "note": {"time_to_live_s": 5.0}}
    run = Repeats(workflow({"echo": work(outputs=["text", "note"])}, None, both).level)
    values = {"text": "t", "note": "n"}
    for number in range(2):
        run.apply(Started(at_s=0.0, attempt=number, call="echo", key="", inputs=READ))
        run.apply(
            Finished(
                at_s=0.0, attempt=number, call="echo", outcome=Success(), elapsed_s=0.1,
                values=values, made={name: Made() for name in values},
            )
        )  # fmt: skip
    assert not run.why("echo", READ, {**READ, **values})
