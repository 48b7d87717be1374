"""Documents from a seed, a kind for each thing that the community model does; what a summary of one is."""

from __future__ import annotations

import random
from enum import Enum

WHO = "the harbour,the museum,the council,the bakery,the orchestra,the library,the ferry,the school".split(
    ","
)
DOES = "opens,counts,repairs,paints,borrows,sells,moves,cleans".split(",")
WHAT = "the old crane,nine maps,its own roof,a brass bell,two long tables,the north gate,a small boat".split(
    ","
)
WHEN = "on Monday,before noon,in the rain,without a word,for the first time,after the fair".split(
    ","
)
ACCENTED = "at the café"
MOST_LINES = 3
"""Longest summary that is one."""


class Kind(str, Enum):
    """What is special about a document."""

    PLAIN = "plain"
    """Nothing: the community model can do it."""
    NOTES = "notes"
    """It has no sentences: the community model crashes."""
    ACCENTED = "accented"
    """One letter is not ASCII: the engine never answers."""
    LONG = "long"
    """The engine has to load its large model, and says so until it has."""
    HUGE = "huge"
    """The engine says that it is loading, for ever."""


SENTENCES = {Kind.PLAIN: 6, Kind.NOTES: 6, Kind.ACCENTED: 6, Kind.LONG: 16, Kind.HUGE: 40}


def make_document(kind: Kind, seed: int) -> str:
    """One document."""
    rng = random.Random(f"{kind.value} {seed}")  # noqa: S311  (so that everyone plays the same ones)
    sentences = [_sentence(rng) for _ in range(SENTENCES[kind])]
    if kind is Kind.NOTES:
        return "\n".join(sentences)
    if kind is Kind.ACCENTED:
        place = rng.randrange(len(sentences))
        sentences[place] = f"{sentences[place]} {ACCENTED}"
    return ". ".join(sentences) + "."


def _sentence(rng: random.Random) -> str:
    words = " ".join(map(rng.choice, (WHO, DOES, WHAT, WHEN)))
    return words[0].upper() + words[1:]


def is_summary(text: object, document: str) -> bool:
    """Whether it is one: a few different lines, each of them from the document, and not all of it."""
    if not isinstance(text, str):
        return False
    lines = text.splitlines()
    few = 1 <= len(lines) <= MOST_LINES and len(set(lines)) == len(lines)
    return few and len(text) < len(document) and all(one and one in document for one in lines)
