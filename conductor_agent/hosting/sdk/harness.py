"""An extension in a unit test: no conductor, no process, no waiting.

    assert call(count_words, {"text": "so it is"}).outputs == {"words": 3}
    assert outputs(count_words, {"text": "so it is"})["words"] == 3
    assert failure(count_words, {"text": 7}).category is Category.INVALID_INPUT

Back-offs are not slept but counted, so that a test of `context.retry` takes no time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from conductor_agent.hosting.classify import from_exception
from conductor_agent.hosting.sdk.context import Context, RealTime
from conductor_agent.hosting.sdk.perform import perform
from fqg_env.outcome import Outcome, StandardError, Success

if TYPE_CHECKING:
    from conductor_agent.hosting.extension import Extension


class SkippedTime(RealTime):
    """Time that passes at once where an extension waits, and really where it works."""

    def __init__(self) -> None:
        self.skipped_s = 0.0
        """Seconds that were not waited."""

    def now_s(self) -> float:
        """Seconds since some moment, those that were skipped included."""
        return super().now_s() + self.skipped_s

    def sleep(self, seconds: float) -> None:
        """Go on at once, later."""
        self.skipped_s += seconds

    async def pause(self, seconds: float) -> None:
        """Go on at once, later."""
        self.skipped_s += seconds


def call(
    ext: Extension,
    inputs: Mapping[str, Any] | None = None,
    parameters: Mapping[str, Any] | None = None,
    *,
    recover: bool = True,
    own_retries: int | None = None,
    deadline_s: float = 60.0,
    attempt: int = 1,
    run_id: str = "test",
    cancelled: Callable[[], bool] | None = None,
    time: RealTime | None = None,
) -> Outcome:
    """Run an extension as a worker would, in this process and without limits: for unit tests.

    The load hook runs first. Exceptions come back as a `StandardError`.

    Args:
        ext: the extension.
        inputs: artifact -> value.
        parameters: those of a variant.
        recover: False: as in a workflow that wants raw failures.
        own_retries: repeats of its own that the call may have; None: any number.
        deadline_s: seconds that the call has.
        attempt: which attempt of this call it is.
        run_id: of which run.
        cancelled: answers whether nobody waits any more.
        time: how time passes; `SkippedTime` where it is not given.
    """
    try:
        loaded = ext.loader() if ext.loader else None
    except Exception as problem:  # noqa: BLE001
        return from_exception(problem)
    context = Context(
        run_id=run_id,
        attempt=attempt,
        idempotency_key=f"{run_id}/{ext.name}/{attempt}",
        recover=recover,
        own_retries=own_retries,
        deadline_s=deadline_s,
        loaded=loaded,
        cancelled=cancelled,
        time=time or SkippedTime(),
    )
    return perform(ext, dict(inputs or {}), dict(parameters or {}), context)


def outputs(ext: Extension, *args: Any, **options: Any) -> dict[str, Any]:
    """The outputs of a call that has to succeed; arguments as of `call`.

    Raises:
        AssertionError: it failed; the text has category, message and traceback.
    """
    outcome = call(ext, *args, **options)
    if isinstance(outcome, Success):
        return outcome.outputs
    text = f"{ext} failed with {outcome.category.value}: {outcome.message} {outcome.detail}".strip()
    trace = outcome.cause.trace if outcome.cause is not None and outcome.cause.trace else ""
    raise AssertionError(f"{text}\n{trace}".strip())


def failure(ext: Extension, *args: Any, **options: Any) -> StandardError:
    """The failure of a call that has to fail; arguments as of `call`.

    Raises:
        AssertionError: it succeeded; the text has the outputs.
    """
    outcome = call(ext, *args, **options)
    if isinstance(outcome, StandardError):
        return outcome
    raise AssertionError(f"{ext} succeeded with {outcome.outputs!r}")
