"""From a manifest to what a supervisor needs: where the code is, and what it may use.

class default  <=  what the manifest asks for  <=  ceiling of the class or the operator
and below that  what a workflow says, which may only tighten
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from conductor_agent.files.manifest import Manifest, ManifestError
from conductor_agent.files.passable import unpassable
from conductor_agent.hosting.command import command_source
from conductor_agent.hosting.contract import ExtensionSource
from conductor_agent.hosting.walls.grants import FIELDS, LedAwayError, places
from conductor_agent.hosting.walls.readable import SYSTEM, common
from fqg_env.errors import suggest
from policies.resource.freedoms import FREEDOMS
from policies.resource.limits import LimitError, ResourceLimits, Settings, limits_for, short

MB = 1_048_576
DEV = Path("/dev")
GPU_DEVICES = (
    "nvidia[0-9]*", "nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset",
    "kfd", "dri/renderD*",
)  # fmt: skip
"""Of NVIDIA's driver, and of AMD's and Intel's."""


def source_of(manifest: Manifest, file: Path) -> ExtensionSource:
    """Where the code of an extension is.

    Args:
        manifest: of the extension.
        file: the manifest's own path; others are relative to its folder.

    Raises:
        ManifestError: the file, the program or the Python is not there.
    """
    ours, folder = manifest.extension, file.resolve().parent
    known_by = os.path.abspath(file)  # noqa: PTH100  (links stay: the path is the workflow's word)
    environment = tuple(sorted(ours.environment.items()))
    lack = unpassable((ours.source or "", ours.python or "", *ours.command), ours.environment)
    if lack is not None:
        raise ManifestError(f"{file}: extension: {lack}")
    if ours.command:
        _check_program(ours.command[0], file)
        return replace(command_source(ours.command, folder, environment), manifest=known_by)
    if ours.python is not None and shutil.which(ours.python) is None:
        raise ManifestError(f"{file}: extension.python: {ours.python!r} is no program")
    source = ours.source or ""
    if source.endswith(".py") or "/" in source:
        if not below(folder, source).is_file():
            raise ManifestError(
                f"{file}: extension.source: there is no file {source!r} in its folder"
            )
        source = str(folder / source)
    elif not all(part.isidentifier() for part in source.split(".")):
        raise ManifestError(
            f"{file}: extension.source: {source!r} is neither a file `.py` nor a module"
        )
    return ExtensionSource(
        source=source,
        name=ours.function,
        python=ours.python,
        environment=environment,
        import_paths=() if source.endswith(".py") else (str(folder),),
        manifest=known_by,
    )


def below(folder: Path, name: str) -> Path:
    """A path in a folder: what an author names may be nowhere else.

    Raises:
        ManifestError: it is.
    """
    try:
        path = (folder / name).resolve()
    except (OSError, ValueError):
        raise ManifestError(f"{folder}: {name!r} is no path; name a file in this folder") from None
    if not path.is_relative_to(folder.resolve()):
        raise ManifestError(
            f"{folder}: {name!r} lies outside of the extension's folder; move it in there"
        )
    return path


def _check_program(program: str, file: Path) -> None:
    where = file.parent / program if program.startswith("./") else program
    if shutil.which(where) is None:
        raise ManifestError(
            f"{file}: extension.command: {program!r} is no program that can be run here; "
            "a file beside the manifest begins with `./` and needs the right to be executed"
        )


def asked_by(manifest: Manifest) -> dict[str, Any]:
    """Fields of `ResourceLimits` that a manifest asks for. Of two timeouts the shorter one holds."""
    resources, asked = manifest.runtime.resources, dict(manifest.extension.limits)
    timeouts = [resources.execution_timeout, manifest.failure_policies.timeout_seconds]
    told = [seconds for seconds in timeouts if seconds is not None]
    if told:
        asked.setdefault("wall_s", min(told))
    if resources.memory_limit is not None:
        asked.setdefault("memory_bytes", int(min(resources.memory_limit * MB, sys.maxsize)))
    if resources.cpu_limit is not None and "wall_s" in asked:
        asked.setdefault("cpu_s", asked["wall_s"] * resources.cpu_limit / 100)
    if manifest.failure_policies.max_retries is not None:
        asked.setdefault("own_retries", manifest.failure_policies.max_retries)
    if resources.gpu_acceleration:
        asked.setdefault("devices", gpu_devices())
    if resources.network_required:
        asked.setdefault("network", manifest.security.get("network_access") or "host")
    variables = manifest.runtime.environment.get("required_env_vars")
    if variables:
        asked.setdefault("environment", variables)
    return asked


def gpu_devices() -> tuple[str, ...]:
    """The device files of this machine that a GPU is worked through; none where it has no GPU."""
    return tuple(sorted(str(path) for kind in GPU_DEVICES for path in DEV.glob(kind)))


def limits_of(
    manifest: Manifest,
    file: Path,
    tightened: Mapping[str, Any] | None = None,
    ceiling: Settings | None = None,
) -> ResourceLimits:
    """What an extension may use.

    Args:
        manifest: what it asks for.
        file: the manifest's path, for messages.
        tightened: what a workflow makes of it.
        ceiling: the operator's limits, by class.

    Raises:
        ManifestError: it asks for more than its class may have, or to reach what nobody granted.
        LimitError: the workflow asks for more than the manifest, for what there is not, or for a path that
            leads elsewhere.
    """
    kind, asked = manifest.extension.kind.value, asked_by(manifest)
    _check_granted(asked, {**(ceiling or {}).get(kind, {}), **(tightened or {})}, file)
    try:
        own = straight(limits_for(kind, asked, ceiling))
    except LimitError as problem:
        raise ManifestError(f"{file}: {problem}") from None
    if not tightened:
        _check_shown(manifest, file, own.read_paths)
        return own
    limits = straight(limits_for(kind, {**asked, **tightened}, ceiling))
    for field in tightened:
        if _looser(field, getattr(limits, field), getattr(own, field)):
            raise LimitError(
                f"Limit {field}: the workflow asks for {getattr(limits, field)}, the manifest for "
                f"{getattr(own, field)}; a workflow may only tighten."
            )
    _check_shown(manifest, file, limits.read_paths)
    return limits


def straight(limits: ResourceLimits) -> ResourceLimits:
    """Limits whose paths mean themselves: no link leads them elsewhere.

    Raises:
        LimitError: one does.
    """
    try:
        for field in FIELDS:
            places(field, getattr(limits, field))
    except LedAwayError as problem:
        raise LimitError(f"Limit {problem}.") from None
    return limits


def _check_granted(asked: Mapping[str, Any], granted: Mapping[str, Any], file: Path) -> None:
    """An author may ask for something to reach; the workflow or the operator has to say the same.

    Raises:
        ManifestError: nobody did.
    """
    for field in FREEDOMS:
        if asked.get(field) and asked[field] != "none" and field not in granted:
            raise ManifestError(
                f"{file}: it asks for {field} {short(asked[field])}; grant it under `limits` of the "
                "workflow's entry or in the operator's --limits file, or leave it out"
            )


def _check_shown(manifest: Manifest, file: Path, granted: tuple[str, ...]) -> None:
    """The program or the Python that an author names can be read from inside, so it has to lie where an
    extension may read anyway, or where it was granted. A bare name is found where the operator says.

    Raises:
        ManifestError: it lies elsewhere, or leads there; or all that lies beside it is not its author's.
    """
    ours, folder = manifest.extension, file.resolve().parent
    alone = common(folder)
    if alone and not (ours.source or "").endswith(".py"):
        raise ManifestError(
            f"{file}: a program or module can read the whole folder that it lies in, and {str(folder)!r} is "
            "not the extension's alone; move it into a folder of its own"
        )
    roots = [*(() if alone else (str(folder),)), *SYSTEM, sys.prefix, sys.base_prefix, *granted]
    roots += map(os.path.realpath, tuple(roots))
    program = next(iter(ours.command), "")
    for key, named in (("command", program), ("python", ours.python or "")):
        if "/" not in named:
            continue
        start = folder if key == "command" and named.startswith("./") else Path.cwd()
        path = Path(os.path.abspath(start / named))  # noqa: PTH100  (links stay: both ends count)
        for place in (path, path.resolve()):
            if not any(place.is_relative_to(root) for root in roots):
                raise ManifestError(
                    f"{file}: extension.{key}: {str(place)!r} lies where the extension may not read; "
                    "move it into its folder, or ask for `read_paths` in [extension.limits] and have "
                    "that granted"
                )


def _looser(field: str, wished: Any, own: Any) -> bool:
    """Whether a limit gives more than another: a larger number, another destination, path or name."""
    if field in FREEDOMS:
        return bool(FREEDOMS[field](wished, own))
    return own is not None and (wished is None or wished > own)


def misfit(manifest: Manifest, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> str | None:
    """Why a function with these artifacts cannot be this extension, or None.

    A manifest that names no inputs, or no outputs, fits any.
    """
    ours = manifest.extension
    for kind, names, slots in (("input", inputs, ours.inputs), ("output", outputs, ours.outputs)):
        for name in names:
            if slots and name not in slots:
                return f"the manifest has no {kind} {name!r}." + suggest(name, slots)
    for name, slot in ours.inputs.items():
        if not slot.optional and name not in inputs:
            return f"the function lacks the input {name!r} that the manifest needs"
    return None
