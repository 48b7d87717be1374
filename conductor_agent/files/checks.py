"""What a gate declares of an artifact, and whether a value keeps to it: type, schema, a measured quality.

    check:
      type: json
      schema: {required: [title], properties: {title: {type: string, minLength: 1}}}
      quality: my_package.gates:readable        # a function of the value, in [0, 1] or a yes or no
      minimum: 0.8

Type and schema decide whether there is an artifact at all; the quality decides whether it may be used.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
import re
import sys
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from conductor_agent.aside import TooSlowError, aside
from conductor_agent.plain import said_by
from fqg_env.errors import suggest

Measure = Callable[[Any], float]
Matches = Callable[[str, str], bool]
GATE_S = 60.0
"""The longest that a gate may take, where the run has that much time left."""


class ValueType(str, Enum):
    """What kind of value an artifact is."""

    TEXT = "text"
    BYTES = "bytes"
    JSON = "json"
    NUMBER = "number"
    LIST = "list"


class Check(BaseModel):
    """What an artifact has to be."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
    type: ValueType | None = None
    """`text`, `bytes`, `json`, `number` or `list`."""
    rules: dict[str, Any] | None = Field(default=None, alias="schema")
    """Rules of its parts: a small part of JSON Schema."""
    quality: str | None = None
    """`module:function` or `file.py:function`; it runs in the conductor's own process."""
    minimum: Annotated[float, Field(ge=0, le=1)] = 0.5
    """The least quality that passes."""

    def fault(self, value: Any) -> str | None:
        """Why the value is no such artifact, or None."""
        wrong = self.mistaken(value)
        return wrong if wrong or self.rules is None else fault(value, self.rules, "it")

    def mistaken(self, value: Any) -> str | None:
        """Why the value is of another type, or None."""
        if self.type is not None and not IS[self.type](value):
            return f"it is {kind_of(value)}, not {self.type.value}"
        return None


def kind_of(value: Any) -> str:
    """A word for what a value is."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "a yes or no"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case bytes():
            return "bytes"
        case list():
            return "a list"
        case dict():
            return "a mapping"
        case _:
            return f"a {type(value).__name__}"


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


IS: dict[ValueType, Callable[[Any], bool]] = {
    ValueType.TEXT: lambda value: isinstance(value, str),
    ValueType.BYTES: lambda value: isinstance(value, bytes),
    ValueType.JSON: lambda value: isinstance(value, dict | list),
    ValueType.NUMBER: _number,
    ValueType.LIST: lambda value: isinstance(value, list),
}


# --- a small part of JSON Schema ----------------------------------------------------------------------

TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "number": _number,
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}
RULES: dict[str, type | tuple[type, ...]] = {
    "type": str,
    "enum": list,
    "required": list,
    "properties": dict,
    "items": dict,
    "minItems": int,
    "maxItems": int,
    "minLength": int,
    "maxLength": int,
    "pattern": str,
    "minimum": (int, float),
    "maximum": (int, float),
}


def check_schema(schema: Any, where: str) -> None:
    """The schema uses only what `fault` knows.

    Raises:
        ValueError: with one sentence that says what and where.
    """
    if not isinstance(schema, dict):
        raise ValueError(f"{where}: a schema is a mapping of rules, this is {kind_of(schema)}")
    for rule, value in schema.items():
        if rule not in RULES:
            raise ValueError(f"{where}: {rule!r} is no rule we know." + suggest(str(rule), RULES))
        if not isinstance(value, RULES[rule]) or isinstance(value, bool):
            raise ValueError(f"{where}.{rule}: {value!r} does not fit this rule")
    if schema.get("type", "object") not in TYPES:
        raise ValueError(
            f"{where}.type: {schema['type']!r} is no type." + suggest(schema["type"], TYPES)
        )
    try:
        re.compile(schema.get("pattern", ""))
    except re.error as problem:
        raise ValueError(f"{where}.pattern: not a pattern ({problem})") from None
    for name, part in schema.get("properties", {}).items():
        check_schema(part, f"{where}.properties.{name}")
    if "items" in schema:
        check_schema(schema["items"], f"{where}.items")


def _is_found(pattern: str, text: str) -> bool:
    return re.search(pattern, text) is not None


def fault(
    value: Any, schema: Mapping[str, Any], where: str, matches: Matches = _is_found
) -> str | None:
    """The first rule of a schema that a value breaks, as words, or None.

    Args:
        value: plain data.
        schema: as `check_schema` knows it.
        where: how the words name the value.
        matches: whether a pattern is found in a text; of a stranger's text see `patterns.py`.
    """
    if "type" in schema and not TYPES[schema["type"]](value):
        return f"{where} is {kind_of(value)}, not of type {schema['type']}"
    if "enum" in schema and value not in schema["enum"]:
        return f"{where} is not one of {schema['enum']}"
    for rule, measured, word in _measures(value):
        limit = schema.get(rule)
        if limit is not None and (measured < limit if rule.startswith("min") else measured > limit):
            return f"{where} has {word} {measured:g}, {rule} is {limit:g}"
    if isinstance(value, str) and "pattern" in schema and not matches(schema["pattern"], value):
        return f"{where} does not match {schema['pattern']!r}"
    if isinstance(value, dict):
        for name in schema.get("required", ()):
            if name not in value:
                return f"{where} lacks {name!r}"
        for name, part in schema.get("properties", {}).items():
            if name in value and (found := fault(value[name], part, f"{where}.{name}", matches)):
                return found
    if isinstance(value, list) and "items" in schema:
        for i, item in enumerate(value):
            if found := fault(item, schema["items"], f"{where}[{i}]", matches):
                return found
    return None


def _measures(value: Any) -> list[tuple[str, float, str]]:
    """What can be measured of a value: (rule, number, word)."""
    if isinstance(value, str):
        return [("minLength", len(value), "length"), ("maxLength", len(value), "length")]
    if isinstance(value, list):
        return [("minItems", len(value), "items"), ("maxItems", len(value), "items")]
    if _number(value):
        return [("minimum", value, "the value"), ("maximum", value, "the value")]
    return []


# --- measured quality ---------------------------------------------------------------------------------


def measure_named(name: str, folder: Path) -> Measure:
    """The function that `module:function` or `file.py:function` names.

    Raises:
        ValueError: there is no such function; one sentence.
    """
    source, _, function = name.partition(":")
    if not source or not function:
        raise ValueError(f"{name!r} names no function; write `module:function`")
    try:
        module = (
            _file(folder / source) if source.endswith(".py") else importlib.import_module(source)
        )
    except (Exception, SystemExit) as problem:  # noqa: BLE001  (whatever a module does when imported)
        raise ValueError(f"{source!r} cannot be imported ({said_by(problem)})") from None
    found: Measure | None = getattr(module, function, None)
    if not callable(found):
        functions = [
            key for key, value in vars(module).items() if callable(value) and key[0] != "_"
        ]
        raise ValueError(f"{source!r} has no function {function!r}." + suggest(function, functions))
    return found


def _file(path: Path) -> Any:
    name = f"gate_{path.stem}_{abs(hash(str(path.resolve())))}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise FileNotFoundError("there is no such file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # before it runs: dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


async def measured_within(left_s: float, measure: Measure, value: Any) -> tuple[float, str]:
    """`measured`, beside the event loop and not for ever: a gate that takes longer has not measured."""
    allowed_s = max(0.0, min(left_s, GATE_S))
    try:
        return await aside(lambda: measured(measure, value), allowed_s, "fqg-gate")
    except TooSlowError:
        return 0.0, f"the quality could not be measured within {allowed_s:.3g} s"


def measured(measure: Measure, value: Any) -> tuple[float, str]:
    """The quality of a value in [0, 1], and why it is 0 where it could not be measured. The gate gets a copy:
    what it does to that changes nothing.
    """
    try:
        quality = float(measure(msgspec.msgpack.decode(msgspec.msgpack.encode(value))))
    except (Exception, SystemExit) as problem:  # noqa: BLE001  (not measured, not accepted)
        return 0.0, f"the quality could not be measured ({said_by(problem)})"
    if math.isnan(quality):
        return 0.0, "the quality is not a number"
    if not 0.0 <= quality <= 1.0:
        return 0.0, f"the quality {quality:g} is outside [0, 1]"
    return quality, ""
