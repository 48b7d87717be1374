"""How long a recovery policy takes to decide, one observation at a time and 256 at once.

    python benchmarks/decision_latency.py [--policy NAME_OR_FOLDER] [--quick] [--json]

Observations come from random play of mixed tiers; the time is that of `decide` alone. `p50_ms` and
`p99_ms` are wall times of single decisions; `batch256_per_s` is decisions a second of CPU time.

Example:  python benchmarks/decision_latency.py --policy index --quick --json
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

import numpy as np
from to_its_end import to_its_end

from fqg_env.vector_env import VectorFunctionQuest
from policies.recovery.registry import PolicyError, policy_named

BATCH = 256
SIZES = ("small", "standard")


def situations(size: str, batches: int) -> list[tuple[dict[str, np.ndarray], np.ndarray]]:
    """(observation, mask) of BATCH lanes at `batches` moments of random play, one step apart."""
    vec = VectorFunctionQuest(BATCH, size=size, belief=True)
    random = np.random.default_rng(0)
    observation, info = vec.reset(seed=0)
    out = []
    for step in range(8 + batches):
        mask = info["action_mask"].copy()
        mask[:, 1] &= mask.sum(1) == 1  # no STOP while there is something else
        if step >= 8:
            out.append((observation, info["action_mask"].astype(np.uint8)))
        action = (mask * random.random(mask.shape)).argmax(1)
        observation, _, _, _, info = vec.step(action)
    return out


def single_ms(policy: Any, batches: list[Any], decisions: int) -> list[float]:
    """Wall milliseconds of `decisions` decisions on one observation each."""
    took = []
    for i in range(decisions):
        observation, mask = batches[i // BATCH % len(batches)]
        lane = i % BATCH
        one = {name: value[lane : lane + 1] for name, value in observation.items()}
        began = time.perf_counter()
        policy.decide(one, mask[lane : lane + 1])
        took.append((time.perf_counter() - began) * 1e3)
    return took


def batch_rate(policy: Any, batches: list[Any], repeats: int) -> float:
    """Decisions a second of CPU time, BATCH at once."""
    began = time.process_time()
    for i in range(repeats):
        policy.decide(*batches[i % len(batches)])
    return repeats * BATCH / (time.process_time() - began)


def measure(policy: Any, quick: bool) -> dict[str, dict[str, float]]:
    """All figures, in the form that --json prints."""
    result = {}
    for size in SIZES:
        print(f"{size} ...", file=sys.stderr)
        batches = situations(size, 2 if quick else 8)
        single_ms(policy, batches, 50)  # kernels are loaded by now
        took = single_ms(policy, batches, 500 if quick else 5_000)
        result[size] = {
            "p50_ms": round(float(np.percentile(took, 50)), 4),
            "p99_ms": round(float(np.percentile(took, 99)), 4),
            "batch256_per_s": round(batch_rate(policy, batches, 5 if quick else 50)),
        }
    return result


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--policy", default="index", help="a name or a folder; default: index")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--quick", action="store_true", help="fewer decisions")
    arguments = parser.parse_args()
    try:
        policy = policy_named(arguments.policy)
    except PolicyError as error:
        print(f"decision_latency: {error}", file=sys.stderr)
        return 2
    if not hasattr(policy, "decide"):
        print(
            f"decision_latency: {policy.name} is a planner, it reads no observations",
            file=sys.stderr,
        )
        return 2
    result = measure(policy, arguments.quick)
    if arguments.json:
        print(json.dumps(result))
        return 0
    for size, figures in result.items():
        print(f"{size:10}" + "".join(f"{key} {value:,}   " for key, value in figures.items()))
    return 0


if __name__ == "__main__":
    to_its_end(main)
