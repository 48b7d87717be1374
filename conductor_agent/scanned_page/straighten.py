"""page -> upright, by levelling the lines and, if asked, turning a page that is upside down."""

from __future__ import annotations

from typing import Any

from conductor_agent.hosting.extension import Context, InvalidInput, extension
from conductor_agent.scanned_page.images import decode, encode
from conductor_agent.scanned_page.orientation import Orientation
from conductor_agent.scanned_page.repairs import STRAIGHTENINGS


@extension
def straighten(
    inputs: dict[str, Any], parameters: dict[str, Any], context: Context
) -> dict[str, Any]:
    """Parameter `how`: a name in `STRAIGHTENINGS`."""
    image = decode(inputs.get("page"))
    if image is None:
        raise InvalidInput("The page is not an image.", artifact="page")
    how = parameters.get("how", "none")
    if how not in STRAIGHTENINGS:
        raise InvalidInput(f"There is no way {how!r} to straighten.", field="how")
    return {"upright": encode(STRAIGHTENINGS[how](image, context.loaded))}


@straighten.load
def load() -> Orientation:
    """The orientation model, half a megabyte."""
    return Orientation()
