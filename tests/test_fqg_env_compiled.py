"""Kernels are compiled once and loaded by every process, each for its own record types."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
KERNELS = """
import sys
import numpy as np
from fqg_env.compiled import kernel

@kernel
def inner(record):
    total = 0
    for i in range(record.part.shape[0]):
        total += record.part[i]
    return total

@kernel
def outer(records):
    total = 0
    for i in range(len(records)):
        total += inner(records[i])
    return total

for n in map(int, sys.argv[1:]):
    records = np.zeros(2, [("part", "i8", (n,))])
    records["part"] = 1
    total, loaded = outer(records), sum(outer.stats.cache_hits.values())
    print(total, loaded, list(outer.overloads.values())[-1].fndesc.mangled_name)
"""


def test_two_sizes_compiled_by_two_processes_do_not_stand_in_for_each_other(tmp_path: Path) -> None:
    """They bear two names: a large kernel that is not inlined is found by its name alone."""
    script = tmp_path / "kernels.py"
    script.write_text(KERNELS, "utf-8")
    environment = {**os.environ, "FQG_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}

    def run(*sizes: str) -> list[list[str]]:
        """(sum, kernels loaded, symbol) of each size, in one process."""
        command = [sys.executable, str(script), *sizes]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return [line.split() for line in done.stdout.splitlines()]

    ((three, three_loaded, three_name),) = run("3")
    ((five, five_loaded, five_name),) = run("5")
    assert (three, three_loaded, five, five_loaded) == ("6", "0", "10", "0")
    assert three_name != five_name
    assert run("3", "5") == [["6", "1", three_name], ["10", "2", five_name]]
    assert run("5", "3") == [["10", "1", five_name], ["6", "2", three_name]]
