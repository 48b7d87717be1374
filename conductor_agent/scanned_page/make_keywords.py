"""text and language -> search, as keywords: numbers, and the longest uncommon words."""

from __future__ import annotations

from typing import Any

from conductor_agent.hosting.extension import Context, InvalidInput, Unable, extension
from conductor_agent.scanned_page.gate import words_in
from conductor_agent.scanned_page.phrases import COMMON

MOST_WORDS, MOST_NUMBERS = 8, 8


@extension
def make_keywords(
    inputs: dict[str, Any], parameters: dict[str, Any], context: Context
) -> dict[str, Any]:
    """At most `MOST_WORDS` words and `MOST_NUMBERS` numbers, each once."""
    text, language = inputs.get("text"), inputs.get("language")
    if not isinstance(text, str) or not text.strip():
        raise InvalidInput("There is no text.", artifact="text")
    if language not in COMMON:
        raise InvalidInput(f"No common words are known for {language!r}.", artifact="language")
    distinct = list(dict.fromkeys(words_in(text)))
    numbers = [word for word in distinct if word.isdigit()][:MOST_NUMBERS]
    common = set(COMMON[language].split())
    words = sorted((w for w in distinct if w.isalpha() and w not in common), key=len, reverse=True)
    if not (found := numbers + words[:MOST_WORDS]):
        raise Unable("No word stands out.")
    return {"search": found}
