"""Probe: looks at a page for some milliseconds and advises what to do to it before reading."""

from __future__ import annotations

from typing import Any

from conductor_agent.hosting.extension import Context, InvalidInput, extension
from conductor_agent.scanned_page.hints import advice
from conductor_agent.scanned_page.images import decode, look
from fqg_env.outcome import Success


@extension
def inspect_page(inputs: dict[str, Any], parameters: dict[str, Any], context: Context) -> Success:
    """Hints on `straighten`, `clean` and `read`; it makes nothing."""
    image = decode(inputs.get("page"))
    if image is None:
        raise InvalidInput("The page is not an image.", artifact="page")
    hints, not_examined = advice(look(image))
    return Success(hints=hints, not_examined=not_examined)
