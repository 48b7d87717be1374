"""A value of a file beyond its bounds, or that is none of the words which may stand there."""

from __future__ import annotations

import reprlib
from typing import Any

from pydantic import TypeAdapter, ValidationError

from fqg_env.errors import suggest
from fqg_env.level_file import printable

BOUNDS = {
    "less_than_equal": ("le", "at most"),
    "less_than": ("lt", "less than"),
    "greater_than_equal": ("ge", "at least"),
    "greater_than": ("gt", "greater than"),
}
"""Kind of an error -> the bound's name in it, and its word."""


def wrong_value(data: Any, model: Any) -> str | None:
    """The first fault of plain data where it is such a value, as a sentence without a file; else None.

    Args:
        data: as it was read: mappings, lists and values.
        model: a pydantic model, or a type that holds some.
    """
    try:
        TypeAdapter(model).validate_python(data)
    except ValidationError as error:
        first = error.errors()[0]
    else:
        return None
    where = ".".join(printable(part) for part in first["loc"] if "function-" not in str(part))
    given, bounds = first["input"], first.get("ctx", {})
    if first["type"] in BOUNDS:
        name, word = BOUNDS[first["type"]]
        return f"{where}: it has to be {word} {bounds[name]:g}; change {reprlib.repr(given)}"
    if first["type"] in ("enum", "literal_error") and isinstance(given, str):
        return f"{where}: {reprlib.repr(given)} is not known." + suggest(given, words(bounds))
    return None


def words(bounds: dict[str, Any]) -> list[str]:
    """Those that may stand there; pydantic tells them as `'a', 'b' or 'c'`."""
    return str(bounds["expected"]).replace("'", "").replace(" or ", ", ").split(", ")
