"""What `fqg compare` finds: every setting in every mode under one policy, and how they differ run by run."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from conductor_agent.by_mode.cases import cases_of
from conductor_agent.by_mode.figures import figures
from conductor_agent.by_mode.play import play
from conductor_agent.files.workflow import WorkflowError
from conductor_agent.record.journal import Journal
from fqg_env import library
from fqg_env.errors import LevelError, suggest
from fqg_env.level import Responsibility
from policies.recovery.registry import deciding, policy_named
from training.decision import game_modes
from training.decision.alignment import alignment
from training.judging.blame import blamed
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


class Told(NamedTuple):
    """How far it is."""

    setting: str
    done: int
    """Work since it was told last, as `work_of` counts it."""


Progress = Callable[[Told], None]


class Runs(NamedTuple):
    """One setting in one mode."""

    figures: dict[str, float]
    success: np.ndarray
    """[runs] 1 where what was delivered is good; the same order in each mode."""
    latency_s: np.ndarray
    """[runs]"""


def check(question: Question) -> dict[str, str]:
    """Setting -> why it cannot be played here.

    Raises:
        LevelError: there is no such setting, or its levels cannot be had.
        PolicyError: the policy cannot be had, or plans.
    """
    for name in question.settings:
        if name not in SETTINGS:
            raise LevelError(f"there is no setting {name!r}." + suggest(name, SETTINGS))
    check_setting(question.levels)
    deciding(question.policy)
    missing = {}
    for name in question.settings:
        if name in REAL:
            try:
                cases_of(REAL[name], 1)
            except WorkflowError as problem:
                missing[name] = str(problem)
    if len(missing) == len(question.settings):
        raise LevelError(next(iter(missing.values())))
    return missing


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


AS_LONG_AS = 1000
"""Levels that are played while one real run is: for a progress bar that tells the time."""


def work_of(question: Question) -> int:
    """Runs in all modes together, in levels of the game."""
    missing = check(question)
    total = 0
    for name in question.settings:
        if name in REAL and name not in missing:
            total += AS_LONG_AS * len(cases_of(REAL[name], question.cases))
        elif name not in REAL:
            total += question.levels.episodes
    return len(Responsibility) * total


def compare(question: Question, progress: Progress = lambda told: None) -> dict[str, Any]:
    """What `fqg compare --json` prints.

    Raises:
        JournalError: the journal cannot be written.
        LevelError: a setting or a level cannot be had.
        PolicyError: the policy cannot be had, plans, or fails.
    """
    missing = check(question)
    check_journal(question)
    played: dict[str, dict[str, Runs]] = {}
    for name in question.settings:
        if name in missing:
            continue
        its = played_for_real if name in REAL else played_game
        played[name] = its(name, question, progress)
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
        "skipped": missing,
    }


def played_game(name: str, question: Question, progress: Progress) -> dict[str, Runs]:
    """Mode -> generated levels, or a level of the library, in that mode.

    Raises:
        PolicyError: the policy fails.
    """
    setting = question.levels
    if name in STORIES:
        file = str(Path(library.__file__).with_name(f"{name}.yaml"))
        setting = Setting("levels", setting.episodes, setting.seed, levels=(file,))
    policy = policy_named(question.policy)
    with blamed(question.policy):
        tallies = game_modes.play_modes(policy, setting, lambda n: progress(Told(name, n)))
    return {
        mode: Runs(game_modes.figures(tally), tally["success"], tally["latency_s"])
        for mode, tally in tallies.items()
    }


def played_for_real(name: str, question: Question, progress: Progress) -> dict[str, Runs]:
    """Mode -> a real workflow in that mode, case by case."""
    with tempfile.TemporaryDirectory(prefix="fqg-compare-") as folder:
        journal = question.journal or Path(folder) / "runs.sqlite"
        played = play(
            cases_of(REAL[name], question.cases),
            policy_named(question.policy),
            journal,
            watch=lambda run: progress(Told(name, AS_LONG_AS)),
        )
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
