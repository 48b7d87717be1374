"""Judges what was delivered against the truth about a page. Nothing here is known in production."""

from __future__ import annotations

from typing import Any

import numpy as np

from conductor_agent.scanned_page.pages import Page

GOOD_ERROR_RATE = 0.05
"""A text is truly good up to this share of wrong characters."""


def distance(a: str, b: str) -> int:
    """Levenshtein distance: insertions, deletions and substitutions between the two."""
    if not a or not b:
        return len(a) + len(b)
    letters = np.array([ord(c) for c in b])
    steps = np.arange(len(b) + 1)
    row = steps.copy()
    for i, letter in enumerate(a, 1):
        replaced = row[:-1] + (letters != ord(letter))
        best = np.concatenate([[i], np.minimum(replaced, row[1:] + 1)])
        row = np.minimum.accumulate(best - steps) + steps
    return int(row[-1])


def error_rate(truth: str, text: str) -> float:
    """Character error rate, white space made single, in [0, 1]."""
    true, read = " ".join(truth.split()), " ".join(text.split())
    return min(1.0, distance(true, read) / max(1, len(true)))


def text_is_good(page: Page, text: Any) -> bool:
    """Whether few enough characters differ from the truth."""
    return isinstance(text, str) and error_rate(page.truth_text, text) <= GOOD_ERROR_RATE


def language_is_good(page: Page, language: Any) -> bool:
    """Whether it is the language that the page was written in."""
    return bool(language == page.truth_language)


def search_is_good(page: Page, search: Any, others: list[Page]) -> bool:
    """Whether a search with it finds this page before all the others."""
    scores = [match(search, other.truth_text) for other in others if other is not page]
    return match(search, page.truth_text) > max(scores, default=0.0)


def match(search: Any, text: str) -> float:
    """How well a text answers the search: cosine of vectors, or share of keywords in it."""
    if isinstance(search, list) and search and all(isinstance(x, int | float) for x in search):
        from conductor_agent.scanned_page.make_vector import vector_of

        return float(np.dot(search, vector_of(text)))
    if isinstance(search, list) and search:
        words = set(text.lower().replace(".", " ").split())
        return sum(str(word) in words for word in search) / len(search)
    return 0.0


def judge(
    page: Page, delivered: dict[str, Any], others: list[Page] | None = None
) -> dict[str, bool]:
    """Artifact -> delivered and truly good, for each goal that was delivered."""
    verdicts = {}
    if "text" in delivered:
        verdicts["text"] = text_is_good(page, delivered["text"])
    if "language" in delivered:
        verdicts["language"] = language_is_good(page, delivered["language"])
    if "search" in delivered:
        verdicts["search"] = search_is_good(page, delivered["search"], others or [])
    return verdicts
