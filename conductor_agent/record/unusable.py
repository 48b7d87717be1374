"""Why a journal cannot be used, and what to do, from what SQLite or the system says of its file."""

from __future__ import annotations

from pathlib import Path

ELSEWHERE = "name another file with --journal"


def why_unusable(path: Path, problem: Exception) -> str:
    """The sentence."""
    text = str(problem)
    # of a damaged schema not even what SQLite says of it can always be read
    if isinstance(problem, UnicodeError) or "not a database" in text or "malformed" in text:
        return f"{path}: the file is damaged or no journal ({text})"
    return f"{path}: the journal cannot be used ({text}); {_remedy(text)}"


def _remedy(text: str) -> str:
    if "locked" in text:
        return f"another program holds it: try again later, or {ELSEWHERE}"
    if "full" in text or "disk I/O" in text:  # the second: what some say where no room is left
        return f"make room (`conductor resume` goes on with a run), or {ELSEWHERE}"
    return ELSEWHERE


def file_at(path: Path) -> tuple[int, int] | None:
    """Which file has this name now; None: none has."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
