"""The SDK: how functions are asked, own recovery within policy, progress, the harness."""

from __future__ import annotations

import asyncio
import functools
import os
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest

from conductor_agent.hosting import progress
from conductor_agent.hosting.context import Context
from conductor_agent.hosting.contract import CallRequest, ExtensionSource
from conductor_agent.hosting.extension import (
    Extension,
    InvalidInput,
    Preset,
    call,
    extension,
    failure,
    outputs,
    perform,
)
from conductor_agent.hosting.harness import SkippedTime
from conductor_agent.hosting.supervisor import Supervisor
from fqg_env.outcome import (
    Blame,
    Category,
    OwnRecovery,
    Partial,
    Phase,
    StandardError,
    Success,
    error,
)
from policies.resource.limits import ResourceLimits

# How functions are asked


@extension(output="words")
def count(
    text: str, *, least: Annotated[int, msgspec.Meta(ge=0)] = 0, how: Literal["a", "b"] = "a"
):
    return len(text.split()) + least


COUNT = "count(text, *, least=0, how='a')"


def test_a_function_gets_what_its_parameters_are_named_after():
    assert outputs(count, {"text": "so it is"}) == {"words": 3}
    assert outputs(count, {"text": "so it is"}, {"least": 2}) == {"words": 5}
    assert count("so it is", least=1) == 4


@pytest.mark.parametrize(
    ("inputs", "parameters", "message", "blamed", "blame"),
    [
        ({}, {}, "The input 'text' is missing.", ("text",), Blame.CALLER),
        ({"text": 7}, {}, "The input 'text' is of the wrong kind: expected str, got int.", ("text",), Blame.UPSTREAM),
        ({"text": b"x"}, {}, "The input 'text' is of the wrong kind: expected str, got bytes.", ("text",), Blame.UPSTREAM),
        ({"text": "x", "txt": 1}, {}, f"There is no input 'txt' in {COUNT}. Did you mean 'text'?", ("txt",), Blame.CALLER),
        ({"text": "x"}, {"lest": 1}, f"There is no parameter 'lest' in {COUNT}. Did you mean 'least'?", (), Blame.CALLER),
        ({"text": "x"}, {"zoom": 1}, f"There is no parameter 'zoom' in {COUNT}.", (), Blame.CALLER),
        ({"text": "x"}, {"least": -1}, "The parameter 'least' is of the wrong kind: expected int >= 0.", (), Blame.CALLER),
        ({"text": "x"}, {"how": "c"}, "The parameter 'how' is of the wrong kind: Invalid enum value 'c'.", (), Blame.CALLER),
    ],
)  # fmt: skip
def test_wrong_arguments_are_answered_in_one_sentence(inputs, parameters, message, blamed, blame):
    found = failure(count, inputs, parameters)
    assert (found.category, found.phase, found.retryable) == (
        Category.INVALID_INPUT,
        Phase.INPUT,
        False,
    )
    assert found.message == message
    assert tuple(one.artifact for one in found.blamed_inputs) == blamed
    assert found.blame is blame


def test_a_function_may_take_the_context_and_have_optional_inputs():
    @extension
    def read(page: bytes, mask: bytes = b"", *, context: Context, language="en", **rest):
        return {"seen": [page, mask, context.attempt, language, rest]}

    assert outputs(read, {"page": b"x"}, {"dpi": 3}, attempt=4) == {
        "seen": [b"x", b"", 4, "en", {"dpi": 3}]
    }
    assert outputs(read, {"page": b"x", "mask": b"m"})["seen"][1] == b"m"
    assert failure(read, {"page": b"x", "context": 1}).category is Category.INVALID_INPUT


def test_a_parameter_may_come_by_place_and_an_optional_input_may_be_left_out_before_it():
    @extension
    def scale(page: str = "", factor: float = 1.0):
        return {"seen": [page, factor]}

    assert outputs(scale, {}, {"factor": 2}) == {"seen": ["", 2.0]}


def test_an_input_may_come_after_the_star_and_a_name_of_both_goes_by_its_place():
    @extension
    def both(text: str = "", *, glossary: dict, how: str = ""):
        return {"seen": [text, glossary, how]}

    assert outputs(both, {"glossary": {"a": 1}}) == {"seen": ["", {"a": 1}, ""]}
    given = {"text": "input", "how": "input", "glossary": {}}
    also = {"text": "parameter", "how": "parameter"}
    assert outputs(both, given, also) == {"seen": ["input", {}, "parameter"]}


def test_wrapped_functions_and_objects_keep_their_names():
    def logged(function):
        @functools.wraps(function)
        def wrapper(*args, **named):
            return function(*args, **named)

        return wrapper

    @extension
    @logged
    def length(text: str):
        return {"n": len(text)}

    assert outputs(length, {"text": "abc"}) == {"n": 3}
    assert failure(length, {}).blamed_inputs[0].artifact == "text"
    partial = Extension(functools.partial(lambda text, *, by: {"n": len(text) * by}, by=2), "p")
    assert outputs(partial, {"text": "abc"}) == {"n": 6}


def test_a_list_of_values_has_no_names():
    with pytest.raises(TypeError, match="takes \\*values"):

        @extension
        def spread(text, *values):
            return {}


def test_an_annotation_that_says_nothing_of_plain_data_is_not_checked():
    @extension
    def take(thing: "NotImported", other: asyncio.Lock | None = None):  # noqa: F821, UP037
        return {"thing": thing}

    assert outputs(take, {"thing": 3}) == {"thing": 3}


def test_dicts_as_before():
    @extension
    def echo(inputs: dict[str, Any], _parameters: dict[str, Any], context: Context):
        return inputs

    assert outputs(echo, {"a": 1}) == {"a": 1}


def test_a_declared_output_takes_the_value_as_it_is_and_outcomes_too():
    @extension(output="page")
    def page(what: str):
        return {"dict": {"a": 1}, "list": [1], "error": error(Category.UNABLE, "no")}.get(
            what, Success(outputs={"page": 2})
        )

    assert outputs(page, {"what": "dict"}) == {"page": {"a": 1}}
    assert outputs(page, {"what": "list"}) == {"page": [1]}
    assert outputs(page, {"what": "success"}) == {"page": 2}
    assert failure(page, {"what": "error"}).category is Category.UNABLE


def test_without_it_a_bare_value_is_no_answer():
    @extension
    def bare(text: str):
        return len(text)

    assert failure(bare, {"text": "x"}).category is Category.INVALID_OUTPUT


def test_asynchronous_functions_by_name():
    @extension(output="n")
    async def slow(text: str):
        await asyncio.sleep(0)
        return len(text)

    assert outputs(slow, {"text": "abc"}) == {"n": 3}


# The harness


def test_the_harness_says_what_went_wrong_with_the_traceback():
    @extension
    def broken():
        raise KeyError("colour")

    with pytest.raises(AssertionError, match="(?s)broken.*CRASHED.*colour.*in broken"):
        outputs(broken)
    with pytest.raises(AssertionError, match="succeeded with {'words': 1}"):
        failure(count, {"text": "x"})


# Own recovery


class Flaky:
    """Fails so many times, then answers."""

    def __init__(self, failures: int, problem: Exception | None = None, takes_s: float = 0.0):
        self.failures, self.calls = failures, 0
        self.problem = problem or ConnectionError("away")
        self.time, self.takes_s = SkippedTime(), takes_s

    def __call__(self) -> str:
        self.calls += 1
        self.time.sleep(self.takes_s)
        if self.calls <= self.failures:
            raise self.problem
        return "text"


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


# Precision for speed


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


# Checkpoints and progress


def test_a_checkpoint_ends_work_that_has_no_more_use():
    time = SkippedTime()

    @extension
    def long(context: Context):
        for page in range(100):
            context.progress(page / 100, {"text": "x" * page}, usable=True)
            time.sleep(1)
            context.checkpoint()
        return {"text": ""}

    outcome = call(long, deadline_s=5.5, time=time)
    assert isinstance(outcome, StandardError) and outcome.category is Category.TIMEOUT
    assert outcome.blame is Blame.UNKNOWN  # whether limit or run was too short is not known in here
    assert outcome.partial == Partial("text", 0.05, usable=True)
    assert outcome.ext == {"progress": 0.05, "partial": "xxxxx"}
    outcome = call(long, cancelled=lambda: True)
    assert outcome.category is Category.CANCELLED


def test_progress_refuses_nonsense():
    context = Context()
    for fraction, partial in [(1.5, None), (0.5, {"a": 1, "b": 2}), (0.5, {"a": object()})]:
        with pytest.raises(ValueError, match="Progress|partial"):
            context.progress(fraction, partial)


def test_progress_is_there_after_the_process_is_not(tmp_path: Path):
    context = Context(scratch_base=tmp_path)
    context.progress(0.4, {"text": "so far"})
    context.retry(Flaky(1), backoff_s=0)
    killed = error(Category.POLICY_VIOLATION, "Too slow.")
    descriptor = os.open(tmp_path, os.O_PATH | os.O_DIRECTORY)
    for place in (tmp_path, descriptor):
        found = progress.with_progress(killed, progress.read_progress(place))
        assert found.partial == Partial("text", 0.4, usable=False)
        assert found.ext == {"progress": 0.4, "partial": "so far"}
        assert found.own_recovery.attempts == 1
    os.close(descriptor)


def test_progress_of_a_call_that_answers_is_gone(tmp_path: Path):
    @extension
    def quick(context: Context):
        context.progress(1.0, {"text": "all"})
        return {"text": "all"}

    context = Context(scratch_base=tmp_path)
    assert perform(quick, {}, {}, context) == Success(outputs={"text": "all"})
    context.progress(0.5)  # a thread that outlives its call
    assert list(tmp_path.iterdir()) == []


def test_a_large_partial_is_left_out_and_the_fraction_stays(tmp_path: Path):
    context = Context(scratch_base=tmp_path)
    context.progress(0.4, {"text": "x" * progress.MAX_BYTES})
    found = progress.read_progress(tmp_path)
    assert found is not None and (found.fraction, found.artifact, found.value) == (
        0.4,
        "text",
        None,
    )


@pytest.mark.parametrize(
    "what", ["link", "fifo", "folder", "junk", "huge", "deep", "many", "range"]
)
def test_progress_that_means_no_good_is_nothing(tmp_path: Path, what: str):
    place = tmp_path / progress.FILE
    good = msgspec.msgpack.encode(progress.Progress(0.5, "a", "secret"))
    match what:
        case "link":
            (tmp_path / "elsewhere").write_bytes(good)
            place.symlink_to(tmp_path / "elsewhere")
        case "fifo":
            os.mkfifo(place)
        case "folder":
            place.mkdir()
        case "junk":
            place.write_bytes(b"\xc1junk")
        case "huge":
            place.write_bytes(good + b"\0" * 10_000_000)
        case "deep":
            body = msgspec.msgpack.encode({"fraction": 0.5, "value": 0})
            place.write_bytes(body[:-1] + b"\x91" * 60_000 + b"\xc0")
        case "many":
            place.write_bytes(b"\xdf\xff\xff\xff\xff")
        case "range":
            place.write_bytes(msgspec.msgpack.encode({"fraction": 7.0}))
    assert progress.read_progress(tmp_path) is None
    assert progress.with_progress(error(Category.UNABLE, "x"), None).ext == {}


# In a worker


def test_a_worker_asks_by_name_and_reports_recovery(tmp_path: Path):
    source = tmp_path / "flaky.py"
    source.write_text(
        "from conductor_agent.hosting.extension import Context, extension\n"
        "@extension(output='text')\n"
        "def flaky(page: bytes, *, failures: int = 0, context: Context) -> str:\n"
        "    left = [ConnectionError('away')] * failures\n"
        "    def fetch():\n"
        "        if left:\n"
        "            raise left.pop()\n"
        "        return page.decode()\n"
        "    return context.retry(fetch, backoff_s=0.001)\n"
    )

    async def run() -> None:
        async with Supervisor() as host:
            for failures, recover, attempts in [
                (0, True, 0),
                (2, True, 2),
                (9, True, 2),
                (1, False, 0),
            ]:
                request = CallRequest({"page": b"hi"}, {"failures": failures}, recover=recover)
                limits = ResourceLimits(memory_bytes=100_000_000)
                reply = await host.call(ExtensionSource(str(source)), request, limits)
                assert reply.outcome.own_recovery.attempts == attempts
                assert isinstance(reply.outcome, Success) == (failures <= attempts)

    asyncio.run(run())
