"""clean -> text, by RapidOCR. Variants: fast, plain, thorough (`recognise.PRESETS`)."""

from __future__ import annotations

from typing import Any

from conductor_agent.hosting.extension import Context, InvalidInput, extension
from conductor_agent.scanned_page.images import decode
from conductor_agent.scanned_page.recognise import Preset, Reader
from conductor_agent.scanned_page.report import answer
from fqg_env.outcome import StandardError, Success


@extension
def read(
    inputs: dict[str, Any], parameters: dict[str, Any], context: Context
) -> Success | StandardError:
    """Parameters: the fields of `Preset`."""
    image = decode(inputs.get("clean"))
    if image is None:
        raise InvalidInput("The clean page is not an image.", artifact="clean")
    try:
        preset = Preset(**parameters)
    except (TypeError, ValueError) as problem:
        raise InvalidInput(f"The parameters do not fit: {problem}.") from problem
    reading = context.loaded(image, preset)
    return answer(reading.text, reading.confidence, strength=preset.strength, angle=reading.angle)


@read.load
def load() -> Reader:
    """Both models, 31 MB on disk."""
    return Reader()
