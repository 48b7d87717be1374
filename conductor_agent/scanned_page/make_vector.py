"""text -> search, as a vector: words hashed by scikit-learn, rare and frequent alike."""

from __future__ import annotations

from functools import cache
from typing import Any

from conductor_agent.hosting.extension import Context, InvalidInput, extension

SIZE = 256


@extension
def make_vector(
    inputs: dict[str, Any], parameters: dict[str, Any], context: Context
) -> dict[str, Any]:
    """A unit vector of `SIZE` numbers."""
    text = inputs.get("text")
    if not isinstance(text, str) or not text.strip():
        raise InvalidInput("There is no text.", artifact="text")
    return {"search": vector_of(text)}


@make_vector.load
@cache
def vectorizer() -> Any:
    """scikit-learn takes most of a second to import."""
    from sklearn.feature_extraction.text import HashingVectorizer

    return HashingVectorizer(n_features=SIZE, alternate_sign=True, norm="l2")


def vector_of(text: str) -> list[float]:
    """The same text gives the same vector on every machine."""
    return [float(x) for x in vectorizer().transform([text]).toarray()[0]]
