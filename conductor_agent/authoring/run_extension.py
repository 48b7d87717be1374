"""One call of an extension by its manifest, under its limits: what `conductor extension run` does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from conductor_agent.authoring.scenarios import slot_named, typed
from conductor_agent.files.bindings import limits_of, source_of
from conductor_agent.files.declared import as_declared
from conductor_agent.files.manifest import Manifest, ManifestError, find_manifest, read_manifest
from conductor_agent.hosting.contract import CallRequest, Reply
from conductor_agent.hosting.supervisor import Supervisor
from conductor_agent.hosting.values import NotPlainError, check_plain
from fqg_env.errors import suggest
from fqg_env.outcome import SideEffects
from policies.resource.limits import Settings


def run_extension(
    path: Path,
    inputs: Sequence[str],
    parameters: str,
    *,
    variant: str | None = None,
    recover: bool = True,
    deadline_s: float | None = None,
    ceiling: Settings | None = None,
) -> Reply:
    """One call.

    Args:
        path: the manifest or its folder.
        inputs: `NAME=TEXT` or `NAME=@FILE` each; read as the type that the manifest declares.
        parameters: a JSON object; it changes those of the variant.
        variant: its name; the first one where it is not given.
        recover: whether it may recover by itself.
        deadline_s: a tighter one than the limit.
        ceiling: the operator's limits, by class.

    Raises:
        ManifestError: something that is given cannot be used.
    """
    file = find_manifest(path)
    manifest = read_manifest(file)
    source, limits = source_of(manifest, file), limits_of(manifest, file, None, ceiling)
    request = CallRequest(
        inputs=dict(_named(manifest, pair) for pair in inputs),
        parameters={**_variant(manifest, variant), **_parameters(parameters)},
        run_id="extension-run",
        call=manifest.name,
        attempt=1,
        idempotency_key=f"extension-run/{manifest.name}/1",
        effects=SideEffects.NONE if manifest.extension.idempotent else SideEffects.POSSIBLE,
        recover=recover,
        deadline_s=deadline_s,
    )
    _nothing_missing(manifest, request.inputs)

    async def run() -> Reply:
        async with Supervisor() as host:
            reply = await host.call(source, request, limits)
            return replace(reply, outcome=as_declared(reply.outcome, manifest.extension.outputs))

    return asyncio.run(run())


def _named(manifest: Manifest, pair: str) -> tuple[str, Any]:
    name, equals, text = pair.partition("=")
    where = f"--input {pair[:80]}"
    if not equals or not name:
        raise ManifestError(f"{where}: write NAME=TEXT or NAME=@FILE")
    given = Path(text[1:]) if text.startswith("@") else text
    return name, typed(slot_named(manifest, name, where), given, where)


def _nothing_missing(manifest: Manifest, given: Mapping[str, Any]) -> None:
    """Every input that may not be left out is given.

    Raises:
        ManifestError: one is missing.
    """
    for name, slot in manifest.extension.inputs.items():
        if name not in given and not slot.optional:
            raise ManifestError(
                f"the input {name} is missing, of type {slot.type.value}: add --input {name}=TEXT, or "
                f"--input {name}=@FILE"
            )


def _variant(manifest: Manifest, name: str | None) -> Mapping[str, Any]:
    variants = manifest.extension.variants
    if name is None:
        return next(iter(variants.values())).parameters
    if name not in variants:
        raise ManifestError(f"--variant {name}: there is none." + suggest(name, variants))
    return variants[name].parameters


def _parameters(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
        check_plain(found, "parameters")
    except (NotPlainError, ValueError, RecursionError) as problem:
        raise ManifestError(f"--parameters: it is no plain JSON ({problem})") from None
    if not isinstance(found, dict):
        raise ManifestError('--parameters: give a JSON object, such as \'{"language": "en"}\'')
    return found
