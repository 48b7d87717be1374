"""An attack as its author hands it over: a source, in a folder of its own where its neighbours attack too.

A manifest may ask for what nobody granted; an environment may say that its Python lies elsewhere; a granted
folder may have become a link.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from sandbox.case import ATTACKS, Case

from conductor_agent.files.bindings import limits_of, source_of
from conductor_agent.files.manifest import FILE, ManifestError, read_manifest
from conductor_agent.hosting.contract import ExtensionSource
from fqg_env.outcome import Category, StandardError, error
from policies.resource.limits import ResourceLimits

MANIFEST = '[extension]\nsource = "{source}.py"\nfunction = "{extension}"\nclass = "instrument"\n'


class Handed(NamedTuple):
    """What the conductor is asked to run, and what it would let that use."""

    source: ExtensionSource
    limits: ResourceLimits


@contextlib.contextmanager
def handed_over(case: Case, bait: Mapping[str, Any]) -> Iterator[Handed | StandardError]:
    """The case's extension while its folder is there; or why the conductor does not take it.

    Args:
        case: whose extension it is.
        bait: what the host could lose, by name (bait.py).
    """
    if not (case.asks or case.planted or case.linked):
        yield Handed(_source(case), case.allowed)
        return
    with tempfile.TemporaryDirectory(prefix="authored-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        if case.planted:
            yield Handed(_with_python(case, folder, Path(bait["folder"])), case.allowed)
            return
        if case.linked:
            yield _granted(case, folder / "granted", Path(bait["folder"]))
            return
        try:
            yield _by_manifest(case, folder, bait)
        except ManifestError as refusal:
            yield error(Category.FORBIDDEN, str(refusal), code="MANIFEST")


def _source(case: Case, python: str | None = None, *packages: str) -> ExtensionSource:
    """The attack where it lies, in this Python or in one of its own that imports from `packages` too."""
    programs = os.environ.get("FQG_SUITE_PROGRAMS")
    return ExtensionSource(
        str(ATTACKS / f"{case.source}.py"),
        case.extension,
        python=python,
        environment=case.environment,
        import_paths=(str(ATTACKS), *((programs,) if programs else ()), *packages),
    )


def _by_manifest(case: Case, folder: Path, bait: Mapping[str, Any]) -> Handed:
    """The attack beside a manifest that asks for what it needs.

    Raises:
        ManifestError: it may not have that.
    """
    for name in (case.source, "attacking"):
        shutil.copy(ATTACKS / f"{name}.py", folder)
    file = folder / FILE
    text = MANIFEST.format(source=case.source, extension=case.extension) + case.asks.format(**bait)
    file.write_text(text, "utf-8")
    manifest = read_manifest(file)
    return Handed(source_of(manifest, file), limits_of(manifest, file))


def _granted(case: Case, link: Path, target: Path) -> Handed:
    """The attack, granted a path that is a link by the time it starts."""
    link.symlink_to(target)
    source = replace(_source(case), environment=(("GRANTED", str(link)),))
    return Handed(source, case.allowed.model_copy(update={"read_paths": (str(link),)}))


def _with_python(case: Case, folder: Path, target: Path) -> ExtensionSource:
    """The attack with an environment of its own that names another folder its home, and links to it."""
    version = f"python{sysconfig.get_python_version()}"
    real = Path(sys.executable).resolve()
    for place in (folder, target):  # so that each could be taken for a Python
        (place / "lib" / version / "site-packages").mkdir(parents=True, exist_ok=True)
    (folder / "bin").mkdir()
    (folder / "bin" / "python").symlink_to(real)
    (folder / "pyvenv.cfg").write_text(f"home = {target / 'bin'}\n")
    for link in (folder / "lib" / "python3", folder / "bin" / "python-docs"):
        link.symlink_to(target)
    return _source(case, str(folder / "bin" / "python"), str(Path(msgspec.__file__).parents[1]))
