"""The fallback, of another house and without the library: finds hairpins by their matching letters.

It knows no energies beyond its own count and sees nothing that closes over more than `REACH` letters,
but it takes a file as it is and a hundred thousand letters in seconds.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from conductor_agent.hosting.extension import Context, InvalidInput, extension
from conductor_agent.rna_folding.letters import NotRnaError, bases_of

SEED = 4
"""Pairs in a row that a stem begins with."""
LEAST = 5
"""Pairs of the shortest stem that is kept."""
REACH, LOOP = 60, 3
"""Letters that a stem closes over at most, and that lie between its strands at least."""
STRENGTH = {"GC": 3, "CG": 3, "AU": 2, "UA": 2, "GU": 1, "UG": 1}
PARTNER = str.maketrans("ACGUN", "UGCA.")
Stem = tuple[int, int, int, tuple[tuple[int, int], ...]]
"""Strength, first letter, last letter, and which pair."""


@extension(output="folding")
def find_stems(sequence: str, context: Context) -> dict[str, Any]:
    """The strongest hairpins that do not overlap."""
    try:
        bases = bases_of(sequence)
    except NotRnaError as problem:
        raise InvalidInput(str(problem), artifact="sequence") from None
    stems = stems_in(bases)
    context.checkpoint()
    return {"sequence": bases, "structure": chosen(len(bases), stems), "method": "stems"}


def stems_in(bases: str) -> list[Stem]:
    """Every stem of a hairpin that is long enough."""
    places = defaultdict(
        list
    )  # letters that would pair with a seed -> where they have begun so far
    stems = []
    for j in range(len(bases) - SEED + 1):
        inner = j - LOOP - SEED
        if inner >= 0:
            places[bases[inner : inner + SEED].translate(PARTNER)[::-1]].append(inner)
        for i in reversed(places.get(bases[j : j + SEED], ())):
            if j + SEED - i > REACH:
                break
            stem = grown(bases, i, j + SEED - 1)
            if stem is not None:
                stems.append(stem)
    return stems


def grown(bases: str, first: int, last: int) -> Stem | None:
    """The stem from its outermost pair inwards; None where it is not outermost, or too short."""
    if first and last + 1 < len(bases) and bases[first - 1] + bases[last + 1] in STRENGTH:
        return None
    pairs, strength, broken = [], 0, False
    left, right = first, last
    while right - left > LOOP:
        gain = STRENGTH.get(bases[left] + bases[right])
        if gain is None:
            within = bases[left + 1] + bases[right - 1] in STRENGTH
            if broken or not within:
                break
            broken = True  # one pair that does not match, with others on both sides
        else:
            pairs.append((left, right))
            strength += gain
        left, right = left + 1, right - 1
    return (strength, first, last, tuple(pairs)) if len(pairs) >= LEAST else None


def chosen(letters: int, stems: list[Stem]) -> str:
    """Dots and brackets of the strongest hairpins side by side."""
    signs = ["."] * letters
    taken = bytearray(letters)
    for _, first, last, pairs in sorted(stems, key=lambda stem: (-stem[0], stem[1], stem[2])):
        if any(taken[first : last + 1]):
            continue
        taken[first : last + 1] = b"\1" * (last + 1 - first)
        for left, right in pairs:
            signs[left], signs[right] = "(", ")"
    return "".join(signs)
