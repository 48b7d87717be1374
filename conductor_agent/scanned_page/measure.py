"""Measures every call in a process of its own and writes `measured.yaml`, for workflow files.

    OMP_NUM_THREADS=1 python -m conductor_agent.scanned_page.measure --pages 24

Run it on an idle machine. The time of a call is the extension's own, on one thread, without the
way to the worker and back; its memory is the peak of a process that runs nothing else.
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

from conductor_agent.scanned_page.calls import FUNCTIONS

TABLE = Path(__file__).with_name("measured.yaml")
HEAD = """\
# Measured by `OMP_NUM_THREADS=1 python -m conductor_agent.scanned_page.measure --pages {pages}`.
# typical_s and p95_s: wall seconds of a warm call; cost: median CPU seconds over those of the
# cheapest pipeline ({unit:.3f} s = 1.0); load_s: once per worker; memory_mb: peak of its process.
"""
CHEAPEST = (
    "straighten/none",
    "clean/none",
    "read/fast",
    "guess_language/default",
    "make_keywords/default",
)


def main() -> None:
    """Measure and write the table."""
    import yaml

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=24)
    parser.add_argument("--out", type=Path, default=TABLE)
    args = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    samples = inputs(args.pages)
    calls = {}
    for function, spec in FUNCTIONS.items():
        for variant, parameters in spec.variants.items():
            calls[f"{function}/{variant}"] = apart(function, parameters, samples)
            print(f"{function}/{variant}", calls[f"{function}/{variant}"], file=sys.stderr)
    unit = sum(calls[name]["cpu_s"] for name in CHEAPEST)
    rows = {name: {**row, "cost": round(row["cpu_s"] / unit, 4)} for name, row in calls.items()}
    head = HEAD.format(pages=args.pages, unit=unit)
    args.out.write_text(
        head + yaml.safe_dump(rows, sort_keys=False, default_flow_style=None, width=200)
    )


def inputs(count: int) -> list[dict[str, Any]]:
    """Every artifact of some pages: as a reader meets them, the images are those that arrived."""
    from conductor_agent.scanned_page.pages import make_page

    pages = [make_page(seed) for seed in range(900, 900 + count)]
    return [
        {
            "page": page.png,
            "upright": page.png,
            "clean": page.png,
            "text": page.truth_text,
            "language": page.truth_language,
        }
        for page in pages
    ]


def apart(
    function: str, parameters: dict[str, Any], samples: list[dict[str, Any]]
) -> dict[str, float]:
    """Times and memory of one call, in a fresh process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(times, (function, parameters, samples))


def times(
    function: str, parameters: dict[str, Any], samples: list[dict[str, Any]]
) -> dict[str, float]:
    """Run the call on every sample; the first one more, to warm up."""
    from conductor_agent.hosting.extension import Context, perform

    start = time.perf_counter()
    extension = getattr(
        importlib.import_module(f"conductor_agent.scanned_page.{function}"), function
    )
    loaded = extension.loader() if extension.loader else None
    load_s = time.perf_counter() - start
    wall, cpu = [], []
    for sample in [samples[0], *samples]:
        given = {name: sample[name] for name in FUNCTIONS[function].inputs}
        before = time.perf_counter(), time.process_time()
        perform(extension, given, dict(parameters), Context(loaded=loaded))
        wall.append(time.perf_counter() - before[0])
        cpu.append(time.process_time() - before[1])
    ranked = sorted(wall[1:])
    return {
        "typical_s": digits(ranked[len(ranked) // 2]),
        "p95_s": digits(ranked[int(0.95 * (len(ranked) - 1) + 0.5)]),
        "cpu_s": digits(sorted(cpu[1:])[len(samples) // 2]),
        "load_s": round(load_s, 2),
        "memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def digits(seconds: float) -> float:
    """Three significant digits."""
    return float(f"{seconds:.3g}")


if __name__ == "__main__":
    main()
