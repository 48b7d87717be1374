"""Policies of one's own and level files for them, for tests of the judge."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fqg_env.level import Level
from fqg_env.puzzle import Faults, Puzzle, write_puzzle
from policies.recovery.base import Decision, certain
from training.judging.setting import level_files


class CallsOnce:
    """Tries every call that it may in turn, each `tries` times, then stops; lane 0 says it was the floor."""

    name = "calls_once"
    tries = 1

    def plan(self, seen) -> Decision:
        boards, masks = seen.boards, seen.masks
        open_calls = (masks[:, 2:] > 0) & (boards["tries"] < self.tries)
        busy = boards["in_flight"] > 0
        action = np.where(open_calls.any(1), 2 + open_calls.argmax(1), np.where(busy, 0, 1))
        decision = certain(action, masks.shape[1], self.name)
        decision.source[0] = "floor"
        return decision


class Stops:
    """It stops at once, whatever it sees."""

    name = "stops"

    def decide(self, observation, mask) -> Decision:
        return certain(np.ones(len(mask), np.int64), mask.shape[1], self.name)


def folder_of(tmp_path: Path, **puzzles: Puzzle) -> tuple[str, ...]:
    for name, puzzle in puzzles.items():
        write_puzzle(puzzle, tmp_path / f"{name}.yaml")
    return level_files(tmp_path)


def puzzle(drawn: Level, **functions: str) -> Puzzle:
    return Puzzle(level=drawn, faults=Faults(functions=functions))
