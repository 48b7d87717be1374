"""Sequences from a seed with the fold they are designed for, a kind for each thing that folding meets."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import Enum

PARTNER = {"G": "C", "C": "G", "A": "U", "U": "A"}
AMINO_ACIDS = "DEFHIKLMPQRSVWY"
"""Not those that are also letters of RNA, so that a protein cannot pass for one."""
HALF_STEM, FAR_STEM = (4, 6), (16, 20)
"""Pairs, from and to: of half a hairpin's stem, and of a stem that closes over hundreds of letters."""
FAR_STEMS, FAR_INSIDE = 4, 30
"""One inside the other, with so many letters of hairpins between them on each side."""
FLAWED, FLAWS = 0.6, ((1, 1), (2, 2), (1, 0), (0, 1))
"""Share of hairpins with a flaw, and letters that do not pair on each strand of it."""
LINE = 60
"""Letters of a line in a FASTA file."""


Part = tuple[str, str]
"""Letters, and their dots and brackets."""


class Kind(str, Enum):
    """What is special about a sequence."""

    SHORT = "short"
    """Nothing: every method folds it."""
    FAR = "far"
    """Some stems close over hundreds of letters: the exact method alone sees them."""
    FASTA = "fasta"
    """A file: a line of names, line breaks, lower case, DNA letters. The library folds the names, too."""
    LONG = "long"
    """The exact method and the one with a limited span need more time than there is."""
    HUGE = "huge"
    """No method of the library is done in time; the exact one answers nothing, and no error."""
    PROTEIN = "protein"
    """Not an RNA. The library answers that nothing pairs, and no error."""


LETTERS = {Kind.SHORT: 120, Kind.FAR: 110, Kind.FASTA: 240, Kind.LONG: 5000, Kind.HUGE: 200_000}
"""At least so many."""


@dataclass(frozen=True)
class Designed:
    """A sequence and its fold."""

    text: str
    """As somebody hands it over."""
    structure: str
    """Which letters pair, as dots and brackets, one for each letter of RNA; empty where there is none."""


def make_sequence(kind: Kind, seed: int) -> Designed:
    """One sequence with its designed fold."""
    rng = random.Random(f"{kind.value} {seed}")  # noqa: S311  (so that everyone folds the same ones)
    if kind is Kind.PROTEIN:
        return Designed("M" + "".join(rng.choices(AMINO_ACIDS, k=180)), "")
    parts = [_hairpins(rng, LETTERS[kind])]
    for _ in range(FAR_STEMS if kind is Kind.FAR else 0):
        parts = _closed(rng, parts)
    letters, structure = _joined(parts)
    return Designed(_fasta(letters, seed) if kind is Kind.FASTA else letters, structure)


def _hairpins(rng: random.Random, letters: int) -> Part:
    """Hairpins in a row, with some letters that do not pair between them."""
    parts: list[Part] = []
    length = 0
    while length < letters:
        parts += [_hairpin(rng), _loose(rng, 4, 9)]
        length += len(parts[-2][0]) + len(parts[-1][0])
    return _joined(parts)


def _hairpin(rng: random.Random) -> Part:
    """A stem with a loop; in some, letters in the middle of the stem that do not pair."""
    outer, inner = (_stem(rng, rng.randint(*HALF_STEM)) for _ in range(2))
    left, right = rng.choice(FLAWS) if rng.random() < FLAWED else (0, 0)
    parts = [
        (outer, "(" * len(outer)), _flaw(left), (inner, "(" * len(inner)),
        _loose(rng, 4, 7),
        (_partner(inner), ")" * len(inner)), _flaw(right), (_partner(outer), ")" * len(outer)),
    ]  # fmt: skip
    return _joined(parts)


def _flaw(letters: int) -> Part:
    return "A" * letters, "." * letters


def _joined(parts: list[Part]) -> Part:
    letters, structure = ("".join(texts) for texts in zip(*parts, strict=True))
    return letters, structure


def _closed(rng: random.Random, inside: list[Part]) -> list[Part]:
    """A stem that closes over all of it, and over hairpins on both sides."""
    stem = _stem(rng, rng.randint(*FAR_STEM))
    left, right = (_hairpins(rng, FAR_INSIDE) for _ in range(2))
    opened, closed = (stem, "(" * len(stem)), (_partner(stem), ")" * len(stem))
    return [opened, _loose(rng, 4, 9), left, *inside, right, closed, _loose(rng, 4, 9)]


def _loose(rng: random.Random, least: int, most: int) -> Part:
    """Letters that hardly pair."""
    letters = "".join(rng.choices("ACUG", weights=(6, 2, 1, 1), k=rng.randint(least, most)))
    return letters, "." * len(letters)


def _stem(rng: random.Random, pairs: int) -> str:
    return "".join(rng.choices("GCAU", weights=(3, 3, 2, 2), k=pairs))


def _partner(stem: str) -> str:
    return "".join(PARTNER[letter] for letter in reversed(stem))


def _fasta(letters: str, seed: int) -> str:
    dna = letters.replace("U", "T").lower()
    lines = [dna[i : i + LINE] for i in range(0, len(dna), LINE)]
    return "\n".join([f">sample {seed} a cut of the transcript", *lines, ""])
