"""Memory that large tensors were in is kept by the process, instead of given back and asked for anew.

A step of a sequence network on a CPU makes and drops tensors of many MB. glibc maps each large one anew from
the system, which clears every page of it first.
"""

from __future__ import annotations

import contextlib
import ctypes

TRIM_THRESHOLD, MMAP_MAX = -1, -4
"""Of mallopt(3), as in malloc.h."""
MOST = 2**31 - 1


def keep_freed_memory() -> bool:
    """Let glibc hold on to freed memory until the process ends; False where there is no glibc."""
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        return bool(libc.mallopt(TRIM_THRESHOLD, MOST)) and bool(libc.mallopt(MMAP_MAX, 0))
    return False
