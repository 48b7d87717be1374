"""Folding as an ordinary wrapper does it: hands the text to the library and its answer back.

No look at the input or the answer, no idea of time, and nothing to fall back on.
"""

from __future__ import annotations

from typing import Any, Literal

from conductor_agent.hosting.extension import extension
from conductor_agent.rna_folding.methods import METHODS


@extension(output="folding")
def fold(sequence: str, *, method: Literal["exact", "span", "window"] = "exact") -> dict[str, Any]:
    """The fold of a sequence by a method of `METHODS`."""
    structure, energy = METHODS[method](sequence)
    return {"sequence": sequence, "structure": structure, "energy": energy, "method": method}
