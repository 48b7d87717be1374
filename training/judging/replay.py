"""One level played by a policy step by step, in words: what it did, what came of it, and how it ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from fqg_env.arrays import GoalClass, Stopped
from fqg_env.describe import describe
from fqg_env.faults import truly_bad
from fqg_env.history import attempts_since
from fqg_env.lanes import Lanes
from fqg_env.level import Level
from fqg_env.puzzle import Puzzle, describe_faults
from fqg_env.reading import delivered
from fqg_env.render import ENDS, category_name, duration
from fqg_env.rules import FIRST_CALL, STOP, WAIT
from fqg_env.splits import level_key
from training.judging.contestants import Contestant
from training.judging.episodes import actions_of, ask
from training.judging.hidden_words import wrongs
from training.judging.setting import Setting, deal
from training.level_reader import read_level_file


class Step(NamedTuple):
    """One decision."""

    at_s: float
    """Seconds since the start of the run, when it was made."""
    did: str
    came: tuple[str, ...]
    """What was heard until the next decision."""
    good: bool | None
    """Something was made; None: nothing was heard, or only waited for."""


class Replay(NamedTuple):
    """One level under one policy."""

    steps: tuple[Step, ...]
    ended: str
    episode_return: float
    success: bool


class ToldLevel(NamedTuple):
    """A level in words, with what is hidden in it."""

    title: str
    wrong: tuple[str, ...]


class Showing(NamedTuple):
    """Which policy plays which episode of a setting."""

    contestant: Contestant
    setting: Setting
    episode: int


def level_of(setting: Setting, lanes: Lanes, episode: int) -> Level:
    """The level that is in the first lane, with names."""
    if setting.levels:
        return read_level_file(setting.levels[episode % len(setting.levels)]).level
    return describe(lanes.levels[0], f"{setting.split} level {setting.seed + episode}")


def told(setting: Setting, episode: int) -> ToldLevel:
    """An episode's level and what is really wrong in it."""
    lanes = deal(setting, episode, 1)
    level = level_of(setting, lanes, episode)
    split = "test" if setting.levels else setting.split
    level = level.model_copy(update={"key": int(level_key(split, setting.seed + episode))})
    puzzle = Puzzle(level=level, faults=describe_faults(level, lanes.hidden[0]))
    assert puzzle.faults is not None  # noqa: S101 (it was just given)
    return ToldLevel(level.name, tuple(wrongs(puzzle, puzzle.faults)))


def named(level: Level, action: int) -> str:
    """An action in words."""
    if action == WAIT:
        return "wait"
    if action == STOP:
        return "stop and deliver"
    return level.call_names[action - FIRST_CALL]


def heard(level: Level, before: Any, after: Any) -> Iterator[str]:
    """What has come between two boards."""
    for seen in attempts_since(after, int(before["history_next"])):
        hint = ", with a hint" if seen.hint > 0.0 else ""
        words = category_name(seen.category).lower().replace("_", " ")
        yield f"{level.call_names[seen.call]}: {words}{hint}"
    for a in np.flatnonzero(after["version"] > before["version"]):
        rejected = ", but its gate rejects it" if after["rejected"][a] else ""
        yield f"{level.artifact_names[a]} is made{rejected}"
    for a in np.flatnonzero(after["checks_passed"] > before["checks_passed"]):
        if after["version"][a] == before["version"][a]:
            yield f"{level.artifact_names[a]} looks good"
    for a in np.flatnonzero(after["times_rejected"] > before["times_rejected"]):
        if after["version"][a] == before["version"][a]:
            yield f"{level.artifact_names[a]} looks bad"
    if (after["lost"] > before["lost"]).any():
        yield "an answer was lost"
    for p in np.flatnonzero(after["down_until_s"] > before["down_until_s"]):
        yield f"news: {level.providers[p]} is down until {duration(after['down_until_s'][p])}"


def ending(level: Level, lanes: Lanes) -> str:
    """Why it was over, what was delivered, and whether it is good."""
    record, board, truth = lanes.levels[0], lanes.boards[0], lanes.truths[0]
    words = [ENDS[Stopped(int(board["stopped"]))]]
    for a, name in enumerate(level.artifact_names):
        if record["goal_class"][a] == GoalClass.NONE:
            continue
        if not delivered(record, board, a):
            words.append(f"{name} is missing")
        else:
            bad = truly_bad(record, board, truth, a)
            words.append(f"{name} is delivered and {'BAD' if bad else 'good'}")
    return ", ".join(words)


def replay(showing: Showing) -> Replay:
    """Let a policy play one episode and write down what happens."""
    lanes = deal(showing.setting, showing.episode, 1)
    level = level_of(showing.setting, lanes, showing.episode)
    policy = showing.contestant.make()
    steps = []
    while not lanes.boards["stopped"][0]:
        before = lanes.boards[0].copy()
        action = actions_of(ask(policy, lanes), 1)
        legal = 0 <= action[0] < lanes.masks.shape[1] and lanes.masks[0, action[0]]
        lanes.step(action)
        after = lanes.boards[0]
        did = named(level, int(action[0])) if legal else f"illegal action {action[0]}"
        failed, made = after["failed"] > before["failed"], after["version"] > before["version"]
        good = False if failed else (True if made.any() else None)
        steps.append(Step(float(before["at_s"]), did, tuple(heard(level, before, after)), good))
    lanes.judge()
    worth = float(lanes.truths["episode_return"][0])
    return Replay(tuple(steps), ending(level, lanes), worth, bool(lanes.success[0]))
