"""upright -> clean. Variants: none, despeckle, nlm, destripe, flatten, sharpen."""

from __future__ import annotations

from typing import Any

from conductor_agent.hosting.extension import Context, InvalidInput, extension
from conductor_agent.scanned_page.images import decode, encode
from conductor_agent.scanned_page.repairs import REPAIRS


@extension
def clean(inputs: dict[str, Any], parameters: dict[str, Any], context: Context) -> dict[str, Any]:
    """Parameter `how`: a name in `REPAIRS`."""
    image = decode(inputs.get("upright"))
    if image is None:
        raise InvalidInput("The upright page is not an image.", artifact="upright")
    how = parameters.get("how", "none")
    if how not in REPAIRS:
        raise InvalidInput(f"There is no way {how!r} to clean.", field="how")
    return {"clean": encode(REPAIRS[how](image))}
