"""Judge the rules and the bounds, and write their tables into docs/results.md, each with its command.

    python docs/make_results.py [--workers N] [--search] [--trained runs/seed0/policy ...]

Run it when the game or a policy has changed; what has not changed comes from the cache. With `--trained` the
tables of trained conductors are written, with `--search` that of the planner, which takes half an hour on two
cores, without either those of rules and bounds.
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
RIVALS = ("index", "code_aware", "router", "oracle")
"""Whom the tables of trained conductors show beside them."""
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
        (*SLOW, "bayes", "oracle"),
    ),
    Wanted(
        "rules-deep",
        Setting(split="test", episodes=4096, tiers=(16, 20)),
        "--split test --tiers 16-20 --episodes 4096",
        (*SLOW, "bayes"),
    ),
)


PLANNER = Wanted(
    "search-deep",
    Setting(split="test", episodes=1024, tiers=(16, 20)),
    "--split test --tiers 16-20 --episodes 1024",
    tuple(
        n
        for n in BUILT_IN
        if n not in {"retry_fallback", "lookup", "router", "index", "search", "oracle"}
    ),
)
"""The planner against its rollout policy and rules; its simulations are as it is delivered."""


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
    over = result["paired"].get("search/index")
    paired = [] if over is None else [planner_line(over), ""]
    gap = f"Gap: from `{result['gap']['rule']}`, the best hand rule here, towards `{by.lower()}`."
    return "\n".join(
        [
            *markdown(head, main_rows(policies)),
            "",
            *markdown(more, recovery_rows(policies)),
            "",
            *paired,
            f"{gap} Provably unsolvable: {unsolvable:,} of {result['episodes']:,} levels.",
            "",
            f"```sh\n{command}\n```",
        ]
    )


def planner_line(pair: dict[str, Any]) -> str:
    """What the planner gains over its rollout policy, level by level."""
    difference = signed(pair["difference_mean"], pair["difference_ci95"])
    return f"Level by level, `search` over `index`: {difference}."


LEARNED = {
    "Tiers 6 to 20, of the size they were trained on (up to 16 calls)": {},
    "The deepest tiers, 16 to 20": {"tiers": (16, 20)},
    "Standard size (up to 32 calls), never met in training": {"size": "standard"},
    "Mix `production`: 2 to 10% of the functions fail": {"mix": "production"},
    "Mix `stress`: 20 to 50%": {"mix": "stress"},
    "`unseen`: families and a mix of faults that training never met": {"split": "unseen"},
    "`exact`: templates of one or two steps": {"split": "exact", "tiers": (1, 20)},
}
"""What trained conductors are judged on, and how it differs from the first."""


def learned_rows(result: dict[str, Any]) -> list[tuple[str, ...]]:
    """Each policy, and its difference to the index rule on the same levels."""
    rows = []
    for name, p in result["policies"].items():
        pair = result["paired"].get(f"{name}/index")
        over = "" if pair is None else signed(pair["difference_mean"], pair["difference_ci95"])
        rows.append(
            (
                name if name.startswith("trained") else f"`{name}`",
                share(p["success_rate"]),
                spread(p["return_mean"], p["return_ci95"]),
                spread(p["return_iqm"], p["return_iqm_ci95"]),
                over,
                share(p["wrong_delivered_rate"]),
            )
        )
    return rows


def signed(mean: float, interval: list[float]) -> str:
    """A difference with its interval."""
    return f"{mean:+.3f} [{interval[0]:+.3f}, {interval[1]:+.3f}]"


def learned(folders: list[str], workers: int, episodes: int = 4096) -> str:
    """The tables of trained conductors."""
    head = ("policy", "success", "return [95%]", "IQM [95%]", "over `index` [95%]", "wrong")
    names = {name: name for name in RIVALS}
    names |= {f"trained, seed {i}": folder for i, folder in enumerate(folders)}
    blocks = []
    for caption, change in LEARNED.items():
        print(caption, file=sys.stderr)
        setting = Setting(**({"episodes": episodes, "tiers": (6, 20), "seed": 10_000} | change))
        result = judge(
            Question(names, setting, workers, cache=ResultCache(default_folder()))
        ).result
        blocks += [f"{caption}:", "", *markdown(head, learned_rows(result)), ""]
    return "\n".join(blocks)


def put(text: str, name: str, block: str) -> str:
    """The page with a block renewed."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    before, _, rest = text.partition(begin)
    return f"{before}{begin}\n{block}\n{end}{rest.partition(end)[2]}"


def main() -> None:
    """Judge, and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--search", action="store_true", help="the table of the planner")
    parser.add_argument("--trained", nargs="*", default=[], help="policy folders, by seed")
    arguments = parser.parse_args()
    text = PAGE.read_text("utf-8")
    if arguments.trained:
        text = put(text, "learned", learned(arguments.trained, arguments.workers))
    if arguments.search:
        tables: tuple[Wanted, ...] = (PLANNER,)
    else:
        tables = () if arguments.trained else TABLES
    for wanted in tables:
        print(f"{wanted.name} ...", file=sys.stderr)
        names = {name: name for name in BUILT_IN if name not in wanted.without}
        cache = ResultCache(default_folder())
        result = judge(Question(names, wanted.setting, arguments.workers, cache=cache)).result
        text = put(text, wanted.name, table(wanted, result))
    PAGE.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
