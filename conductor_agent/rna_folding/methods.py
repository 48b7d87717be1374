"""Three ways to fold with ViennaRNA, from precise to light; also a program, for whoever wants to end one.

    exact     minimum of the free energy, any pair: n^2.4 in practice
    span      the same, pairs at most 100 apart
    window    locally stable folds in a window of 100, the best that do not overlap: n

    python methods.py span < sequence        ->  {"structure": "((...))", "energy": -1.2}

Standard library and ViennaRNA alone.
"""

from __future__ import annotations

import json
import sys
from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import Any

from conductor_agent.hosting.raised import MODELS

Fold = tuple[str, float]
"""Dots and brackets, and the free energy in kcal/mol as the library has it."""
SPAN = 100
"""Letters between two that pair, at most: of `span` and `window`."""
Hit = tuple[int, int, float, str]
"""A locally stable fold: begin and end (first letter outside), energy, structure."""
MISSING = f"ViennaRNA is not installed in this Python: {MODELS} brings it"


def library() -> Any:
    """ViennaRNA.

    Raises:
        ModuleNotFoundError: it is not installed; what to do.
    """
    try:
        import RNA  # whoever only reads about methods does not need it
    except ModuleNotFoundError:
        raise ModuleNotFoundError(MISSING, name="RNA") from None
    return RNA


def exact(sequence: str) -> Fold:
    """The fold with the least free energy."""
    structure, energy = library().fold(sequence)
    return structure, energy


def span(sequence: str) -> Fold:
    """The best fold without pairs that are far apart."""
    rna = library()
    details = rna.md()
    details.max_bp_span = SPAN
    structure, energy = rna.fold_compound(sequence, details).mfe()
    return structure, energy


def window(sequence: str) -> Fold:
    """The best locally stable folds that do not overlap."""
    rna = library()
    details = rna.md()
    details.max_bp_span = details.window_size = SPAN
    hits: set[tuple[int, str]] = set()

    def heard(first: int, _last: int, structure: str, *_: Any) -> None:
        hits.update((first - 1 + at, part) for at, part in parts_of(structure))

    rna.fold_compound(sequence, details, rna.OPTION_WINDOW).mfe_window_cb(heard)
    folds = [
        (begin, begin + len(part), rna.eval_structure_simple(sequence[begin : begin + len(part)], part), part)
        for begin, part in hits
    ]  # fmt: skip
    return assembled(len(sequence), folds)


def parts_of(structure: str) -> Iterator[tuple[int, str]]:
    """What stands side by side in a fold: where each begins, and its dots and brackets."""
    depth = begin = 0
    for place, sign in enumerate(structure):
        if sign == "(":
            if not depth:
                begin = place
            depth += 1
        elif sign == ")":
            depth -= 1
            if not depth:
                yield begin, structure[begin : place + 1]


def assembled(letters: int, hits: list[Hit]) -> Fold:
    """The hits that do not overlap with the least energy in all.

    Args:
        letters: of the sequence.
        hits: as the library found them, in any order, none twice.
    """
    hits = sorted(hits, key=lambda hit: (hit[1], hit[0], hit[3]))
    ends = [hit[1] for hit in hits]
    least = [0.0]  # [hits + 1] energy of the best choice among the first so many
    before = []  # [hits] how many end before this one begins
    for i, (begin, _, energy, _) in enumerate(hits):
        before.append(bisect_right(ends, begin, 0, i))
        least.append(min(least[i], least[before[i]] + energy))
    chosen, i = [], len(hits)
    while i:
        if least[i] < least[i - 1]:
            chosen.append(hits[i - 1])
            i = before[i - 1]
        else:
            i -= 1
    text, at = [], 0
    for begin, end, _, structure in reversed(chosen):
        text += ["." * (begin - at), structure]
        at = end
    return "".join(text) + "." * (letters - at), least[-1]


METHODS: dict[str, Callable[[str], Fold]] = {"exact": exact, "span": span, "window": window}
"""From precise to light."""


if __name__ == "__main__":
    found_structure, found_energy = METHODS[sys.argv[1]](sys.stdin.read())
    print(json.dumps({"structure": found_structure, "energy": found_energy}))
