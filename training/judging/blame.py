"""Whose fault it is where a policy fails while it plays: somebody's own class is told, not called ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from policies.recovery.registry import PolicyError, one_line_with_place
from training.judging.contestants import Contestant
from training.judging.episodes import AnswerError


@contextmanager
def blamed(policy: str) -> Iterator[None]:
    """A block in which a policy plays, by its name.

    Raises:
        PolicyError: it answered what is no decision; or it is somebody's own, and failed.
    """
    try:
        yield
    except AnswerError as problem:
        raise PolicyError(f"the policy {policy!r}: {problem}") from None
    except (Exception, SystemExit) as error:
        if not Contestant(policy, policy).foreign:
            raise
        told = one_line_with_place(error, policy.partition(":")[0])
        raise PolicyError(f"the policy {policy!r} failed: {told}") from None
