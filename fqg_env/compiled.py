"""How kernels are compiled: cached on disk, without fast-math, so that a figure is the same everywhere.

Numba's own cache looks at the file of a kernel but not at the files of the kernels it calls. So the cache
lies in a folder named by the content of all of them: a change anywhere compiles anew, never half.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numba.core.config

F = TypeVar("F", bound=Callable[..., Any])


@cache
def cache_folder() -> str:
    """Where compiled kernels lie: FQG_CACHE_DIR, else the user's cache folder, else a temporary one."""
    root = Path(__file__).parent.parent
    digest = hashlib.sha256(numba.__version__.encode())
    for folder in (root / "fqg_env", root / "policies" / "recovery"):
        for file in sorted(folder.glob("*.py")):
            digest.update(file.read_bytes())
    home = os.environ.get("FQG_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME")
    base = Path(home) if home else Path(os.path.expanduser("~/.cache"))
    folder = base / "fqg" / digest.hexdigest()[:16]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".writable").touch()
    except OSError:
        folder = Path(tempfile.mkdtemp(prefix="fqg-kernels-"))
    return str(folder)


def kernel(function: F) -> F:
    """Compile a plain loop over one record (or over N of them)."""
    before = numba.core.config.CACHE_DIR
    numba.core.config.CACHE_DIR = cache_folder()
    try:
        compiled = numba.njit(cache=True, error_model="numpy", nogil=True)(function)
    finally:
        numba.core.config.CACHE_DIR = before
    return cast(F, compiled)
