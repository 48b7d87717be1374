"""The SDK for authors: a plain function becomes an extension.

    @extension
    def count_words(inputs, parameters, context):
        return {"words": len(inputs["text"].split())}

It gets inputs and parameters as dicts and answers a dict of outputs, a `Success`, or a
`StandardError`. Raising is allowed too: `InvalidInput` and `Unable` say what they mean, anything
else is classified. Standard library and msgspec alone.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, overload

from conductor_agent.hosting.classify import InvalidInput, Unable, from_answer, from_exception
from conductor_agent.hosting.values import check_causes, check_outcome, check_plain
from fqg_env.outcome import Outcome, StandardError, Success, from_json, to_json

__all__ = ["Context", "Extension", "InvalidInput", "Unable", "call", "extension"]

Answer = dict[str, Any] | Success | StandardError
Function = Callable[[dict[str, Any], dict[str, Any], "Context"], Answer | Awaitable[Answer]]


class Context:
    """What an extension may know about the attempt it is part of."""

    __slots__ = (
        "_base", "_cancelled", "_ends_at", "_scratch", "attempt", "idempotency_key", "loaded",
        "recover", "run_id",
    )  # fmt: skip

    run_id: str
    attempt: int
    idempotency_key: str
    """Run, call and attempt: hand it to services that can use it. A new attempt has a new key."""
    recover: bool
    """False: do not recover by yourself, answer the first failure."""
    loaded: Any
    """What the load hook returned."""

    def __init__(
        self,
        *,
        run_id: str = "",
        attempt: int = 1,
        idempotency_key: str = "",
        recover: bool = True,
        deadline_s: float = 60.0,
        scratch_base: Path | None = None,
        loaded: Any = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> None:
        self.run_id = run_id
        self.attempt = attempt
        self.idempotency_key = idempotency_key
        self.recover = recover
        self.loaded = loaded
        self._ends_at = time.monotonic() + deadline_s
        self._base = scratch_base
        self._scratch: Path | None = None
        self._cancelled = cancelled

    @property
    def deadline_s(self) -> float:
        """Seconds left until the call is ended from outside."""
        return max(0.0, self._ends_at - time.monotonic())

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the answer any more."""
        return self.deadline_s == 0.0 or (self._cancelled is not None and self._cancelled())

    @property
    def scratch(self) -> Path:
        """An empty directory of this call's own, removed after it; made when first asked for."""
        if self._scratch is None:
            self._scratch = Path(tempfile.mkdtemp(prefix="call-", dir=self._base))
        return self._scratch

    def clear(self) -> None:
        """Remove the scratch directory, if there is one. Called by whoever runs the call."""
        if self._scratch is not None:
            import shutil  # most calls need no scratch

            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = None


class Extension:
    """A function with a name and, if wanted, a hook that loads its model once per worker."""

    def __init__(self, function: Function, name: str) -> None:
        self.function = function
        self.name = name
        self.loader: Callable[[], Any] | None = None
        self.__doc__ = function.__doc__

    def load(self, hook: Callable[[], Any]) -> Callable[[], Any]:
        """Decorator: run `hook` when a worker starts; its result is `context.loaded`."""
        self.loader = hook
        return hook

    def __call__(
        self, inputs: dict[str, Any], parameters: dict[str, Any], context: Context
    ) -> Answer | Awaitable[Answer]:
        """The plain function, as it was written."""
        return self.function(inputs, parameters, context)

    def __repr__(self) -> str:
        return f"<extension {self.name}>"


@overload
def extension(function: Function, /) -> Extension: ...
@overload
def extension(*, name: str | None = None) -> Callable[[Function], Extension]: ...
def extension(
    function: Function | None = None, /, *, name: str | None = None
) -> Extension | Callable[[Function], Extension]:
    """Decorator that makes a function an extension, named as the function unless told."""
    if function is not None:
        return Extension(function, function.__name__)
    return lambda wrapped: Extension(wrapped, name or wrapped.__name__)


def extensions_of(module: ModuleType) -> dict[str, Extension]:
    """Every extension in a module, by name.

    Raises:
        ValueError: two different extensions bear one name.
    """
    found: dict[str, Extension] = {}
    for value in vars(module).values():
        if isinstance(value, Extension) and found.setdefault(value.name, value) is not value:
            raise ValueError(f"Two extensions are named {value.name!r}.")
    return found


def perform(
    ext: Extension, inputs: dict[str, Any], parameters: dict[str, Any], context: Context
) -> Outcome:
    """Run one call in this process; whatever happens, the answer is an outcome."""
    try:
        answer = ext.function(inputs, parameters, context)
        if isinstance(answer, Awaitable):
            answer = _waited(answer)
        return _outcome(answer)
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as problem:  # noqa: BLE001  (SystemExit and CancelledError too)
        return from_exception(problem)
    finally:
        context.clear()


def call(
    ext: Extension,
    inputs: Mapping[str, Any] | None = None,
    parameters: Mapping[str, Any] | None = None,
    *,
    recover: bool = True,
    deadline_s: float = 60.0,
    attempt: int = 1,
    run_id: str = "test",
    cancelled: Callable[[], bool] | None = None,
) -> Outcome:
    """Run an extension as a worker would, in this process and without limits: for unit tests.

    The load hook runs first. Exceptions come back as a `StandardError`.
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
        deadline_s=deadline_s,
        loaded=loaded,
        cancelled=cancelled,
    )
    return perform(ext, dict(inputs or {}), dict(parameters or {}), context)


def _waited(answer: Awaitable[Answer]) -> Answer:
    import asyncio  # a worker of plain functions starts 30 ms faster

    async def wait() -> Answer:
        return await answer

    return asyncio.run(wait())


def _outcome(answer: object) -> Outcome:
    """Check what the function answered; `dict` is short for a `Success` with these outputs."""
    try:
        match answer:
            case dict():
                check_plain(answer, "outputs")
                return Success(outputs=answer)
            case Success() | StandardError():
                if isinstance(answer, StandardError):
                    check_causes(answer.cause)
                _check_fields(answer)
                check_outcome(answer)
                return answer
            case _:
                return from_answer(f"It is a {type(answer).__name__}, not a dict or an outcome.")
    except (AttributeError, TypeError, ValueError) as problem:
        return from_answer(str(problem))


def _check_fields(outcome: Outcome) -> None:
    """Structs do not check their fields when made; a round trip without the values does."""
    import msgspec

    if isinstance(outcome, Success):
        outcome = msgspec.structs.replace(outcome, outputs={})
    from_json(to_json(outcome))
