"""What a process can be given to start with: words and environment variables that the system passes on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from policies.resource.limits import SHOWN

VARIABLE_BYTES = 130_000
"""Of one environment variable with its name: the kernel takes 131,071."""
VARIABLES_BYTES = 1_000_000
"""Of all of them: the kernel takes 2 MiB with a usual limit of the stack, all pointers included."""
WORDS_BYTES = 16_384
"""Of a command: it travels as JSON in one variable, where a letter may take six."""


def unpassable(words: Iterable[str], variables: Mapping[str, str]) -> str | None:
    """Why no process can be started with these words and environment variables, or None."""
    words = tuple(words)
    texts = (*words, *variables, *variables.values())
    if any("\0" in text for text in texts) or any("=" in name for name in variables):
        return "no process can be given a NUL character, or `=` in a variable's name; remove it"
    if "" in variables:
        return "environment: a variable has no name; give it one, or remove it"
    try:
        sizes = {name: len(f"{name}={value}".encode()) for name, value in variables.items()}
        words_bytes = sum(len(word.encode()) for word in words)
    except UnicodeEncodeError:
        return "no process can be given half of a character (a surrogate); remove it"
    largest = max(sizes, key=sizes.__getitem__, default="")
    if sizes.get(largest, 0) > VARIABLE_BYTES:
        return (
            f"environment.{largest[:SHOWN]}: {sizes[largest]:,} bytes are more than the {VARIABLE_BYTES:,} "
            "that a process can be given in one variable; put it in a file"
        )
    if sum(sizes.values()) > VARIABLES_BYTES or words_bytes > WORDS_BYTES:
        return (
            f"no process is given more than {VARIABLES_BYTES:,} bytes of variables, or {WORDS_BYTES:,} of "
            "words; put some in a file"
        )
    return None
