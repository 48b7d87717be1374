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
SLOW = ("search", "sequence", "shipped")
"""Policies that these tables leave out: they have commands of their own."""
RULES = ("index", "thompson", "code_aware", "router", "cascade")
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
    "The deepest tiers, 16 to 20": {"tiers": (16, 20)},
    "Tiers 6 to 20": {},
}
"""What trained conductors are judged on first, in full, and how it differs from the usual setting."""
SHIFTED: dict[str, dict[str, Any]] = {
    "standard size: up to 32 calls, trained on 16": {"size": "standard"},
    "the same, tiers 16 to 20": {"size": "standard", "tiers": (16, 20)},
    "`production`: 2 to 10% of the functions fail": {"mix": "production"},
    "`stress`: 20 to 50% fail": {"mix": "stress"},
    "`silent`: faults that nobody reports": {"mix": "silent"},
    "`lasting`: faults that stay": {"mix": "lasting"},
    "`outage`: whole providers are down": {"mix": "outage"},
    "`miscoded`: errors under a wrong code": {"mix": "miscoded"},
    "`false_hints`": {"mix": "false_hints"},
    "`unseen`: other families, other faults": {"split": "unseen"},
    "mode `conductor`: it owns all failures": {"mode": "conductor"},
    "mode `community`: extensions own all failures": {"mode": "community"},
    "`exact`: templates of one or two steps": {"split": "exact", "tiers": (1, 20)},
}
"""Where levels are other than in training."""


def setting_of(change: dict[str, Any], episodes: int) -> Setting:
    """The usual setting, changed."""
    usual: dict[str, Any] = {"episodes": episodes, "tiers": (6, 20), "seed": 10_000}
    return Setting(**(usual | change))


def learned_rows(result: dict[str, Any]) -> list[tuple[str, ...]]:
    """Each policy, and its difference to the index rule on the same levels."""
    rows: list[tuple[str, ...]] = []
    for name, p in result["policies"].items():
        pair = result["paired"].get(f"{name}/index")
        over = "" if pair is None else signed(pair["difference_mean"], pair["difference_ci95"])
        rows.append(
            (
                name if name.startswith("seed") else f"`{name}`",
                share(p["success_rate"]),
                spread(p["return_mean"], p["return_ci95"]),
                spread(p["return_iqm"], p["return_iqm_ci95"]),
                over,
                share(p["wrong_delivered_rate"]),
                share(p["floor_share"]),
            )
        )
    return rows


def shifted_row(caption: str, result: dict[str, Any], seeds: list[str]) -> tuple[str, ...]:
    """The best rule on these levels, and what each seed gains over it."""
    policies = result["policies"]
    best = max(RULES, key=lambda rule: policies[rule]["return_mean"])
    pairs = [result["paired"][f"{seed}/{best}"] for seed in seeds]
    each = [policies[seed] for seed in seeds]
    return (
        caption,
        f"`{best}` {spread(policies[best]['return_mean'], policies[best]['return_ci95'])}",
        *(signed(pair["difference_mean"], pair["difference_ci95"]) for pair in pairs),
        spread(each[0]["return_iqm"], each[0]["return_iqm_ci95"]),
        f"{share(policies[best]['wrong_delivered_rate'])} / "
        + ", ".join(share(p["wrong_delivered_rate"]) for p in each),
        ", ".join(share(p["floor_share"]) for p in each),
    )


def signed(mean: float, interval: list[float]) -> str:
    """A difference with its interval."""
    return f"{mean:+.3f} [{interval[0]:+.3f}, {interval[1]:+.3f}]"


def learned(folders: list[str], workers: int, episodes: int = 4096) -> str:
    """The tables of trained conductors: in full where they were trained, and at a glance elsewhere."""
    seeds = {f"seed {i}": folder for i, folder in enumerate(folders)}
    cache = ResultCache(default_folder())

    def played(rules: tuple[str, ...], change: dict[str, Any]) -> dict[str, Any]:
        names = {name: name for name in rules} | seeds
        question = Question(names, setting_of(change, episodes), workers, cache=cache)
        return judge(question).result

    head = (
        "policy", "success", "return [95%]", "IQM [95%]", "over `index` [95%]", "wrong", "floor",
    )  # fmt: skip
    blocks = []
    for caption, change in LEARNED.items():
        print(caption, file=sys.stderr)
        rows = learned_rows(played((*RULES, "oracle"), change))
        blocks += [f"{caption}:", "", *markdown(head, rows), ""]
    glance = (
        "levels", "best rule", *(f"{seed} over it [95%]" for seed in seeds), "IQM of seed 0",
        "wrong: rule / seeds", "floor",
    )  # fmt: skip
    shifted = []
    for caption, change in SHIFTED.items():
        print(caption, file=sys.stderr)
        shifted.append(shifted_row(caption, played(RULES, change), list(seeds)))
    return "\n".join(
        [*blocks, "Levels unlike those of training:", "", *markdown(glance, shifted), ""]
    )


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
