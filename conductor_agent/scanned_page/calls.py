"""The functions of the scanned page and their variants: what a workflow file declares, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Function:
    """One extension, as it stands in a workflow."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    kind: str
    """The class of extension: instrument, operator or motif."""
    variants: dict[str, dict[str, Any]]
    """Parameters by the variant's name, cheapest first."""
    probe: bool = False


def how(*names: str) -> dict[str, dict[str, Any]]:
    """Variants that differ in nothing but how the work is done."""
    return {name: {"how": name} for name in names}


FUNCTIONS: dict[str, Function] = {
    "inspect_page": Function(("page",), (), "motif", {"default": {}}, probe=True),
    "straighten": Function(("page",), ("upright",), "operator", how("none", "deskew", "turn")),
    "clean": Function(
        ("upright",),
        ("clean",),
        "operator",
        how("none", "despeckle", "sharpen", "destripe", "flatten", "nlm"),
    ),
    "read": Function(
        ("clean",),
        ("text",),
        "instrument",
        {
            "fast": {"find": "rows", "side": 560, "squeeze": 0.5},
            "plain": {"find": "model", "side": 640, "squeeze": 1.0},
            "thorough": {"turn": True, "ways": ["as_is", "denoised", "evened"]},
        },
    ),
    "guess_language": Function(("text",), ("language",), "motif", {"default": {}}),
    "detect_language": Function(("text",), ("language",), "operator", {"default": {}}),
    "make_keywords": Function(("text", "language"), ("search",), "motif", {"default": {}}),
    "make_vector": Function(("text",), ("search",), "operator", {"default": {}}),
}
"""Each name is both the module in this package and the extension in it."""

OPTIONAL: dict[str, Function] = {
    "read_tesseract": Function(
        ("clean",),
        ("text",),
        "operator",
        {"english": {"languages": "eng"}, "three": {"languages": "eng+deu+fra"}},
    ),
}
"""Bound only where `read_tesseract.available()`."""
