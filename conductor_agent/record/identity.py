"""Who an extension is, for as long as it is remembered.

An extension is known by its place and its name in there, or else by its text and its name. Its place is what
the workflow names: a file, a module, or a manifest; of a manifest alone, whatever that says of file and name,
because those are its author's to change. So its record stays with it when a new version is put in the same
place, when its file is moved or renamed, and when it writes over its own file. Only what a workflow names
anew *and* reads differently is a stranger, whom nobody knows anything of, good or bad. Copies of one text
share one record, from the first on.

What else it loads (packages, its Python, its environment) does not count: those are the operator's choice.
"""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from conductor_agent.hosting.contract import ExtensionSource


@dataclass(frozen=True)
class Version:
    """An extension as it lies there now."""

    place: str
    """Absolute path of its manifest or file, its module, or its command line."""
    name: str
    """Of the extension in there."""
    digest: str
    """SHA-256 of its file; empty where that cannot be found or read."""
    kind: str
    """Its class: `instrument`, `operator` or `motif`."""

    @property
    def by_manifest(self) -> bool:
        """Whether its place is a manifest."""
        return self.place.endswith(".toml")

    @property
    def label(self) -> str:
        """What people call it: `file:name`, `folder:name` of a manifest or `module:name`; without the
        name where it is the only one.
        """
        place = self.place.split(maxsplit=1)[0] if self.place else ""
        stem = Path(self.place).stem if self.place.endswith(".py") else Path(place).name
        stem = Path(self.place).parent.name if self.by_manifest else stem
        return f"{stem}:{self.name}" if self.name else stem


def version_of(source: ExtensionSource, kind: str = "") -> Version:
    """The extension that a source names, as it lies there now."""
    place, digest = _found(source)
    return Version(source.manifest or place, source.name, digest, kind)


def _found(source: ExtensionSource) -> tuple[str, str]:
    """Where the code lies, and its digest."""
    command = source.command
    if command:
        program = Path(shutil.which(command[0]) or command[0]).name
        return " ".join(command), _digest(map(Path, command[1:]), program)
    if source.source.endswith(".py"):
        path = Path(source.source).resolve()
        return str(path), _digest([path])
    return source.source, _digest(_module_file(source))


def _module_file(source: ExtensionSource) -> list[Path]:
    """The file of a module, where this Python finds it."""
    if source.python:
        return []
    try:
        found = importlib.util.find_spec(source.source)
    except (Exception, SystemExit):  # noqa: BLE001  (whatever a package does when imported)
        return []
    return [Path(found.origin)] if found is not None and found.origin else []


def _digest(paths: Iterable[Path], program: str = "") -> str:
    """SHA-256 of the files among these and of what runs them; empty where no file can be read."""
    digest, read = hashlib.sha256(program.encode()), False
    for path in paths:
        try:
            digest.update(path.read_bytes())
        except (OSError, ValueError):
            continue
        read = True
    return digest.hexdigest() if read else ""
