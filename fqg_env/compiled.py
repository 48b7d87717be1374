"""How kernels are compiled: cached on disk, without fast-math, so that a figure is the same everywhere.

Numba's own cache looks at the file of a kernel but not at the files of the kernels it calls. So the cache
lies in a folder named by the content of them all, with the record types they are compiled for: a change
to any of them compiles anew, never half.

And Numba names a record type in its symbols by a number that it counts up in each process. Kernels that two
processes have compiled for two record types could bear one name, and a third process that loads both would
call one for the other, on memory of another layout. So here a record is named by its content.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numba.core.config
import numba.core.types

from fqg_env.kernel_cache import KernelCache

F = TypeVar("F", bound=Callable[..., Any])

LOCK = ".writable"
"""The file that is locked while a kernel is written."""
NOT_LINKED = shutil.ignore_patterns(LOCK, "*.compiling")
"""Locks of the user's folder, which nobody who cannot write there can hold."""
TEMPORARY = "FQG_KERNELS_MADE_HERE"
"""Variable with which a process hands its temporary folder to those that it starts."""
_unsaved: list[str] = []
"""Why a kernel could not be written."""


def kernel_files() -> Iterator[Path]:
    """Every file that a compiled kernel can depend on, in a fixed order.

    Of the game all: kernels hold constants of files without kernels, such as the frequencies.
    """
    root = Path(__file__).parent.parent
    yield from sorted((root / "fqg_env").glob("*.py"))
    for folder in ("policies/recovery", "conductor_agent", "training"):
        for file in sorted((root / folder).rglob("*.py")):
            if b"@kernel" in file.read_bytes():
                yield file


@cache
def cache_folder() -> str:
    """Where compiled kernels lie: in the cache folder of the user, or where that cannot be written in a
    temporary one that shows what the user's has.
    """
    if made := os.environ.get(TEMPORARY):
        return made
    folder = user_folder() / digest_of_code()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / LOCK).touch()
    except OSError:
        return temporary_folder(folder)
    return str(folder)


def user_folder() -> Path:
    """FQG_CACHE_DIR, else the user's cache folder; `fqg` in it."""
    home = os.environ.get("FQG_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME")
    return Path(home or os.path.expanduser("~/.cache")) / "fqg"  # noqa: PTH111 (Path.home() may raise)


@cache
def digest_of_code() -> str:
    """Sixteen digits that name the content of all kernels and the version of their compiler."""
    digest = hashlib.sha256(numba.__version__.encode())
    for file in kernel_files():
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def temporary_folder(kept: Path) -> str:
    """A folder with links to all that lies in `kept`, for this process and those that it starts. It is
    removed when this process ends.
    """
    folder = tempfile.mkdtemp(prefix="fqg-kernels-")
    atexit.register(_remove, folder, os.getpid())
    with contextlib.suppress(OSError, shutil.Error):
        shutil.copytree(
            kept, folder, copy_function=os.symlink, ignore=NOT_LINKED, dirs_exist_ok=True
        )
    os.environ[TEMPORARY] = folder
    return folder


def _remove(folder: str, maker: int) -> None:
    if os.getpid() == maker:  # and no child that it has forked off
        shutil.rmtree(folder, ignore_errors=True)


def why_not_kept() -> str | None:
    """Why what is compiled now will be compiled again by the next command; None: it will not."""
    if os.environ.get(TEMPORARY):
        return f"{user_folder()} cannot be written"
    return _unsaved[0] if _unsaved else None


def name_of_record(record: Any) -> tuple[str, tuple[str]]:
    """The name of a record type in symbols: the same in every process, another for every layout."""
    return "Record", ("r" + hashlib.sha256(record.name.encode()).hexdigest()[:24],)


numba.core.types.Record.mangling_args = property(name_of_record)  # type: ignore[assignment,method-assign]


def save_alone(compiled: Any) -> None:
    """Let one process at a time write into the cache.

    Numba numbers the files of a kernel by how many its index names; two processes that compile two
    versions at once would take the same number, and one would later load the other's code.
    """
    save = compiled._cache.save_overload  # noqa: SLF001

    def locked(signature: Any, data: Any) -> None:
        try:
            with open(Path(cache_folder()) / LOCK, "a") as lock:  # noqa: PTH123
                fcntl.flock(lock, fcntl.LOCK_EX)
                save(signature, data)
        except OSError as problem:  # a full disk: what is compiled works, and is not kept
            _unsaved.append(f"{cache_folder()}: {problem.strerror}")

    compiled._cache.save_overload = locked  # noqa: SLF001


def kernel(function: F) -> F:
    """Compile a plain loop over one record (or over N of them)."""
    compiled: Any = numba.njit(error_model="numpy", nogil=True)(function)
    settings: Any = numba.core.config
    before = settings.CACHE_DIR
    settings.CACHE_DIR = cache_folder()
    try:
        compiled._cache = KernelCache(function)  # noqa: SLF001 (as `cache=True` sets Numba's own)
    finally:
        settings.CACHE_DIR = before
    save_alone(compiled)
    return cast("F", compiled)
