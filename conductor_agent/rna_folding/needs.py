"""How long each method takes, from a short exact fold that is timed where the work is done."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from conductor_agent.rna_folding.methods import exact

PROBE_LETTERS, PROBE_S, PROBES = 200, 0.028, 3
"""The fold that is timed: its letters, its seconds on the machine of `SECONDS`, and how often."""
SECONDS: dict[str, Callable[[float], float]] = {
    "exact": lambda kilo: 0.9 * kilo**2.4,
    "span": lambda kilo: 0.03 + 0.2 * kilo**3,
    "window": lambda kilo: 0.2 * kilo,
}
"""Method -> processor seconds by thousands of letters, fitted to 200 to 4,000 (`window`: to 60,000)."""
START_S = 0.2
"""Starting a program with the library in it."""


def slowness() -> float:
    """How many times slower than the machine of `SECONDS` this one is now."""
    rng = random.Random(0)  # noqa: S311  (any sequence will do, the same for everybody)
    probe = "".join(rng.choices("ACGU", k=PROBE_LETTERS))
    took_s = []
    for _ in range(PROBES):
        before_s = time.process_time()
        exact(probe)
        took_s.append(time.process_time() - before_s)
    return min(took_s) / PROBE_S


def seconds(method: str, letters: int, slow: float) -> float:
    """How long a method is likely to take.

    Args:
        method: a name in `METHODS`.
        letters: of the sequence.
        slow: as `slowness` measured.
    """
    return (START_S + SECONDS[method](letters / 1000)) * slow
