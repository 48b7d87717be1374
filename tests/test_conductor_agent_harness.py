"""The author's side: an extension in this process, and what it raises."""

from __future__ import annotations

from typing import Any

import pytest
from hosted import LIMITS, bad, fails, hosted

from conductor_agent.hosting import extension
from conductor_agent.hosting.classify import InvalidInput
from conductor_agent.hosting.contract import CallRequest
from conductor_agent.hosting.supervisor import Supervisor
from fqg_env.outcome import Category, Hint, StandardError, Success


def test_the_harness_runs_an_extension_in_process() -> None:
    @extension.extension
    def double(
        inputs: dict[str, Any], parameters: dict[str, Any], context: extension.Context
    ) -> Any:
        if not context.recover:
            raise InvalidInput("off")
        (context.scratch / "x").touch()
        return {"twice": inputs["n"] * context.loaded, "key": context.idempotency_key}

    @double.load
    def load() -> int:
        return 2

    answer = extension.call(double, {"n": 4})
    assert answer == Success(outputs={"twice": 8, "key": "test/double/1"})
    refused = extension.call(double, {"n": 4}, recover=False)
    assert isinstance(refused, StandardError) and refused.category is Category.INVALID_INPUT
    broken = extension.call(double)
    assert isinstance(broken, StandardError) and broken.category is Category.CRASHED


def test_names_of_extensions() -> None:
    @extension.extension(name="other")
    def first(inputs: Any, parameters: Any, context: Any) -> Any:
        """Doc."""
        return {}

    import types

    module = types.ModuleType("m")
    module.first = module.alias = first  # type: ignore[attr-defined]
    assert extension.extensions_of(module) == {"other": first}
    assert first.__doc__ == "Doc."
    module.second = extension.extension(name="other")(lambda *_: {})  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="Two extensions"):
        extension.extensions_of(module)


def test_context_counts_down() -> None:
    assert extension.Context(deadline_s=0).cancelled
    assert extension.Context(cancelled=lambda: True).cancelled
    assert not extension.Context().cancelled


@pytest.mark.parametrize("what", ["value", "memory", "input", "unable", "program", "exit"])
def test_what_an_extension_raises_arrives_classified(what: str) -> None:
    async def test(host: Supervisor) -> None:
        reply = await host.call(bad("raises"), CallRequest(parameters={"what": what}), LIMITS)
        expected = {
            "value": Category.CRASHED,
            "memory": Category.OUT_OF_RESOURCES,
            "input": Category.INVALID_INPUT,
            "unable": Category.UNABLE,
            "program": Category.UNSUPPORTED,
            "exit": Category.CRASHED,
        }
        failure = fails(reply, expected[what])
        if what == "input":
            assert failure.blamed_inputs[0].artifact == "page"
        if what == "unable":
            assert failure.hints == (Hint(0.7, call="denoise"),)
        if what == "program":
            assert "no-such-program" in failure.message

    hosted(test)
