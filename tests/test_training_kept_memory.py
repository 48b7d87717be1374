"""What large tensors leave is kept: the system is not asked again for every one."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import resource
import numpy as np
from training.learning.kept_memory import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        np.empty(1 << 25, np.uint8).fill(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

anew = faults()
if keep_freed_memory():
    faults()
    print(anew, faults())
"""


def test_pages_are_touched_for_the_first_time_once() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    if not done.stdout:
        pytest.skip("this system's C library is not glibc")
    anew, kept = map(int, done.stdout.split())
    assert anew > 100 * max(kept, 1)
