"""How much room is there for decisions on scanned pages?

    python benchmarks/scanned_page_room.py --quick --json

Measures every cell (straighten x clean x read) of some pages, then compares at budgets of 3 to
7 times the cheapest pipeline: the best single pipeline and the best cascade (both tuned on the very
pages they are judged on), a hand-written rule that follows the hints of `inspect_page`, and what a
clairvoyant could reach. Costs are CPU seconds on one thread; the cheapest pipeline is 1.0.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from to_its_end import to_its_end

from conductor_agent.scanned_page.gate import ACCEPTED, text_quality
from conductor_agent.scanned_page.hints import advice
from conductor_agent.scanned_page.images import decode, look
from conductor_agent.scanned_page.judge import GOOD_ERROR_RATE, error_rate
from conductor_agent.scanned_page.orientation import Orientation
from conductor_agent.scanned_page.pages import Page, make_page
from conductor_agent.scanned_page.recognise import PRESETS, Reader
from conductor_agent.scanned_page.repairs import REPAIRS, STRAIGHTENINGS

BUDGETS = (3.0, 4.0, 5.0, 7.0)
THOROUGH_AFTER = ("none",)
"""The dear reader is measured after these alone: other repairs leave it no budget."""
NOTHING_FOUND_S = 0.05
"""A reader that ends sooner found no line to read; that is not its typical cost."""
Pipeline = tuple[str, str, str]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pages", type=int, default=48, help="how many")
    parser.add_argument("--seed", type=int, default=1, help="which pages")
    parser.add_argument(
        "--cache", type=Path, help="folder for measured cells; measured again without it"
    )
    parser.add_argument("--quick", action="store_true", help="8 pages")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    args = parser.parse_args()
    count = 8 if args.quick else args.pages
    table = [judged(page, cells) for page, cells in measured_pages(count, args.seed, args.cache)]
    report = room(table)
    print(json.dumps(report) if args.json else as_text(report))


def pages(count: int, seed: int) -> list[Page]:
    """Pages with defects of their own."""
    return [make_page(seed * 10_000 + i) for i in range(count)]


def measured_pages(count: int, seed: int, cache: Path | None) -> list[tuple[Page, dict[str, Any]]]:
    """Each page with its cells, from the cache where the very same page was measured before."""
    tools: list[Any] = []
    result = []
    for page in pages(count, seed):
        name = hashlib.sha256(page.png).hexdigest()[:24] + ".json"
        kept = cache / name if cache else None
        if kept and kept.exists():
            result.append((page, json.loads(kept.read_text())))
            continue
        if not tools:
            tools = [Orientation(), Reader()]
            warm_up(*tools)
        cells = measure(page, *tools)
        if kept:
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps(cells))
        result.append((page, cells))
    return result


def warm_up(orientation: Orientation, reader: Reader) -> None:
    image = decode(make_page(0, ()).png)
    orientation(image)
    for preset in PRESETS.values():
        reader(image, preset)


def measure(page: Page, orientation: Orientation, reader: Reader) -> dict[str, Any]:
    """CPU seconds, text and confidence of every cell; equal images are read once."""
    cells: dict[str, Any] = {"defects": page.defects, "straighten": {}, "clean": {}, "read": {}}
    image = decode(page.png)
    seen: dict[tuple[bytes, str], list[Any]] = {}
    cells["inspect"] = timed(look, image)[1]
    for straighten, straightening in STRAIGHTENINGS.items():
        upright, cells["straighten"][straighten] = timed(straightening, image, orientation)
        for clean, repair in REPAIRS.items():
            cleaned, cells["clean"][f"{straighten}/{clean}"] = timed(repair, upright)
            for read, preset in PRESETS.items():
                if read == "thorough" and clean not in THOROUGH_AFTER:
                    continue
                key = cleaned.tobytes(), read
                if key not in seen:
                    reading, cpu = timed(reader, cleaned, preset)
                    seen[key] = [cpu, reading.text, reading.confidence]
                cells["read"][f"{straighten}/{clean}/{read}"] = seen[key]
    return cells


def judged(page: Page, cells: dict[str, Any]) -> dict[str, Any]:
    """The cells with error rate and measured quality in the place of the text."""
    known: dict[str, list[float]] = {}
    for _, text, _ in cells["read"].values():
        if text not in known:
            known[text] = [error_rate(page.truth_text, text), text_quality(text)]
    read = {name: [cpu, *known[text], sure] for name, (cpu, text, sure) in cells["read"].items()}
    hints, _ = advice(look(decode(page.png)))
    return {**cells, "read": read, "hints": [hint.call for hint in hints]}


def timed(work: Callable[..., Any], *given: Any) -> tuple[Any, float]:
    """(its result, CPU seconds)."""
    start = time.process_time()
    result = work(*given)
    return result, time.process_time() - start


def room(table: list[dict[str, Any]]) -> dict[str, Any]:
    """All figures of the report, from the measured cells."""
    fast = [
        cell[0] for row in table for name, cell in row["read"].items() if name.endswith("/fast")
    ]
    unit = float(np.median([cpu for cpu in fast if cpu > NOTHING_FOUND_S]))
    pipelines = [tuple(name.split("/")) for name in table[0]["read"]]
    calls = call_costs(table, unit)
    singles = {p: [try_one(row, p) for row in table] for p in pipelines}
    report: dict[str, Any] = {
        "pages": len(table),
        "cheapest_cpu_s": unit,
        "calls": calls,
        "budgets": {},
    }
    report["singles"] = {
        "/".join(p): {
            "cost": round(sum(calls[c]["cost"] for c in calls_of(p)), 2),
            "success": share(good for good, _, _ in tries),
            "passed_but_wrong": share(passed and not good for good, passed, _ in tries),
        }
        for p, tries in singles.items()
    }
    for budget in BUDGETS:
        report["budgets"][budget] = at_budget(table, pipelines, calls, budget)
    report["by_defect"] = by_defect(table, pipelines)
    return report


def call_costs(table: list[dict[str, Any]], unit: float) -> dict[str, dict[str, float]]:
    """Median and 95th percentile of each call's CPU seconds, and its median over the unit."""
    seconds: dict[str, list[float]] = {"inspect_page": [row["inspect"] for row in table]}
    for row in table:
        for name, cpu in row["straighten"].items():
            seconds.setdefault(f"straighten/{name}", []).append(cpu)
        for name, cpu in row["clean"].items():
            seconds.setdefault(f"clean/{name.split('/')[1]}", []).append(cpu)
        for name, cell in row["read"].items():
            if cell[0] > NOTHING_FOUND_S:
                seconds.setdefault(f"read/{name.split('/')[2]}", []).append(cell[0])
    return {
        name: {
            "cpu_s": round(float(np.median(values)), 4),
            "p95_s": round(float(np.percentile(values, 95)), 4),
            "cost": round(float(np.median(values)) / unit, 3),
        }
        for name, values in seconds.items()
    }


def calls_of(pipeline: Pipeline) -> tuple[str, str, str]:
    return f"straighten/{pipeline[0]}", f"clean/{pipeline[1]}", f"read/{pipeline[2]}"


def try_one(row: dict[str, Any], pipeline: Pipeline) -> tuple[bool, bool, float]:
    """(truly good and accepted, accepted, measured quality)."""
    _, error, quality, _ = row["read"]["/".join(pipeline)]
    passed = quality >= ACCEPTED
    return passed and error <= GOOD_ERROR_RATE, passed, quality


def share(values: Any) -> float:
    return round(float(np.mean(list(values))), 3)


def at_budget(
    table: list[dict[str, Any]], pipelines: list[Pipeline], calls: dict[str, Any], budget: float
) -> dict[str, Any]:
    cost = {p: sum(calls[c]["cost"] for c in calls_of(p)) for p in pipelines}
    within = [p for p in pipelines if cost[p] <= budget]
    best = max(within, key=lambda p: (share(try_one(row, p)[0] for row in table), -cost[p]))
    cascade = best_cascade(table, within, calls, budget)
    outcomes = [run_cascade(row, cascade, calls, budget) for row in table]
    hinted = [follow_hints(row, calls, budget) for row in table]
    return {
        "possible": share(any(try_one(row, p)[0] for p in within) for row in table),
        "single": share(try_one(row, best)[0] for row in table),
        "single_is": "/".join(best),
        "cascade": share(good for good, _, _ in outcomes),
        "cascade_wrong": share(passed and not good for good, passed, _ in outcomes),
        "cascade_cost": round(float(np.mean([spent for _, _, spent in outcomes])), 2),
        "hints": share(good for good, _, _ in hinted),
        "hints_wrong": share(passed and not good for good, passed, _ in hinted),
        "hints_cost": round(float(np.mean([spent for _, _, spent in hinted])), 2),
        "cascade_is": ["/".join(p) for p in cascade],
    }


def follow_hints(
    row: dict[str, Any], calls: dict[str, Any], budget: float
) -> tuple[bool, bool, float]:
    """A hand-written rule that looks first: (good, accepted, cost)."""
    said = row["hints"]
    straighten = next((way for way in ("turn", "deskew") if f"straighten/{way}" in said), "none")
    clean = next((call.split("/")[1] for call in said if call.startswith("clean/")), "none")
    order = [
        (straighten, clean, "plain"),
        ("turn", clean, "plain"),
        ("none", clean, "plain"),
        ("turn", "none", "plain"),
    ]
    if clean in ("none", "despeckle"):
        order.insert(0, (straighten, clean, "fast"))
    look_cost = calls["inspect_page"]["cost"]
    good, passed, spent = run_cascade(row, list(dict.fromkeys(order)), calls, budget - look_cost)
    return good, passed, spent + look_cost


def run_cascade(
    row: dict[str, Any], cascade: list[Pipeline], calls: dict[str, Any], budget: float
) -> tuple[bool, bool, float]:
    """(good, accepted, cost): pipelines in order until the gate accepts; images are kept."""
    spent, made = 0.0, set()
    for straighten, clean, read in cascade:
        steps = [
            (f"straighten/{straighten}",),
            (f"clean/{clean}", straighten),
            (f"read/{read}", straighten, clean),
        ]
        price = sum(calls[step[0]]["cost"] for step in steps if step not in made)
        if spent + price > budget:
            continue
        spent += price
        made.update(steps)
        good, passed, _ = try_one(row, (straighten, clean, read))
        if passed:
            return good, True, spent
    return False, False, spent


def best_cascade(
    table: list[dict[str, Any]], pipelines: list[Pipeline], calls: dict[str, Any], budget: float
) -> list[Pipeline]:
    """Grown greedily by success minus a little cost, anywhere in the order, while it helps."""

    def value(cascade: list[Pipeline]) -> float:
        outcomes = [run_cascade(row, cascade, calls, budget) for row in table]
        return float(np.mean([g - 0.6 * (p and not g) - 0.15 * c / budget for g, p, c in outcomes]))

    cascade: list[Pipeline] = []
    while True:
        grown = [
            [*cascade[:i], p, *cascade[i:]]
            for p in pipelines
            if p not in cascade
            for i in range(len(cascade) + 1)
        ]
        best = max(grown, key=value, default=cascade)
        if not grown or value(best) <= (value(cascade) if cascade else 0.0) + 1e-9:
            return cascade
        cascade = best


def by_defect(table: list[dict[str, Any]], pipelines: list[Pipeline]) -> dict[str, dict[str, Any]]:
    """For each set of defects: pages, and the success of each reader alone and of any pipeline."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in table:
        groups.setdefault("+".join(row["defects"]) or "clean", []).append(row)
    return {
        name: {
            "pages": len(rows),
            **{
                read: share(try_one(row, ("none", "none", read))[0] for row in rows)
                for read in PRESETS
            },
            "any": share(any(try_one(row, p)[0] for p in pipelines) for row in rows),
            "best": "/".join(
                max(pipelines, key=lambda p: share(try_one(row, p)[0] for row in rows))
            ),
        }
        for name, rows in sorted(groups.items())
    }


def as_text(report: dict[str, Any]) -> str:
    lines = [
        f"{report['pages']} pages, cheapest pipeline {report['cheapest_cpu_s']:.2f} CPU s = 1.0"
    ]
    lines += [
        f"  {name:20} {c['cost']:6.2f}  ({c['cpu_s']:.3f} s, p95 {c['p95_s']:.3f})"
        for name, c in report["calls"].items()
    ]
    lines.append("success of single pipelines (cost, passed but wrong)")
    ranked = sorted(report["singles"].items(), key=lambda item: -item[1]["success"])
    lines += [
        f"  {n:32} {s['success']:.2f} ({s['cost']:.2f}, {s['passed_but_wrong']:.2f})"
        for n, s in ranked[:25]
    ]
    for budget, b in report["budgets"].items():
        lines.append(
            f"budget {budget}x: possible {b['possible']:.2f}, "
            f"single {b['single']:.2f} ({b['single_is']}), "
            f"cascade {b['cascade']:.2f} (cost {b['cascade_cost']}, wrong {b['cascade_wrong']}), "
            f"follow hints {b['hints']:.2f} (cost {b['hints_cost']}, wrong {b['hints_wrong']})"
        )
        lines.append(f"    cascade: {', '.join(b['cascade_is'])}")
    lines += [f"  {name:24} {d}" for name, d in report["by_defect"].items()]
    return "\n".join(lines)


if __name__ == "__main__":
    to_its_end(main)
