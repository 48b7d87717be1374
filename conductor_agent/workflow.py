"""A real workflow: the keys of a level, and what its functions and artifacts are bound to.

    workflow: conductor-workflow/1
    name: Read a page
    artifacts:
      page: {}
      text: {goal: {weight: 1}, check: {type: text, schema: {minLength: 10}}}
    functions:
      read: {inputs: [page], outputs: [text], variants: {fast: {}, careful: {}}}
    budget: {time_s: 60, cost: 10}
    extensions:
      read: {source: reader.py, class: instrument, limits: {wall_s: 20}}   # or {manifest: FILE}
    inputs:
      page: {file: page.png}
    require: {memory_bytes: WATCHED}      # optional: how hard a limit has to be enforced here, or no run

Paths are relative to the file. Everything is checked before anything starts.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from conductor_agent.bindings import limits_of, misfit, source_of
from conductor_agent.checks import Check, Measure, ValueType, check_schema, measure_named
from conductor_agent.hosting.contract import ExtensionSource
from conductor_agent.hosting.enforcement import Level as Enforced
from conductor_agent.hosting.enforcement import enforcement, reaches
from conductor_agent.hosting.self_test import strongest, what_would
from conductor_agent.hosting.values import NotPlainError, check_plain
from conductor_agent.manifest import ManifestError, find_manifest, read_manifest
from conductor_agent.plain import said_by
from fqg_env.errors import LevelError, suggest
from fqg_env.level import Function, Level
from fqg_env.level_file import OnceLoader, explain, parse_level
from policies.resource.limits import LimitError, ResourceLimits, Settings, limits_for, short

SCHEMA = "conductor-workflow/1"
KEYS = ("workflow", "extensions", "inputs", "require")


class WorkflowError(ValueError):
    """A workflow that cannot run; the message is one sentence for the person who wrote it."""


class Part(BaseModel):
    """Base of the parts: immutable, and a wrong key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Requires(Part):
    """What has to be on the machine; a function that lacks it is left out."""

    program: str


class ExtensionEntry(Part):
    """What a function is bound to."""

    manifest: str | None = None
    """Path of an `extension.toml` or its folder, which says all the rest; `limits` may tighten it."""
    source: Annotated[str, Field(min_length=1)] = ""
    """Importable module, or path of a `.py` file."""
    extension: str | None = None
    """Its name in there; the function's own where it is not given."""
    kind: str = Field(default="", alias="class")
    limits: dict[str, Any] = {}
    requires: Requires | None = None
    python: str | None = None
    """Python of its own environment."""
    environment: dict[str, str] = {}
    import_paths: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one_of_both(self) -> ExtensionEntry:
        if self.manifest is None:
            for key, value in (("source", self.source), ("class", self.kind)):
                if not value:
                    raise ValueError(f"{key}: is missing; add it, or a `manifest` that says it")
        elif self.model_fields_set - {"manifest", "limits", "requires"}:
            raise ValueError("beside `manifest` only `limits` and `requires` may stand")
        return self


class InputEntry(Part):
    """Where the value of a given artifact comes from: exactly one of these."""

    file: str | None = None
    text: str | None = None
    data: Any = Field(default=None, alias="json")


@dataclass(frozen=True)
class Bound:
    """A function's extension and what it may use."""

    source: ExtensionSource
    limits: ResourceLimits
    kind: str


@dataclass(frozen=True)
class Workflow:
    """A level with everything that makes it real."""

    path: Path
    text: str
    level: Level
    extensions: dict[str, Bound]
    checks: dict[str, Check]
    measures: dict[str, Measure]
    """Artifact -> what its quality is measured by."""
    inputs: dict[str, Any]
    """Given artifact -> its value."""
    notes: tuple[str, ...] = ()
    """What was left out, and why."""


def read_workflow(
    path: str | Path,
    *,
    inputs: Mapping[str, Path] | None = None,
    ceiling: Settings | None = None,
    has_program: Callable[[str], object] = shutil.which,
) -> Workflow:
    """Read and check a workflow file.

    Args:
        path: of the YAML file.
        inputs: given artifact -> file that replaces what the workflow says.
        ceiling: the operator's limits, by class.
        has_program: whether a program is installed.

    Raises:
        WorkflowError: with one sentence that says what is wrong, where, and what to do.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise WorkflowError(f"{path}: there is no such file; check the path") from None
    except (OSError, UnicodeDecodeError) as problem:
        raise WorkflowError(f"{path}: it cannot be read ({problem})") from None
    data = _mapping(text, path)
    workflow = parse_workflow(data, text, path, ceiling=ceiling, has_program=has_program)
    given = _inputs(data.get("inputs"), workflow, inputs or {})
    return replace(workflow, inputs=given)


def restore_workflow(
    text: str, path: Path, level: Level, inputs: dict[str, Any], ceiling: Settings
) -> Workflow:
    """A workflow as it was when its run began, to go on with it.

    Raises:
        WorkflowError: what it names is not there any more.
    """
    workflow = parse_workflow(
        _mapping(text, path), text, path, ceiling=ceiling, has_program=lambda _: True
    )
    return replace(workflow, level=level, inputs=inputs)


def parse_workflow(
    data: Mapping[str, Any],
    text: str,
    path: Path,
    *,
    ceiling: Settings | None,
    has_program: Callable[[str], object],
) -> Workflow:
    """A workflow from plain data, its inputs not yet read.

    Raises:
        WorkflowError: with one sentence that names the file and the path inside it.
    """
    if data.get("workflow") != SCHEMA:
        raise WorkflowError(
            f"{path}: workflow: version {short(data.get('workflow'))} is not known; "
            f"begin with `workflow: {SCHEMA}`"
        )
    if not isinstance(data.get("level", ""), str):
        raise WorkflowError(f"{path}: level: it is no text; remove it")
    _require(data.get("require") or {}, path)
    rest = {key: value for key, value in data.items() if key not in KEYS}
    given = data.get("inputs")
    rest["artifacts"], checks = _checks(rest.get("artifacts"), given, path)
    entries = _entries(data.get("extensions"), rest.get("functions"), path)
    rest, notes = _without_missing(rest, entries, has_program)
    try:
        level = parse_level(rest, str(path))
        _ = level.size
    except LevelError as problem:
        hint = f" (left out: {'; '.join(notes)})" if notes else ""
        text_ = str(problem) if str(problem).startswith(str(path)) else f"{path}: {problem}"
        raise WorkflowError(text_ + hint) from None
    measures = {}
    for name, check in checks.items():
        if check.quality is not None:
            try:
                measures[name] = measure_named(check.quality, path.parent)
            except ValueError as problem:
                raise WorkflowError(f"{path}: artifacts.{name}.check.quality: {problem}") from None
    for name, function in level.functions.items():
        for variant, preset in function.variants.items():
            try:
                check_plain(preset.parameters, "parameters")
            except NotPlainError as problem:
                raise WorkflowError(
                    f"{path}: functions.{name}.variants.{variant}: {problem}"
                ) from None
    bound = {
        name: _bind(name, entries[name], path, ceiling)
        if entries[name].manifest is None
        else _bind_manifest(name, function, entries[name], path, ceiling)
        for name, function in level.functions.items()
    }
    return Workflow(path, text, level, bound, checks, measures, {}, tuple(notes))


def _require(wanted: Any, path: Path) -> None:
    """Every limit that has to be enforced is, here.

    Raises:
        WorkflowError: one is not, or not hard enough; what is found here.
    """
    where = f"{path}: require"
    if not isinstance(wanted, dict):
        raise WorkflowError(
            f"{where}: it holds no mapping; name limits and how hard they have to be"
        )
    if not wanted:
        return  # nothing has to be tried out
    profile = strongest().name
    found = enforcement(profile)
    for limit, level in wanted.items():
        if limit not in found:
            raise WorkflowError(
                f"{where}.{limit}: there is no such limit." + suggest(str(limit), found)
            )
        if str(level) not in Enforced.__members__:
            raise WorkflowError(
                f"{where}.{limit}: {level!r} is no level."
                + suggest(str(level), Enforced.__members__)
            )
        here = found[limit]
        if not reaches(Enforced(here["level"]), Enforced(level)):
            mend = what_would(limit, Enforced(level))
            raise WorkflowError(
                f"{where}.{limit}: {level} is wanted, profile {profile} here gives {here['level']} "
                f"({here['mechanism']})" + (f"; {mend}" if mend else "")
            )


def _mapping(text: str, path: Path) -> dict[str, Any]:
    try:
        data = yaml.load(text, OnceLoader)  # noqa: S506  (a SafeLoader)
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        line = f" at line {mark.line + 1}" if mark else ""
        what = getattr(problem, "problem", None) or "it cannot be parsed"
        raise WorkflowError(f"{path}: it is not valid YAML{line}: {what}; mend it there") from None
    except (ValueError, RecursionError):
        raise WorkflowError(f"{path}: a value in it cannot be read; mend it") from None
    if not isinstance(data, dict):
        raise WorkflowError(f"{path}: it holds no mapping; begin with `workflow: {SCHEMA}`")
    return data


def _part(kind: Any, data: Any, where: str) -> Any:
    """A part from plain data.

    Raises:
        WorkflowError: what is wrong with it, and where.
    """
    try:
        return TypeAdapter(kind).validate_python(data)
    except ValidationError as problem:
        first = problem.errors()[0]
        text = explain(problem, where)
        known = [field.alias or name for name, field in getattr(kind, "model_fields", {}).items()]
        if first["type"] == "extra_forbidden" and known:
            text += suggest(str(first["loc"][-1]), known)
        raise WorkflowError(text) from None


def _checks(artifacts: Any, given: Any, path: Path) -> tuple[Any, dict[str, Check]]:
    """The artifacts as a level has them, and what is declared of them."""
    if not isinstance(artifacts, dict):
        return artifacts, {}  # the level says what is wrong with it
    plain, checks = {}, {}
    for name, entry in artifacts.items():
        where = f"{path}: artifacts.{name}"
        entry = {} if entry is None else entry
        plain[name] = entry
        if not isinstance(entry, dict):
            continue
        fields = {key: value for key, value in entry.items() if key != "check"}
        if isinstance(given, dict) and name in given:
            fields["given"] = True
        if "check" in entry:
            check: Check = _part(Check, entry["check"], f"{where}.check")
            if check.rules is not None:
                try:
                    check_schema(check.rules, f"{where}.check.schema")
                except ValueError as problem:
                    raise WorkflowError(str(problem)) from None
            checks[name] = check
        gated = name in checks and checks[name].quality is not None
        if fields.get("gate") and not gated:
            raise WorkflowError(
                f"{where}.gate: a gate needs `check.quality`, the function that measures"
            )
        if gated:
            fields["gate"] = True
        plain[name] = fields
    return plain, checks


def _entries(extensions: Any, functions: Any, path: Path) -> dict[str, ExtensionEntry]:
    """What each function is bound to: each has to be, and nothing else is."""
    where = f"{path}: extensions"
    if not isinstance(extensions, dict):
        raise WorkflowError(f"{where}: is missing; bind each function to a `source`")
    if not isinstance(functions, dict):
        raise WorkflowError(f"{path}: functions: is missing; name what can be called")
    for name in extensions:
        if name not in functions:
            raise WorkflowError(
                f"{where}.{name}: the workflow has no such function."
                + suggest(str(name), map(str, functions))
            )
    for name in functions:
        if name not in extensions:
            raise WorkflowError(f"{where}: the function {name!r} is not bound; give it a `source`")
    return {
        name: _part(ExtensionEntry, entry, f"{where}.{name}") for name, entry in extensions.items()
    }


def _without_missing(
    data: dict[str, Any],
    entries: Mapping[str, ExtensionEntry],
    has_program: Callable[[str], object],
) -> tuple[dict[str, Any], list[str]]:
    """The level without the functions whose program is not installed, and a note on each."""
    gone, notes = set(), []
    for name, entry in entries.items():
        if entry.requires is not None and not has_program(entry.requires.program):
            gone.add(name)
            notes.append(f"{name}: the program {entry.requires.program} is not installed")
    if not gone:
        return data, notes

    def stays(name: object) -> bool:
        return str(name).split("/")[0] not in gone

    rest = dict(data)
    rest["functions"] = {k: v for k, v in data["functions"].items() if stays(k)}
    if isinstance(data.get("plan"), list) and not all(map(stays, data["plan"])):
        rest["plan"] = []  # what is left of it may lead nowhere: the default one is made anew
    if isinstance(data.get("recent"), dict):
        rest["recent"] = {k: v for k, v in data["recent"].items() if stays(k)}
    return rest, notes


def _bind(name: str, entry: ExtensionEntry, path: Path, ceiling: Settings | None) -> Bound:
    """The source of a function's extension and its limits."""
    where = f"{path}: extensions.{name}"
    source = entry.source
    _passable(entry, where)
    if source.endswith(".py") or "/" in source:
        file = (path.parent / source).resolve()
        if not file.is_file():
            raise WorkflowError(
                f"{where}.source: there is no file {source!r}; paths are relative to the workflow's folder"
            )
        source = str(file)
    elif not entry.python:
        _find_module(source, f"{where}.source")
    try:
        limits = limits_for(entry.kind, entry.limits, ceiling)
    except LimitError as problem:
        field = "class" if "class" in str(problem) and "Unknown" in str(problem) else "limits"
        raise WorkflowError(f"{where}.{field}: {problem}") from None
    return Bound(
        ExtensionSource(
            source=source,
            name=entry.extension or name,
            python=entry.python,
            environment=tuple(sorted(entry.environment.items())),
            import_paths=tuple(str((path.parent / p).resolve()) for p in entry.import_paths),
        ),
        limits,
        entry.kind.lower(),
    )


def _bind_manifest(
    name: str, function: Function, entry: ExtensionEntry, path: Path, ceiling: Settings | None
) -> Bound:
    """The same, where a manifest says it."""
    where = f"{path}: extensions.{name}"
    try:
        file = find_manifest(path.parent / (entry.manifest or ""))
        manifest = read_manifest(file)
        source = source_of(manifest, file)
        limits = limits_of(manifest, file, entry.limits, ceiling)
    except ManifestError as problem:
        raise WorkflowError(f"{where}.manifest: {problem}") from None
    except LimitError as problem:
        raise WorkflowError(f"{where}.limits: {problem}") from None
    wrong = misfit(manifest, function.inputs, function.outputs)
    if wrong is not None:
        raise WorkflowError(f"{where}.manifest: {wrong}")
    return Bound(source, limits, manifest.extension.kind.value)


def _passable(entry: ExtensionEntry, where: str) -> None:
    """A process can be started with what the entry says.

    Raises:
        WorkflowError: its Python is not there, or the system cannot pass a text on.
    """
    texts = (entry.source, *entry.import_paths, *entry.environment, *entry.environment.values())
    if any("\0" in text for text in texts) or any("=" in key for key in entry.environment):
        raise WorkflowError(
            f"{where}: no process can be given a NUL character, or `=` in a variable's name; remove it"
        )
    if entry.python is not None and shutil.which(entry.python) is None:
        raise WorkflowError(f"{where}.python: {entry.python!r} is no program; name a Python")


def _find_module(module: str, where: str) -> None:
    """There is a module of this name; looking for it runs the packages above it.

    Raises:
        WorkflowError: there is none, or a package above it fails.
    """
    try:
        found = importlib.util.find_spec(module) is not None
    except (ImportError, ValueError, AttributeError):
        found = False
    except (Exception, SystemExit) as problem:  # noqa: BLE001  (whatever a package does when imported)
        why = said_by(problem)
        raise WorkflowError(f"{where}: {module!r} cannot be imported ({why}); mend it") from None
    if not found:
        raise WorkflowError(
            f"{where}: there is no module {module!r}; a file is named with its ending `.py`"
        )


# --- inputs -------------------------------------------------------------------------------------------


def _inputs(entries: Any, workflow: Workflow, files: Mapping[str, Path]) -> dict[str, Any]:
    """The value of each given artifact."""
    path, artifacts = workflow.path, workflow.level.artifacts
    if entries is not None and not isinstance(entries, dict):
        raise WorkflowError(f"{path}: inputs: it holds no mapping; name artifacts and their values")
    entries = dict(entries or {})
    values: dict[str, Any] = {}
    for name in [*entries, *files]:
        source = f"{path}: inputs.{name}" if name in entries else f"--input {name}"
        if name not in artifacts:
            raise WorkflowError(
                f"{source}: there is no such artifact." + suggest(str(name), artifacts)
            )
        if not artifacts[name].given:
            raise WorkflowError(f"{source}: the artifact is made, not given; mark it `given: true`")
    for name, artifact in artifacts.items():
        if not artifact.given:
            continue
        where = f"{path}: inputs.{name}"
        if name not in entries and name not in files:
            raise WorkflowError(f"{where}: is missing; add it, or give --input {name}=PATH")
        entry = _part(InputEntry, entries[name], where) if name in entries else InputEntry()
        if name in files:
            values[name] = _from_file(files[name], _form(name, entry, workflow), f"--input {name}")
        else:
            values[name] = _value(name, entry, entries[name], workflow, where)
        _check_input(
            name, values[name], workflow, where if name not in files else f"--input {name}"
        )
    return values


def _form(name: str, entry: InputEntry, workflow: Workflow) -> ValueType:
    """How a file on the command line is read: as the workflow's own value, or as its check says."""
    if entry.text is not None:
        return ValueType.TEXT
    if "data" in entry.model_fields_set:
        return ValueType.JSON
    check = workflow.checks.get(name)
    return check.type if check is not None and check.type is not None else ValueType.BYTES


def _value(name: str, entry: InputEntry, given: Any, workflow: Workflow, where: str) -> Any:
    if len(given) != 1:
        raise WorkflowError(f"{where}: give exactly one of `file`, `text` and `json`")
    if entry.file is not None:
        return _from_file(
            workflow.path.parent / entry.file, _form(name, entry, workflow), f"{where}.file"
        )
    return entry.text if entry.text is not None else entry.data


def _from_file(path: Path, form: ValueType, where: str) -> Any:
    try:
        body = path.read_bytes()
        if form is ValueType.BYTES:
            return body
        text = body.decode("utf-8")
        return text if form is ValueType.TEXT else json.loads(text)
    except FileNotFoundError:
        raise WorkflowError(f"{where}: there is no file {str(path)!r}; check the path") from None
    except (OSError, ValueError) as problem:
        raise WorkflowError(f"{where}: {path} cannot be read as {form.value} ({problem})") from None


def _check_input(name: str, value: Any, workflow: Workflow, where: str) -> None:
    check = workflow.checks.get(name)
    wrong = check.fault(value) if check is not None else None
    if wrong is not None:
        raise WorkflowError(f"{where}: {wrong}; give another value, or change its check")
    try:
        check_plain(value, name)
    except NotPlainError as problem:
        raise WorkflowError(f"{where}: {problem}") from None
