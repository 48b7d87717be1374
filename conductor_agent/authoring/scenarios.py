"""Inputs that have to work: the scenario files of a manifest, and values by their declared type.

{"inputs": {"text": "so it is", "page": {"$file": "page.png"}}, "parameters": {}, "expect": "success"}
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from conductor_agent.files.bindings import below
from conductor_agent.files.checks import IS, ValueType, kind_of
from conductor_agent.files.manifest import Kept, Manifest, ManifestError, Slot, Table
from conductor_agent.hosting.command import unpacked
from conductor_agent.hosting.values import NotPlainError, check_plain
from fqg_env.errors import suggest
from fqg_env.level_file import explain
from fqg_env.outcome import Category

FILE_KEY = "$file"
SUCCESS = "success"
PLAIN: dict[ValueType, Any] = {
    ValueType.TEXT: "The quick brown fox jumps over the lazy dog.",
    ValueType.BYTES: b"The quick brown fox jumps over the lazy dog.",
    ValueType.JSON: {},
    ValueType.NUMBER: 1,
    ValueType.LIST: [],
}
"""What is tried where a manifest names no scenario."""


class Scenario(Table):
    """One call and what has to come of it."""

    name: str = ""
    inputs: Kept = Field(default_factory=dict)
    parameters: Kept = Field(default_factory=dict)
    expect: str = SUCCESS
    """`success`, or a category of failure."""


def scenarios_of(manifest: Manifest, file: Path) -> list[Scenario]:
    """The scenarios that a manifest names.

    Raises:
        ManifestError: one cannot be read or does not fit the manifest.
    """
    folder = file.resolve().parent
    return [_read(manifest, below(folder, name)) for name in manifest.function_quest.test_scenarios]


def plain_scenario(manifest: Manifest) -> Scenario:
    """Something of each declared type; nobody promised that it works."""
    slots = manifest.extension.inputs
    return Scenario(name="plain values", inputs={k: PLAIN[v.type] for k, v in slots.items()})


def _read(manifest: Manifest, path: Path) -> Scenario:
    try:
        scenario = Scenario.model_validate(json.loads(path.read_bytes()))
    except OSError as problem:
        raise ManifestError(f"{path}: the scenario cannot be read ({problem.strerror})") from None
    except ValidationError as problem:
        raise ManifestError(explain(problem, str(path))) from None
    except (ValueError, RecursionError) as problem:
        raise ManifestError(f"{path}: the scenario is no JSON ({problem})") from None
    known = [SUCCESS, *Category.__members__]
    if scenario.expect not in known:
        text = f"{path}: expect: {scenario.expect!r} cannot come of a call."
        raise ManifestError(text + suggest(scenario.expect, known))
    inputs = {name: _value(manifest, name, value, path) for name, value in scenario.inputs.items()}
    return scenario.model_copy(update={"inputs": inputs})


def _value(manifest: Manifest, name: str, value: Any, path: Path) -> Any:
    slot = slot_named(manifest, name, str(path))
    if isinstance(value, dict) and set(value) == {FILE_KEY}:
        return typed(slot, below(path.parent, str(value[FILE_KEY])), f"{path}: inputs.{name}")
    try:
        check_plain(value, name)
        return unpacked(value)
    except (NotPlainError, ValueError) as problem:
        raise ManifestError(f"{path}: inputs.{name}: {problem}") from None


def slot_named(manifest: Manifest, name: str, where: str) -> Slot:
    """The input of this name.

    Raises:
        ManifestError: there is none.
    """
    slots = manifest.extension.inputs
    if name not in slots:
        raise ManifestError(f"{where}: the extension has no input {name!r}." + suggest(name, slots))
    return slots[name]


def typed(slot: Slot, given: Path | str, where: str) -> Any:
    """The value of a file's content, or of a text, as the type wants it.

    Raises:
        ManifestError: it cannot be read, or is of another type.
    """
    try:
        body = given.read_bytes() if isinstance(given, Path) else given.encode()
        if slot.type is ValueType.BYTES:
            return body
        text = body.decode("utf-8")
        value = text if slot.type is ValueType.TEXT else json.loads(text)
    except OSError as problem:
        raise ManifestError(f"{where}: {given} cannot be read ({problem.strerror})") from None
    except (ValueError, RecursionError) as problem:
        raise ManifestError(f"{where}: it is no {slot.type.value} ({problem})") from None
    if not IS[slot.type](value):
        raise ManifestError(f"{where}: it is {kind_of(value)}, not {slot.type.value}")
    return value
