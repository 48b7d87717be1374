"""text -> language, by py3langid."""

from __future__ import annotations

from typing import Any

from conductor_agent.hosting.extension import Context, InvalidInput, extension
from fqg_env.outcome import Success

LANGUAGES = ["de", "en", "fr"]


@extension
def detect_language(
    inputs: dict[str, Any], parameters: dict[str, Any], context: Context
) -> Success:
    """The likeliest of the languages that pages come in; its probability is the claimed quality."""
    text = inputs.get("text")
    if not isinstance(text, str) or not text.strip():
        raise InvalidInput("There is no text.", artifact="text")
    language, probability = context.loaded.classify(text)
    return Success(
        {"language": str(language)}, {"language": min(1.0, max(0.0, float(probability)))}
    )


@detect_language.load
def load() -> Any:
    """The model inside the package, with probabilities rather than scores."""
    from py3langid.langid import LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file("data/model.npz.xz", norm_probs=True)
    identifier.set_languages(LANGUAGES)
    return identifier
