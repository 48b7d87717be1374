"""Disk: what is said where a file cannot be written, above all because there is no room left for it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fqg_env.errors import LevelError

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What an error of the system says where a disk, a quota or a limit on files is full."""


def why_not(error: OSError, otherwise: str) -> str:
    """Why something could not be written, and what to do: make room, or otherwise."""
    remedy = "make room" if error.errno in NO_ROOM else otherwise
    return f"cannot be written ({error.strerror or error}); {remedy}"


def check_file(option: str, file: Path) -> None:
    """See that a page can be written in the end, before the work for it; nothing is made.

    Args:
        option: that names the file, for the sentence.
        file: the page.

    Raises:
        LevelError: it cannot.
    """
    try:
        in_a_folder = file.parent.is_dir() and not file.is_dir()
        allowed = in_a_folder and os.access(file if file.exists() else file.parent, os.W_OK)
    except OSError as error:  # such as a name that is too long
        raise LevelError(f"{option} {file}: {why_not(error, 'name another file')}") from None
    if not in_a_folder:
        raise LevelError(
            f"{option} {file}: name a file in a folder that is there, as in report.html"
        )
    if not allowed:
        raise LevelError(
            f"{option} {file}: it cannot be written there; name a file in another folder"
        )


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
