"""Measure who owns failures, and write the tables and the picture of docs/decision.md.

    python benchmarks/make_decision.py [--policies shipped,index] [--episodes 4096] [--cases 2] [--quick]

Real workflows start real processes: some seconds a run; both policies take 25 minutes at two cases. Their
seconds depend on the machine and on what else it does; the game's do not. `--json` prints what was found and
writes nothing.
"""

from __future__ import annotations

import argparse
import json
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
    differences,
    matrix,
    success_by_setting,
    tables,
)
from training.judging.setting import Setting
from training.pages.charts import colours, grouped_bars
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


def picture_of(result: dict[str, Any]) -> str:
    """Success by setting and mode, as an SVG of its own."""
    palette = colours(MODES)
    return Picture(grouped_bars(success_by_setting(result), palette), palette).text + "\n"


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--policies", default="shipped,index", help="the first one is pictured")
    parser.add_argument("--episodes", type=int, default=4096, help="levels of each setting")
    parser.add_argument("--cases", type=int, default=2, help="inputs of each kind, for real")
    parser.add_argument("--quick", action="store_true", help="the game alone, 256 levels")
    parser.add_argument("--json", action="store_true", help="print what was found, write nothing")
    asked = parser.parse_args()
    settings, episodes = (QUICK, 256) if asked.quick else (SETTINGS, asked.episodes)
    names = asked.policies.split(",")
    results = {name: found_by(name, settings, episodes, asked.cases) for name in names}
    if asked.json or asked.quick:
        print(json.dumps(results))
        return
    text = PAGE.read_text("utf-8")
    for name, result in results.items():
        text = put(text, f"decision-{name}", tables_of(result))
    text = put(text, "alignment", matrix_of(results[names[0]]))
    PAGE.write_text(text, "utf-8")
    PICTURE.write_text(picture_of(results[names[0]]), "utf-8")


if __name__ == "__main__":
    sys.exit(main())
