"""Where compiled kernels are kept: what cannot be read there is as if it were not, and is compiled anew.

Numba writes a file beside its place and moves it there, the index before the code. What a kill, a disk
without power or another user can leave is thus a file that is cut, damaged or closed, and an index that
names code which is not there, or was written for another version before an earlier index was lost.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from typing import Any

from numba.core.caching import (
    CompileResultCacheImpl,
    FunctionCache,
    IndexDataCacheFile,
    UserProvidedCacheLocator,
)


class Files(IndexDataCacheFile):
    """The index and the code of one kernel. Beside the code lie its digest and the version that it is for."""

    def save(self, key: Any, data: Any) -> None:
        """Write the code of one version of the kernel.

        Raises:
            OSError: it cannot be written.
        """
        content = self._dump((key, data))
        super().save(key, (hashlib.sha256(content).digest(), content))

    def load(self, key: Any) -> Any:
        """The code of one version; None where there is none, or none that can be relied on."""
        try:
            kept = super().load(key)
            return None if kept is None else _whole(key, *kept)
        except Exception:  # noqa: BLE001 (damaged bytes raise anything)
            return None

    def _load_index(self) -> Any:
        try:
            return super()._load_index()
        except Exception:  # noqa: BLE001 (likewise)
            return {}  # the next to be saved begins a new one


def _whole(key: Any, digest: bytes, content: bytes) -> Any:
    """What was saved under this key, unless the content is damaged or another's."""
    if hashlib.sha256(content).digest() != digest:
        return None
    saved_as, data = pickle.loads(content)  # noqa: S301 (our own, as all of Numba's cache)
    return data if saved_as == key else None


class Folder(UserProvidedCacheLocator):
    """The folder that is given, whether it can be written or not: it may be read, and saving will tell.

    Numba would go on to other folders, whose names do not tell which code a kernel was compiled with.
    """

    @classmethod
    def from_function(cls, py_func: Callable[..., Any], py_file: str) -> Folder:
        """The folder for a kernel of this file."""
        return cls(py_func, py_file)


class _InFolder(CompileResultCacheImpl):
    _locator_classes: list[type[object]] = [Folder]  # noqa: RUF012 (as Numba declares it)


class KernelCache(FunctionCache):
    """What is kept of one kernel, in the folder that Numba's settings name when it is made."""

    _impl_class = _InFolder

    def __init__(self, function: Callable[..., Any]):
        super().__init__(function)
        locator = self._impl.locator
        self._cache_file = Files(
            locator.get_cache_path(), self._impl.filename_base, locator.get_source_stamp()
        )
