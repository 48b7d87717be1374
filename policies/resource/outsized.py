"""A whole number in a file that fits nowhere: neither a float, nor a database, nor a message can take it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fqg_env.level_file import printable

BITS = 64
"""The most that a whole number may have. Written in base 16 it could have millions, which Python reads and
cannot say again.
"""


def outsized(data: Any) -> str | None:
    """The first such number in plain data, as a sentence without a file, or None.

    Args:
        data: as it was read: mappings, lists and values, none of which holds itself.
    """
    for place, value in _all(data):
        if isinstance(value, int) and value.bit_length() > BITS:
            where = ".".join(map(printable, place)) or "at the top"
            return f"{where}: a whole number of more than {BITS} bits fits nowhere; write a smaller one"
    return None


def _all(data: Any) -> Iterator[tuple[tuple[object, ...], Any]]:
    """Each key and value with where it is; a key where its mapping is."""
    waiting: list[tuple[tuple[object, ...], Any]] = [((), data)]
    while waiting:
        place, value = waiting.pop()
        yield place, value
        if isinstance(value, Mapping):
            yield from ((place, key) for key in value)
            waiting += [((*place, key), inner) for key, inner in value.items()]
        elif isinstance(value, list | tuple):
            waiting += [((*place, number), inner) for number, inner in enumerate(value)]
