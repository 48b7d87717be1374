"""The engine of the community model: a program that keeps the weightiest sentences, spoken to through pipes.

    a line with the length, and the text  ->  {"kept": [...]}  or  {"loading": "large"}

It is as careful as its author. It is told the length in bytes and waits for as many characters, so after one
letter outside ASCII it waits for ever; and the weights of its largest model were never uploaded.
Standard library alone.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections import Counter
from typing import TextIO

SMALL_WORDS, LARGE_WORDS = 80, 240
"""Longest documents of the small and the large model; the huge one has the others."""
KEPT = 2


class Models:
    """Models are loaded when they are first needed; meanwhile the answer is that they are loading."""

    def __init__(self, load_s: float) -> None:
        """
        Args:
            load_s: seconds that the large model takes to load.
        """
        self._takes_s = {"small": 0.0, "large": load_s, "huge": math.inf}
        self._began_s: dict[str, float] = {}

    def ready(self, name: str) -> bool:
        """Whether it is loaded; if nobody has asked before, it begins to load."""
        began_s = self._began_s.setdefault(name, time.monotonic())
        return time.monotonic() - began_s >= self._takes_s[name]


def model_for(text: str) -> str:
    """The smallest model that takes a document of this length."""
    words = len(text.split())
    if words <= SMALL_WORDS:
        return "small"
    return "large" if words <= LARGE_WORDS else "huge"


def keep(text: str) -> list[str]:
    """The sentences with the commonest words, in their order."""
    sentences = [one.strip().removesuffix(".") for one in text.split(". ")]
    counts = Counter(text.lower().split())

    def weight(sentence: str) -> float:
        words = sentence.lower().split()
        return sum(counts[word] for word in words) / max(1, len(words))

    best = sorted(sentences, key=weight, reverse=True)[:KEPT]
    return [one for one in sentences if one in best]


def serve(requests: TextIO, replies: TextIO, models: Models) -> None:
    """Answer one document after the other, until nobody asks any more."""
    while header := requests.readline():
        text = requests.read(int(header))
        name = model_for(text)
        reply = {"kept": keep(text)} if models.ready(name) else {"loading": name}
        print(json.dumps(reply), file=replies, flush=True)


if __name__ == "__main__":
    sys.stdin.reconfigure(encoding="utf-8", newline="")  # type: ignore[union-attr]
    serve(sys.stdin, sys.stdout, Models(float(sys.argv[1])))
