"""`conductor explain`: what was known, weighed and believed, and reasons that the journal bears out."""

from __future__ import annotations

import asyncio
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hand_written import work, workflow

from conductor_agent.bad_input import BadInput
from conductor_agent.commands.show import Terminal
from conductor_agent.commands.show_steps import show_steps
from conductor_agent.explain import Step, asked_for, explain
from conductor_agent.hosting.testing import FakeHost
from conductor_agent.record.journal import Journal
from conductor_agent.results import folded
from conductor_agent.runs import begin
from conductor_agent.testing import ManualClock
from fqg_env.outcome import Category, Hint, Success, error
from policies.recovery.base import Decision


class Scripted:
    """Chooses by name, one after another; of what else it weighed it tells too."""

    name = "scripted"

    def __init__(self, level: Any, names: list[str], why: str = "") -> None:
        actions = ["WAIT", "STOP", *level.call_names]
        self.left = [actions.index(name) for name in names]
        self.why = why

    def decide(self, observation: Any, mask: np.ndarray) -> Decision:
        done = int(observation["calls"][0, :, 25].sum() * 8 + 0.5)  # tries so far
        action = self.left[min(done, len(self.left) - 1)]
        shares = np.zeros(mask.shape, np.float32)
        shares[0, 0] += 0.25
        shares[0, action] += 0.75
        why = np.array([self.why], object) if self.why else None
        source = np.array(["floor" if self.why else self.name], object)
        return Decision(np.array([action]), shares, source, None, why)


def steps_of(
    tmp_path: Path, functions: Any, host: Any, names: list[str], **more: Any
) -> list[Step]:
    give_up = more.get("give_up", "policy")
    flow = workflow(functions, artifacts=more.get("artifacts"), give_up=give_up)
    path = tmp_path / "j.sqlite"
    policy = Scripted(flow.level, names, more.get("why", ""))
    played = begin(flow, policy, path, host=FakeHost(host), clock=more.get("clock"))
    run_id = asyncio.run(played).run_id
    with Journal.read(path) as journal:
        level, events, _ = folded(journal, run_id)
    return explain(level, events)


def cheap(cost: float) -> dict[str, Any]:
    function = work()
    function["variants"]["default"]["cost"] = cost
    return function


HINTED = error(Category.UNABLE, "No.", hints=(Hint(0.9, call="dear", reason="It sees more."),))
WRITTEN = {"echo": cheap(1), "dear": cheap(3), "plain": cheap(2)}
ANSWERS = {
    "echo": lambda _: HINTED,
    "dear": lambda _: Success({"text": "hi"}),
    "plain": lambda _: Success({"text": "hi"}),
}


@pytest.fixture
def steps(tmp_path: Path) -> list[Step]:
    return steps_of(tmp_path, WRITTEN, ANSWERS, ["echo", "dear", "STOP"])


def test_the_cheapest_is_said_to_be_it_with_the_figures(steps: list[Step]):
    assert "of 3 that make text it is the cheapest (cost 1, the next 2)" in steps[0].reasons[0]


def test_a_hint_names_its_giver_and_its_confidence_and_the_failure_before(steps: list[Step]):
    assert steps[1].reasons[:2] == [
        "hinted at by echo with confidence 0.90",
        "echo answered UNABLE",
    ]
    assert steps[1].strategy == "follow_hint"
    assert not any("cheapest (cost" in reason for reason in steps[1].reasons)


def test_what_was_known_is_the_board_as_it_was(steps: list[Step]):
    assert steps[0].known["held"] == ["page"] and steps[0].known["missing"] == ["text"]
    assert (steps[1].known["attempts"], steps[1].known["failures"]) == (1, 1)
    assert steps[2].known["left"]["cost"] == 46.0 and steps[2].known["missing"] == []
    assert steps[2].reasons == ["every goal is held"]


def test_what_else_was_weighed_is_told(steps: list[Step]):
    assert (steps[0].probability, steps[0].considered) == (0.75, {"WAIT": 0.25})


def test_one_decision_or_attempt_can_be_asked_for(steps: list[Step]):
    assert [step.number for step in steps] == [1, 2, 3]
    assert [step.attempt for step in steps] == [1, 2, None]
    assert asked_for(steps, "r", None, 2) == [steps[1]] == asked_for(steps, "r", 2, None)
    with pytest.raises(BadInput, match="--decision 4: the run r has 3 decisions, numbered from 1"):
        asked_for(steps, "r", 4, None)
    with pytest.raises(BadInput, match="--attempt 3: the run r has 2 attempts"):
        asked_for(steps, "r", None, 3)
    with pytest.raises(BadInput, match="give one of them"):
        asked_for(steps, "r", 1, 1)


def test_giving_up_names_what_is_missing_and_the_best_that_was_left(tmp_path: Path):
    last = steps_of(tmp_path, WRITTEN, ANSWERS, ["echo", "STOP"])[-1]
    assert last.strategy == "give_up"
    assert last.reasons[0].startswith("text is missing, and the best call left for it, ")


def test_what_was_never_tried_is_named_with_what_was_believed_of_it(tmp_path: Path):
    """The last function lacks its input, which a parser that nobody asked might have made."""
    written = {
        "parse_strict": cheap(1) | {"outputs": ["record"]},
        "parse_lenient": cheap(2) | {"outputs": ["record"]},
        "summarise": cheap(1) | {"inputs": ["record"]},
        "polish": cheap(1) | {"inputs": ["record"], "outputs": ["leaflet"]},
    }
    answers = {"parse_strict": lambda _: error(Category.INVALID_INPUT, "No.")}
    slots = {"record": {}, "leaflet": {}}
    names = ["parse_strict", "STOP"]
    last = steps_of(tmp_path, written, answers, names, artifacts=slots)[-1]
    missing, untried = last.reasons
    assert missing == (
        "text is missing, and nothing that makes it was allowed: summarise lacks record"
    )
    said = "answered INVALID_INPUT and said that a repeat is in vain"
    assert last.barred == {"parse_strict": said}
    assert re.fullmatch(r"never tried: parse_lenient \(believed to do well with 0\.\d\d\)", untried)


def test_the_best_that_was_left_is_not_named_twice(tmp_path: Path):
    last = steps_of(tmp_path, WRITTEN, ANSWERS, ["echo", "STOP"])[-1]
    best = last.reasons[0].split(", ")[2]
    assert last.reasons[1].startswith("never tried: ") and len(last.reasons) == 2
    assert {best, last.reasons[1].split()[2]} == {"dear", "plain"}


def test_a_wait_with_nothing_in_flight_says_what_is_believed_to_be_down(tmp_path: Path):
    """After two answers of UNAVAILABLE an outage is the likeliest cause."""
    written = {"echo": cheap(1) | {"provider": "office"}, "dear": cheap(3) | {"provider": "office"}}
    away = lambda _: error(Category.UNAVAILABLE, "Nobody there.")  # noqa: E731
    steps = steps_of(
        tmp_path,
        written,
        {"echo": away, "dear": away},
        ["echo", "dear", "WAIT"],
        clock=ManualClock(),
    )
    told = next(step.reasons for step in steps if step.action == "WAIT")
    assert re.fullmatch(r"office is believed to be down with 0\.\d\d", told[-1])


def test_a_wait_for_which_nothing_speaks_says_how_sure_the_policy_was(tmp_path: Path):
    """What both depend on has just answered: it is not down, and nothing is likelier later."""
    written = {name: cheap(1) | {"provider": "office"} for name in ("dear", "plain")}
    steps = steps_of(tmp_path, written, ANSWERS, ["dear", "WAIT"], clock=ManualClock())
    assert steps[1].reasons == ["no fact speaks for it, the policy gave it 1.00"]


def test_who_says_that_a_repeat_is_in_vain_is_named_where_nothing_is_left(tmp_path: Path):
    answers = {"echo": lambda _: error(Category.INVALID_INPUT, "No."), "dear": lambda _: HINTED}
    written = {"echo": cheap(1), "dear": cheap(3)}
    steps = steps_of(tmp_path, written, answers, ["echo", "dear", "STOP"])
    assert steps[-1].reasons == ["text: missing, and no call was allowed any more"]
    assert steps[-1].barred == {
        "dear": "answered UNABLE and said that a repeat is in vain",
        "echo": "answered INVALID_INPUT and said that a repeat is in vain",
    }
    text = " ".join(shown(steps).split())
    assert text.count("Not asked again: ") == 2 and text.count("that a repeat is in vain") == 2
    assert "Not asked again: dear, which answered UNABLE and said that a repeat" in text


class Watchful(Scripted):
    """Keeps what it was allowed at each decision."""

    def __init__(self, level: Any, names: list[str]) -> None:
        super().__init__(level, names)
        self.allowed: list[set[str]] = []
        self.calls = level.call_names

    def decide(self, observation: Any, mask: np.ndarray) -> Decision:
        self.allowed.append({call for c, call in enumerate(self.calls) if mask[0, 2 + c]})
        return super().decide(observation, mask)


def washed(tmp_path: Path, names: list[str], **shield: str) -> tuple[list[Step], list[set[str]]]:
    """The steps of a run whose `wash` makes the same each time and whose `read` refuses it; what was allowed."""
    written = {"wash": work(outputs=["clean"]), "read": work(inputs=["clean"])}
    answers = {
        "wash": lambda _: Success({"clean": "white"}),
        "read": lambda _: error(Category.INVALID_INPUT, "No.", retryable=False),
    }
    flow = workflow(written, artifacts={"clean": {}}, give_up="policy", shield=shield)
    policy, path = Watchful(flow.level, names), tmp_path / "j.sqlite"
    run_id = asyncio.run(begin(flow, policy, path, host=FakeHost(answers))).run_id
    with Journal.read(path) as journal:
        level, events, _ = folded(journal, run_id)
    return explain(level, events), policy.allowed[1:]  # it was asked once before the run began


def test_what_can_come_to_nothing_new_is_told_as_what_is_not_asked_again(tmp_path: Path):
    """The page is washed anew, so that its version is another, and comes out the same."""
    steps, allowed = washed(tmp_path, ["wash", "read", "wash", "STOP"])
    assert [step.action for step in steps] == ["wash", "read", "wash", "STOP"]
    said = "answered INVALID_INPUT and said that a repeat is in vain"
    refused = "refused these very values and said that a repeat is in vain"
    alike = "made the very same of these very values twice in a row"
    assert [step.barred for step in steps] == [
        {}, {}, {"read": said}, {"wash": alike, "read": refused},
    ]  # fmt: skip
    assert all(names.isdisjoint(step.barred) for names, step in zip(allowed, steps, strict=True))
    assert steps[-1].reasons == ["text: missing, and no call was allowed any more"]
    text = " ".join(shown(steps).split())
    assert f"Not asked again: wash, which {alike}; read, which {refused}." in text


def test_what_a_workflow_lets_repeat_is_not_told_as_barred(tmp_path: Path):
    names = ["wash", "read", "wash", "STOP"]
    steps, allowed = washed(tmp_path, names, final_repeats="allowed")
    assert [step.barred for step in steps] == [{}] * 4
    assert allowed[-1] == {"wash", "read"} and "best call left" in steps[-1].reasons[0]


def shown(steps: list[Step]) -> str:
    out = io.StringIO()
    show_steps(Terminal(file=out, width=100, color_system=None), steps)
    return out.getvalue()


def test_it_reads_as_sentences_and_says_nothing_twice(steps: list[Step]):
    text = " ".join(shown(steps).split())
    assert "1. 0.00 s echo first try, chosen by scripted with 75%, before WAIT 25%" in text
    assert "Nothing tried yet; held: page; missing: text; left: 30 s, cost 50, 8 attempts." in text
    assert text.count("missing: text") == 1 and text.count("held: page") == 2  # then with text
    assert "UNABLE after" in text and "it hints at dear 0.90 (It sees more)" in text
    assert "For it: every goal is held." in text


def test_a_policy_that_hands_over_says_why(tmp_path: Path):
    found = steps_of(tmp_path, WRITTEN, ANSWERS, ["plain", "STOP"], why="it was unsure")
    assert (found[0].source, found[0].why) == ("floor", "it was unsure")
    text = " ".join(shown(found).split())
    assert "The floor (the rule `index`) decided with 75%, before WAIT 25%: it was unsure." in text


def test_what_is_tried_in_spite_of_the_policy_is_not_laid_to_it(tmp_path: Path):
    found = steps_of(tmp_path, WRITTEN, ANSWERS, ["echo", "STOP", "STOP"], give_up="tried")
    assert (found[1].source, found[1].action) == ("untried", "plain")
    text = " ".join(shown(found[1:]).split())
    assert (
        "plain/default fallback Nothing" not in text
        and "chosen by" not in text.partition("STOP")[0]
    )
    assert "Not the policy's choice: scripted would give up, and this was never tried." in text
