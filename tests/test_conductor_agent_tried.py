"""What counts as tried before an essential goal is given up, and what is not insisted on although it is not."""

from __future__ import annotations

from typing import Any

import pytest
from hand_written import work, workflow

from conductor_agent.deciding.untried import cheapest_untried, untried
from conductor_agent.record.events import CodeChanged, Event, Finished, Lost, Started
from conductor_agent.record.fold import Fold
from fqg_env.outcome import BlamedInput, Category, Outcome, Success, error
from fqg_env.row import Made

NO = error(Category.INVALID_INPUT, "no", retryable=False)
CANCELLED = error(Category.CANCELLED, "another was first")
LOST = "lost"
RAW = {"raw": {}}
FETCH = work(outputs=["raw"])
READ = work(inputs=["raw"])
WAYS = {"fetch": FETCH, "mirror": FETCH, "read": READ}


def after(
    functions: dict[str, Any],
    *attempts: tuple[str, Outcome | str],
    artifacts: Any = RAW,
    **level: Any,
) -> Fold:
    """A run in which these calls, one after the other, came to that; a success makes all its outputs."""
    run = Fold(workflow(functions, None, artifacts, **level).level)
    for number, (call, outcome) in enumerate(attempts):
        run.apply(Started(at_s=float(number), attempt=number, call=call, key=""))
        run.apply(ended(number, call, outcome, functions[call]["outputs"]))
    run.look()
    return run


def ended(number: int, call: str, outcome: Outcome | str, outputs: list[str]) -> Event:
    if isinstance(outcome, str):
        return Lost(at_s=number + 0.5, attempt=number)
    made = {name: Made() for name in outputs if isinstance(outcome, Success)}
    return Finished(
        at_s=number + 0.5, attempt=number, call=call, outcome=outcome, elapsed_s=0.5, made=made
    )


def left(run: Fold, *goals: str) -> list[str]:
    return [run.level.call_names[call] for call in untried(run, goals or ("text",))]


def test_what_was_read_in_vain_may_be_made_by_another() -> None:
    assert left(after(WAYS, ("fetch", Success()))) == ["read"]
    assert left(after(WAYS, ("fetch", Success()), ("read", NO))) == ["mirror"]


def test_what_was_made_anew_is_to_be_read_again() -> None:
    again = [("fetch", Success()), ("read", NO), ("mirror", Success())]
    assert left(after(WAYS, *again)) == ["read"]
    assert left(after(WAYS, *again, ("read", NO))) == []


@pytest.mark.parametrize("outcome", [LOST, CANCELLED])
def test_who_has_not_answered_has_not_been_tried(outcome: Outcome | str) -> None:
    assert left(after({"fetch": FETCH, "read": READ}, ("fetch", outcome))) == ["fetch"]


BLAMED = error(
    Category.INVALID_INPUT, "cut", retryable=False, blamed_inputs=(BlamedInput("raw", "cut"),)
)


def test_whose_work_was_blamed_is_asked_once_more() -> None:
    """A feed that is cut now and then."""
    feed = {"fetch": FETCH, "read": READ}
    again = [("fetch", Success()), ("read", BLAMED)]
    assert left(after(feed, *again)) == ["fetch"]
    assert left(after(feed, *again, ("fetch", Success()))) == ["read"]
    assert left(after(feed, *again, ("fetch", Success()), ("read", BLAMED))) == []
    assert left(after(feed, ("fetch", Success()), ("read", NO))) == []


@pytest.mark.parametrize(("functions", "more"), [((), ["fetch"]), (("mirror",), ["mirror"])])
def test_what_its_gate_rejects_is_made_once_more_where_nobody_else_makes_it(
    functions: tuple[str, ...], more: list[str]
) -> None:
    ways = {"fetch": FETCH, "read": READ} | dict.fromkeys(functions, FETCH)
    gate = {"raw": {"gate": True, "check": {"quality": "gates.py:length"}}}
    run = Fold(workflow(ways, None, gate).level)
    for number in range(2):
        run.apply(Started(at_s=float(number), attempt=number, call="fetch", key=""))
        made = {"raw": Made(passed=False)}
        run.apply(
            Finished(
                at_s=number + 0.5, attempt=number, call="fetch", outcome=Success(), elapsed_s=0.5,
                made=made,
            )
        )  # fmt: skip
        run.look()
        assert left(run) == (more if number == 0 or functions else [])


def test_what_was_made_the_very_same_again_is_not_read_again() -> None:
    run = after(WAYS)
    for number, (call, made) in enumerate([("fetch", "r"), ("read", ""), ("mirror", "r")]):
        run.apply(Started(at_s=float(number), attempt=number, call=call, key=""))
        run.apply(
            Finished(
                at_s=number + 0.5, attempt=number, call=call, elapsed_s=0.5,
                outcome=Success() if made else NO,
                made={"raw": Made()} if made else {}, values={"raw": made} if made else {},
            )
        )  # fmt: skip
    run.look()
    assert left(run) == []


def test_changed_code_has_not_been_tried() -> None:
    run = after(WAYS, ("fetch", Success()), ("mirror", Success()), ("read", NO))
    assert left(run) == []
    run.apply(
        CodeChanged(at_s=3.0, code={"read": "another digest", "the gate of text": "one more"})
    )
    run.look()
    assert left(run) == ["read"]
    run.apply(Started(at_s=3.0, attempt=3, call="read", key=""))
    run.apply(ended(3, "read", NO, ["text"]))
    run.look()
    assert left(run) == []


def test_nothing_is_made_for_a_call_that_lacks_what_nobody_can_make() -> None:
    """Both are needed, and whoever made the one has refused for good."""
    functions = {
        "get_x": work(outputs=["x"]),
        "get_y": work(outputs=["y"]),
        "join": work(inputs=["x", "y"]),
    }
    both = {"x": {}, "y": {}}
    assert left(after(functions, artifacts=both)) == ["get_x", "get_y"]
    assert left(after(functions, ("get_y", NO), artifacts=both)) == []
    other = functions | {"guess_y": work(outputs=["y"])}
    assert left(after(other, ("get_y", NO), artifacts=both)) == ["get_x", "guess_y"]


def test_what_declares_to_take_longer_than_there_is_time_is_not_insisted_on() -> None:
    slow = {"fetch": work(outputs=["raw"], latency_s=40.0), "mirror": FETCH, "read": READ}
    assert left(after(slow)) == ["mirror"]
    assert left(after(slow, budget={"time_s": 50, "cost": 50, "attempts": 8})) == [
        "fetch",
        "mirror",
    ]


def test_no_goal_that_is_there_is_used_up_for_another() -> None:
    functions = {
        "report": work(outputs=["report"]),
        "print": work(inputs=["report"], consumes=["report"]),
    }
    optional = {"goal": {"weight": 0.5, "kind": "optional"}}
    goal = {"report": optional, "text": {"goal": {"weight": 0.5}}}
    assert left(after(functions, ("report", Success()), artifacts=goal)) == []
    assert left(after(functions, ("report", Success()), artifacts={"report": {}})) == ["print"]


def test_what_is_not_there_is_made_before_what_is_to_be_made_otherwise() -> None:
    """However cheap that is."""
    cheap = {"variants": {"default": {"cost": 0.1, "latency_s": 0.5}}}
    ways = WAYS | {"mirror": FETCH | cheap, "guess": work()}
    run = after(ways, ("fetch", Success()), ("read", NO))
    assert left(run) == ["mirror", "guess"]
    assert cheapest_untried(run) == run.call("guess")
