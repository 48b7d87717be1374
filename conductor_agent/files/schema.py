"""JSON Schemas of the files that people write, made from the models that read them.

A schema says no more than the models do: every file that is read passes, and a wrong key does not. What the
models check beyond one value (names that have to exist, weights that sum to 1) they go on checking alone.
`schema_files.py` has them as files; a test holds both together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, Field, create_model
from pydantic.json_schema import models_json_schema

from conductor_agent.files.checks import Check
from conductor_agent.files.field_words import models_in, words_of
from conductor_agent.files.manifest import Manifest
from conductor_agent.files.workflow_parts import FOR_REAL, ExtensionEntry, GiveUp, InputEntry
from conductor_agent.hosting.walls.enforcement import Enforced, enforcement
from fqg_env.level import Artifact, Level, Name, Shield
from fqg_env.puzzle import Puzzle
from policies.resource.limits import (
    ExtensionClass,
    ResourceLimits,
    ceiling_for,
    limits_for,
)

DIALECT = "https://json-schema.org/draft/2020-12/schema"
LIMITS = "#/$defs/ResourceLimits"
BY_CLASS = "By class, default to ceiling:"


def level_file() -> type[BaseModel]:
    """A level file: the public level, and its hidden side."""
    extra: dict[str, Any] = {
        name: (field.annotation, field)
        for name, field in Puzzle.model_fields.items()
        if name != "level"
    }
    return create_model("LevelFile", __base__=Level, **extra)


class WorkflowShield(Shield):
    """The shield of a workflow, with what it says by default."""

    final_repeats: Literal["forbidden", "allowed"] = FOR_REAL["final_repeats"]


def workflow_file() -> type[BaseModel]:
    """A workflow file: the keys of a level, and its own."""
    artifact = create_model("WorkflowArtifact", __base__=Artifact, check=(Check | None, None))
    limit = Literal[tuple(enforcement("group"))]  # type: ignore[valid-type]
    fields: dict[str, Any] = {
        "workflow": (Literal["conductor-workflow/1"], ...),
        "artifacts": (dict[Name, artifact | None], ...),  # type: ignore[valid-type]
        "extensions": (dict[Name, ExtensionEntry], ...),
        "inputs": (dict[Name, InputEntry] | None, None),
        "give_up": (GiveUp, "tried"),
        "shield": (WorkflowShield, Field(default_factory=WorkflowShield)),
        "require": (dict[limit, Enforced] | None, None),  # type: ignore[valid-type]
    }
    return create_model("WorkflowFile", __base__=Level, **fields)


def schemas() -> dict[str, dict[str, Any]]:
    """Name -> schema, of all files that this package reads."""
    return {
        "level": schema_of("A level", level_file()),
        "limits": limits_schema(),
        "manifest": manifest_schema(),
        "workflow": workflow_schema(),
    }


def workflow_schema() -> dict[str, Any]:
    """Of a workflow."""
    made = _parts("A workflow", workflow_file(), ResourceLimits)
    entry = made["$defs"]["ExtensionEntry"]
    entry["properties"]["limits"] |= {"$ref": LIMITS}
    entry["anyOf"] = [{"required": ["manifest"]}, {"required": ["source", "class"]}]
    made["$defs"]["InputEntry"] |= {"minProperties": 1, "maxProperties": 1}
    return _used(made)


def manifest_schema() -> dict[str, Any]:
    """Of an `extension.toml`."""
    made = _parts("A manifest", Manifest, ResourceLimits)
    ours = made["$defs"]["Ours"]
    ours["properties"]["limits"] |= {"$ref": LIMITS}
    ours["oneOf"] = [{"required": ["source"]}, {"required": ["command"]}]
    return _used(made)


def limits_schema() -> dict[str, Any]:
    """Of an operator's file of limits: class -> limits."""
    made = _parts("Limits of an operator", ResourceLimits)
    own = {key: made.pop(key) for key in ("properties", "type", "additionalProperties")}
    made["$defs"]["ResourceLimits"] = own
    classes = {kind.value: {"$ref": LIMITS} for kind in ExtensionClass}
    return _used({**made, "type": "object", "properties": classes, "additionalProperties": False})


def schema_of(title: str, model: type[BaseModel]) -> dict[str, Any]:
    """The schema of a file that one model reads, with the meaning of each field."""
    return _used(_parts(title, model))


def _parts(title: str, model: type[BaseModel], *beside: type[BaseModel]) -> dict[str, Any]:
    """The schema of a model, its parts under `$defs` with those beside it, which no type of it names."""
    kinds: Any = [(kind, "validation") for kind in (model, *beside)]
    parts = models_json_schema(kinds, by_alias=True)[1]["$defs"]
    known = {name: kind for one in (model, *beside) for name, kind in models_in(one).items()}
    for name, part in parts.items():
        _say(part, words_of(known[name]) if name in known else {})
        if name == ResourceLimits.__name__:
            _say_by_class(part)
    whole = parts.pop(model.__name__)
    return {"$schema": DIALECT, "title": title, **whole, "$defs": parts}


def _say(part: dict[str, Any], words: Mapping[str, str]) -> None:
    """Put the meaning of fields into a schema; titles, which repeat their names, go."""
    part.pop("title", None)
    part.pop("description", None)
    for name, field in part.get("properties", {}).items():
        field.pop("title", None)
        if name in words:
            field["description"] = words[name]
        _mend(field)


def _say_by_class(part: dict[str, Any]) -> None:
    """What classes of extension differ in has no one default: the limits of each are told."""
    for name, field in part["properties"].items():
        spans = {kind.value: _span(kind.value, name) for kind in ExtensionClass}
        if len(set(spans.values())) > 1 and all(spans.values()):
            told = ", ".join(map(" ".join, spans.items()))
            field["description"] += f" {BY_CLASS} {told}."
            del field["default"]


def _span(kind: str, field: str) -> str:
    """`20 to 30`: default and ceiling of a limit that is a number; empty: it is none."""
    ends: tuple[Any, ...] = getattr(limits_for(kind), field), ceiling_for(kind).get(field)
    if not all(isinstance(end, int | float) for end in ends):
        return ""
    told = (_size(end) if "bytes" in field else f"{end:g}" for end in ends)
    return " to ".join(dict.fromkeys(told))


def _size(count: int) -> str:
    """Bytes as the largest unit that they are a whole number of."""
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count % size == 0:
            return f"{count // size} {unit}"
    return f"{count} bytes"


BOUNDS = {
    "ge": "minimum",
    "le": "maximum",
    "gt": "exclusiveMinimum",
    "lt": "exclusiveMaximum",
}


def _mend(part: Any) -> None:
    """What pydantic leaves out where a validator comes first: the names of bounds, and that a key which does
    not match the pattern is wrong.
    """
    if isinstance(part, dict):
        for short, name in BOUNDS.items():
            if isinstance(part.get(short), int | float):
                part[name] = part.pop(short)
        part.pop("allow_inf_nan", None)
        if "patternProperties" in part:
            part["additionalProperties"] = False
    for inner in (
        part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    ):
        _mend(inner)


def _used(made: dict[str, Any]) -> dict[str, Any]:
    """A schema without the parts that nothing refers to."""
    parts: dict[str, Any] = made.pop("$defs")
    found: set[str] = set()
    open_: list[Any] = [made]
    while open_:
        match open_.pop():
            case dict() as one:
                name = str(one.get("$ref", "")).rpartition("/")[2]
                if name in parts and name not in found:
                    found.add(name)
                    open_.append(parts[name])
                open_ += one.values()
            case list() as many:
                open_ += many
    return {**made, "$defs": {name: parts[name] for name in sorted(found)}}
