"""The quickstart: train a conductor, judge it on held-out levels, deploy that very file for real."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fqg_env.errors import LevelError
from training.deploy import JOURNAL, PageRun, deploy, replayed, totals
from training.disk import writing
from training.judging.evaluate import episodes_to_play, evaluate
from training.judging.setting import Setting
from training.learning.checkpoint import Point
from training.learning.out_folder import CURVE, check_writable, clear_earlier
from training.learning.ppo import train
from training.learning.recipe import Recipe
from training.pages.charts import curve
from training.pages.evaluation_page import plots
from training.pages.report import deployment, evaluation, write_report

RULES = ("retry_fallback", "cascade", "code_aware", "router", "index")
REPORT, RESULT = "report.html", "quickstart.json"
RIVALS = ("random", *RULES, "oracle")


@dataclass(frozen=True)
class Plan:
    """What a quickstart does."""

    recipe: Recipe
    seed: int
    out: Path
    episodes: int
    pages: int
    workers: int = 2

    @property
    def setting(self) -> Setting:
        """The held-out levels."""
        return Setting(
            split="test",
            episodes=self.episodes,
            tiers=self.recipe.draws[0].tiers,
            size=self.recipe.draws[0].size,
        )

    @property
    def to_judge(self) -> int:
        """Episodes that each policy plays when it is judged."""
        return episodes_to_play(self.setting)


@dataclass(frozen=True)
class Progress:
    """Whom to tell how far it is."""

    training: Callable[[Point], None]
    fitting: Callable[[int], None]
    episodes: Callable[[str, int], None]
    page: Callable[[str, PageRun], None]
    stage: Callable[[str], None]


def best_rule(policies: dict[str, dict[str, Any]]) -> str:
    """The rule with the highest return on the levels that were played (which favours it)."""
    return max(RULES, key=lambda name: policies[name].get("return_mean", -1.0))


def deployed(plan: Plan, rule: str, policy: str, progress: Progress) -> dict[str, Any]:
    """Run the pages under the best rule and under the conductor."""
    names = {"rule": rule, "trained": policy}
    runs = deploy(names, plan.pages, 20_000 + plan.seed, plan.out, progress.page)
    out: dict[str, Any] = {
        label: {
            "policy": rule if label == "rule" else "conductor",
            **totals(each),
            "runs": [asdict(run) for run in each],
        }
        for label, each in runs.items()
    }
    ran = [run.run_id for each in runs.values() for run in each]
    out["replay"] = replayed(plan.out / JOURNAL, ran)
    return out


def claim(out: Path) -> None:
    """Make a folder ready: what an earlier quickstart left in it goes, anybody else's training stays.

    Raises:
        LevelError: it holds a training of its own, or cannot be written to.
    """
    check_writable(out)
    ours = (out / RESULT).exists()
    try:
        clear_earlier(out, force=ours)
    except LevelError:
        if ours:
            raise
        raise LevelError(
            f"{out}: there is a training here that no quickstart made; name another folder with --out"
        ) from None
    (out / REPORT).unlink(missing_ok=True)
    with writing(out / RESULT):
        (out / RESULT).write_text("{}", "utf-8")  # filled when all is done


def quickstart(plan: Plan, progress: Progress) -> dict[str, Any]:
    """Do it all and write the report.

    Raises:
        Interrupted: Ctrl-C while it trained.
        LevelError: `out` holds a training that no quickstart made, or cannot be written to.
    """
    claim(plan.out)
    progress.stage("Training a conductor")
    trained = train(
        plan.recipe,
        plan.seed,
        plan.out,
        on_point=progress.training,
        on_fitting=progress.fitting,
    )
    progress.stage("Judging it on held-out levels")
    policies = {name: name for name in RIVALS} | {"trained": trained["policy"]}
    judged = evaluate(policies, plan.setting, plan.workers, progress.episodes)
    rule = best_rule(judged["policies"])
    progress.stage(f"Deploying it on scanned pages, after the best rule ({rule})")
    real = deployed(plan, rule, trained["policy"], progress)
    points = json.loads((plan.out / CURVE).read_text("utf-8"))
    report = write_report(
        plan.out / REPORT,
        "A conductor, trained and deployed",
        [
            f"<h2>Training: {trained['steps']:,} steps in {trained['elapsed_s']:.0f} s</h2>",
            curve(points),
            evaluation(judged),
            plots(judged),
            deployment(real, plan.out),
        ],
    )
    result = {"train": trained, "evaluate": judged, "deploy": real, "report": str(report)}
    with writing(plan.out / RESULT):
        (plan.out / RESULT).write_text(json.dumps(result, indent=1), "utf-8")
    return result
