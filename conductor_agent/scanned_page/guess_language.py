"""text -> language, by counting common words: a few microseconds, no model."""

from __future__ import annotations

from typing import Any

from conductor_agent.hosting.extension import Context, InvalidInput, Unable, extension
from conductor_agent.scanned_page.gate import words_in
from conductor_agent.scanned_page.phrases import COMMON
from fqg_env.outcome import Success

STOP_WORDS = {language: frozenset(words.split()) for language, words in COMMON.items()}


@extension
def guess_language(inputs: dict[str, Any], parameters: dict[str, Any], context: Context) -> Success:
    """The language with the most common words; its share of them is the claimed quality."""
    text = inputs.get("text")
    if not isinstance(text, str) or not text.strip():
        raise InvalidInput("There is no text.", artifact="text")
    words = words_in(text)
    counts = {
        language: sum(word in common for word in words) for language, common in STOP_WORDS.items()
    }
    best = max(counts, key=lambda language: counts[language])
    if not counts[best]:
        raise Unable("None of its words is a common one.")
    return Success({"language": best}, {"language": round(counts[best] / sum(counts.values()), 4)})
