"""The first process of a worker: the conductor's own Python, which confines itself and then becomes it.

    python -I -S -c "...; main()" SETTINGS      (SETTINGS: JSON, see `Entry`)

In a process namespace it simply becomes the worker. Elsewhere it stays as the worker's keeper (keeper.py).
Standard library alone, for a start of a few milliseconds.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from conductor_agent.hosting.confine import Confinement, confine, die_with_parent
from conductor_agent.hosting.handover import hand_over
from conductor_agent.hosting.keeper import keep_below

FAILED = 71
"""Exit code where the walls could not be put up: nothing foreign has run (classify.EXIT_NO_WALLS)."""
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Entry:
    """How to begin."""

    command: tuple[str, ...]
    """What to become: the extension's Python and its arguments."""
    confinement: Confinement
    keeper: int | None = None
    """Pid of the supervisor, where a keeper is wanted."""
    directory: str = ""
    """The worker's own; a keeper removes it where the supervisor is gone."""
    environment: tuple[tuple[str, str], ...] = ()
    hand_over: int | None = None
    """The channel, where the supervisor serves a way out of the jail's network."""


def command(python: str, entry: Entry) -> list[str]:
    """The command line of the first process."""
    start = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); "
        "from conductor_agent.hosting.enter import main; main()"
    )
    return [python, "-I", "-S", "-c", start, _text(entry)]


def _text(entry: Entry) -> str:
    data = asdict(entry)
    data["confinement"]["program"] = base64.b64encode(entry.confinement.program).decode()
    return json.dumps(data, separators=(",", ":"))


def _read(text: str) -> Entry:
    data: dict[str, Any] = json.loads(text)
    inner = data.pop("confinement")
    inner["program"] = base64.b64decode(inner["program"])
    return Entry(**data, confinement=Confinement(**inner))


def main() -> None:
    """Confine this process, then become the worker. Returns only by exiting."""
    entry = _read(sys.argv[1])
    parent = os.getpid()
    if entry.keeper is not None:
        keep_below(entry.keeper, entry.directory)
    try:
        if entry.hand_over is not None:
            hand_over(entry.hand_over)
        confine(entry.confinement)
        if entry.keeper is not None:
            die_with_parent()
            if os.getppid() != parent:
                os._exit(1)
            os.setsid()
        environment = dict(entry.environment)
        os.execve(entry.command[0], entry.command, environment)  # noqa: S606  (that is the purpose)
    except OSError as problem:
        sys.stderr.write(f"{type(problem).__name__}: {problem}\n")
        sys.stderr.flush()
        os._exit(FAILED)
