"""Disk: what is said where a file cannot be written, above all because there is no room left for it."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What an error of the system says where a disk, a quota or a limit on files is full."""


def why_not(error: OSError, otherwise: str) -> str:
    """Why something could not be written, and what to do: make room, or otherwise."""
    remedy = "make room" if error.errno in NO_ROOM else otherwise
    return f"cannot be written ({error.strerror or error}); {remedy}"


class NotWritten(Exception):
    """A file could not be written; the text says which, why, and what has to be done first."""

    def __init__(self, error: OSError, instead: Path | str):
        remedy = "make room" if error.errno in NO_ROOM else "mend that"
        super().__init__(f"{error.filename or instead}: {error.strerror or error}; {remedy}")


@contextmanager
def writing(file: Path) -> Iterator[None]:
    """A block that writes one file or folder: an error of the system names it, which not all do.

    Raises:
        OSError: with `file` as its name, where it had none.
    """
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(file)
        raise


def write_whole(file: Path, text: str) -> None:
    """Write a file whole or not at all: a full disk leaves what was there.

    Raises:
        OSError: it cannot be written; with its name.
    """
    with writing(file):
        if file.exists() and not file.is_file():  # such as a terminal or a pipe
            file.write_text(text, "utf-8")
            return
        new = file.with_name(f"{file.name}.new")
        try:
            new.write_text(text, "utf-8")
            new.replace(file)
        except OSError:
            new.unlink(missing_ok=True)
            raise
