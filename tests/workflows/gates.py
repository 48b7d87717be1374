"""Functions that gates measure by."""


def length(text: str) -> float:
    """Ten characters are perfect."""
    return min(1.0, len(text) / 10)


def fails(text: str) -> float:
    """Cannot measure anything."""
    raise RuntimeError("no scale")
