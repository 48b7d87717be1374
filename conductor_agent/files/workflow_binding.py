"""What a function is bound to: the source of its extension, by hand or by manifest, and its limits."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

from conductor_agent.files.bindings import limits_of, misfit, source_of, straight
from conductor_agent.files.manifest import ManifestError, find_manifest, read_manifest
from conductor_agent.files.passable import unpassable
from conductor_agent.files.workflow_parts import Bound, ExtensionEntry, WorkflowError
from conductor_agent.hosting.contract import ExtensionSource
from conductor_agent.plain import said_by
from fqg_env.level import Function
from policies.resource.limits import LimitError, Settings, limits_for


def bind(name: str, entry: ExtensionEntry, path: Path, ceiling: Settings | None) -> Bound:
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
        limits = straight(limits_for(entry.kind, entry.limits, ceiling))
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


def bind_manifest(
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
    slots = manifest.extension.outputs
    declared = {output: slots[output] for output in function.outputs if output in slots}
    return Bound(source, limits, manifest.extension.kind.value, declared)


def _passable(entry: ExtensionEntry, where: str) -> None:
    """A process can be started with what the entry says.

    Raises:
        WorkflowError: its Python is not there, or the system cannot pass a text on.
    """
    words = (entry.source, entry.python or "", *entry.import_paths)
    lack = unpassable(words, entry.environment)
    if lack is not None:
        raise WorkflowError(f"{where}: {lack}")
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
