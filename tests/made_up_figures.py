"""Figures of judged and deployed policies that nobody measured, for tests of pages."""

from __future__ import annotations

import re
from typing import Any


def figures(mean: float, half: float = 0.02) -> dict[str, Any]:
    return {
        "success_rate": 0.5,
        "return_mean": mean,
        "return_ci95": [mean - half, mean + half],
        "fraction_of_oracle": None,
        "attempts_per_success": 3.0,
        "cost_per_success": 0.4,
        "wrong_delivered_rate": 0.01,
        "decision_ms_p50": 0.02,
    }


def result(**policies: dict[str, Any]) -> dict[str, Any]:
    return {
        "split": "test",
        "episodes": 2048,
        "tiers": [6, 20],
        "size": "small",
        "mix": "published",
        "mode": "hybrid",
        "levels": [],
        "policies": policies,
        "paired": {
            "trained/index": {"difference_mean": 0.02, "difference_ci95": [0.01, 0.03]},
        },
    }


JUDGED = result(
    random=figures(-0.05),
    index=figures(0.45),
    oracle=figures(0.7),
    broken={"error": "ValueError: <b>no</b> idea"},
    trained=figures(0.47),
)
POINTS = [
    {"steps": 16384 * (i + 1), "return_mean": 0.4 + i / 400, "success_rate": 0.5 + i / 500}
    for i in range(20)
]


def run(run_id: str, good: dict[str, bool], attempts: int) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "defects": ["skew", "noise"],
        "good": good,
        "attempts": attempts,
        "cost": 2.9,
    }


def deployed(pages: int) -> dict[str, Any]:
    def label(name: str) -> dict[str, Any]:
        good = {"text": True, "language": True, "search": False}
        return {
            "policy": name,
            "pages": pages,
            "success_rate": 0.5,
            "goals": {"text": pages},
            "cost": 31.4,
            "attempts": 70,
            "elapsed_s": 12.3,
            "wrong_delivered_rate": 0.25,
            "runs": [run(f"20260101-00000{i}-{name[:6]}", good, 1 + i) for i in range(pages)],
        }

    return {"rule": label("code_aware"), "trained": label("conductor")}


def numbers(text: str, attribute: str) -> list[float]:
    return [float(n) for n in re.findall(rf' {attribute}="(-?[\d.]+)"', text)]
