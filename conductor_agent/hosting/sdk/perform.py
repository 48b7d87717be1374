"""One call where the function is, in a worker or a test: ask it, and make an outcome of whatever it does."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

import msgspec

from conductor_agent.hosting.classify import from_answer, from_exception
from conductor_agent.hosting.sdk.context import Cancelled, Context, OutOfTime
from conductor_agent.hosting.values import check_causes, check_outcome, check_plain
from fqg_env.outcome import (
    Blame,
    Category,
    Outcome,
    StandardError,
    Success,
    error,
    from_json,
    to_json,
)

if TYPE_CHECKING:
    from conductor_agent.hosting.extension import Extension


def perform(
    ext: Extension, inputs: dict[str, Any], parameters: dict[str, Any], context: Context
) -> Outcome:
    """Run one call in this process; whatever happens, the answer is an outcome."""
    try:
        answer = ext.ask(inputs, parameters, context)
        if isinstance(answer, Awaitable):
            answer = _waited(answer)
        return context.complete(_outcome(answer, ext.output))
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as problem:  # noqa: BLE001  (SystemExit and CancelledError too)
        return context.complete(_failure(problem))
    finally:
        context.clear()


def _failure(problem: BaseException) -> StandardError:
    """Whether the call's time was too short or the run's, only the supervisor knows: no blame."""
    match problem:
        case OutOfTime():
            return error(Category.TIMEOUT, str(problem), blame=Blame.UNKNOWN)
        case Cancelled():
            return error(Category.CANCELLED, str(problem), blame=Blame.POLICY)
        case _:
            return from_exception(problem)


def _waited(answer: Awaitable[Any]) -> Any:
    import asyncio  # a worker of plain functions starts 30 ms faster

    async def wait() -> Any:
        return await answer

    return asyncio.run(wait())


def _outcome(answer: object, output: str | None) -> Outcome:
    """Check what the function answered: an outcome, the outputs, or the value of its one output."""
    try:
        if isinstance(answer, Success | StandardError):
            if isinstance(answer, StandardError):
                check_causes(answer.cause)
            _check_fields(answer)
            check_outcome(answer)
            return answer
        if output is not None:
            answer = {output: answer}
        if not isinstance(answer, dict):
            kind = type(answer).__name__
            return from_answer(f"It is a {kind}, not a dict or an outcome.")
        check_plain(answer, "outputs")
        return Success(outputs=answer)
    except (AttributeError, TypeError, ValueError) as problem:
        return from_answer(str(problem))


def _check_fields(outcome: Outcome) -> None:
    """Structs do not check their fields when made; a round trip without the values does."""
    if isinstance(outcome, Success):
        outcome = msgspec.structs.replace(outcome, outputs={})
    from_json(to_json(outcome))
