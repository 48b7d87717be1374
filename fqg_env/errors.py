"""What is said of bad input: one error, and names that were perhaps meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class LevelError(ValueError):
    """A level that cannot be played; the message is one sentence for the person who wrote it."""


def near(name: str, known: Iterable[str]) -> str:
    """' Did you mean X?' where a known name is near, else nothing."""
    found = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {found[0]!r}?" if found else ""


MOST_KNOWN = 16


def suggest(name: object, known: Iterable[str]) -> str:
    """' Did you mean X?' where a known name is near, else the known ones, and how many more there are."""
    options = sorted(known)
    more = len(options) - MOST_KNOWN
    told = ", ".join(options[:MOST_KNOWN]) + (f" and {more} more" if more > 0 else "")
    return near(str(name), options) or (f" Known are {told}." if options else "")
