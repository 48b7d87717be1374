"""The first process of a worker: the conductor's own Python, which confines itself and then becomes it.

    python -I -S -c "...; main()" FD      (FD: a file in memory with the JSON of `Entry`)

(Not on the command line, which anybody on the machine can read: secrets are in it.)

In a process namespace it simply becomes the worker. Elsewhere it stays as the worker's keeper
(`hosting/watch/keeper.py`). Standard library alone, for a start of a few milliseconds.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from conductor_agent.hosting.walls.confine import Confinement, confine, die_with_parent
from conductor_agent.hosting.walls.handover import hand_over
from conductor_agent.hosting.watch.keeper import keep_below

FAILED = 71
"""Exit code where the walls could not be put up: nothing foreign has run (classify.EXIT_NO_WALLS)."""
ROOT = Path(__file__).resolve().parents[3]
"""Directory that the project's packages are imported from."""


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


def written(entry: Entry) -> int:
    """A file in memory with the settings; who opens it closes it.

    Raises:
        OSError: the system has none to give.
    """
    fd = os.memfd_create("fqg-entry")
    os.write(fd, _text(entry).encode())
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def command(python: str, fd: int) -> list[str]:
    """The command line of the first process, which inherits the file."""
    start = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); "
        "from conductor_agent.hosting.walls.enter import main; main()"
    )
    return [python, "-I", "-S", "-c", start, str(fd)]


def _text(entry: Entry) -> str:
    data = asdict(entry)
    data["confinement"]["program"] = base64.b64encode(entry.confinement.program).decode()
    return json.dumps(data, separators=(",", ":"))


def _read(text: bytes) -> Entry:
    data: dict[str, Any] = json.loads(text)
    inner = data.pop("confinement")
    inner["program"] = base64.b64decode(inner["program"])
    return Entry(**data, confinement=Confinement(**inner))


def main() -> None:
    """Confine this process, then become the worker. Returns only by exiting."""
    with open(int(sys.argv[1]), "rb") as settings:  # noqa: PTH123
        entry = _read(settings.read())
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
