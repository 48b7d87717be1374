"""Values of the artifacts that a workflow is given: from its file, or from files on the command line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from conductor_agent.files.checks import ValueType
from conductor_agent.files.workflow_parts import InputEntry, Workflow, WorkflowError, part_of
from conductor_agent.hosting.values import NotPlainError, check_plain
from fqg_env.errors import suggest


def read_inputs(entries: Any, workflow: Workflow, files: Mapping[str, Path]) -> dict[str, Any]:
    """The value of each given artifact."""
    path, artifacts = workflow.path, workflow.level.artifacts
    entries = dict(entries or {})
    values: dict[str, Any] = {}
    for name in [*entries, *files]:
        source = f"{path}: inputs.{name}" if name in entries else f"--input {name}"
        _known(name, artifacts, source)
        if not artifacts[name].given:
            raise WorkflowError(f"{source}: the artifact is made, not given; mark it `given: true`")
    for name, artifact in artifacts.items():
        if not artifact.given:
            continue
        where = f"{path}: inputs.{name}"
        if name not in entries and name not in files:
            raise WorkflowError(f"{where}: is missing; add it, or give --input {name}=PATH")
        entry = part_of(InputEntry, entries[name], where) if name in entries else InputEntry()
        if name in files:
            values[name] = _from_file(files[name], _form(name, entry, workflow), f"--input {name}")
        else:
            values[name] = _value(name, entry, entries[name], workflow, where)
        _check_input(
            name, values[name], workflow, where if name not in files else f"--input {name}"
        )
    return values


def check_entries(entries: Any, artifacts: Any, path: Path) -> None:
    """The inputs name artifacts: seen before the level, where one misspelt leaves goals out of reach.

    Raises:
        WorkflowError: they are no mapping, or name what is no artifact.
    """
    if entries is not None and not isinstance(entries, dict):
        raise WorkflowError(f"{path}: inputs: it holds no mapping; name artifacts and their values")
    if isinstance(artifacts, dict):  # else the level says what is wrong with them
        for name in entries or {}:
            _known(name, artifacts, f"{path}: inputs.{name}")


def _known(name: Any, artifacts: Mapping[Any, Any], where: str) -> None:
    if name not in artifacts:
        known = map(str, artifacts)
        raise WorkflowError(f"{where}: there is no such artifact." + suggest(str(name), known))


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
    except (OSError, ValueError, RecursionError) as problem:
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
