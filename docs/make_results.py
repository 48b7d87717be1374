"""Judge the rules and the bounds, and write their tables into docs/results.md, each with its command.

    python docs/make_results.py [--workers N]

Run it when the game or a policy has changed; what has not changed comes from the cache.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from policies.recovery.registry import BUILT_IN
from training.evaluate import Question, judge
from training.result_cache import ResultCache, default_folder
from training.setting import Setting

PAGE = Path(__file__).parent / "results.md"
SLOW = ("search", "sequence")
"""Policies that these tables leave out: they have commands of their own."""
CELLS = ("explicit_transient", "explicit_permanent", "implicit_transient", "implicit_permanent")


@dataclass(frozen=True)
class Wanted:
    """One table."""

    name: str
    setting: Setting
    options: str
    without: tuple[str, ...] = SLOW


TABLES = (
    Wanted(
        "rules-exact",
        Setting(split="exact", episodes=20_000),
        "--split exact --episodes 20000",
    ),
    Wanted(
        "rules-deep",
        Setting(split="test", episodes=4096, tiers=(16, 20)),
        "--split test --tiers 16-20 --episodes 4096",
        (*SLOW, "bayes"),
    ),
)


def share(value: float | None) -> str:
    """A share as a percentage; a dash where there is none."""
    return "-" if value is None else f"{100 * value:.1f}%"


def spread(mean: float, interval: list[float]) -> str:
    """A mean with its interval."""
    return f"{mean:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]"


def markdown(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    """A table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def main_rows(policies: dict[str, Any]) -> list[tuple[str, ...]]:
    """Who wins."""
    return [
        (
            f"`{name}`",
            share(p["success_rate"]),
            spread(p["return_mean"], p["return_ci95"]),
            spread(p["return_iqm"], p["return_iqm_ci95"]),
            share(
                p["fraction_of_oracle"]
                if p.get("fraction_of_bayes") is None
                else p["fraction_of_bayes"]
            ),
            share(p["gap_closed"]),
            share(p["pass_8"]),
            share(p["wrong_delivered_rate"]),
        )
        for name, p in policies.items()
    ]


def recovery_rows(policies: dict[str, Any]) -> list[tuple[str, ...]]:
    """How they recover, and how they stop."""
    return [
        (
            f"`{name}`",
            *(share(p["recovery"][cell]["rate"]) for cell in CELLS),
            " / ".join(share(p["success_by_recoveries"][k]) for k in "0123"),
            share(p["give_ups"]["false_give_up_rate"]),
            share(p["give_ups"]["unsolvable_cost"]),
            share(p["time_to_goal"]),
            f"{p['repeats_without_news']:.2f}",
        )
        for name, p in policies.items()
    ]


def table(wanted: Wanted, result: dict[str, Any]) -> str:
    """The block of one table."""
    policies = dict(sorted(result["policies"].items(), key=lambda item: -item[1]["return_mean"]))
    by = "Bayes" if result["gap"]["bound"] == "bayes" else "oracle"
    head = (
        "policy",
        "success",
        "return [95%]",
        "IQM [95%]",
        f"of {by}",
        "gap closed",
        "pass^8",
        "wrong",
    )
    more = (
        "policy", "explicit transient", "explicit permanent", "implicit transient",
        "implicit permanent", "success within 0 / 1 / 2 / 3 recoveries", "false give-ups",
        "cost on unsolvable", "time to goal", "idle repeats",
    )  # fmt: skip
    unsolvable = next(iter(policies.values()))["give_ups"]["unsolvable"]
    command = f"fqg evaluate --policies {','.join(result['policies'])} {wanted.options}"
    gap = f"Gap: from `{result['gap']['rule']}`, the best hand rule here, towards `{by.lower()}`."
    return "\n".join(
        [
            *markdown(head, main_rows(policies)),
            "",
            *markdown(more, recovery_rows(policies)),
            "",
            f"{gap} Provably unsolvable: {unsolvable:,} of {result['episodes']:,} levels.",
            "",
            f"```sh\n{command}\n```",
        ]
    )


def main() -> None:
    """Judge, and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", type=int, default=1, help="processes")
    workers = parser.parse_args().workers
    text = PAGE.read_text("utf-8")
    for wanted in TABLES:
        print(f"{wanted.name} ...", file=sys.stderr)
        names = {name: name for name in BUILT_IN if name not in wanted.without}
        cache = ResultCache(default_folder())
        result = judge(Question(names, wanted.setting, workers, cache=cache)).result
        begin, end = f"<!-- {wanted.name}:begin -->", f"<!-- {wanted.name}:end -->"
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}\n{table(wanted, result)}\n{end}{rest.partition(end)[2]}"
    PAGE.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
