"""LaneGroups: lanes of several sources and sizes side by side, seen as one batch padded to the largest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fqg_env.arrays import SIZES
from fqg_env.lanes import STATE, Lanes
from policies.recovery.advantages import advantages
from policies.recovery.base import Policy
from policies.recovery.features import network_inputs
from training.judging.episodes import AnswerError, decision_of, observations
from training.learning.luck import forget_luck
from training.learning.recipe import Draws

PRIOR = "published"
"""The mix that the posterior begins from, so that its expectations are right in the mean."""


def lanes_of_each(draws: Sequence[Draws], n: int) -> list[int]:
    """How many of n lanes each gets."""
    until = np.cumsum([one.share for one in draws]) / sum(one.share for one in draws)
    ends = np.round(until * n).astype(int)
    return [int(x) for x in np.diff(ends, prepend=0)]


def corner(parts: Sequence[np.ndarray], fill: float = 0.0) -> np.ndarray:
    """Arrays [n, ...] below each other, each in the first corner of the largest."""
    shape = np.max([part.shape[1:] for part in parts], axis=0)
    out = np.full((sum(len(part) for part in parts), *shape), fill, parts[0].dtype)
    first = 0
    for part in parts:
        out[(slice(first, first + len(part)), *map(slice, part.shape[1:]))] = part
        first += len(part)
    return out


class LaneGroups:
    """N lanes; every group of them draws from a source of its own.

    Args:
        draws: what is drawn, each with its share of the lanes.
        n: number of lanes.
        names: what a network reads of them, see training/learning/inputs.py.
    """

    def __init__(self, draws: Sequence[Draws], n: int, names: Sequence[str]):
        self.n, self.names = n, tuple(names)
        self.groups = [
            Lanes(lanes, SIZES[one.size], True, one.source())
            for one, lanes in zip(draws, lanes_of_each(draws, n), strict=True)
            if lanes > 0
        ]
        ends = np.cumsum([lanes.n for lanes in self.groups])
        self.parts = [slice(end - g.n, end) for g, end in zip(self.groups, ends, strict=True)]
        self.size = max((lanes.size for lanes in self.groups), key=lambda size: size.calls)

    def each(self, read: Callable[[Lanes], np.ndarray]) -> np.ndarray:
        """What is read of every group, in one array."""
        return corner([read(lanes) for lanes in self.groups])

    @property
    def masks(self) -> np.ndarray:
        """[N, 2 + C] legal actions, as booleans."""
        return self.each(lambda lanes: lanes.masks).astype(bool)

    @property
    def running(self) -> np.ndarray:
        """[N] the episode is not over."""
        return self.each(lambda lanes: lanes.boards["stopped"] == 0)

    def deal(self, first: int) -> None:
        """Begin levels number `first`, `first` + 1, ... of training, one in each lane."""
        for lanes, part in zip(self.groups, self.parts, strict=True):
            lanes.deal("train", first + part.start)

    def inputs(self) -> dict[str, np.ndarray]:
        """What the network reads of all lanes, in its order; copies, since lanes go on."""
        seen = [
            network_inputs(observations(lanes), lanes.masks, self.names) for lanes in self.groups
        ]
        return {name: corner([one[name] for one in seen]) for name in self.names}

    def choices(self, policy: Policy) -> np.ndarray:
        """[N, 2 + C] how likely a policy is to choose each action; NaN where it is illegal.

        Raises:
            AnswerError: it answers what is no decision, or no probabilities of legal actions.
        """

        def asked(lanes: Lanes) -> np.ndarray:
            answer = policy.decide(observations(lanes), lanes.masks.copy())
            likely = np.asarray(decision_of(answer, "decide").probabilities)
            if likely.shape != lanes.masks.shape:
                raise AnswerError(
                    f"it answered probabilities of shape {likely.shape}, not {lanes.masks.shape}"
                )
            legal = lanes.masks > 0
            if not (np.where(legal, likely, 0.0).sum(1) > 0.0).all():  # nor no number
                raise AnswerError("it answered no probabilities of the legal actions")
            return np.where(legal, likely, np.float32(np.nan))

        return corner([asked(lanes) for lanes in self.groups], np.nan)

    def advantages(
        self, worlds: int, draw: int, threads: int, candidates: np.ndarray
    ) -> np.ndarray:
        """[N, 2 + C] see policies/recovery/advantages.py."""
        found = []
        for lanes, part in zip(self.groups, self.parts, strict=True):
            tried = np.ascontiguousarray(candidates[part, : lanes.masks.shape[1]])
            found.append(advantages(lanes, worlds, draw, threads, tried))
        return corner(found, np.nan)

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Play actions [N]; returns rewards [N] and which lanes are over [N].

        Where the mix is that of the posterior, goals count as what it expects them to be worth.
        """
        for lanes, part in zip(self.groups, self.parts, strict=True):
            lanes.step(actions[part])
            if not lanes.done.any():
                continue
            if lanes.source.mix == PRIOR:
                forget_luck(
                    lanes.levels,
                    lanes.boards,
                    lanes.truths,
                    lanes.beliefs,
                    lanes.rewards,
                    lanes.done,
                )
            lanes.judge()
        return self.each(lambda lanes: lanes.rewards), self.each(lambda lanes: lanes.done)

    def begin(self, which: np.ndarray) -> None:
        """Begin on the next level in each lane in `which` [N]."""
        for lanes, part in zip(self.groups, self.parts, strict=True):
            if which[part].any():
                lanes.draw_levels(which[part])
                lanes.begin(which[part])

    def state(self) -> dict[str, np.ndarray]:
        """Arrays that the episodes go on from."""
        return {
            f"{name}_{i}": getattr(lanes, name)
            for i, lanes in enumerate(self.groups)
            for name in STATE
        }

    def put_back(self, state: Any) -> None:
        """Go on from there.

        Raises:
            KeyError, ValueError: it is of other lanes.
        """
        for name, array in self.state().items():
            array[...] = state[name]
