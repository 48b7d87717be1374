"""Which limit would open the wall that an extension met: said in the failure, for whoever binds it. Such a
failure is FORBIDDEN, whatever the extension took it for: a wall does not pass, and who declares the limits
set it.

It goes by the errors of the exceptions below the failure and by what the profile makes of each wall; where
that leaves open which wall it was, nothing is said, or both.
"""

from __future__ import annotations

import errno
import os
import re
import threading
from collections.abc import Iterator

from msgspec.structs import replace

from conductor_agent.aside import TooSlowError, aside
from conductor_agent.hosting.raised import MAX_MESSAGE
from conductor_agent.hosting.walls.profiles import Profile
from fqg_env.outcome import Category, Cause, Outcome, StandardError
from policies.resource.limits import ResourceLimits

ERROR = re.compile(r"\[Errno (-?\d+)\] [^:]*?(?:: '(/[^']*)')?>?$")
"""As an OSError tells itself: its number and, of a call with files, the path."""
NO_NAMES = frozenset({-2, -3, -5})
"""Of the resolver, where the network is closed: no such name, for now, no address."""
LOOK_S = 1.0
"""For a file system to say whether it has something."""
_looks = threading.BoundedSemaphore(4)
UNREACHABLE = frozenset({errno.EACCES, errno.ENETUNREACH, *NO_NAMES})


async def with_the_key(outcome: Outcome, limits: ResourceLimits, profile: Profile) -> Outcome:
    """A failure as FORBIDDEN, with the limit that would open the wall it met in `detail`; as it is where it
    met none.

    Args:
        outcome: what an extension answered; its words are not trusted further than to be told.
        limits: those it ran under.
        profile: how it was walled in.
    """
    if not isinstance(outcome, StandardError) or not profile.filtered:
        return outcome
    for number, path in _errors(outcome.cause):
        if path:
            keys = await _of_a_path(number, path, profile)
        else:
            keys = _of_the_network(number, limits)
        if keys:
            told = f"that is a wall around it, which the limit `{keys}` opens"
            return replace(
                outcome,
                category=Category.FORBIDDEN,
                retryable=False,
                detail="; ".join(filter(None, (outcome.detail, told))),
            )
    return outcome


def _errors(cause: Cause | None) -> Iterator[tuple[int, str]]:
    """Number and path of each system error in a chain of exceptions.

    A worker of ours writes no longer message than is read here; one that is not could write millions of
    letters, and the search takes the square of them while no other call is served.
    """
    while cause is not None:
        found = ERROR.search(cause.message[:MAX_MESSAGE])
        if found:
            yield int(found[1]), found[2] or ""
        cause = cause.cause


def _of_the_network(number: int, limits: ResourceLimits) -> str:
    """The filter answers EACCES without a path for sockets alone."""
    return "network" if limits.network == "none" and number in UNREACHABLE else ""


async def _of_a_path(number: int, path: str, profile: Profile) -> str:
    if number == errno.EROFS:
        return "write_paths"
    hidden = number == errno.ENOENT and profile.jailed and await _is_there(path)
    if number != errno.EACCES and not hidden:
        return ""
    if path.startswith("/dev/"):
        return "devices"
    if hidden:
        return "read_paths"
    return "write_paths" if profile.jailed else "read_paths` or `write_paths"


async def _is_there(path: str) -> bool:
    """Whether something lies at a path that an extension chose, as far as that is soon known.

    A dead mount answers never: few threads of ours may wait for one, and nobody for them.
    """
    if not _looks.acquire(blocking=False):
        return False

    def look() -> bool:
        try:
            return os.path.lexists(path)
        finally:
            _looks.release()

    try:
        return await aside(look, LOOK_S, "fqg-look")
    except TooSlowError:
        return False
    except RuntimeError:  # the system has no thread to give
        _looks.release()
        return False
