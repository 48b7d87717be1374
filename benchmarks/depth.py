"""How much there is to decide: returns of random, the rules and the oracle, per tier, mix and split.

    python benchmarks/depth.py [--quick] [--json] [--write]

The same levels under the same luck for all. The oracle is the index rule told what is hidden: a reference, no
proven bound. `--write` puts the table into docs/game.md and the picture beside it (docs/depth.svg). Levels
are of the validation split, so that nothing is looked up on the test split.

Example:  python benchmarks/depth.py --quick --json
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from to_its_end import to_its_end

from policies.recovery.registry import HAND_RULES, policy_named
from training.judging.episodes import play
from training.judging.setting import Setting, deal
from training.judging.stats import mean_ci95

DOCS = Path(__file__).resolve().parent.parent / "docs"
RULES = (*HAND_RULES, "index")
POLICIES = ("random", *RULES, "oracle")
BANDS = ((1, 5), (6, 10), (11, 15), (16, 20))
COLOURS = {
    "random": "#94a3b8",
    "best hand rule": "#d97706",
    "index": "#2563eb",
    "oracle": "#0a7a3d",
}


def settings(episodes: int) -> dict[str, Setting]:
    """What is played, by name."""
    out = {
        f"tiers {low} to {high}": Setting(split="validation", episodes=episodes, tiers=(low, high))
        for low, high in BANDS
    }
    deep = {"split": "validation", "episodes": episodes, "tiers": (16, 20)}
    out |= {f"{mix}, tiers 16 to 20": Setting(mix=mix, **deep) for mix in ("production", "stress")}
    out["standard size, tiers 16 to 20"] = Setting(size="standard", **deep)
    out["unseen, tiers 16 to 20"] = Setting(split="unseen", episodes=episodes, tiers=(16, 20))
    out["exact_train"] = Setting(split="exact_train", episodes=episodes)
    return out


def measured(setting: Setting) -> dict[str, Any]:
    """Mean return with its 95% interval, and success, of every policy."""
    out = {}
    for name in POLICIES:
        lanes = deal(setting, 0, setting.episodes)
        play(policy_named(name), lanes)
        returns = lanes.truths["episode_return"]
        out[name] = {
            "return_mean": float(returns.mean()),
            "return_ci95": list(mean_ci95(returns)),
            "success_rate": float(lanes.success.mean()),
        }
    hand = max(RULES[:-1], key=lambda rule: out[rule]["return_mean"])
    return {**out, "best_hand_rule": hand}


def cell(figures: dict[str, Any]) -> str:
    """One cell of the table."""
    low, high = figures["return_ci95"]
    return f"{figures['return_mean']:.3f} [{low:.3f}, {high:.3f}]"


def table(result: dict[str, Any], episodes: int) -> str:
    """The table of docs/game.md."""
    lines = [
        f"Mean return, 95% interval, {episodes:,} levels each (`python benchmarks/depth.py --write`);",
        "the best of eight tuned hand rules is picked on these very levels, which favours it:",
        "",
        "| levels | random | best hand rule | index | oracle | index / oracle |",
        "|---|---|---|---|---|---|",
    ]
    for name, each in result.items():
        hand = each["best_hand_rule"]
        share = each["index"]["return_mean"] / each["oracle"]["return_mean"]
        cells = (cell(each["random"]), f"{cell(each[hand])} `{hand}`", cell(each["index"]))
        lines.append(f"| {name} | {' | '.join(cells)} | {cell(each['oracle'])} | {share:.2f} |")
    return "\n".join([*lines, "", "![returns by tier](depth.svg)"])


def picture(result: dict[str, Any]) -> str:
    """Grouped bars of return with whiskers, as SVG."""
    groups = [name for name in result if name.startswith("tiers")]
    left, base, height, wide = 60, 240, 200, 150
    low, high = -0.15, 0.85
    right = left + wide * len(groups)

    def y(value: float) -> float:
        return base - (value - low) / (high - low) * height

    parts = [
        f'<line x1="{left}" x2="{right}" y1="{y(v):.1f}" y2="{y(v):.1f}" stroke="#e3e7ec"/>'
        f'<text x="{left - 8}" y="{y(v) + 4:.1f}" text-anchor="end">{v:.1f}</text>'
        for v in (0.0, 0.2, 0.4, 0.6, 0.8)
    ]
    for g, group in enumerate(groups):
        each = result[group]
        x = left + g * wide + 14
        parts.append(f'<text x="{x + 56}" y="{base + 20}" text-anchor="middle">{group}</text>')
        for b, (label, colour) in enumerate(COLOURS.items()):
            name = each["best_hand_rule"] if label == "best hand rule" else label
            mean, (a, z) = each[name]["return_mean"], each[name]["return_ci95"]
            top, bottom = sorted((y(mean), y(0.0)))
            at = x + 28 * b
            parts.append(
                f'<rect x="{at}" y="{top:.1f}" width="24" height="{bottom - top:.1f}" fill="{colour}"/>'
                f'<line x1="{at + 12}" x2="{at + 12}" y1="{y(a):.1f}" y2="{y(z):.1f}" '
                'stroke="#111" stroke-width="2"/>'
            )
    for b, (label, colour) in enumerate(COLOURS.items()):
        at = left + 10 + 150 * b
        parts.append(
            f'<rect x="{at}" y="{base + 36}" width="12" height="12" fill="{colour}"/>'
            f'<text x="{at + 18}" y="{base + 46}">{label}</text>'
        )
    width = right + 20
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{base + 62}" '
        f'font-family="system-ui,sans-serif" font-size="12">'
        f"<title>Mean return by tiers, of the bounds and of rules</title>"
        f'<rect width="100%" height="100%" fill="#fff"/>'
        f'<text x="{left}" y="18">mean return (whisker: 95% interval)</text>{"".join(parts)}</svg>\n'
    )


def write(result: dict[str, Any], episodes: int) -> None:
    """Put table and picture into the documentation."""
    page = DOCS / "game.md"
    begin, end = "<!-- depth:begin -->", "<!-- depth:end -->"
    before, _, rest = page.read_text("utf-8").partition(begin)
    after = rest.partition(end)[2]
    page.write_text(f"{before}{begin}\n{table(result, episodes)}\n{end}{after}", "utf-8")
    (DOCS / "depth.svg").write_text(picture(result), "utf-8")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--quick", action="store_true", help="fewer levels")
    parser.add_argument("--write", action="store_true", help="into docs/game.md and docs/depth.svg")
    arguments = parser.parse_args()
    episodes = 500 if arguments.quick else 4000
    result = {}
    for name, setting in settings(episodes).items():
        print(f"{name} ...", file=sys.stderr)
        result[name] = measured(setting)
    if arguments.write:
        write(result, episodes)
    print(json.dumps(result) if arguments.json else table(result, episodes))


if __name__ == "__main__":
    to_its_end(main)
