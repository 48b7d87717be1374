"""What it is worth that a training of a sequence model on a CPU keeps the memory of dropped tensors.

    python benchmarks/kept_memory.py [--repeats N] [--json]

The same few rollouts of PPO with the recipe `sequence`, in a process each: with memory given back to the
system as glibc does, and kept (training/learning/kept_memory.py), in turn. Processor seconds, page faults and
the most memory, each the mean; `share` is kept over given back.

Example:  python benchmarks/kept_memory.py --repeats 2 --json
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from typing import Any

import numpy as np
from to_its_end import to_its_end

LANES, ROLLOUT, ROLLOUTS = 256, 16, 5
SCRIPT = f"""
import json, resource, sys, tempfile
from pathlib import Path
from training.learning import ppo
from training.learning.recipe import read_recipe

if sys.argv[1] == "given_back":
    ppo.keep_freed_memory = lambda: False
short = dict(lanes={LANES}, rollout={ROLLOUT}, steps={LANES * ROLLOUT * ROLLOUTS})
short |= dict(teacher=None, success_episodes=256)
with tempfile.TemporaryDirectory() as folder:
    ppo.train(read_recipe("sequence").model_copy(update=short), 0, Path(folder), device="cpu")
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps([used.ru_utime + used.ru_stime, used.ru_minflt, 1024 * used.ru_maxrss]))
"""
FIGURES = ("processor_s", "page_faults", "peak_memory_bytes")
WAYS = ("given_back", "kept")


def measure(repeats: int) -> dict[str, dict[str, float]]:
    """Way -> figure -> its mean, and the share of the one in the other."""
    seen: dict[str, list[list[float]]] = {way: [] for way in WAYS}
    for number in range(repeats):
        for way in WAYS:
            print(f"{way}, {number + 1} of {repeats} ...", file=sys.stderr)
            command = [sys.executable, "-c", SCRIPT, way]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603
            seen[way].append(json.loads(done.stdout.splitlines()[-1]))
    means = {way: np.mean(seen[way], 0) for way in WAYS}
    means["share"] = means["kept"] / means["given_back"]
    return {way: dict(zip(FIGURES, map(float, mean), strict=True)) for way, mean in means.items()}


def show(found: dict[str, Any]) -> None:
    """A line for each way."""
    for way, figures in found.items():
        print(way.ljust(12) + "   ".join(f"{name} {value:,.3g}" for name, value in figures.items()))


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3, help="trainings of each; default: 3")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    arguments = parser.parse_args()
    if arguments.repeats < 1:
        print("kept_memory: --repeats is at least 1", file=sys.stderr)
        return 2
    found = measure(arguments.repeats)
    if arguments.json:
        print(json.dumps(found))
    else:
        show(found)
    return 0


if __name__ == "__main__":
    to_its_end(main)
