"""A granted path means itself: where a link on the way leads elsewhere, nothing is granted.

Who may write a folder can put a link into it, and another extension, or a later run, may have been granted
what lies there. So no link is followed, whoever put it there. What is seen at a path here is looked for
again behind the walls (confine.py), so that nothing can be put in its place in between.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable
from pathlib import PurePosixPath

from conductor_agent.hosting.classify import DOMAIN
from conductor_agent.hosting.walls.place import Place, place_of
from fqg_env.outcome import Blame, Category, Phase, PolicyEvidence, StandardError, error
from policies.resource.enforcers import SUPERVISOR

FIELDS = ("read_paths", "write_paths")
"""Of `ResourceLimits`."""
_PLAIN = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


class LedAwayError(Exception):
    """A granted path that leads elsewhere; the text is one sentence."""

    def __init__(self, field: str, path: str, leads: str) -> None:
        """
        Args:
            field: of `ResourceLimits`.
            path: as it is granted.
            leads: where the links on the way to it lead.
        """
        super().__init__(
            f"{field}: {path!r} leads to {leads!r} by a link; if you made that, grant where it leads "
            "or a folder that holds both, and if you did not, remove it"
        )
        self.field = field
        self.proof = f"{path} -> {leads}"


def places(field: str, paths: Iterable[str]) -> dict[str, Place | None]:
    """What lies at each path that this field grants; None: nothing that can be reached.

    Raises:
        LedAwayError: there is a link on the way to one.
    """
    return {path: _place(field, path) for path in paths}


def led_away(problem: LedAwayError) -> StandardError:
    """Why no worker starts with such a grant."""
    proof = PolicyEvidence(
        name=problem.field,
        limit=0.0,
        observed=1.0,
        unit="links",
        action="refused",
        enforcer=SUPERVISOR,
        evidence=problem.proof,
    )
    return error(
        Category.POLICY_VIOLATION,
        f"The extension is not started: {problem}.",
        code="GRANT_LEADS_AWAY",
        domain=DOMAIN,
        blame=Blame.POLICY,
        phase=Phase.ADMISSION,
        policy=proof,
    )


def _place(field: str, path: str) -> Place | None:
    with contextlib.ExitStack() as opened:
        fd = found = None
        try:
            for part in PurePosixPath(path).parts:
                fd = _open(part, fd)
                opened.callback(os.close, fd)
                found = os.fstat(fd)
                if stat.S_ISLNK(found.st_mode):
                    raise LedAwayError(field, path, os.path.realpath(path))
        except OSError:
            return None
        return None if found is None else place_of(found)


def _open(part: str, above: int | None) -> int:
    """A part of a path, never followed. As a folder first, so that what is mounted on demand is mounted."""
    try:
        return os.open(part, _PLAIN | os.O_DIRECTORY, dir_fd=above)
    except NotADirectoryError:
        return os.open(part, _PLAIN, dir_fd=above)
