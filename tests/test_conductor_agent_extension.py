"""The SDK: how functions are asked, in a test and in a worker."""

from __future__ import annotations

import asyncio
import functools
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest

from conductor_agent.hosting.contract import CallRequest, ExtensionSource
from conductor_agent.hosting.extension import (
    Extension,
    extension,
    failure,
    outputs,
)
from conductor_agent.hosting.sdk.context import Context
from conductor_agent.hosting.supervisor import Supervisor
from fqg_env.outcome import (
    Blame,
    Category,
    Phase,
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
