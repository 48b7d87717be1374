"""What lies at a path, by device and number: whether it is still what was granted. Standard library alone."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence

Place = tuple[int, int]
"""Device and number of a file or folder."""


def place_of(found: os.stat_result) -> Place:
    """The place of what was found at a path."""
    return found.st_dev, found.st_ino


def check_place(path: str, found: os.stat_result, place: Sequence[int] | None) -> None:
    """What was found at a path is what was granted.

    Args:
        path: where it was found.
        found: what was found there.
        place: of what was granted; None: nothing could be reached there.

    Raises:
        OSError: it is something else.
    """
    if place is None or place_of(found) != tuple(place):
        raise OSError(errno.ESTALE, "what is granted was replaced meanwhile", path)
