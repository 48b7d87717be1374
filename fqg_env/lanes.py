"""Lanes: N episodes side by side in arrays, stepped by compiled loops; environments are thin faces of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from fqg_env import arrays, generator, observation, rules, world
from fqg_env import belief as posterior
from fqg_env import faults as model
from fqg_env.arrays import FLIGHTS, Size
from fqg_env.chance import Draw, mix, pick, uniform
from fqg_env.compiled import kernel
from fqg_env.observation import observation_dtype


@kernel
def draw_level(level: Any, faults: Any, shapes: Any, key: np.uint64, low: int, high: int) -> None:
    """The level of a key, its tier drawn from [low, high], and its hidden faults."""
    tier = low + pick(uniform(key, Draw.LEVEL, 0, 1), high - low + 1)
    generator.generate(level, shapes, tier, key)
    model.draw_faults(level, faults)
    generator.conceal(level, shapes, tier)


@kernel
def look(level: Any, board: Any, belief: Any, mask: Any, out: Any) -> None:
    """Mask and observation of one lane."""
    rules.legal(level, board, mask)
    observation.observe(level, board, out)
    if belief is not None:
        observation.observe_belief(level, board, belief, out)


@kernel
def draw_levels(
    levels: Any, faults: Any, keys: Any, shapes: Any, low: int, high: int, which: Any
) -> None:
    """Draw the level of each lane in `which` [N] from its key, and move the key on."""
    for n in range(len(levels)):
        if which[n]:
            draw_level(levels[n], faults[n], shapes, keys[n], low, high)
            keys[n] = mix(keys[n], np.uint64(1))


@kernel
def begin(
    levels: Any, boards: Any, beliefs: Any, truths: Any, masks: Any, out: Any, which: Any
) -> None:
    """Begin an episode in each lane in `which` [N], on the level that is there."""
    for n in range(len(levels)):
        if not which[n]:
            continue
        observation.observe_static(levels[n], out[n])
        if beliefs is None:
            world.begin_episode(levels[n], boards[n], None, truths[n])
            look(levels[n], boards[n], None, masks[n], out[n])
        else:
            world.begin_episode(levels[n], boards[n], beliefs[n], truths[n])
            observation.clear_belief(out[n])
            look(levels[n], boards[n], beliefs[n], masks[n], out[n])


@kernel
def step(
    levels: Any,
    faults: Any,
    boards: Any,
    beliefs: Any,
    truths: Any,
    rows: Any,
    masks: Any,
    out: Any,
    actions: Any,
    rewards: Any,
    done: Any,
) -> None:
    """Play one action in every lane whose episode is not over; write rewards, ends, masks, observations."""
    for n in range(len(levels)):
        if boards[n].stopped:
            rewards[n] = 0.0
            done[n] = 1
            continue
        level, board = levels[n], boards[n]
        if beliefs is None:
            rewards[n] = world.step(
                level, faults[n], board, None, truths[n], rows[n], masks[n], actions[n]
            )
            look(level, board, None, masks[n], out[n])
        else:
            rewards[n] = world.step(
                level, faults[n], board, beliefs[n], truths[n], rows[n], masks[n], actions[n]
            )
            look(level, board, beliefs[n], masks[n], out[n])
        done[n] = 1 if board.stopped else 0


@kernel
def outcomes(levels: Any, boards: Any, truths: Any, success: Any, wrong: Any) -> None:
    """Judge every lane: success [N] and wrong delivered [N]."""
    for n in range(len(levels)):
        success[n] = world.succeeded(levels[n], boards[n], truths[n])
        wrong[n] = world.wrong_delivered(levels[n], boards[n], truths[n])


class Lanes:
    """N episodes and everything that belongs to them, each attribute a record array [N].

    Args:
        n: number of lanes.
        size: padding of the levels.
        belief: keep the posterior and show it in the observation.
        tiers: lowest and highest tier that levels are drawn from.
    """

    def __init__(self, n: int, size: Size, belief: bool = True, tiers: tuple[int, int] = (1, 20)):
        self.n, self.size, self.tiers = n, size, tiers
        self.levels = arrays.new(arrays.level_dtype(size), n)
        self.faults = arrays.new(arrays.faults_dtype(size), n)
        self.boards = arrays.new(arrays.board_dtype(size), n)
        self.beliefs = arrays.new(posterior.belief_dtype(size), n) if belief else None
        self.truths = arrays.new(arrays.truth_dtype(size), n)
        self.rows = arrays.new(arrays.row_dtype(size), (n, FLIGHTS))
        self.masks = np.zeros((n, rules.FIRST_CALL + size.calls), np.uint8)
        self.observations = arrays.new(observation_dtype(size, belief), n)
        self.keys = np.zeros(n, np.uint64)
        self.rewards = np.zeros(n)
        self.done = np.zeros(n, np.uint8)
        self.success = np.zeros(n, np.uint8)
        self.wrong = np.zeros(n, np.uint8)
        self._all = np.ones(n, np.uint8)

    def draw_levels(self, which: np.ndarray | None = None) -> None:
        """Draw the next level of each lane in `which` [N] (default: all) from its key."""
        which = self._all if which is None else which
        low, high = self.tiers
        draw_levels(self.levels, self.faults, self.keys, generator.SHAPES, low, high, which)

    def begin(self, which: np.ndarray | None = None) -> None:
        """Begin an episode in each lane in `which` [N] (default: all)."""
        which = self._all if which is None else which
        begin(
            self.levels,
            self.boards,
            self.beliefs,
            self.truths,
            self.masks,
            self.observations,
            which,
        )

    def step(self, actions: np.ndarray) -> None:
        """Play actions [N]; results are in `rewards`, `done`, `masks` and `observations`."""
        step(
            self.levels,
            self.faults,
            self.boards,
            self.beliefs,
            self.truths,
            self.rows,
            self.masks,
            self.observations,
            actions,
            self.rewards,
            self.done,
        )

    def judge(self) -> None:
        """Write `success` and `wrong` [N] of the boards as they are."""
        outcomes(self.levels, self.boards, self.truths, self.success, self.wrong)
