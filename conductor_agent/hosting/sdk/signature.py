"""How a function wants its inputs and parameters: as three dicts, or each under its own name.

    def count(inputs, parameters, context)               as dicts
    def count(text: str, *, language: str = "en")        by name: inputs first, parameters after `*`

By name, what is missing, unknown or of another type than annotated is answered before the
function runs. Standard library and msgspec alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, get_type_hints

import msgspec

from fqg_env.outcome import Blame, BlamedInput, Category, Phase, StandardError, error

if TYPE_CHECKING:
    from conductor_agent.hosting.sdk.context import Context

AS_DICTS = ("inputs", "parameters", "context")
MAX_SIGNATURE = 300
PARAMETER = "parameter"
"""Key of `ext` under which a refusal names the parameter that it is about."""
_REST = 0x08
"""Flag of code that takes `**names`."""
_LIST = 0x04
"""Flag of code that takes `*values`."""


class Taken(NamedTuple):
    """Names that a function takes, and which of them it can do without."""

    by_place: tuple[str, ...]
    by_name: tuple[str, ...]
    optional: frozenset[str]
    rest: bool
    """Whether it takes any further parameter."""


def taken_by(function: Callable[..., Any]) -> Taken | None:
    """What a function takes by name; None: three dicts, which is also what `*values` alone gets.

    Raises:
        TypeError: it takes `*values` after others.
    """
    code = getattr(function, "__code__", None)
    if code is None or hasattr(function, "__wrapped__"):
        return _inspected(function)
    places, names = code.co_argcount, code.co_kwonlyargcount
    by_place = code.co_varnames[:places]
    by_name = code.co_varnames[places : places + names]
    listed = bool(code.co_flags & _LIST)
    if _is_dicts(by_place, by_name, listed=listed):
        return None
    if listed:
        raise _nameless(function)
    defaults = function.__defaults__ or ()
    optional = {*by_place[places - len(defaults) :], *(function.__kwdefaults__ or {})}
    return Taken(by_place, by_name, frozenset(optional), bool(code.co_flags & _REST))


def _inspected(function: Callable[..., Any]) -> Taken | None:
    """The same for what is no plain function: partials, wrapped functions, objects."""
    import inspect  # takes 10 ms, and most functions are plain

    found = inspect.signature(function).parameters.values()
    kind = inspect.Parameter
    placed = (kind.POSITIONAL_ONLY, kind.POSITIONAL_OR_KEYWORD)
    by_place = tuple(one.name for one in found if one.kind in placed)
    by_name = tuple(one.name for one in found if one.kind is kind.KEYWORD_ONLY)
    listed = any(one.kind is kind.VAR_POSITIONAL for one in found)
    if _is_dicts(by_place, by_name, listed=listed):
        return None
    if listed:
        raise _nameless(function)
    optional = frozenset(one.name for one in found if one.default is not kind.empty)
    return Taken(by_place, by_name, optional, any(one.kind is kind.VAR_KEYWORD for one in found))


def _is_dicts(by_place: tuple[str, ...], by_name: tuple[str, ...], *, listed: bool) -> bool:
    if by_name:
        return False
    return tuple(name.lstrip("_") for name in by_place) == AS_DICTS or (listed and not by_place)


def _nameless(function: Callable[..., Any]) -> TypeError:
    name = getattr(function, "__name__", function)
    return TypeError(f"The extension {name} takes *values; inputs and parameters have names.")


class ByName:
    """Hands each input and parameter to a function under its name."""

    def __init__(self, function: Callable[..., Any], taken: Taken) -> None:
        self._function = function
        self._taken = taken
        self._names = (*taken.by_place, *taken.by_name)
        self._types: dict[str, Any] | None = None

    def __call__(
        self, inputs: Mapping[str, Any], parameters: Mapping[str, Any], context: Context
    ) -> Any:
        """What the function answers, or why it could not be asked."""
        given = {**parameters, **inputs}
        for name in self._taken.by_name:  # of a name that both have, those after `*` are parameters
            if name in parameters:
                given[name] = parameters[name]
        problem = self._unknown(inputs, parameters)
        if problem is not None:
            return problem
        values: dict[str, Any] = {}
        for name in self._names:
            if name == "context":
                values[name] = context
            elif name in given:
                fitted = self._fitted(name, given[name], name in inputs)
                if isinstance(fitted, StandardError):
                    return fitted
                values[name] = fitted
            elif name not in self._taken.optional:
                return self._missing(name)
        further = {name: given[name] for name in given if name not in values}
        # Optional ones by place that were left out end the list; those after them go by name.
        by_place = []
        for name in self._taken.by_place:
            if name not in values:
                break
            by_place.append(values.pop(name))
        return self._function(*by_place, **values, **further)

    def _is_parameter(self, name: str) -> bool:
        return name in self._taken.by_name

    def _unknown(
        self, inputs: Mapping[str, Any], parameters: Mapping[str, Any]
    ) -> StandardError | None:
        for name in inputs:
            if name not in self._names or name == "context":
                return _refused("input", name, self._no_such("input", name))
        for name in parameters:
            if (name not in self._names and not self._taken.rest) or name == "context":
                return _refused("parameter", name, self._no_such("parameter", name))
        return None

    def _missing(self, name: str) -> StandardError:
        kind = "parameter" if self._is_parameter(name) else "input"
        return _refused(kind, name, f"The {kind} {name!r} is missing.")

    def _no_such(self, kind: str, name: str) -> str:
        from fqg_env.errors import near  # only a mistake needs it

        meant = near(name, [known for known in self._names if known != "context"])
        return f"There is no {kind} {name!r} in {_signature(self._function)}.{meant}"

    def _fitted(self, name: str, value: Any, is_input: bool) -> Any:
        """The value as the annotation wants it, or why it does not fit."""
        if self._types is None:
            self._types = _types_of(self._function)
        wanted = self._types.get(name, Any)
        if wanted is Any or wanted is object:
            return value
        try:
            return msgspec.convert(value, wanted, builtin_types=(bytes,))
        except msgspec.ValidationError as problem:
            kind = "input" if is_input else "parameter"
            why = str(problem).replace("`", "").replace("Expected", "expected", 1)
            text = f"The {kind} {name!r} is of the wrong kind: {why}."
            return _refused(kind, name, text, Blame.UPSTREAM if is_input else Blame.CALLER)
        except TypeError:  # an annotation that says nothing of plain data
            self._types[name] = Any
            return value


def _signature(function: Callable[..., Any]) -> str:
    """`count(text, *, least=0)`, cut where it is long."""
    import inspect  # only a mistake needs it

    found, bare = inspect.signature(function), inspect.Signature.empty
    names = [one.replace(annotation=bare) for one in found.parameters.values()]
    name = getattr(function, "__name__", type(function).__name__)
    text = f"{name}{found.replace(parameters=names, return_annotation=bare)}"
    return text if len(text) <= MAX_SIGNATURE else f"{text[:MAX_SIGNATURE]}...)"


def _types_of(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(function, include_extras=True)
    except Exception:  # noqa: BLE001  (an annotation may name what is not imported)
        return {}


def _refused(kind: str, name: str, text: str, blame: Blame = Blame.CALLER) -> StandardError:
    blamed = (BlamedInput(name, text),) if kind == "input" else ()
    ext = {} if kind == "input" else {PARAMETER: name}
    return error(
        Category.INVALID_INPUT,
        text,
        blame=blame,
        blamed_inputs=blamed,
        phase=Phase.INPUT,
        ext=ext,
    )
