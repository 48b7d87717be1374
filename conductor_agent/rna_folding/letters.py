"""What a text has to be to be an RNA: a FASTA file or plain letters, DNA letters read as RNA's."""

from __future__ import annotations

BASES = frozenset("ACGU")
ANY = "N"
"""A letter that is not known."""
MOST_UNKNOWN = 0.5
"""A larger share of them is no sequence any more."""


class NotRnaError(ValueError):
    """The text is no single RNA; the message says why."""


def bases_of(text: str) -> str:
    """The letters A, C, G, U and N of one sequence.

    Raises:
        NotRnaError: there is none, or more than one, or other letters.
    """
    lines = text.strip().splitlines()
    if sum(line.startswith(">") for line in lines) > 1:
        raise NotRnaError("The file has several sequences; hand over one.")
    letters = "".join("".join(line.split()) for line in lines if not line.startswith(">"))
    letters = letters.upper().replace("T", "U")
    if not letters:
        raise NotRnaError("There is no sequence in it.")
    if others := sorted(set(letters) - BASES - {ANY}):
        raise NotRnaError(f"It has letters that no RNA has: {' '.join(others[:10])}.")
    if letters.count(ANY) > MOST_UNKNOWN * len(letters):
        raise NotRnaError("Most of its letters are not known (N).")
    return letters
