"""What each part of a training is worth: the same recipe without it, over seeds, on the same test levels.

    python benchmarks/ablations.py --out DIR [--recipe NAME_OR_FILE] [--variants A,B] [--seeds N]
        [--workers N] [--episodes N] [--device auto|cpu|cuda] [--train-only] [--json]

Every variant is trained once with each seed into DIR, `--workers` trainings side by side. What is there is
not trained again, and what was cut goes on from its checkpoint: after Ctrl-C the same command goes on. Each
plays the same test levels as the index rule; the figure is the paired difference of the return with its 95%
interval over these levels, for every seed. Levels that were played before come from the cache.

Example:  python benchmarks/ablations.py --out /tmp/ablations --seeds 3 --workers 2
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import yaml
from tables import signed, table

from fqg_env.errors import LevelError, suggest
from policies.recovery.policy_file import PolicyFileError, read_policy_file
from training.judging.evaluate import Question, episodes_to_play, judge
from training.judging.result_cache import ResultCache, default_folder
from training.judging.setting import Setting
from training.learning.out_folder import POLICY, RESULT, last_checkpoint
from training.learning.recipe import Recipe, differences, read_recipe
from training.terminal import BAD_INPUT, DONE, INTERRUPTED, NOT_ACHIEVED, bar

VARIANTS: dict[str, dict[str, Any]] = {
    "all": {},
    "no_teacher": {"teacher": None},
    "no_ppo": {"steps": 0},
    "no_thoughts": {"without": ["thoughts"]},
    "no_posterior": {"without": ["belief", "thoughts"]},
    "no_memory": {"without": ["memory"]},
    "no_messages": {"rounds": 0},
    "no_rule": {"without": ["choice", "thoughts"]},
    "no_rule_no_posterior": {"without": ["choice", "thoughts", "belief"]},
    "ppo_alone": {"without": ["choice", "thoughts", "belief"], "teacher": None},
}
"""What is changed in the recipe. The rule's choice, which rests on the posterior, stays in all but the last
three; `ppo_alone` begins from nothing.
"""
SHORT = Path(__file__).with_name("ablations.yaml")
FIRST = 20_000
"""The first test level: none of those that docs/results.md judges on."""
Say = Callable[[str], None]


class NotTrainedError(Exception):
    """A training did not come about; the message says which, and why."""


def to_stderr(text: str) -> None:
    """Tell people how far it is."""
    print(text, file=sys.stderr, flush=True)


def run_of(out: Path, variant: str, seed: int) -> Path:
    """The folder of one training."""
    return out / f"{variant}-{seed}"


def is_done(folder: Path, recipe: Recipe, seed: int) -> bool:
    """A training is there and whole.

    Raises:
        NotTrainedError: it is of another recipe or seed, or cannot be read.
    """
    if not (folder / RESULT).exists():
        return False
    try:
        there = dict(read_policy_file(folder / POLICY)[0].recipe)
        seed_there, recipe_there = there.pop("seed", None), Recipe.model_validate(there)
    except PolicyFileError as problem:
        raise NotTrainedError(f"{problem}, or remove {folder}") from None
    except ValueError:
        raise NotTrainedError(f"{folder}: its recipe cannot be read; remove it") from None
    told = differences(recipe_there, recipe)
    if seed_there != seed:
        told.insert(0, f"seed: {seed_there} then, {seed} now")
    if told:
        raise NotTrainedError(
            f"{folder}: it is of another recipe ({'; '.join(told)}); name another --out"
        )
    return True


def train_one(recipe: Recipe, file: Path, folder: Path, seed: int, device: str, say: Say) -> None:
    """Train one variant with one seed in a process of its own, unless it is done.

    Raises:
        NotTrainedError: it failed, or what is there will not do.
    """
    if is_done(folder, recipe, seed):
        say(f"{folder.name}: is there")
        return
    went_on = last_checkpoint(folder) is not None
    options = ["--recipe", file, "--seed", seed, "--out", folder, "--device", device]
    options.append("--resume" if went_on else "--force")
    command = [sys.executable, "-m", "training.start", "train", *map(str, options)]
    said = ""
    with subprocess.Popen(  # noqa: S603
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        for line in process.stderr or ():
            said = line.strip() or said
            say(f"{folder.name}: {said}")
    if process.returncode != DONE:
        raise NotTrainedError(f"{folder.name}: {said}")


def train_all(
    recipes: dict[str, Recipe], out: Path, seeds: int, workers: int, device: str
) -> list[str]:
    """Train every variant with every seed; returns what went wrong.

    After Ctrl-C no further training begins; those under way write their checkpoints.
    """
    files = {variant: out / f"{variant}.yaml" for variant in recipes}
    for variant, recipe in recipes.items():
        text = yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False)
        files[variant].write_text(text, "utf-8")
    jobs = [(variant, seed) for seed in range(seeds) for variant in recipes]
    began, wrong = time.monotonic(), []
    with ThreadPoolExecutor(workers) as pool:
        trainings = [
            pool.submit(
                train_one, recipes[v], files[v], run_of(out, v, seed), seed, device, to_stderr
            )
            for v, seed in jobs
        ]
        try:
            for done, training in enumerate(as_completed(trainings), 1):
                wrong += [str(problem)] if (problem := training.exception()) else []
                minutes = (time.monotonic() - began) / 60.0
                to_stderr(f"{done} of {len(jobs)} trainings after {minutes:.1f} minutes")
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            raise
    return wrong


def judged(
    variants: list[str], out: Path, seeds: int, workers: int, episodes: int
) -> dict[str, list[dict[str, Any]]]:
    """Each variant's paired difference to the index rule, and that of `all` to it, a seed after the other."""
    names = {
        f"{variant} {seed}": str(run_of(out, variant, seed) / POLICY)
        for variant in variants
        for seed in range(seeds)
    }
    setting = Setting(split="test", episodes=episodes, tiers=(6, 20), seed=FIRST)
    policies, played = {"index": "index", **names}, 0
    question = Question(policies, setting, workers, cache=ResultCache(default_folder()))
    with bar("judging", len(policies) * episodes_to_play(setting)) as update:

        def progress(label: str, n: int) -> None:
            nonlocal played
            played += n
            update(played, label)

        paired = judge(question, progress).result["paired"]
    return {
        variant: [
            {
                "over_index": paired[f"{variant} {seed}/index"],
                "worth": paired.get(f"all {seed}/{variant} {seed}"),
            }
            for seed in range(seeds)
        ]
        for variant in variants
    }


def told(result: dict[str, list[dict[str, Any]]]) -> str:
    """In Markdown: over the rule, and what the part that is left out is worth, each seed."""
    head = ("variant", "over `index`, each seed [95% over levels]", "`all` over it, each seed")
    rows = [
        (
            variant.replace("_", " "),
            *(
                "; ".join(signed(one[key], 4) for one in each if one[key] is not None)
                for key in ("over_index", "worth")
            ),
        )
        for variant, each in result.items()
    ]
    return table(head, rows)


def arguments_of(words: list[str] | None) -> argparse.Namespace:
    """The command line, looked at."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the trainings")
    parser.add_argument(
        "--recipe", default=str(SHORT), help="a name or a file; default: ablations.yaml"
    )
    parser.add_argument(
        "--variants", default=",".join(VARIANTS), help=f"some of {', '.join(VARIANTS)}"
    )
    parser.add_argument("--seeds", type=int, default=3, help="0 to N - 1")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--episodes", type=int, default=8192, help="test levels")
    parser.add_argument(
        "--device", default="auto", choices=("auto", "cpu", "cuda"), help="where to train"
    )
    parser.add_argument("--train-only", action="store_true", help="judge nothing yet")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    chosen = parser.parse_args(words)
    chosen.variants = [name.strip() for name in chosen.variants.split(",")]
    for name in chosen.variants:
        if name not in VARIANTS:
            parser.error(f"--variants: there is no {name!r}." + suggest(name, VARIANTS))
    if chosen.out.is_file() or min(chosen.workers, chosen.seeds, chosen.episodes) < 1:
        parser.error("--out is a folder; --workers, --seeds and --episodes are 1 or more")
    return chosen


def main(words: list[str] | None = None) -> int:
    """Train, judge and print."""
    chosen = arguments_of(words)
    try:
        recipe = read_recipe(chosen.recipe)
        recipes = {
            name: Recipe.model_validate(recipe.model_dump() | VARIANTS[name])
            for name in chosen.variants
        }
        chosen.out.mkdir(parents=True, exist_ok=True)
        wrong = train_all(recipes, chosen.out, chosen.seeds, chosen.workers, chosen.device)
        if wrong:
            to_stderr("\n".join(wrong))
            return NOT_ACHIEVED
        if chosen.train_only:
            return DONE
        result = judged(chosen.variants, chosen.out, chosen.seeds, chosen.workers, chosen.episodes)
    except (LevelError, OSError) as problem:
        to_stderr(f"ablations: {problem}")
        return BAD_INPUT
    except KeyboardInterrupt:
        to_stderr("ablations: interrupted; the same command goes on")
        return INTERRUPTED
    print(json.dumps(result) if chosen.json else told(result))
    return DONE


if __name__ == "__main__":
    sys.exit(main())
