"""What an exception of somebody else's says, as one line."""

from __future__ import annotations

import re

UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, line ends, changes of direction, halves of characters."""


def one_line(problem: BaseException, most: int = 200) -> str:
    """`ValueError: no page`, of at most so many letters; its own text may raise, too, or hold what no
    terminal should obey and no file can hold.
    """
    try:
        text = f"{type(problem).__name__}: {problem}"
    except Exception:  # noqa: BLE001 (whatever its text does)
        text = type(problem).__name__
    return " ".join(UNSEEN.sub(" ", text).split())[:most]
