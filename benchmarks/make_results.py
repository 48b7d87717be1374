"""Judge the rules and the bounds, and write their tables into docs/results.md, each with its command.

    python benchmarks/make_results.py [--workers N] [--search] [--trained runs/seed0/policy ...]
                                      [--sequence runs/sequence0/policy ...]

Run it when the game or a policy has changed; what has not changed comes from the cache. With none of the
options the tables of rules and bounds are written; with `--trained` those of trained conductors, with
`--sequence` that of sequence models beside `shipped`, with `--search` that of the planner, which takes half
an hour on two cores.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from held_out import EPISODES, LEARNED, RULES, SHIFTED, best_rule, setting_of
from tables import share, signed, spread, table
from to_its_end import to_its_end

from policies.recovery.registry import BUILT_IN, policy_named
from training.judging.calibration import calibration
from training.judging.evaluate import Question, judge
from training.judging.result_cache import ResultCache, default_folder
from training.judging.setting import Setting

PAGE = Path(__file__).parent.parent / "docs" / "results.md"
SLOW = ("search", "sequence", "shipped")
"""Policies that these tables leave out: they have commands of their own."""
CELLS = ("explicit_transient", "explicit_permanent", "implicit_transient", "implicit_permanent")
TRUSTED = (
    f"The chance of success that they tell, over every decision of {EPISODES:,} levels. The calibration "
    "error is 0 where what is told comes true as often as told; the Brier skill is 0 where no more is told "
    "than the mean rate of success, and 1 where every end is foreseen:"
)


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


TOLD_OF_SEQUENCES = {
    caption: change
    for caption, change in {**LEARNED, **SHIFTED}.items()
    if any(
        word in caption
        for word in ("16 to 20", "unseen", "miscoded", "dialects", "false_hints", "mode")
    )
}

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


def block_of(wanted: Wanted, result: dict[str, Any]) -> str:
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
    planner = f"Level by level, `search` over `index`: {signed(over)}."
    paired = [] if over is None else [planner, ""]
    gap = f"Gap: from `{result['gap']['rule']}`, the best hand rule here, towards `{by.lower()}`."
    return "\n".join(
        [
            table(head, main_rows(policies)),
            "",
            table(more, recovery_rows(policies)),
            "",
            *paired,
            f"{gap} Provably unsolvable: {unsolvable:,} of {result['episodes']:,} levels.",
            "",
            f"```sh\n{command}\n```",
        ]
    )


def learned_rows(result: dict[str, Any]) -> list[tuple[str, ...]]:
    """Each policy, and its difference to the index rule on the same levels."""
    rows: list[tuple[str, ...]] = []
    for name, p in result["policies"].items():
        rows.append(
            (
                name if name.startswith("seed") else f"`{name}`",
                share(p["success_rate"]),
                spread(p["return_mean"], p["return_ci95"]),
                spread(p["return_iqm"], p["return_iqm_ci95"]),
                signed(result["paired"].get(f"{name}/index")),
                share(p["wrong_delivered_rate"]),
                share(p["floor_share"]),
            )
        )
    return rows


def shifted_row(caption: str, result: dict[str, Any], seeds: list[str]) -> tuple[str, ...]:
    """The best rule on these levels, and what each seed gains over it."""
    policies = result["policies"]
    best = best_rule(policies)
    pairs = [result["paired"][f"{seed}/{best}"] for seed in seeds]
    each = [policies[seed] for seed in seeds]
    return (
        caption,
        f"`{best}` {spread(policies[best]['return_mean'], policies[best]['return_ci95'])}",
        *(signed(pair) for pair in pairs),
        spread(each[0]["return_iqm"], each[0]["return_iqm_ci95"]),
        f"{share(policies[best]['wrong_delivered_rate'])} / "
        + ", ".join(share(p["wrong_delivered_rate"]) for p in each),
        ", ".join(share(p["floor_share"]) for p in each),
    )


def calibration_rows(seeds: dict[str, str], change: dict[str, Any]) -> list[tuple[str, ...]]:
    """How far the chances of success that each seed tells can be trusted."""
    rows: list[tuple[str, ...]] = []
    for seed, folder in seeds.items():
        told = calibration(policy_named(folder), setting_of(change))
        skill = told["success_brier_skill"]
        rows.append((seed, f"{told['success_ece']:.3f}", "-" if skill is None else f"{skill:.3f}"))
    return rows


def learned(folders: list[str], workers: int) -> str:
    """The tables of trained conductors: in full where they were trained, and at a glance elsewhere."""
    seeds = {f"seed {i}": folder for i, folder in enumerate(folders)}
    cache = ResultCache(default_folder())

    def played(rules: tuple[str, ...], change: dict[str, Any]) -> dict[str, Any]:
        names = {name: name for name in rules} | seeds
        question = Question(names, setting_of(change), workers, cache=cache)
        return judge(question).result

    head = (
        "policy", "success", "return [95%]", "IQM [95%]", "over `index` [95%]", "wrong", "floor",
    )  # fmt: skip
    blocks, told = [], []
    for caption, change in LEARNED.items():
        print(caption, file=sys.stderr)
        blocks += [f"{caption}:", "", table(head, learned_rows(played((*RULES, "oracle"), change)))]
        blocks.append("")
        told += [(caption, *row) for row in calibration_rows(seeds, change)]
    glance = (
        "levels", "best rule", *(f"{seed} over it [95%]" for seed in seeds), "IQM of seed 0",
        "wrong: rule / seeds", "floor",
    )  # fmt: skip
    shifted = []
    for caption, change in SHIFTED.items():
        print(caption, file=sys.stderr)
        shifted.append(shifted_row(caption, played(RULES, change), list(seeds)))
    trusted = table(("levels", "policy", "calibration error", "Brier skill"), told)
    parts = ["Levels unlike those of training:", table(glance, shifted), TRUSTED, trusted]
    return "\n".join([*blocks, *(line for part in parts for line in (part, ""))])


def sequences(folders: list[str], workers: int) -> str:
    """What each seed of a sequence model gains over the index rule, and over the policy it learned from."""
    seeds = {f"seed {i}": folder for i, folder in enumerate(folders)}
    cache, rows = ResultCache(default_folder()), []
    for caption, change in TOLD_OF_SEQUENCES.items():
        print(caption, file=sys.stderr)
        names = {name: name for name in ("index", "shipped")} | seeds
        result = judge(Question(names, setting_of(change), workers, cache=cache)).result
        first = result["policies"]["seed 0"]
        over = (
            "; ".join(signed(result["paired"][f"{seed}/{other}"]) for seed in seeds)
            for other in ("index", "shipped")
        )
        iqm = spread(first["return_iqm"], first["return_iqm_ci95"])
        caption = caption.replace("the same", next(iter(SHIFTED)))
        rows.append((caption, *over, iqm, share(first["wrong_delivered_rate"])))
    head = (
        "levels", "over `index`, each seed [95%]", "over `shipped`, each seed [95%]", "IQM of seed 0",
        "wrong, seed 0",
    )  # fmt: skip
    return table(head, rows)


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
    parser.add_argument("--sequence", nargs="*", default=[], help="sequence models, by seed")
    parser.add_argument("--trained", nargs="*", default=[], help="policy folders, by seed")
    arguments = parser.parse_args()
    text = PAGE.read_text("utf-8")
    if arguments.trained:
        text = put(text, "learned", learned(arguments.trained, arguments.workers))
    if arguments.sequence:
        text = put(text, "sequence", sequences(arguments.sequence, arguments.workers))
    if arguments.search:
        tables: tuple[Wanted, ...] = (PLANNER,)
    else:
        tables = () if arguments.trained or arguments.sequence else TABLES
    for wanted in tables:
        print(f"{wanted.name} ...", file=sys.stderr)
        names = {name: name for name in BUILT_IN if name not in wanted.without}
        cache = ResultCache(default_folder())
        result = judge(Question(names, wanted.setting, arguments.workers, cache=cache)).result
        text = put(text, wanted.name, block_of(wanted, result))
    PAGE.write_text(text, "utf-8")


if __name__ == "__main__":
    to_its_end(main, "to go on; what was played is kept")
