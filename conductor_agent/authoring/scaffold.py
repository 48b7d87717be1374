"""Folders that `new` writes: a name that is one, nothing that is there is touched, schemas for editors."""

from __future__ import annotations

import contextlib
import errno
import keyword
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from conductor_agent.files.manifest import ManifestError
from conductor_agent.files.schema_files import schema_text

LONGEST_NAME = 60
SCHEMA_LINE = "# yaml-language-server: $schema=schemas/workflow.json\n"
"""First line of a workflow: editors complete keys by it and mark wrong ones."""
TOML_SCHEMA_LINE = "#:schema schemas/manifest.json\n"
"""The same for a manifest."""


def name_of(path: Path, what: str) -> str:
    """The name that a folder gives to what is written into it.

    Args:
        path: a folder that is not there yet, or is empty.
        what: what is named, for the message: `a function`.

    Raises:
        ManifestError: it is no name for that, or the folder is in use.
    """
    name = path.name.replace("-", "_") or path.resolve().name.replace("-", "_")
    if len(name) > LONGEST_NAME:
        raise ManifestError(
            f"{path}: its name is longer than {LONGEST_NAME} letters; choose a shorter one"
        )
    if not name.isidentifier() or keyword.iskeyword(name):
        raise ManifestError(f"{path}: {name!r} is no name for {what}; use letters and `_`")
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise ManifestError(f"{path}: something is there already; name a new folder")
    return name


def write_folder(path: Path, files: Mapping[str, str], schemas: Iterable[str]) -> list[Path]:
    """Write files, and the schemas that they are checked by; which they are. All of them, or none is left.

    Args:
        path: the folder, made where it is missing.
        files: name -> text.
        schemas: names of schemas, see `schema_files.py`.

    Raises:
        ManifestError: one cannot be written.
    """
    texts = {**files, **{f"schemas/{name}.json": schema_text(name) for name in schemas}}
    paths = [path / name for name in texts]
    try:
        for file, text in zip(paths, texts.values(), strict=True):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
    except OSError as problem:
        for folder in _removed(paths):
            with contextlib.suppress(OSError):  # it is not there, or not empty
                folder.rmdir()
        remedy = (
            "make room" if problem.errno in (errno.ENOSPC, errno.EDQUOT) else "name another folder"
        )
        raise ManifestError(
            f"{path}: it cannot be written ({problem.strerror}); {remedy}"
        ) from None
    return paths


def _removed(files: Iterable[Path]) -> Iterator[Path]:
    """Remove files that may be there; their folders, the inner ones first."""
    folders = set()
    for file in files:
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)
        folders.add(file.parent)
    yield from sorted(folders, key=lambda folder: -len(folder.parts))
