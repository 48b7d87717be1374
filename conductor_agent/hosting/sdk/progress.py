"""How far a call came: a small file in the worker's directory, for when the call is ended outside.

    worker       context.progress(0.4, {"text": "so far"})   ->   write_progress
    supervisor   after the end: with_progress(failure, read_progress(directory))

What is read was written by an extension that may mean no good: no link is followed, no pipe is
waited for, the size is bounded, the schema closed. Standard library and msgspec alone.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from conductor_agent.hosting.frames import FrameError, check_items
from conductor_agent.hosting.values import NotPlainError, check_plain
from fqg_env.outcome import OwnRecovery, Partial, Share, StandardError

FILE = ".progress"
MAX_BYTES = 65_536
"""A partial value that is longer is left out; the fraction stays."""


class Progress(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a call had when it was last heard of."""

    fraction: Share = 0.0
    artifact: str = ""
    """Whose part there is; empty: no value yet."""
    value: Any = None
    usable: bool = False
    own_recovery: OwnRecovery = OwnRecovery()


_DECODER = msgspec.msgpack.Decoder(Progress)


def write_progress(directory: Path, progress: Progress) -> None:
    """Put it beside the worker's scratch directories, whole or not at all; a full disk is no fault."""
    body = msgspec.msgpack.encode(progress)
    if len(body) > MAX_BYTES:
        body = msgspec.msgpack.encode(replace(progress, value=None))
    with contextlib.suppress(OSError):
        beside = directory / f"{FILE}.new"
        beside.write_bytes(body[:MAX_BYTES])
        beside.replace(directory / FILE)


def clear_progress(directory: Path) -> None:
    """The call is over and has said everything itself."""
    with contextlib.suppress(OSError):
        (directory / FILE).unlink()


def read_progress(directory: Path | int) -> Progress | None:
    """What a worker that is gone has left; None where there is nothing that can be read.

    Args:
        directory: the worker's own: the one its scratch directories lie in, or its descriptor.
    """
    try:
        body = _bytes(directory)
        check_items(body)
        found = _DECODER.decode(body)
        check_plain(found.value, "partial")
    except (OSError, FrameError, msgspec.DecodeError, NotPlainError, RecursionError, IndexError):
        return None
    return found


def with_progress(failure: StandardError, progress: Progress | None) -> StandardError:
    """The failure with what was there before it: `partial`, and in `ext` the fraction and value.

    What the failure says itself stays.
    """
    if progress is None:
        return failure
    ext: dict[str, Any] = {}
    if progress.fraction or progress.artifact:
        ext["progress"] = progress.fraction
    partial = failure.partial
    if progress.artifact and partial is None:
        partial = Partial(progress.artifact, progress.fraction, progress.usable)
        ext["partial"] = progress.value
    own = failure.own_recovery
    if own == OwnRecovery():
        own = progress.own_recovery
    return replace(failure, partial=partial, own_recovery=own, ext={**ext, **failure.ext})


def _bytes(directory: Path | int) -> bytes:
    """The first bytes of a regular file."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    if isinstance(directory, int):
        fd = os.open(FILE, flags, dir_fd=directory)
    else:
        fd = os.open(directory / FILE, flags)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError("it is no file")
        return os.read(fd, MAX_BYTES + 1)
    finally:
        os.close(fd)
