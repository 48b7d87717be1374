"""An essential goal is given up once all that could still make it has been tried, or when the policy stops."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hand_written import work, workflow

from conductor_agent.files.workflow import Workflow
from conductor_agent.hosting.testing import FakeHost
from conductor_agent.record.events import Decided, Finished, Started
from conductor_agent.record.fold import Fold
from conductor_agent.record.journal import Journal
from conductor_agent.results import Result
from conductor_agent.runs import begin
from conductor_agent.testing import ManualClock
from conductor_agent.untried import UNTRIED, first_untried, lacking_for_essentials
from fqg_env.fields import Call
from fqg_env.outcome import BlamedInput, Category, Success, error
from fqg_env.row import Made
from fqg_env.rules import FIRST_CALL, STOP
from policies.recovery.base import Decision, certain

ARTIFACTS = {"raw": {}, "parsed": {}}
PARSE = {"inputs": ["raw"], "outputs": ["parsed"]}
FUNCTIONS = {
    "fetch": {"inputs": ["page"], "outputs": ["raw"], "variants": {"default": {"cost": 0.5}}},
    "strict": {**PARSE, "variants": {"default": {"cost": 0.2}}},
    "lenient": {**PARSE, "variants": {"default": {"cost": 1.0}}},
    "thorough": {**PARSE, "variants": {"default": {"cost": 3.0}}},
    "summarise": work(inputs=["parsed"]),
}


def feed(give_up: str) -> Workflow:
    """What it fetches is damaged; one parser refuses it, another copes."""
    bound = {name: {} for name in FUNCTIONS}
    budget = {"time_s": 600, "cost": 40, "attempts": 24}
    return workflow(FUNCTIONS, bound, ARTIFACTS, budget=budget, give_up=give_up)


def refuses(_: Any) -> Any:
    raw = (BlamedInput("raw", 0.95),)
    return error(Category.INVALID_INPUT, "cut short", blamed_inputs=raw, retryable=False)


class GivesUp:
    """Tries each call but those that it thinks nothing of once, in order, and stops."""

    name = "gives_up"

    def __init__(self, flow: Workflow):
        self.calls = [flow.level.call_names.index(n) for n in ("fetch", "strict", "summarise")]

    def decide(self, observation: Any, mask: np.ndarray) -> Decision:
        tries = observation["calls"][0, :, Call.TRIES]
        fresh = [c for c in self.calls if mask[0, FIRST_CALL + c] and not tries[c]]
        action = np.array([FIRST_CALL + fresh[0] if fresh else STOP])
        return certain(action, mask.shape[1], self.name)


def played(flow: Workflow, folder: Path, lenient: Any) -> tuple[Result, list[Any]]:
    host = FakeHost(
        {
            "fetch": lambda _: {"raw": "{"},
            "strict": refuses,
            "thorough": refuses,
            "lenient": lenient,
            "summarise": lambda _: {"text": "short"},
        }
    )
    journal = folder / "journal"
    result = asyncio.run(begin(flow, GivesUp(flow), journal, host=host, clock=ManualClock()))
    with Journal.read(folder / "journal") as journal:
        return result, journal.events(result.run_id)


def test_what_copes_with_an_input_that_others_refuse_is_tried_before_the_end(
    tmp_path: Path,
) -> None:
    result, events = played(feed("tried"), tmp_path, lambda _: {"parsed": "{}"})
    assert result.status == "succeeded"
    insisted = [
        e
        for e in events
        if isinstance(e, Decided) and "would give up, and this was never tried" in e.why
    ]
    assert [(e.action, e.source) for e in insisted] == [("lenient", UNTRIED)]


def test_each_is_tried_once_and_then_the_policy_may_stop(tmp_path: Path) -> None:
    result, events = played(feed("tried"), tmp_path, refuses)
    assert (result.status, result.stopped) == ("failed", "policy")
    tried = [e.call for e in events if isinstance(e, Started)]
    assert {"strict", "lenient", "thorough"} <= set(tried)
    assert "summarise" not in tried


def test_where_it_is_wished_the_policy_decides_alone(tmp_path: Path) -> None:
    result, events = played(feed("policy"), tmp_path, lambda _: {"parsed": "{}"})
    assert result.status == "failed"
    assert "lenient" not in [e.call for e in events if isinstance(e, Started)]


def after(*ended: tuple[str, Any, str]) -> Fold:
    """Calls, what each came to, and what it made."""
    run = Fold(feed("tried").level)
    for number, (call, outcome, made) in enumerate(ended):
        run.apply(Started(at_s=float(number), attempt=number, call=call, key=""))
        things = {made: Made()} if made else {}
        run.apply(
            Finished(
                at_s=number + 0.5,
                attempt=number,
                call=call,
                outcome=outcome,
                elapsed_s=0.5,
                made=things,
            )
        )
    run.look()
    return run


FETCHED, REFUSED = ("fetch", Success(), "raw"), ("strict", refuses(None), "")


def test_only_what_is_lacking_counts_and_the_cheapest_comes_first() -> None:
    assert lacking_for_essentials(after()) == {"text", "parsed", "raw"}
    run = after(FETCHED, REFUSED)
    assert lacking_for_essentials(run) == {"text", "parsed"}
    assert first_untried(run) == run.call("lenient")
    parsed = after(FETCHED, ("lenient", Success(), "parsed"))
    assert first_untried(parsed) == parsed.call("summarise")
    whole = after(FETCHED, ("lenient", Success(), "parsed"), ("summarise", Success(), "text"))
    assert first_untried(whole) is None


def test_what_may_not_be_called_is_not_insisted_on() -> None:
    run = after(FETCHED, REFUSED)
    run.mask[0, FIRST_CALL + run.call("lenient")] = 0
    assert first_untried(run) == run.call("thorough")


@pytest.mark.parametrize("word", ["never", True, None])
def test_another_word_is_one_sentence(word: Any) -> None:
    with pytest.raises(ValueError, match="give_up: write tried or policy, not"):
        feed(word)
