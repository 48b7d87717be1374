"""An essential goal is given up once all that could still make it has been tried, or when the policy stops."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from itertools import islice, permutations, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hand_written import work, workflow

from conductor_agent.deciding.reasons import MOST_NAMED, missing, reasons
from conductor_agent.deciding.untried import UNTRIED, cheapest_untried, lacking, tried, untried
from conductor_agent.files.workflow import Workflow
from conductor_agent.hosting.testing import FakeHost
from conductor_agent.record.events import Decided, Finished, Started
from conductor_agent.record.fold import Fold
from conductor_agent.record.journal import Journal
from conductor_agent.results import Result
from conductor_agent.runs import begin
from conductor_agent.testing import ManualClock
from fqg_env.fields import Call
from fqg_env.level_checks import essential
from fqg_env.outcome import BlamedInput, Category, Success, error
from fqg_env.row import Made
from fqg_env.rules import FIRST_CALL, STOP
from policies.recovery.base import Decision, certain

ARTIFACTS = {"raw": {}, "parsed": {}}
WITH_INDEX = {
    **ARTIFACTS,
    "text": {"goal": {"weight": 0.5}},
    "index": {"goal": {"weight": 0.5, "kind": "optional"}},
}
PARSE = {"inputs": ["raw"], "outputs": ["parsed"]}
FUNCTIONS = {
    "fetch": {"inputs": ["page"], "outputs": ["raw"], "variants": {"default": {"cost": 0.5}}},
    "strict": {**PARSE, "variants": {"default": {"cost": 0.2}}},
    "lenient": {**PARSE, "variants": {"default": {"cost": 1.0}}},
    "thorough": {**PARSE, "variants": {"default": {"cost": 3.0}}},
    "summarise": work(inputs=["parsed"]),
}


def feed(give_up: str, index: bool = False) -> Workflow:
    """What it fetches is damaged; one parser refuses it, another copes. An index would be nice to have."""
    functions = FUNCTIONS | ({"index": work(inputs=["raw"], outputs=["index"])} if index else {})
    bound = {name: {} for name in functions}
    artifacts = WITH_INDEX if index else ARTIFACTS
    budget = {"time_s": 600, "cost": 40, "attempts": 24}
    return workflow(functions, bound, artifacts, budget=budget, give_up=give_up)


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


def after(*ended: tuple[str, Any, str], index: bool = False) -> Fold:
    """Calls, what each came to, and what it made."""
    run = Fold(feed("tried", index).level)
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
    assert lacking(after(), ["text"]) == {"text", "parsed", "raw"}
    run = after(FETCHED, REFUSED)
    assert lacking(run, ["text"]) == {"text", "parsed", "raw", "page"}  # strict had raw in vain
    assert cheapest_untried(run) == run.call("lenient")
    parsed = after(FETCHED, ("lenient", Success(), "parsed"))
    assert cheapest_untried(parsed) == parsed.call("summarise")
    whole = after(FETCHED, ("lenient", Success(), "parsed"), ("summarise", Success(), "text"))
    assert cheapest_untried(whole) is None


def test_what_may_not_be_called_is_not_insisted_on() -> None:
    run = after(FETCHED, REFUSED)
    run.mask[0, FIRST_CALL + run.call("lenient")] = 0
    assert cheapest_untried(run) == run.call("thorough")


def test_what_makes_again_what_is_held_is_no_untried_way() -> None:
    """The record is parsed: who else could parse it is of no use, in the rule as in an explanation."""
    run = after(FETCHED, ("lenient", Success(), "parsed"))
    assert untried(run, ["text"]) == [run.call("summarise")]
    assert not any("never tried" in reason for reason in reasons(run, STOP, 1.0))


MAKES = {"fetch": "raw", "strict": "parsed", "lenient": "parsed", "thorough": "parsed",
         "summarise": "text", "index": "index"}  # fmt: skip


def histories(attempts: int) -> Iterator[Fold]:
    """Every order of so many different calls, each with a success and with a refusal."""
    for calls in permutations(MAKES, attempts):
        for good in product((True, False), repeat=attempts):
            ended = [
                (call, Success(), MAKES[call]) if well else (call, refuses(None), "")
                for call, well in zip(calls, good, strict=True)
            ]
            yield after(*ended, index=True)


def named_as_untried(run: Fold) -> tuple[set[str], int]:
    """Whom the reasons for a STOP name as never tried or as the best left, and how many more they count."""
    text = "; ".join(reasons(run, STOP, 1.0))
    best = set(re.findall(r"the best call left for it, (\w+),", text))
    fresh = re.search("(?:never tried|could still be tried): (.*)", text)
    told = set(re.findall(r"(\w+) \(believed", fresh[1])) if fresh else set()
    more = re.search(r" and (\d+) more$", text)
    return best | told, int(more[1]) if more else 0


@pytest.mark.parametrize(("attempts", "every"), [(1, 1), (2, 1), (3, 13)])
def test_the_rule_and_the_explanation_never_disagree(attempts: int, every: int) -> None:
    """Whatever came of whichever calls, and whichever is not allowed: all that is untried is named or counted
    and nothing else, and the rule insists on one of those as long as one is there for an essential goal.
    """
    seen = 0
    for number, run in enumerate(islice(histories(attempts), 0, None, every)):
        run.mask[0, FIRST_CALL + number % len(run.level.calls)] = 0
        names, more = named_as_untried(run)
        fresh = {run.level.call_names[c] for c in untried(run, missing(run))}
        assert len(names & fresh) + more == len(fresh)
        assert all(tried(run, run.call(name)) for name in names - fresh)  # the best that is left
        assert more == 0 or len(fresh) > MOST_NAMED
        for_essentials = untried(run, essential(run.level))
        assert {run.level.call_names[c] for c in for_essentials} <= fresh
        insisted = cheapest_untried(run)
        assert (insisted is None) == (not for_essentials)
        assert insisted is None or insisted in for_essentials
        seen += bool(for_essentials)
    assert seen


@pytest.mark.parametrize("word", ["never", True, None])
def test_another_word_is_one_sentence(word: Any) -> None:
    with pytest.raises(ValueError, match="give_up: write tried or policy, not"):
        feed(word)
