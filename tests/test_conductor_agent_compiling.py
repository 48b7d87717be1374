"""People are told of a compilation when there is one, and only then."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = """
import numba
import numpy as np
from conductor_agent.commands.compiling import told_of_compiling
from fqg_env.compiled import kernel

@kernel
def inner(n):
    return n + 1

@kernel
def outer(n):
    return inner(n) + inner(n)

def somebodys(n):
    return n

somebodys.__module__ = "gates"
inner.py_func.__module__ = outer.py_func.__module__ = "fqg_env.rules"
with told_of_compiling(print):
    numba.njit(somebodys)(1)
    outer(1)
    outer(1.0)
outer(np.int8(1))
"""


def test_it_is_said_once_when_our_kernels_compile_and_not_when_they_are_loaded(
    tmp_path: Path,
) -> None:
    script = tmp_path / "kernels.py"
    script.write_text(SCRIPT, "utf-8")
    environment = {**os.environ, "FQG_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}

    def run() -> list[str]:
        command = [sys.executable, str(script)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    (said,) = run()
    assert "up to 16, 32 or 64 calls" in said
    assert run() == []
