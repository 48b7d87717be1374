"""Whether a fold can be one, without knowing the true one: letters, brackets, pairs, energy of stacks.

Nothing of the library and nothing that a maker claims is used: the library ends the process over
brackets that do not match, and calls it a fold when nothing pairs.
"""

from __future__ import annotations

from typing import Any

LETTERS = frozenset("ACGUTN")
PAIRS = frozenset(("GC", "CG", "AU", "UA", "GU", "UG"))
STACK = {
    ("AU", "AU"): 0.93, ("AU", "UA"): 1.10, ("UA", "AU"): 1.33, ("CG", "UA"): 2.08, ("CG", "AU"): 2.11,
    ("GC", "UA"): 2.24, ("GC", "AU"): 2.35, ("CG", "GC"): 2.36, ("GC", "GC"): 3.26, ("GC", "CG"): 3.42,
}  # fmt: skip
"""Free energy in kcal/mol that two neighbouring pairs give, read from 5' (Turner's)."""
WOBBLE = 1.0
"""The same where a pair is G with U: about the mean of those."""
EXPECTED = 0.3
"""Energy per letter, in kcal/mol, of stacks in a fold that is surely one."""


def plausible(folding: Any) -> float:
    """0 for what is no fold; else energy of its stacks per letter, as a share of `EXPECTED`, at most 1."""
    if not isinstance(folding, dict):
        return 0.0
    sequence, structure = folding.get("sequence"), folding.get("structure")
    if not isinstance(sequence, str) or not isinstance(structure, str):
        return 0.0
    sequence = sequence.upper()
    if not sequence or len(sequence) != len(structure) or set(sequence) - LETTERS:
        return 0.0
    pairs = pairs_of(structure)
    sequence = sequence.replace("T", "U")
    if pairs is None or any(sequence[i] + sequence[j] not in PAIRS for i, j in pairs.items()):
        return 0.0
    return min(1.0, stacked(sequence, pairs) / len(sequence) / EXPECTED)


def pairs_of(structure: str) -> dict[int, int] | None:
    """Place of each opening bracket -> of its closing one; None where they do not match."""
    pairs, opened = {}, []
    for place, sign in enumerate(structure):
        if sign == "(":
            opened.append(place)
        elif sign == ")" and opened:
            pairs[opened.pop()] = place
        elif sign != ".":
            return None
    return None if opened else pairs


def stacked(sequence: str, pairs: dict[int, int]) -> float:
    """Energy of all neighbouring pairs, in kcal/mol, taken as positive."""
    return sum(
        energy(sequence[i] + sequence[j], sequence[i + 1] + sequence[j - 1])
        for i, j in pairs.items()
        if pairs.get(i + 1) == j - 1
    )


def energy(outer: str, inner: str) -> float:
    """Of a pair and the next one inside it; read from the other strand it is the same."""
    turned = (inner[::-1], outer[::-1])
    return STACK.get((outer, inner), STACK.get(turned, WOBBLE))
