"""What `fqg compare` finds: every setting in every mode under one policy, and how they differ run by run."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from conductor_agent.by_mode.cases import Case, cases_of
from conductor_agent.by_mode.figures import figures
from conductor_agent.by_mode.play import play
from conductor_agent.files.workflow import WorkflowError
from conductor_agent.record.fold import Fold
from conductor_agent.record.journal import Journal
from fqg_env import library
from fqg_env.errors import LevelError, suggest
from fqg_env.level import Responsibility
from policies.recovery.registry import deciding, policy_named
from training.decision import game_modes
from training.decision.alignment import alignment
from training.judging.blame import blamed
from training.judging.episodes import actions_of, decision_of
from training.judging.setting import Setting, check_setting
from training.judging.stats import mean_ci95

GENERATED = "generated"
STORIES = ("scenario_1", "scenario_2")
"""Settings that are a level of the library, under many lucks."""
REAL = {
    "scenario_1_real": "scenario_1",
    "scenario_2_real": "rna_folding",
    "scenario_2_naive": "rna_folding_naive",
    "scanned_page": "scanned_page",
}
"""Setting -> the real workflow, by its name in `conductor_agent.by_mode.cases`."""
SETTINGS = (GENERATED, *STORIES, *REAL)
AS_LONG_AS = 1000
"""Levels that are played while one real run is: for a progress bar that tells the time."""


@dataclass(frozen=True)
class Question:
    """Which policy is played on what."""

    policy: str = "shipped"
    settings: tuple[str, ...] = SETTINGS
    levels: Setting = field(default_factory=Setting)
    """What is generated; the stories are played as often."""
    cases: int = 2
    """Of each kind of input, in real workflows."""
    journal: Path | None = None
    """Keeps the real runs; None: nothing is kept."""


Progress = Callable[[int, str], None]
"""Called with the work done so far, as `Plan.work` counts it, and the setting that is played."""


@dataclass(frozen=True)
class Plan:
    """A question of which everything is known to be there."""

    question: Question
    cases: dict[str, list[Case]]
    """Real setting -> its cases."""
    missing: dict[str, str]
    """Setting -> why it cannot be played here."""

    @property
    def settings(self) -> list[str]:
        """Those that are played."""
        return [name for name in self.question.settings if name not in self.missing]

    @property
    def work(self) -> int:
        """Runs in all modes together, in levels of the game."""
        return len(Responsibility) * sum(map(self._work_of, self.settings))

    def _work_of(self, name: str) -> int:
        if name in self.cases:
            return AS_LONG_AS * len(self.cases[name])
        return self.question.levels.episodes


class Runs(NamedTuple):
    """One setting in one mode."""

    figures: dict[str, float]
    success: np.ndarray
    """[runs] 1 where what was delivered is good; the same order in each mode."""
    latency_s: np.ndarray
    """[runs]"""


def planned(question: Question) -> Plan:
    """See that everything can be had, before anything is played.

    Raises:
        JournalError: the journal cannot be written.
        LevelError: there is no such setting, or its levels cannot be had, or no real run for the journal.
        PolicyError: the policy cannot be had, plans, or fails at the first move of a real run.
    """
    for name in question.settings:
        if name not in SETTINGS:
            raise LevelError(f"there is no setting {name!r}." + suggest(name, SETTINGS))
    check_setting(question.levels)
    deciding(question.policy)
    cases: dict[str, list[Case]] = {}
    missing: dict[str, str] = {}
    for name in question.settings:
        if name in REAL:
            try:
                cases[name] = cases_of(REAL[name], question.cases)
            except WorkflowError as problem:
                missing[name] = str(problem)
    if len(missing) == len(question.settings):
        raise LevelError(next(iter(missing.values())))
    check_journal(question)
    check_first_moves(question, cases)
    return Plan(question, cases, missing)


def check_journal(question: Question) -> None:
    """See that the real runs can be kept, before anything is played.

    Raises:
        JournalError: they cannot.
        LevelError: there are none.
    """
    if question.journal is None:
        return
    if not any(name in REAL for name in question.settings):
        raise LevelError(
            f"the journal keeps real runs, and no setting has any; add one of {', '.join(REAL)}"
        )
    Journal.create(question.journal).close()


def check_first_moves(question: Question, cases: dict[str, list[Case]]) -> None:
    """See that the policy can begin each real workflow, before others have been played for minutes.

    Raises:
        PolicyError: it fails.
    """
    policy = policy_named(question.policy)
    for its in cases.values():
        fold = Fold(its[0].workflow(Responsibility.HYBRID).level)
        with blamed(question.policy):
            decision = policy.decide(fold.observation(), fold.mask.copy())
            actions_of(decision_of(decision, "decide"), 1)


def compare(plan: Plan, progress: Progress = lambda done, setting: None) -> dict[str, Any]:
    """What `fqg compare --json` prints.

    Raises:
        PolicyError: the policy fails.
    """
    question, played, done = plan.question, dict[str, dict[str, Runs]](), 0
    for name in plan.settings:

        def tell(work: int, name: str = name) -> None:
            nonlocal done
            done += work
            progress(done, name)

        its = played_for_real if name in plan.cases else played_game
        played[name] = its(name, plan, tell)
    settings = {
        name: {mode: runs.figures for mode, runs in modes.items()} for name, modes in played.items()
    }
    return {
        "policy": question.policy,
        "levels": {**vars(question.levels), "levels": None, "mode": None},
        "cases": question.cases,
        "settings": settings,
        "paired": {name: paired(modes) for name, modes in played.items()},
        "alignment": alignment(settings),
        "skipped": plan.missing,
    }


def played_game(name: str, plan: Plan, tell: Callable[[int], None]) -> dict[str, Runs]:
    """Mode -> generated levels, or a level of the library, in that mode.

    Raises:
        PolicyError: the policy fails.
    """
    setting = plan.question.levels
    if name in STORIES:
        file = str(Path(library.__file__).with_name(f"{name}.yaml"))
        setting = Setting("levels", setting.episodes, setting.seed, levels=(file,))
    # Made anew, so that a policy that draws answers alike in each setting.
    policy = policy_named(plan.question.policy)
    with blamed(plan.question.policy):
        tallies = game_modes.play_modes(policy, setting, tell)
    return {
        mode: Runs(game_modes.figures(tally), tally["success"], tally["latency_s"])
        for mode, tally in tallies.items()
    }


def played_for_real(name: str, plan: Plan, tell: Callable[[int], None]) -> dict[str, Runs]:
    """Mode -> a real workflow in that mode, case by case.

    Raises:
        PolicyError: the policy fails.
    """
    with tempfile.TemporaryDirectory(prefix="fqg-compare-") as folder:
        journal = plan.question.journal or Path(folder) / "runs.sqlite"
        policy = policy_named(plan.question.policy)
        played = play(plan.cases[name], policy, journal, watch=lambda run: tell(AS_LONG_AS))
    out = {}
    for mode, its_figures in figures(played).items():
        runs = [run for run in played if run.mode.value == mode]
        success = np.array([run.good for run in runs])
        out[mode] = Runs(its_figures, success, np.array([run.elapsed_s for run in runs]))
    return out


def paired(modes: dict[str, Runs]) -> dict[str, dict[str, Any]]:
    """`A/B` -> how mode A differs from mode B, run by run, with 95% bootstrap intervals."""
    out = {}
    for one, other in itertools.permutations(modes, 2):
        a, b = modes[one], modes[other]
        out[f"{one}/{other}"] = {
            "success_rate": difference(a.success, b.success),
            "latency_s_mean": difference(a.latency_s, b.latency_s),
        }
    return out


def difference(one: np.ndarray, other: np.ndarray) -> dict[str, Any]:
    """The mean of differences [runs], with its interval."""
    values = one.astype(float) - other.astype(float)
    return {"difference_mean": float(values.mean()), "difference_ci95": list(mean_ci95(values))}
