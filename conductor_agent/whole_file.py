"""A file that is written whole or not at all: a full disk leaves what was there, and no half of another."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def write_whole(file: Path, body: bytes) -> None:
    """Write beside and rename; what is no file, such as a terminal or a pipe, is written to as it is.

    Raises:
        OSError: it cannot be written.
    """
    if file.exists() and not file.is_file():
        file.write_bytes(body)
        return
    beside = file.with_name(f".{file.name}.part")
    try:
        beside.write_bytes(body)
        beside.replace(file)
    except OSError:
        with suppress(OSError):
            beside.unlink()
        raise
