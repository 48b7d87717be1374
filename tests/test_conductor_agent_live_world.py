"""What an extension answers is not taken on trust: neither its numbers, nor its silence, nor its values."""

import asyncio
import sqlite3

import msgspec
import pytest
from hand_written import work, workflow

from conductor_agent.conductor import Conductor
from conductor_agent.explain import explain
from conductor_agent.hosting.extension import call, extension
from conductor_agent.hosting.testing import FakeHost
from conductor_agent.live_world import Held, LiveWorld
from conductor_agent.record.events import Event, Finished, Signal
from conductor_agent.record.fold import Fold, FoldError, fold
from conductor_agent.record.journal import Journal, JournalError
from conductor_agent.results import folded, summaries
from conductor_agent.runs import begin, resume
from conductor_agent.testing import ManualClock, MemoryRecorder
from fqg_env.outcome import (
    Category,
    Cause,
    OwnRecovery,
    Phase,
    SideEffects,
    Success,
    error,
)
from policies.recovery.index import Index
from policies.recovery.rules import HandRule, Rule


def deep(depth):
    """A cause below a cause below a cause."""
    cause = None
    for _ in range(depth):
        cause = Cause("ValueError", "why", cause=cause)
    return cause


def played(flow, scripts, policy=None, wall_s=0.0):
    """A run on a manual clock with made-up extensions: its conductor and its host."""
    host, clock, recorder = FakeHost(scripts, wall_s=wall_s), ManualClock(), MemoryRecorder()
    held = {name: Held(name, value) for name, value in flow.inputs.items()}
    run = Conductor(
        "run", Fold(flow.level), LiveWorld(flow, host), policy or Index(), recorder, clock, held
    )
    asyncio.run(run.run())
    return run, host


def finished(run):
    return [event for event in run.recorder.events if isinstance(event, Finished)]


# --- a parameter that does not fit --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"lest": 1}, "There is no parameter 'lest' in count(page, *, least=1). Did you mean 'least'? "),
        ({"least": "one"}, "The parameter 'least' is of the wrong kind: expected int, got str. "),
    ],
)  # fmt: skip
def test_a_parameter_that_does_not_fit_is_found_in_the_workflow(parameters, says):
    @extension(output="text")
    def count(page: str, *, least: int = 1):
        return page[:least]

    variants = {"fast": {"cost": 1, "parameters": parameters}, "fine": {"cost": 2}}
    flow = workflow({"count": {**work(), "variants": variants}})

    def ask(request):
        return call(count, {"page": "a page"}, request.parameters)

    run, _ = played(flow, {"count": ask}, HandRule(Rule.CASCADE))
    failed = next(event.outcome for event in finished(run) if event.call == "count/fast")
    assert failed.message == (
        f"{says}It is set in test.yaml: functions.count.variants.fast.parameters."
    )


@pytest.mark.parametrize(
    "ext", [{"parameter": ["lest"]}, {"parameter": "other"}, {"parameter": None}, {}]
)
def test_what_an_extension_says_of_parameters_is_not_taken_on_trust(ext):
    flow = workflow({"bad": work(parameters={"lest": 1})})
    odd = error(Category.INVALID_INPUT, "no", phase=Phase.INPUT, ext=ext)
    run, _ = played(flow, {"bad": lambda _: odd}, HandRule(Rule.CASCADE))
    assert finished(run)[0].outcome.message == "no"


# --- what said that a repeat is in vain ---------------------------------------------------------------


@pytest.mark.parametrize("inputs", [[], ["page"]])
@pytest.mark.parametrize("repeats", ["forbidden", "allowed"])
def test_what_reads_nothing_that_can_be_made_anew_is_not_tried_again(inputs, repeats):
    """As docs/faq.md says it, under "Why is a call not tried again?"."""
    variants = {"default": {"cost": 1}, "other": {"cost": 1}}
    shield = {} if repeats == "forbidden" else {"final_repeats": "allowed"}
    flow = workflow({"read": {**work(), "inputs": inputs, "variants": variants}}, shield=shield)
    run, _ = played(flow, {"read": lambda _: error(Category.FORBIDDEN, "no")}, HandRule(Rule.RETRY))
    made = [event.call for event in finished(run)]
    assert (len(made) == len(set(made))) == (repeats == "forbidden")


# --- one answer does not poison the journal -----------------------------------------------------------

POISON = {
    "count": Success(outputs={"text": "hi"}, own_recovery=OwnRecovery(attempts=3_000_000_000)),
    "cause": error(Category.UNABLE, "no", cause=deep(990)),
    "cost": Success(outputs={"text": "hi"}, cost=1e308),
    "value": {"text": object()},
    "surrogate": error(Category.UNABLE, "\ud800"),
    "type": error(Category.UNABLE, 7),
}


@pytest.mark.parametrize("what", POISON)
def test_an_answer_that_cannot_be_written_down_is_an_invalid_output(tmp_path, what):
    flow = workflow({"bad": work(), "echo": work()})
    host = FakeHost({"bad": lambda _: POISON[what], "echo": lambda _: {"text": "hi"}})
    path = tmp_path / "conductor.sqlite"
    result = asyncio.run(begin(flow, HandRule(Rule.CASCADE), path, host=host))
    assert (result.status, result.values) == ("succeeded", {"text": "hi"})
    with Journal.read(path) as journal:
        level, events, _ = folded(journal, result.run_id)
        assert summaries(journal)[0]["status"] == "succeeded"
    first = next(event for event in events if isinstance(event, Finished))
    assert first.outcome.category is Category.INVALID_OUTPUT
    assert first.outcome.detail
    assert explain(level, events)
    again = asyncio.run(resume("last", path, lambda _: Index(), host=host))
    assert again.status == "succeeded"


@pytest.mark.parametrize("what", POISON)
def test_a_worker_says_so_itself(what):
    answer = POISON[what]
    failure = call(extension(name="bad")(lambda inputs, parameters, context: answer))
    assert failure.category is Category.INVALID_OUTPUT


BAD_EVENTS = {
    "call": '{"kind": "started", "at_s": 9, "attempt": 9, "call": "nobody", "key": ""}',
    "decision": '{"kind": "decided", "at_s": 9, "action": "nobody", "probabilities": {}, "policy": "", '
    '"source": "", "strategy": "", "observation": "", "took_ms": 1}',
    "artifact": '{"kind": "finished", "at_s": 9, "attempt": 9, "call": "echo", "elapsed_s": 1, '
    '"outcome": {"schema": "success/1"}, "made": {"nothing": {}}}',
    "value": '{"kind": "finished", "at_s": 9, "attempt": 9, "call": "echo", "elapsed_s": 1, '
    '"outcome": {"schema": "success/1"}, "values": {"text": "0"}}',
    "number": '{"kind": "finished", "at_s": 9, "attempt": 99999999999999999999, "call": "echo", '
    '"elapsed_s": 1, "outcome": {"schema": "success/1"}}',
    "reason": '{"kind": "stopped", "at_s": 9, "reason": "boredom"}',
    "provider": '{"kind": "signal", "at_s": 9, "provider": "nobody", "up": true}',
    "cause": '{"kind": "finished", "at_s": 9, "attempt": 9, "call": "echo", "elapsed_s": 1, "outcome": '
    '{"schema": "standard-error/1", "category": "UNABLE", "message": "", "cause": '
    + '{"type": "a", "cause": ' * 2000
    + "null"
    + "}" * 2000
    + "}}",
}


@pytest.mark.parametrize("what", BAD_EVENTS)
def test_an_event_that_does_not_fit_its_level_is_one_sentence(tmp_path, what):
    flow = workflow({"echo": work()})
    path = tmp_path / "conductor.sqlite"

    def host():
        return FakeHost({"echo": lambda _: {"text": "hi"}})

    first = asyncio.run(begin(flow, Index(), path, host=host())).run_id
    second = asyncio.run(begin(flow, Index(), path, host=host())).run_id
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT count(*) FROM events WHERE run_id = ?", (first,)).fetchone()
    connection.execute(
        "INSERT INTO events VALUES (?, ?, 9, 'bad', ?)", (first, rows[0], BAD_EVENTS[what])
    )
    connection.commit()
    connection.close()
    with pytest.raises(JournalError) as caught:
        asyncio.run(resume(first, path, lambda _: Index(), host=host()))
    assert "\n" not in str(caught.value)
    assert first in str(caught.value)
    with Journal.read(path) as journal:
        assert [row["status"] for row in summaries(journal)] == ["succeeded", "unreadable"]
        with pytest.raises(JournalError):
            folded(journal, first)
        assert folded(journal, second)[2].stopped()


def test_an_event_of_another_level_is_refused_by_the_fold():
    level = workflow({"echo": work()}).level
    for text in (text for what, text in BAD_EVENTS.items() if what != "cause"):
        with pytest.raises(FoldError, match="its level"):
            fold(level, [msgspec.json.decode(text, type=Event)])


# --- what an attempt may have done --------------------------------------------------------------------

UNTOLD = [Category.TIMEOUT, Category.CRASHED, Category.UNKNOWN]


@pytest.mark.parametrize("category", UNTOLD)
def test_silence_about_side_effects_is_no_promise(category):
    flow = workflow({"pay": work(idempotent=False)})
    run, host = played(flow, {"pay": lambda _: error(category, "who knows")}, HandRule(Rule.RETRY))
    assert len(host.requests) == 1
    assert finished(run)[0].outcome.side_effects is SideEffects.POSSIBLE


def test_where_nothing_can_have_happened_a_call_may_be_repeated():
    early = error(Category.TIMEOUT, "no connection", phase=Phase.INPUT)
    away = error(Category.UNAVAILABLE, "closed")
    for failure in (early, away):
        flow = workflow({"pay": work(idempotent=False)})
        run, host = played(flow, {"pay": [failure, {"text": "paid"}]}, HandRule(Rule.RETRY))
        assert len(host.requests) == 2
        assert finished(run)[0].outcome.side_effects is SideEffects.NONE
    flow = workflow({"read": work()})
    run, _ = played(flow, {"read": [error(Category.TIMEOUT, "slow"), {"text": "hi"}]})
    assert finished(run)[0].outcome.side_effects is SideEffects.NONE


# --- the newcomer's case ------------------------------------------------------------------------------


def test_a_service_that_is_away_once_is_asked_again():
    """Two steps, no provider: the first is unavailable once and says when to come back."""
    flow = workflow(
        {
            "fetch": {"inputs": ["page"], "outputs": ["note"]},
            "read": {"inputs": ["note"], "outputs": ["text"]},
        },
        artifacts={"note": {}},
        budget={"time_s": 60, "cost": 10},
    )
    away = error(Category.UNAVAILABLE, "Come back soon.", retry_after_s=1.0)
    run, host = played(
        flow, {"fetch": [away, {"note": "n"}], "read": [{"text": "done"}]}, wall_s=0.1
    )
    assert [name for name, _ in host.requests] == ["fetch", "fetch", "read"]
    assert run.held["text"].value == "done"


def test_news_change_what_is_believed():
    level = workflow({"echo": work(provider="p")}).level
    news = [Signal(at_s=1.0, provider="p", up=False, until_s=20.0)]
    assert (
        fold(level, news).belief["provider"].tobytes()
        != fold(level, []).belief["provider"].tobytes()
    )
