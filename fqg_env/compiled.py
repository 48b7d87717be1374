"""How kernels are compiled: cached on disk, without fast-math, so that a figure is the same everywhere.

Numba's own cache looks at the file of a kernel but not at the files of the kernels it calls. So the cache
lies in a folder named by the content of them all, with the record types they are compiled for: a change
to any of them compiles anew, never half.

And Numba names a record type in its symbols by a number that it counts up in each process. Kernels that two
processes have compiled for two record types could bear one name, and a third process that loads both would
call one for the other, on memory of another layout. So here a record is named by its content.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numba.core.config
import numba.core.types

F = TypeVar("F", bound=Callable[..., Any])


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
    """Where compiled kernels lie: FQG_CACHE_DIR, else the user's cache folder, else a temporary one."""
    digest = hashlib.sha256(numba.__version__.encode())
    for file in kernel_files():
        digest.update(file.read_bytes())
    try:
        home = os.environ.get("FQG_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME")
        base = Path(home) if home else Path.home() / ".cache"
        folder = base / "fqg" / digest.hexdigest()[:16]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".writable").touch()
    except (OSError, RuntimeError):  # it cannot be written, or there is no home
        folder = Path(tempfile.mkdtemp(prefix="fqg-kernels-"))
    return str(folder)


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
        with open(Path(cache_folder()) / ".writable", "a") as lock:  # noqa: PTH123
            fcntl.flock(lock, fcntl.LOCK_EX)
            save(signature, data)

    compiled._cache.save_overload = locked  # noqa: SLF001


def kernel(function: F) -> F:
    """Compile a plain loop over one record (or over N of them)."""
    settings: Any = numba.core.config
    before = settings.CACHE_DIR
    settings.CACHE_DIR = cache_folder()
    try:
        compiled = numba.njit(cache=True, error_model="numpy", nogil=True)(function)
    finally:
        settings.CACHE_DIR = before
    save_alone(compiled)
    return cast("F", compiled)
