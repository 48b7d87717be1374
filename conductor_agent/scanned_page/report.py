"""What a reader answers about its text: a claim of quality, or an error with what it saw."""

from __future__ import annotations

from conductor_agent.scanned_page.gate import dictionary_rate, likely_language, words_in
from conductor_agent.scanned_page.phrases import VOCABULARY
from fqg_env.outcome import Blame, BlamedInput, Category, Hint, Phase, StandardError, Success, error

WORTHLESS = 0.35
"""A claim below this is an error."""
DOUBTFUL = 0.85
"""A claim below this comes with hints."""
STRONGER = {"fast": "read/plain", "plain": "read/thorough"}
NOT_SEEN = ("clean/despeckle", "clean/nlm", "clean/destripe", "clean/flatten", "clean/sharpen")
"""A reader sees lines and letters; what spoils the pixels it does not examine."""


def answer(text: str, confidence: float, *, strength: str, angle: float) -> Success | StandardError:
    """Claimed quality is mean confidence x share of known words.

    Args:
        text: what was read.
        confidence: mean over its characters.
        strength: name of the preset.
        angle: median slope of the lines, in degrees.
    """
    words = words_in(text)
    known = max(dictionary_rate(words, language) for language in VOCABULARY)
    claim = round(confidence * known, 4)
    hints = advice(len(words), known, strength, angle) if claim < DOUBTFUL else ()
    not_examined = NOT_SEEN if hints else ()
    if claim >= WORTHLESS:
        return Success({"text": text}, {"text": claim}, hints=hints, not_examined=not_examined)
    language, lead = likely_language(text)
    return error(
        Category.LOW_QUALITY if words else Category.UNABLE,
        f"Read {len(words)} words of doubtful quality." if words else "Found no text.",
        retryable=False,
        blame=Blame.UPSTREAM,
        blamed_inputs=(BlamedInput("clean", "It is not a clear, level, upright page."),),
        phase=Phase.QUALITY,
        hints=hints,
        not_examined=not_examined,
        ext={
            "quality": claim,
            "confidence": round(confidence, 4),
            "language": language,
            "language_lead": lead,
        },
    )


def advice(words: int, known: float, strength: str, angle: float) -> tuple[Hint, ...]:
    """What the lines themselves suggest."""
    hints = []
    if words > 20 and known < 0.15 and strength != "thorough":
        hints.append(
            Hint(0.6, "straighten/turn", reason="Many letters, no words: perhaps upside down.")
        )
    if strength == "fast" and words < 15:
        hints.append(Hint(0.6, "straighten/deskew", reason="Hardly any level line of text."))
    if strength != "fast" and abs(angle) > 1.5:
        hints.append(Hint(0.4, "straighten/deskew", reason=f"Lines lean by {angle:.1f} degrees."))
    if strength in STRONGER:
        hints.append(Hint(0.5 if known > 0.3 else 0.3, STRONGER[strength], reason="Read weakly."))
    return tuple(sorted(hints, key=lambda hint: -hint.p))
