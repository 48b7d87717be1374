"""What an exception of somebody else's says, as one line."""

from __future__ import annotations


def one_line(problem: BaseException, most: int = 200) -> str:
    """`ValueError: no page`, of at most so many letters; its own text may raise, too."""
    try:
        text = f"{type(problem).__name__}: {problem}"
    except Exception:  # noqa: BLE001 (whatever its text does)
        text = type(problem).__name__
    return " ".join(text.split())[:most]
