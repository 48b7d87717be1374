"""A folder where a file is wanted: one sentence, with the file in it that was perhaps meant."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

WORKFLOW = re.compile(r"^workflow\s*:", re.MULTILINE)
MOST_READ = 65_536
"""Letters of a file in which its `workflow:` has to stand."""
MOST_NAMED = 5


def no_workflow(folder: Path) -> str:
    """Why a folder cannot be run, and which workflow in it was perhaps meant."""
    files = sorted({*folder.glob("*.yaml"), *folder.glob("*.yml")})
    found = [path for path in files if path.is_file() and _is_workflow(path)]
    if len(found) == 1:
        return f"{folder}: it is a folder; name the workflow in it: {found[0]}"
    if found:
        return f"{folder}: it is a folder; name one of its workflows: {_listed(found)}"
    return (
        f"{folder}: it is a folder, and no workflow lies in it; name a workflow file, or write one with "
        "`conductor new NAME`"
    )


def no_manifest(path: Path, name: str) -> str:
    """Why there is no extension at a path, and which one was perhaps meant.

    Args:
        path: a folder without a manifest, or a file that is not there.
        name: of manifests.
    """
    if path.is_dir():
        found = sorted(file.parent for file in path.glob(f"*/{name}") if file.is_file())
        if found:
            which = "the extension" if len(found) == 1 else "one of the extensions"
            return (
                f"{path}: there is no {name} in this folder; name {which} in it: {_listed(found)}"
            )
        return (
            f"{path}: there is no {name} in this folder; name another one, or write an extension with "
            "`conductor extension new NAME`"
        )
    return f"{path}: there is no manifest; write one with `conductor extension new {path}`"


def no_journal(folder: Path) -> str:
    """Why a folder is no journal, and which file in it was perhaps meant."""
    found = sorted(path for path in folder.glob("*.sqlite") if path.is_file())
    if found:
        which = "the journal" if len(found) == 1 else "one of the journals"
        return f"{folder}: it is a folder; name {which} in it: {_listed(found)}"
    such = folder / "conductor.sqlite"
    return f"{folder}: it is a folder, and a journal is a file; name one, such as {such}"


def _is_workflow(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return WORKFLOW.search(file.read(MOST_READ)) is not None
    except OSError:
        return False


def _listed(paths: Sequence[Path]) -> str:
    more = len(paths) - MOST_NAMED
    return ", ".join(map(str, paths[:MOST_NAMED])) + (f" and {more} more" if more > 0 else "")
