"""How good a text looks to someone who does not know the truth: what the gate measures."""

from __future__ import annotations

import re

from conductor_agent.scanned_page.phrases import TITLES, TOTALS, VOCABULARY, check_digit

FEWEST_WORDS = 66
"""A page has at least so many words and numbers; fewer means that some were lost."""
ACCEPTED = 0.85
"""`text_quality` from which the gate lets a text pass."""
TOTAL = {
    language: re.compile(
        template.replace(" ", r"\s*").format(total=r"(?P<total>\d+)", check=r"(?P<check>\d)")
        + r"\W*$"
    )
    for language, template in TOTALS.items()
}


def text_quality(text: object) -> float:
    """Share of known words x share of the fewest words, squared x what the total says, in [0, 1].

    A total that is missing, not at the end, or at odds with its check digit takes half; one that is
    consistent but not the sum of the numbers above it, or a title that is missing, takes a quarter.
    """
    if not isinstance(text, str):
        return 0.0
    words = words_in(text)
    coverage = min(1.0, len(words) / FEWEST_WORDS) ** 2
    return round(
        max(dictionary_rate(words, language) for language in VOCABULARY)
        * coverage
        * arithmetic(text),
        4,
    )


def words_in(text: str) -> list[str]:
    """The words and numbers of a text, in lower case; punctuation parts them too."""
    return re.findall(r"[^\W\d_]+|\d+", text.lower())


def dictionary_rate(words: list[str], language: str) -> float:
    """Share of the characters that lie in words of the language; numbers do not count."""
    letters = [word for word in words if not word.isdigit()]
    known = sum(len(word) for word in letters if word in VOCABULARY[language])
    return known / max(1, sum(map(len, letters)))


def arithmetic(text: str) -> float:
    """1.0 if the page begins with a title and ends with the sum of its numbers; else as above."""
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) < 3:
        return 0.5
    for language, pattern in TOTAL.items():
        if match := pattern.search(lines[-1]):
            total, check = int(match["total"]), int(match["check"])
            numbers = [int(n) for n in re.findall(r"\d+", " ".join(lines[1:-1]))]
            if check_digit(total) != check:
                return 0.5
            complete = lines[0].startswith(TITLES[language].split("{")[0].split()[0])
            return 1.0 if complete and sum(numbers) == total else 0.75
    return 0.5


def likely_language(text: str) -> tuple[str, float]:
    """(language whose words fit best, how much better than the next), for error reports."""
    words = words_in(text)
    rates = sorted(
        ((dictionary_rate(words, language), language) for language in VOCABULARY), reverse=True
    )
    return rates[0][1], round(rates[0][0] - rates[1][0], 3)
