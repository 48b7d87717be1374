"""Measure who owns failures, and write the tables and the picture of docs/decision.md.

    python benchmarks/make_decision.py [--policies shipped,index] [--episodes 4096] [--cases 2] [--quick]
    python benchmarks/make_decision.py --draw    # the picture, from the tables of the page; plays nothing

Real workflows start real processes: some seconds a run; both policies take 25 minutes at two cases. Their
seconds depend on the machine and on what else it does; the game's do not. `--json` prints what was found and
writes nothing.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

from make_results import put
from tables import table

from training.decision.compared import SETTINGS, STORIES, Question, compare, planned
from training.decision.words import (
    HEAD,
    MODES,
    SETTING_WORDS,
    TITLE,
    differences,
    in_two_lines,
    matrix,
    tables,
)
from training.judging.setting import Setting
from training.pages.charts import colours
from training.pages.grouped_bars import grouped_bars
from training.pages.pictures import Picture
from training.terminal import bar

DOCS = Path(__file__).parent.parent / "docs"
PAGE, PICTURE = DOCS / "decision.md", DOCS / "decision.svg"
QUICK = ("generated", *STORIES)


def found_by(policy: str, settings: tuple[str, ...], episodes: int, cases: int) -> dict[str, Any]:
    """What `fqg compare --json` prints, under a progress bar."""
    plan = planned(Question(policy, settings, Setting(episodes=episodes), cases))
    with bar(policy, plan.work) as update:
        return compare(plan, update)


def tables_of(result: dict[str, Any]) -> str:
    """A table for each setting, and how hybrid differs from the others."""
    parts = []
    for name, rows in tables(result).items():
        runs = result["settings"][name]["hybrid"]["runs"]
        parts += [f"**{SETTING_WORDS[name]}**, {runs:,} runs in each mode", table(HEAD, rows)]
        parts.append("; ".join(differences(result, name)) + ".")
    return "\n\n".join(parts)


def matrix_of(result: dict[str, Any]) -> str:
    """The alignment matrix."""
    rows = [(line.name, line.measure, *line.values) for line in matrix(result)]
    return table(("", "measured", *MODES), rows)


def success_in(page: str, policy: str) -> dict[str, dict[str, float | None]]:
    """Setting in words -> mode -> success, as the tables of a policy on the page have it."""
    block = page.partition(f"<!-- decision-{policy}:begin -->")[2].partition("<!--")[0]
    out: dict[str, dict[str, float | None]] = {}
    for words, each in re.findall(
        r"^\*\*(.+?)\*\*(.*?)(?=^\*\*|\Z)", block, re.DOTALL | re.MULTILINE
    ):
        shares = dict(re.findall(r"^\| (\w+) \| ([\d.]+)% \|", each, re.MULTILINE))
        out[words] = {mode: float(shares[mode]) / 100.0 for mode in MODES}
    return out


def picture_of(page: str, policy: str) -> str:
    """Success by setting and mode, as an SVG of its own, from the tables of the page."""
    palette, found = colours(MODES), success_in(page, policy)
    title = f"{TITLE}: success by setting and by mode, policy {policy}"
    return Picture(grouped_bars(in_two_lines(found), palette), palette, title).text + "\n"


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--policies", default="shipped,index", help="the first one is pictured")
    parser.add_argument("--episodes", type=int, default=4096, help="levels of each setting")
    parser.add_argument("--cases", type=int, default=2, help="inputs of each kind, for real")
    parser.add_argument("--quick", action="store_true", help="the game alone, 256 levels")
    parser.add_argument("--draw", action="store_true", help="draw what the page says, play nothing")
    parser.add_argument("--json", action="store_true", help="print what was found, write nothing")
    asked = parser.parse_args()
    names = asked.policies.split(",")
    if asked.draw:
        PICTURE.write_text(picture_of(PAGE.read_text("utf-8"), names[0]), "utf-8")
        return
    settings, episodes = (QUICK, 256) if asked.quick else (SETTINGS, asked.episodes)
    results = {name: found_by(name, settings, episodes, asked.cases) for name in names}
    if asked.json or asked.quick:
        print(json.dumps(results))
        return
    text = PAGE.read_text("utf-8")
    for name, result in results.items():
        text = put(text, f"decision-{name}", tables_of(result))
    text = put(text, "alignment", matrix_of(results[names[0]]))
    PAGE.write_text(text, "utf-8")
    PICTURE.write_text(picture_of(text, names[0]), "utf-8")


if __name__ == "__main__":
    sys.exit(main())
