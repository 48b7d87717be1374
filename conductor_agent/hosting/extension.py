"""The SDK for authors: a plain function becomes an extension.

    @extension(output="words")
    def count_words(text: str, *, least: int = 0):
        return len(text.split())

It takes inputs and parameters by their names, and `context` where it has that parameter; or all
three as `(inputs, parameters, context)`. It answers a dict of outputs, the value of its one
declared output, a `Success`, or a `StandardError`. Raising is allowed too: `InvalidInput` and
`Unable` say what they mean, anything else is classified. Standard library and msgspec alone.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any, overload

from conductor_agent.hosting.classify import InvalidInput, Unable
from conductor_agent.hosting.sdk.context import Cancelled, Context, OutOfTime
from conductor_agent.hosting.sdk.harness import call, failure, outputs
from conductor_agent.hosting.sdk.perform import perform
from conductor_agent.hosting.sdk.recovery import Preset
from conductor_agent.hosting.sdk.signature import ByName, taken_by
from fqg_env.outcome import StandardError, Success

__all__ = [
    "Cancelled",
    "Context",
    "Extension",
    "InvalidInput",
    "OutOfTime",
    "Preset",
    "Unable",
    "call",
    "extension",
    "failure",
    "outputs",
    "perform",
]

Answer = dict[str, Any] | Success | StandardError
Function = Callable[..., Any]
"""Answers an `Answer`, the value of its one output, or something that can be awaited for it."""


class Extension:
    """A function with a name and, if wanted, a hook that loads its model once per worker."""

    def __init__(self, function: Function, name: str, output: str | None = None) -> None:
        """
        Args:
            function: the author's.
            name: by which workflows find it.
            output: its one output; what it returns is then that artifact's value.

        Raises:
            TypeError: the function takes `*values`, which have no names.
        """
        self.function = function
        self.name = name
        self.output = output
        self.loader: Callable[[], Any] | None = None
        self.__doc__ = function.__doc__
        taken = taken_by(function)
        self.ask: Function = function if taken is None else ByName(function, taken)
        """The function as it is asked: with inputs, parameters and context, in this order."""

    def load(self, hook: Callable[[], Any]) -> Callable[[], Any]:
        """Decorator: run `hook` when a worker starts; its result is `context.loaded`."""
        self.loader = hook
        return hook

    def __call__(self, *args: Any, **named: Any) -> Any:
        """The plain function, as it was written."""
        return self.function(*args, **named)

    def __repr__(self) -> str:
        return f"<extension {self.name}>"


@overload
def extension(function: Function, /) -> Extension: ...
@overload
def extension(
    *, name: str | None = None, output: str | None = None
) -> Callable[[Function], Extension]: ...
def extension(
    function: Function | None = None, /, *, name: str | None = None, output: str | None = None
) -> Extension | Callable[[Function], Extension]:
    """Decorator that makes a function an extension, named as the function unless told.

    With `output` the function returns the value of that artifact, not a dict of outputs.

    Raises:
        TypeError: the function takes `*values`, which have no names.
    """
    if function is not None:
        return Extension(function, function.__name__)
    return lambda wrapped: Extension(wrapped, name or wrapped.__name__, output)


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
