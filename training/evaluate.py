"""The judge: every policy plays the same levels under the same luck; pairs are compared level by level."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fqg_env.arrays import SIZES, Size
from fqg_env.env import size_named
from fqg_env.errors import LevelError
from fqg_env.lanes import Lanes
from fqg_env.puzzle import Puzzle, read_puzzle
from fqg_env.splits import SPLITS, level_key, source_of
from policies.recovery.base import Decision
from policies.recovery.oracle import Oracle
from policies.recovery.registry import one_line, policy_named
from training.stats import iqm, mean_ci95
from training.terminal import counted

CHUNK = 512
"""Episodes played side by side. It is fixed, so that workers change no figure."""
TIMED_DECISIONS = 200


@dataclass(frozen=True)
class Setting:
    """Which levels are played."""

    split: str = "test"
    episodes: int = 1000
    seed: int = 0
    tiers: tuple[int, int] = (1, 20)
    size: str = "small"
    mix: str = ""
    """Of faults; the split's own where it is empty."""
    mode: str = "hybrid"
    """Who owns failures."""
    levels: tuple[str, ...] = ()
    """Level files to play instead of a split, in turn."""


@dataclass
class Played:
    """What one policy did: one entry per episode [episodes]."""

    returns: np.ndarray
    success: np.ndarray
    wrong: np.ndarray
    attempts: np.ndarray
    cost: np.ndarray
    unsafe: np.ndarray
    floor_share: float
    decision_ms: np.ndarray


class Seen:
    """What a planner is handed: lanes without what is hidden."""

    def __init__(self, lanes: Lanes):
        self.n, self.size = lanes.n, lanes.size
        self.levels, self.boards, self.beliefs = (
            lanes.levels.copy(),
            lanes.boards.copy(),
            None if lanes.beliefs is None else lanes.beliefs.copy(),
        )
        self.levels["key"] = 0  # it seeds the draws to come
        self.masks, self.observations = lanes.masks.copy(), lanes.observations.copy()


def observations(lanes: Lanes) -> dict[str, np.ndarray]:
    """The observation fields of all lanes, by name; copies, since a policy may be anybody's."""
    return {name: lanes.observations[name].copy() for name in lanes.observations.dtype.names or ()}


def ask(policy: Any, lanes: Lanes) -> Decision:
    """Let a policy or a planner decide for all lanes."""
    if hasattr(policy, "plan"):
        # the oracle itself, since a class that inherits from it may be anybody's
        return policy.plan(lanes if type(policy) is Oracle else Seen(lanes))
    return policy.decide(observations(lanes), lanes.masks.copy())


def time_decisions(policy: Any, lanes: Lanes) -> np.ndarray:
    """Milliseconds of single decisions, on the first observations of the lanes."""
    if hasattr(policy, "plan"):
        return np.full(1, np.nan)
    out = []
    fields, masks = observations(lanes), lanes.masks.copy()
    for i in (0, *range(min(TIMED_DECISIONS, lanes.n))):
        one = {name: value[i : i + 1] for name, value in fields.items()}
        began = time.perf_counter()
        policy.decide(one, masks[i : i + 1])
        out.append((time.perf_counter() - began) * 1e3)
    return np.asarray(out[1:])  # the first one compiles and loads


def play(policy: Any, lanes: Lanes) -> float:
    """Play every lane to its end and judge it; returns the share of decisions that the floor made."""
    floor, decisions = 0, 0
    while (running := lanes.boards["stopped"] == 0).any():
        decision = ask(policy, lanes)
        action = np.asarray(decision.action)
        if action.shape != (lanes.n,):
            raise ValueError(f"it answered actions of shape {action.shape}, not ({lanes.n},)")
        floor += int((np.asarray(decision.source)[running] == "floor").sum())
        decisions += int(running.sum())
        lanes.step(action.astype(np.int64))
    lanes.judge()
    return floor / max(1, decisions)


def size_of(setting: Setting, puzzles: Sequence[Puzzle]) -> Size:
    """The padding that all levels of a setting fit."""
    if not puzzles:
        return size_named(setting.size)
    return max((p.level.size for p in puzzles), key=lambda s: list(SIZES).index(s.name))


def check_setting(setting: Setting) -> Size:
    """The size of the levels of a setting, once every name in it is known to be one.

    Raises:
        LevelError: a split, tier, mix, mode, size or level file cannot be had.
    """
    if not setting.levels:
        source_of(setting.split, setting.tiers, setting.mix, setting.mode)
    return size_of(setting, [read_puzzle(path) for path in setting.levels])


def deal(setting: Setting, first: int, n: int) -> Lanes:
    """Lanes at the start of episodes first to first + n - 1."""
    puzzles = [read_puzzle(path) for path in setting.levels]
    split = "test" if puzzles else setting.split
    source = source_of(split, setting.tiers, setting.mix, setting.mode)
    lanes = Lanes(n, size_of(setting, puzzles), True, source)
    for i in range(n):
        lanes.keys[i] = level_key(split, setting.seed + first + i)
    if puzzles:
        one = Lanes(1, lanes.size, False)
        for i in range(n):
            puzzles[(first + i) % len(puzzles)].load(one, int(lanes.keys[i]))
            lanes.levels[i], lanes.hidden[i] = one.levels[0], one.hidden[0]
    else:
        lanes.draw_levels()
    lanes.begin()
    return lanes


def play_chunk(name: str, setting: Setting, first: int, n: int) -> Played:
    """One policy on one chunk of episodes."""
    lanes = deal(setting, first, n)
    # a policy of its own is timed, so that a state it may keep does not depend on it
    spent = time_decisions(policy_named(name), lanes) if first == 0 else np.zeros(0)
    floor_share = play(policy_named(name), lanes)
    boards = lanes.boards
    return Played(
        returns=lanes.truths["episode_return"].copy(),
        success=lanes.success.astype(float),
        wrong=lanes.wrong.astype(float),
        attempts=boards["attempts"].astype(float),
        cost=boards["cost"] / lanes.levels["cost_budget"],
        unsafe=(boards["unsafe_repeats"] > 0).astype(float),
        floor_share=floor_share,
        decision_ms=spent,
    )


def joined(parts: Sequence[Played]) -> Played:
    """Chunks of one policy as one."""

    def all_of(field: str) -> np.ndarray:
        return np.concatenate([getattr(part, field) for part in parts])

    arrays = {f: all_of(f) for f in ("returns", "success", "wrong", "attempts", "cost", "unsafe")}
    weights = [len(part.returns) for part in parts]
    floor = float(np.average([part.floor_share for part in parts], weights=weights))
    return Played(**arrays, floor_share=floor, decision_ms=all_of("decision_ms"))


def ratio(top: float, below: float) -> float | None:
    """A ratio where the denominator is positive, else None."""
    return top / below if below > 0 else None


def summary(played: Played, oracle_mean: float | None) -> dict[str, Any]:
    """The figures of one policy."""
    timed = played.decision_ms[~np.isnan(played.decision_ms)]
    mean = float(played.returns.mean())
    return {
        "success_rate": float(played.success.mean()),
        "return_mean": mean,
        "return_iqm": iqm(played.returns),
        "return_ci95": list(mean_ci95(played.returns)),
        "fraction_of_oracle": None if oracle_mean is None else ratio(mean, oracle_mean),
        "attempts_per_success": ratio(float(played.attempts.sum()), float(played.success.sum())),
        "cost_per_success": ratio(float(played.cost.sum()), float(played.success.sum())),
        "wrong_delivered_rate": float(played.wrong.mean()),
        "unsafe_repeat_rate": float(played.unsafe.mean()),
        "floor_share": played.floor_share,
        "decision_ms_p50": float(np.percentile(timed, 50)) if len(timed) else None,
        "decision_ms_p99": float(np.percentile(timed, 99)) if len(timed) else None,
    }


def compare(played: dict[str, Played]) -> dict[str, dict[str, Any]]:
    """Paired differences in return, every ordered pair."""
    out = {}
    for one, a in played.items():
        for other, b in played.items():
            if one != other:
                difference = a.returns - b.returns
                out[f"{one}/{other}"] = {
                    "difference_mean": float(difference.mean()),
                    "difference_ci95": list(mean_ci95(difference)),
                }
    return out


class Job(NamedTuple):
    """One policy on one chunk of episodes."""

    label: str
    name: str
    setting: Setting
    first: int
    n: int


Answer = Played | str
"""What was played, or why it was not."""
DIED = "the process that it played in died"


def answer_to(job: Job) -> Answer:
    """Play a chunk; somebody else's policy costs only itself.

    Raises:
        LevelError: the levels cannot be had.
    """
    try:
        return play_chunk(job.name, job.setting, job.first, job.n)
    except LevelError:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 (somebody else's policy)
        return one_line(error)


def evaluate(
    policies: dict[str, str],
    setting: Setting,
    workers: int = 1,
    progress: Callable[[str, int], None] = lambda label, n: None,
) -> dict[str, Any]:
    """Let policies play and judge them.

    Args:
        policies: label -> name, folder or `module:Class`.
        setting: which levels.
        workers: processes; they change no figure but times.
        progress: called with a label and the number of episodes that have ended.

    Returns:
        The object that `fqg evaluate --json` prints. A policy that raises has only the key `error`.

    Raises:
        PolicyError: a policy cannot be had.
        LevelError: a level or a split cannot be had.
    """
    for name in policies.values():
        policy_named(name)
    size = check_setting(setting)
    jobs = [
        Job(label, name, setting, first, min(CHUNK, setting.episodes - first))
        for label, name in policies.items()
        for first in range(0, setting.episodes, CHUNK)
    ]
    parts: dict[tuple[str, int], Answer] = {}
    for job, answer in run_jobs(jobs, workers):
        parts[job.label, job.first] = answer
        progress(job.label, job.n)
    by_label = {
        label: [parts[job.label, job.first] for job in jobs if job.label == label]
        for label in policies
    }
    failed = {
        label: next(p for p in part if isinstance(p, str))
        for label, part in by_label.items()
        if any(isinstance(p, str) for p in part)
    }
    played = {
        label: joined([p for p in part if isinstance(p, Played)])
        for label, part in by_label.items()
        if label not in failed
    }
    oracle = float(played["oracle"].returns.mean()) if "oracle" in played else None
    results = {label: summary(p, oracle) for label, p in played.items()}
    results.update({label: {"error": text} for label, text in failed.items()})
    # level files and templates have no tier, and a mode of their own
    drawn = not setting.levels and not SPLITS[setting.split].templates
    return {
        "split": setting.split,
        "episodes": setting.episodes,
        "seed": setting.seed,
        "tiers": list(setting.tiers) if drawn else None,
        "size": size.name,
        "mix": None if setting.levels else (setting.mix or SPLITS[setting.split].mix),
        "mode": setting.mode if drawn else None,
        "levels": list(setting.levels),
        "policies": {label: results[label] for label in policies},
        "paired": compare(played),
    }


def evaluation_title(result: dict[str, Any]) -> str:
    """Which levels were played."""
    if result["levels"]:
        files = counted(len(result["levels"]), "level file")
        return f"{counted(result['episodes'], 'episode')} of {files}"
    levels = f"{counted(result['episodes'], 'level')} of {result['split']}"
    if result["tiers"] is None:
        return f"{levels}, {result['size']}"
    low, high = result["tiers"]
    return (
        f"{levels}, tiers {low} to {high}, "
        f"{result['size']}, mix {result['mix']}, mode {result['mode']}"
    )


def run_jobs(jobs: Sequence[Job], workers: int) -> Iterator[tuple[Job, Answer]]:
    """Jobs with their answers, in any order, from this process or from several.

    Where a worker process dies, what it may have been playing is played again, each job alone: a policy is
    blamed only if it dies then. The others go on in fresh processes.
    """
    if workers <= 1:
        yield from ((job, answer_to(job)) for job in jobs)
        return
    dead: set[str] = set()
    while jobs:
        cut = []
        for job, answer in zip(jobs, in_pool(jobs, workers), strict=True):
            if answer is None:
                cut.append(job)
            else:
                yield job, answer
        for job in cut[:workers]:  # jobs begin in their order, so the one that died is among these
            again = None if job.label in dead else next(in_pool([job], 1))
            if again is None:
                dead.add(job.label)
            yield job, again or DIED
        yield from ((job, DIED) for job in cut[workers:] if job.label in dead)
        jobs = [job for job in cut[workers:] if job.label not in dead]


def in_pool(jobs: Sequence[Job], workers: int) -> Iterator[Answer | None]:
    """Answers to the jobs in their order; None where a worker process died before there was one."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(jobs)), mp_context=spawn) as pool:
        futures = [submitted(pool, job) for job in jobs]
        for future in futures:
            try:
                yield future.result() if future else None
            except BrokenProcessPool:
                yield None


def submitted(pool: ProcessPoolExecutor, job: Job) -> Future[Answer] | None:
    """A job handed to a pool; None where the pool has broken already."""
    try:
        return pool.submit(answer_to, job)
    except BrokenProcessPool:
        return None


def level_files(folder: str | Path) -> tuple[str, ...]:
    """The level files in a folder, sorted.

    Raises:
        LevelError: there are none.
    """
    found = tuple(str(path) for path in sorted(Path(folder).glob("*.yaml")))
    if not found:
        raise LevelError(f"{folder}: there are no level files (*.yaml) here; check the path")
    return found
