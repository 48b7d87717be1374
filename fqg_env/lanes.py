"""Lanes: N episodes side by side in arrays, stepped by compiled loops; environments are thin faces of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np

from fqg_env import arrays, believed, generator, observation, rules, world
from fqg_env import belief as posterior
from fqg_env.arrays import FLIGHTS, Size
from fqg_env.chance import Draw, mix, pick, uniform
from fqg_env.compiled import kernel
from fqg_env.errors import LevelError
from fqg_env.exact import templates
from fqg_env.faults import FAULTS
from fqg_env.fields import observation_dtype
from fqg_env.hide import draw_hidden, draw_recent, set_reputations
from fqg_env.shapes import SHAPES, Knob, new_sketch
from fqg_env.splits import Source, level_key


@kernel
def draw_level(
    level: Any, hidden: Any, sketch: Any, shapes: Any, source: Any, key: np.uint64
) -> None:
    """The level of a key from a source (see `Source.numbers`), and what is hidden in it."""
    low, high, mix = source[0], source[1], source[2]
    tier = low + pick(uniform(key, Draw.LEVEL, 0, 1), high - low + 1)
    family = source[4 + pick(uniform(key, Draw.LEVEL, 0, 2), len(source) - 4)]
    generator.generate(level, sketch, shapes, tier, family, key)
    level.mode = source[3]
    set_reputations(level, mix)
    draw_hidden(level, hidden, mix, sketch.shares)
    if uniform(key, Draw.LEVEL, 0, 3) < shapes[tier - 1, Knob.RECENT]:
        runs = 1 + pick(uniform(key, Draw.LEVEL, 0, 4), 4)
        draw_recent(level, hidden, runs, sketch.shares)
    generator.conceal(level, sketch, shapes, tier)


@kernel
def look(level: Any, board: Any, belief: Any, mask: Any, out: Any) -> None:
    """Mask and observation of one lane."""
    rules.legal(level, board, mask)
    observation.observe(level, board, out)
    if belief is not None:
        believed.observe_belief(level, board, belief, out)


@kernel
def draw_levels(levels: Any, hidden: Any, keys: Any, shapes: Any, source: Any, which: Any) -> None:
    """Draw the level of each lane in `which` [N] from its key, and move the key on."""
    sketch = new_sketch(levels[0].given.shape[0])
    for n in range(len(levels)):
        if which[n]:
            draw_level(levels[n], hidden[n], sketch, shapes, source, keys[n])
            keys[n] = mix(keys[n], np.uint64(1))


@kernel
def draw_all_hidden(levels: Any, hidden: Any, keys: Any, which: Any) -> None:
    """Draw what is hidden in each lane in `which` [N] from the prior, and move its key on."""
    shares = np.empty(FAULTS)
    for n in range(len(levels)):
        if which[n]:
            draw_hidden(levels[n], hidden[n], 0, shares)
            keys[n] = mix(keys[n], np.uint64(1))


@cache
def template_records(split: str, size: Size) -> np.ndarray:
    """[T] the templates of a split as records."""
    return np.concatenate([level.record(size) for level in templates(split)])


def template_numbers(split: str, keys: np.ndarray) -> np.ndarray:
    """[N] the number (from 0) of the template that each key stands for."""
    return np.asarray((keys >> np.uint64(8)) % np.uint64(len(templates(split))))


@kernel
def begin(
    levels: Any,
    hidden: Any,
    boards: Any,
    beliefs: Any,
    truths: Any,
    masks: Any,
    out: Any,
    which: Any,
) -> None:
    """Begin an episode in each lane in `which` [N], on the level that is there."""
    for n in range(len(levels)):
        if not which[n]:
            continue
        observation.observe_static(levels[n], out[n])
        if beliefs is None:
            world.begin_episode(levels[n], hidden[n], boards[n], None, truths[n])
            look(levels[n], boards[n], None, masks[n], out[n])
        else:
            world.begin_episode(levels[n], hidden[n], boards[n], beliefs[n], truths[n])
            believed.observe_belief_static(levels[n], out[n])
            look(levels[n], boards[n], beliefs[n], masks[n], out[n])


@kernel
def step(
    levels: Any,
    hidden: Any,
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
                level, hidden[n], board, None, truths[n], rows[n], masks[n], actions[n]
            )
            look(level, board, None, masks[n], out[n])
        else:
            rewards[n] = world.step(
                level, hidden[n], board, beliefs[n], truths[n], rows[n], masks[n], actions[n]
            )
            look(level, board, beliefs[n], masks[n], out[n])
        done[n] = 1 if board.stopped else 0


@kernel
def outcomes(levels: Any, boards: Any, truths: Any, success: Any, wrong: Any) -> None:
    """Judge every lane: success [N] and wrong delivered [N]."""
    for n in range(len(levels)):
        success[n] = world.succeeded(levels[n], boards[n], truths[n])
        wrong[n] = world.wrong_delivered(levels[n], boards[n], truths[n])


def pool_of(threads: int) -> ThreadPoolExecutor:
    """The threads that steps are shared over; one pool for all lanes of a process."""
    return _pool(threads, os.getpid())


@cache
def _pool(threads: int, process: int) -> ThreadPoolExecutor:
    """A pool for each process: one that was forked has none of the threads of the other."""
    return ThreadPoolExecutor(threads, thread_name_prefix="fqg-lanes")


STATE = (
    "levels",
    "hidden",
    "boards",
    "beliefs",
    "truths",
    "rows",
    "masks",
    "observations",
    "keys",
    "done",
)
"""The attributes of lanes that an episode goes on from."""


class Lanes:
    """N episodes and everything that belongs to them, each attribute a record array [N].

    Args:
        n: number of lanes.
        size: padding of the levels.
        belief: keep the posterior and show it in the observation.
        source: which levels are drawn.
        threads: that share the work of a step; they change nothing but the time it takes.

    Raises:
        LevelError: `threads` is no whole number from 1 up.
    """

    def __init__(
        self,
        n: int,
        size: Size,
        belief: bool = True,
        source: Source = Source(),  # noqa: B008
        threads: int = 1,
    ):
        if not isinstance(threads, int) or isinstance(threads, bool) or threads < 1:
            raise LevelError(f"threads={threads!r}: give a whole number, 1 or more")
        self.n, self.size, self.source, self.threads = n, size, source, threads
        self.levels = arrays.new(arrays.level_dtype(size), n)
        self.hidden = arrays.new(arrays.hidden_dtype(size), n)
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
        chosen = self._all if which is None else which
        if self.source.templates:
            self._draw_templates(chosen)
            return
        numbers = self.source.numbers()

        def work(part: slice) -> None:
            draw_levels(
                self.levels[part],
                self.hidden[part],
                self.keys[part],
                SHAPES,
                numbers,
                chosen[part],
            )

        self._share(work)

    def _draw_templates(self, which: np.ndarray) -> None:
        """Put a template into each lane in `which`, and draw what is hidden in it."""
        records = template_records(self.source.templates, self.size)
        lanes = np.flatnonzero(which)
        self.levels[lanes] = records[template_numbers(self.source.templates, self.keys[lanes])]
        self.levels["key"][lanes] = self.keys[lanes]
        draw_all_hidden(self.levels, self.hidden, self.keys, which)

    def deal(self, split: str, first: int = 0) -> None:
        """Begin levels number `first`, `first` + 1, ... of a split, one in each lane.

        Raises:
            LevelError: there is no such split, or a number is negative.
        """
        self.keys[:] = [level_key(split, first + i) for i in range(self.n)]
        self.draw_levels()
        self.begin()

    def begin(self, which: np.ndarray | None = None) -> None:
        """Begin an episode in each lane in `which` [N] (default: all)."""
        chosen = self._all if which is None else which
        self.done[chosen != 0] = 0

        def work(part: slice) -> None:
            begin(
                self.levels[part],
                self.hidden[part],
                self.boards[part],
                None if self.beliefs is None else self.beliefs[part],
                self.truths[part],
                self.masks[part],
                self.observations[part],
                chosen[part],
            )

        self._share(work)

    def step(self, actions: np.ndarray) -> None:
        """Play actions [N]; results are in `rewards`, `done`, `masks` and `observations`."""

        def work(part: slice) -> None:
            step(
                self.levels[part],
                self.hidden[part],
                self.boards[part],
                None if self.beliefs is None else self.beliefs[part],
                self.truths[part],
                self.rows[part],
                self.masks[part],
                self.observations[part],
                actions[part],
                self.rewards[part],
                self.done[part],
            )

        self._share(work)

    def _share(self, work: Callable[[slice], None]) -> None:
        """Let every thread do its part: kernels let go of the interpreter, and lanes share nothing."""
        if self.threads == 1:
            work(slice(None))
            return
        each = -(-self.n // self.threads)
        parts = [slice(first, first + each) for first in range(0, self.n, each)]
        list(pool_of(self.threads).map(work, parts))

    def judge(self) -> None:
        """Write `success` and `wrong` [N] of the boards as they are."""
        outcomes(self.levels, self.boards, self.truths, self.success, self.wrong)
