"""A repeat of which nothing new can come is not made."""

from __future__ import annotations

from typing import Any

import pytest
from hand_written import work, workflow

from conductor_agent.in_vain import InVain
from conductor_agent.record.events import Finished, Lost, Started
from fqg_env.outcome import Category, Outcome, Success, error
from fqg_env.row import Made

READ, HELD = {"page": "p"}, {"page": "p", "text": "t"}
REFUSAL = error(Category.INVALID_INPUT, "no", retryable=False)


def seen(*attempts: Any, **artifact: Any) -> InVain:
    """(inputs, outcome, values), or None for an answer that was lost."""
    level = workflow(
        {"echo": work()}, {"echo": {}}, {"text": {"goal": {"weight": 1}, **artifact}}
    ).level
    run = InVain(level)
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
    ("attempts", "in_vain"),
    [
        ([], False),
        ([made("t")], False),
        ([made("t"), made("t")], True),
        ([made("t"), made("u"), made("t")], False),
        ([made("t"), None, made("t")], True),
        ([made("t"), made("t", {"page": "other"})], False),
        ([(READ, REFUSAL, {})], True),
        ([({"page": "other"}, REFUSAL, {})], False),
        ([(READ, error(Category.TIMEOUT, "late", retryable=True), {})], False),
        ([(READ, error(Category.UNKNOWN, "who knows", retryable=None), {})], False),
    ],
)
def test_what_came_of_the_same_values_tells(attempts: list[Any], in_vain: bool) -> None:
    assert seen(*attempts).holds("echo", READ, HELD) is in_vain


def test_another_version_that_is_held_now_may_be_replaced() -> None:
    alike = seen(made("t"), made("t"))
    assert not alike.holds("echo", READ, {"page": "p", "text": "of another maker"})
    assert not alike.holds("echo", READ, {"page": "p"})  # it was consumed


def test_a_refusal_counts_whatever_is_held() -> None:
    assert seen((READ, REFUSAL, {})).holds("echo", READ, {})


def test_what_gets_old_is_made_anew() -> None:
    assert not seen(made("t"), made("t"), time_to_live_s=5.0).holds("echo", READ, HELD)
