"""Make a trained conductor the one that comes with the package, with what was measured of it in its card.

    python benchmarks/ship.py RUN [--workers N]

RUN is the folder of `fqg train --recipe shipped --seed 0`, or of `sequence`: always the first seed, so that
nobody picks one by its test levels. Its policy becomes that of `policies/recovery/pretrained`, with a few
figures from held-out levels in its manifest and its card (those of docs/results.md, so from the cache after
make_results.py).

Example:  python benchmarks/ship.py runs/seed0 --workers 2
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from held_out import LEARNED, RULES, SHIFTED, best_rule, setting_of
from to_its_end import to_its_end

from policies.recovery.policy_file import (
    Manifest,
    PolicyFileError,
    read_policy_file,
    write_policy_file,
)
from policies.recovery.registry import PRETRAINED, policy_named
from training.judging.calibration import calibration
from training.judging.evaluate import Question, judge
from training.judging.result_cache import ResultCache, default_folder
from training.learning.card import CARD_FILE, card
from training.learning.recipe import Recipe, read_recipe

NAMES = ("shipped", "sequence")
KEPT = ("return_mean", "success_rate", "wrong_delivered_rate", "floor_share")


def measured(policy: str, workers: int) -> dict[str, Any]:
    """What it is worth on each kind of held-out levels, so many kinds side by side."""
    kinds = {**LEARNED, **SHIFTED}
    found = {}
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        told = pool.map(worth, [policy] * len(kinds), kinds.values())
        for caption, figures in zip(kinds, told, strict=True):
            print(caption, file=sys.stderr)
            found[caption] = figures
    return found


def worth(policy: str, change: dict[str, Any]) -> dict[str, Any]:
    """What it reaches and gains over the best rule, and how well it foresees success."""
    names = {name: name for name in RULES} | {"it": policy}
    setting = setting_of(change)
    result = judge(Question(names, setting, cache=ResultCache(default_folder()))).result
    own, best = result["policies"]["it"], best_rule(result["policies"])
    pair = result["paired"][f"it/{best}"]
    foresight = calibration(policy_named(policy), setting)
    return {
        **{name: round(own[name], 4) for name in KEPT},
        "best_rule": best,
        "over_it": round(pair["difference_mean"], 4),
        "over_it_ci95": [round(x, 4) for x in pair["difference_ci95"]],
        **{name: None if value is None else round(value, 4) for name, value in foresight.items()},
    }


def is_first(manifest: Manifest) -> bool:
    """It was trained by the recipe of its name, as that is now, with the first seed."""
    recipe = dict(manifest.recipe)
    if manifest.name not in NAMES or recipe.pop("seed", None) != 0:
        return False
    try:
        return Recipe.model_validate(recipe) == read_recipe(manifest.name)
    except ValueError:
        return False


def main() -> int:
    """Judge, and copy."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="folder of a training")
    parser.add_argument("--workers", type=int, default=1, help="processes, for as many settings")
    arguments = parser.parse_args()
    policy = arguments.run / "policy"
    try:
        manifest, model = read_policy_file(policy)
    except PolicyFileError as error:
        print(f"ship: {error}", file=sys.stderr)
        return 2
    if not is_first(manifest):
        told = f"{policy} is not of the recipe {' or '.join(NAMES)}, seed 0; train that"
        print(f"ship: {told}", file=sys.stderr)
        return 2
    results = manifest.results | {"held_out": measured(str(policy), arguments.workers)}
    told = manifest.model_dump(exclude={"sha256"}) | {"results": results}
    folder = PRETRAINED / manifest.name
    shipped = write_policy_file(folder, model, told)
    (folder / CARD_FILE).write_text(card(shipped), "utf-8")
    print(f"{folder}: {len(model):,} bytes")
    return 0


if __name__ == "__main__":
    to_its_end(main, "to go on; what was played is kept")
