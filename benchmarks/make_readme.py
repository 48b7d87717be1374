"""Judge what the package brings on the deepest held-out levels: the table of README.md and its picture.

    python benchmarks/make_readme.py [--workers N]

Some minutes, or less from the cache after make_results.py. `--json` prints the figures and writes
nothing.

Example:  python benchmarks/make_readme.py --workers 2
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from held_out import LEARNED, setting_of
from make_results import put
from tables import share, signed, spread, table
from to_its_end import to_its_end

from training.judging.evaluate import Question, judge
from training.judging.result_cache import ResultCache, default_folder
from training.pages.charts import bars
from training.pages.pictures import Picture

ROOT = Path(__file__).parent.parent
SHOWN = {
    "retry_fallback": "with back-off, then the next",
    "cascade": "tuned: one try each",
    "code_aware": "tuned: an expert's rule",
    "router": "tuned",
    "index": "tuned: it is told the posterior over the faults",
    "shipped": "trained, an hour of one core",
    "sequence": "a transformer over the attempts",
    "oracle": "it is told the faults",
}
"""Policy -> what it is, in words."""
OURS = ("shipped", "sequence")


def result_of(workers: int) -> dict[str, Any]:
    """What `fqg evaluate --json` prints of them."""
    setting = setting_of(next(iter(LEARNED.values())))
    names = {name: name for name in SHOWN}
    return judge(Question(names, setting, workers, cache=ResultCache(default_folder()))).result


def rows(result: dict[str, Any]) -> list[tuple[str, ...]]:
    """A row for each policy; ours stand out."""
    out = []
    for name, words in SHOWN.items():
        p = result["policies"][name]
        cells = (
            share(p["success_rate"]),
            spread(p["return_mean"], p["return_ci95"]),
            signed(result["paired"].get(f"{name}/index")),
        )
        if name in OURS:
            cells = tuple(f"**{cell}**" for cell in cells)
        out.append((f"`{name}`: {words}", *cells))
    return out


def main() -> None:
    """Judge, and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--json", action="store_true", help="print the figures, write nothing")
    asked = parser.parse_args()
    result = result_of(asked.workers)
    if asked.json:
        print(json.dumps(result))
        return
    head = ("policy", "success", "return [95%]", "over `index`, level by level")
    page = ROOT / "README.md"
    page.write_text(put(page.read_text("utf-8"), "results", table(head, rows(result))), "utf-8")
    title = f"Mean return on {result['episodes']:,} held-out levels of the deepest tiers, by policy"
    drawn = Picture(bars(result["policies"], *OURS[:1]), title=title).text
    (ROOT / "docs" / "results.svg").write_text(drawn + "\n", "utf-8")


if __name__ == "__main__":
    to_its_end(main, "to go on; what was played is kept")
