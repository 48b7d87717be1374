"""What each part of a training is worth: the same recipe without it, over seeds, on the same test levels.

    python benchmarks/ablations.py --out DIR [--recipe NAME_OR_FILE] [--seeds N] [--workers N] [--episodes N]
        [--device auto|cpu|cuda] [--train-only] [--json]

Every variant is trained once with each seed into DIR, `--workers` trainings side by side; what is there is
not trained again. Each plays the same test levels as the index rule; the figure is the paired difference of
the return with its 95% interval, for every seed.

Example:  python benchmarks/ablations.py --out /tmp/ablations --seeds 3 --workers 2
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

from fqg_env.errors import LevelError
from policies.recovery.policy_file import read_policy_file
from training.checkpoint import CHECKPOINT, POLICY, RESULT
from training.recipe import Recipe, read_recipe

VARIANTS: dict[str, dict[str, Any]] = {
    "all": {},
    "no_teacher": {"teacher": None},
    "no_ppo": {"steps": 0},
    "no_thoughts": {"without": ["thoughts"]},
    "no_posterior": {"without": ["belief", "thoughts"]},
    "no_memory": {"without": ["memory"]},
    "no_messages": {"rounds": 0},
}
"""What is changed in the recipe. The rule's choice, which rests on the posterior, stays in all of them."""
SHORT = Path(__file__).with_name("ablations.yaml")
FIRST = 20_000
"""The first test level: none of those that docs/results.md judges on."""


def run_of(out: Path, variant: str, seed: int) -> Path:
    """The folder of one training."""
    return out / f"{variant}-{seed}"


def train_one(recipe: Recipe, out: Path, variant: str, seed: int, device: str) -> str:
    """Train one variant in a process of its own; returns what went wrong, or nothing."""
    folder = run_of(out, variant, seed)
    file = out / f"{variant}.yaml"
    changed = Recipe.model_validate(recipe.model_dump() | VARIANTS[variant])
    if (folder / RESULT).exists():
        there = read_policy_file(folder / POLICY)[0].recipe
        same = there == {"seed": seed, **changed.model_dump(mode="json")}
        return "" if same else f"{folder}: it is of another recipe or seed; name another --out"
    file.write_text(yaml.safe_dump(changed.model_dump(mode="json"), sort_keys=False), "utf-8")
    resume = ["--resume"] if (folder / CHECKPOINT).exists() else ["--force"]
    options = ["--recipe", file, "--seed", seed, "--out", folder, "--device", device, *resume]
    command = [sys.executable, "-m", "training.cli", "train", *map(str, options)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    print(f"{folder.name}: {'done' if answer.returncode == 0 else 'failed'}", file=sys.stderr)
    return "" if answer.returncode == 0 else answer.stderr[-300:]


def train_all(recipe: Recipe, out: Path, seeds: int, workers: int, device: str) -> list[str]:
    """Train every variant with every seed; returns what went wrong."""
    jobs = [(variant, seed) for seed in range(seeds) for variant in VARIANTS]
    with ThreadPoolExecutor(workers) as pool:
        told = pool.map(lambda job: train_one(recipe, out, job[0], job[1], device), jobs)
        return [line for line in told if line]


def judged(out: Path, seeds: int, workers: int, episodes: int) -> dict[str, list[dict[str, Any]]]:
    """Each variant's paired difference to the index rule, and that of `all` to it, a seed after the other."""
    from training.evaluate import Question, judge
    from training.setting import Setting

    names = {
        f"{variant} {seed}": str(run_of(out, variant, seed) / POLICY)
        for variant in VARIANTS
        for seed in range(seeds)
    }
    setting = Setting(split="test", episodes=episodes, tiers=(6, 20), seed=FIRST)
    paired = judge(Question({"index": "index", **names}, setting, workers)).result["paired"]
    return {
        variant: [
            {
                "over_index": paired[f"{variant} {seed}/index"],
                "worth": paired.get(f"all {seed}/{variant} {seed}"),
            }
            for seed in range(seeds)
        ]
        for variant in VARIANTS
    }


def signed(pair: dict[str, Any] | None) -> str:
    """A paired difference with its interval over levels."""
    if pair is None:
        return ""
    low, high = pair["difference_ci95"]
    return f"{pair['difference_mean']:+.4f} [{low:+.4f}, {high:+.4f}]"


def table(result: dict[str, list[dict[str, Any]]]) -> str:
    """In Markdown: over the rule, and what the part that is left out is worth, each seed."""
    head = ["variant", "over `index`, each seed [95% over levels]", "`all` over it, each seed"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for variant, each in result.items():
        cells = ["; ".join(signed(one[key]) for one in each) for key in ("over_index", "worth")]
        lines.append("| " + " | ".join([variant.replace("_", " "), *cells]) + " |")
    return "\n".join(lines)


def main() -> int:
    """Train, judge and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the trainings")
    parser.add_argument(
        "--recipe", default=str(SHORT), help="a name or a file; default: ablations.yaml"
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--episodes", type=int, default=8192)
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--train-only", action="store_true", help="judge nothing yet")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    arguments = parser.parse_args()
    try:
        recipe = read_recipe(arguments.recipe)
    except LevelError as error:
        print(f"ablations: {error}", file=sys.stderr)
        return 2
    if arguments.out.is_file() or min(arguments.workers, arguments.seeds) < 1:
        print("ablations: --out is a folder; --workers and --seeds are 1 or more", file=sys.stderr)
        return 2
    arguments.out.mkdir(parents=True, exist_ok=True)
    wrong = train_all(recipe, arguments.out, arguments.seeds, arguments.workers, arguments.device)
    if wrong:
        print("\n".join(wrong), file=sys.stderr)
        return 4
    if arguments.train_only:
        return 0
    result = judged(arguments.out, arguments.seeds, arguments.workers, arguments.episodes)
    print(json.dumps(result) if arguments.json else table(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
