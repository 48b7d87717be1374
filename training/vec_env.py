"""The native lanes behind stable-baselines3's VecEnv: no Python object per environment, masks included."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.vec_env.base_vec_env import VecEnv
from torch import Tensor

from fqg_env.compiled import kernel
from fqg_env.env import action_space, observation_space, size_named
from fqg_env.faults import truly_bad
from fqg_env.lanes import Lanes
from fqg_env.reading import delivered
from policies.recovery.features import network_inputs
from training.recipe import Recipe, source_named
from training.set_network import INPUTS


@kernel
def expect_goals(
    levels: Any, boards: Any, truths: Any, beliefs: Any, rewards: Any, done: Any
) -> None:
    """Replace the drawn worth of what was delivered by its expectation under the posterior.

    As far as the posterior is calibrated the mean is the same, and the noise of the draw is gone.
    """
    for n in range(len(levels)):
        if not done[n]:
            continue
        for a in range(levels[n].artifacts):
            if delivered(levels[n], boards[n], a):
                w = levels[n].goal_weight[a] * (1.0 + levels[n].wrong_weight)
                bad = truly_bad(levels[n], boards[n], truths[n], a)
                rewards[n] += w * (bad - beliefs[n].bad[a])


def inputs_of(lanes: Lanes) -> dict[str, np.ndarray]:
    """What the network reads of all lanes, in its order; copies, since lanes go on."""
    record = lanes.observations
    views = {name: record[name] for name in record.dtype.names or ()}
    return network_inputs(views, lanes.masks, INPUTS)


def tensors(inputs: dict[str, np.ndarray]) -> list[Tensor]:
    """The same as the network takes them."""
    return [torch.as_tensor(inputs[name]).float() for name in INPUTS]


class MixedLanes(Lanes):
    """Lanes that draw from several sources, each from its own.

    Args:
        n: number of lanes.
        recipe: its size, tiers and sources; every source has its share of the lanes.
    """

    def __init__(self, n: int, recipe: Recipe):
        super().__init__(n, size_named(recipe.size), True)
        until = np.cumsum(list(recipe.sources.values())) * n / sum(recipe.sources.values())
        owner = np.searchsorted(until, np.arange(n), side="right")
        self._owned = [
            (source_named(name, recipe.tiers), (owner == i).astype(np.uint8))
            for i, name in enumerate(recipe.sources)
        ]

    def draw_levels(self, which: np.ndarray | None = None) -> None:
        """Draw the next level of each lane in `which` [N] (default: all) from its key."""
        for source, owned in self._owned:
            self.source = source
            super().draw_levels(owned if which is None else owned & which)


class ConductorVecEnv(VecEnv):
    """N lanes of training levels that begin a new one as soon as the old one ends.

    Args:
        recipe: how many lanes, and what they draw.
        seed: lane i begins with level seed * lanes + i of the `train` split.
    """

    def __init__(self, recipe: Recipe, seed: int):
        n, size = recipe.lanes, recipe.size
        self.lanes = MixedLanes(n, recipe)
        self.start_seed = seed * n  # no two seeds begin with the same levels
        shown = self.observe()
        whole = observation_space(size, True)
        parts: dict[str, spaces.Space[Any]] = {
            k: whole[k] if k in whole.spaces else spaces.Box(-1, 1, v.shape[1:], np.float32)
            for k, v in shown.items()
        }
        super().__init__(n, spaces.Dict(parts), action_space(size))
        self._actions = np.zeros(n, np.int64)
        self.spent_s = 0.0
        """Wall time spent in here so far."""
        self.finished: list[tuple[float, bool]] = []
        """(return, success) of episodes that ended since somebody last emptied it."""

    def reset(self) -> dict[str, np.ndarray]:
        """Begin the first episode of every lane."""
        self.lanes.deal("train", self.start_seed)
        return self.observe()

    def observe(self) -> dict[str, np.ndarray]:
        """The fields that the network reads, of all lanes."""
        return inputs_of(self.lanes)

    def step_async(self, actions: np.ndarray) -> None:
        """Remember the actions."""
        self._actions = np.asarray(actions, np.int64)

    def step_wait(self) -> tuple[Any, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        """Play them; lanes that end begin anew at once."""
        began = time.perf_counter()
        lanes = self.lanes
        lanes.step(self._actions)
        rewards, done = lanes.rewards.copy(), lanes.done.copy()
        infos: list[dict[str, Any]] = [{}] * self.num_envs
        if done.any():
            expect_goals(lanes.levels, lanes.boards, lanes.truths, lanes.beliefs, rewards, done)
            lanes.judge()
            for i in np.flatnonzero(done):
                self.finished.append(
                    (float(lanes.truths["episode_return"][i]), bool(lanes.success[i]))
                )
            lanes.draw_levels(done)
            lanes.begin(done)
        observation = self.observe()
        self.spent_s += time.perf_counter() - began
        return observation, rewards.astype(np.float32), done.astype(bool), infos

    def env_method(
        self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any
    ) -> Any:
        """`action_masks`, where sb3-contrib asks for it."""
        if method_name != "action_masks":
            raise AttributeError(f"lanes have no method {method_name!r}")
        return self.lanes.masks.astype(bool)

    def has_attr(self, attr_name: str) -> bool:
        """Lanes have `action_masks`."""
        return attr_name == "action_masks"

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Attributes that stable-baselines3 asks every environment for."""
        if attr_name == "render_mode":
            return [None] * self.num_envs
        if attr_name == "action_masks":
            return [True] * self.num_envs
        raise AttributeError(f"lanes have no attribute {attr_name!r}")

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Nothing can be set per lane."""
        raise AttributeError(f"lanes have no attribute {attr_name!r}")

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """No lane is wrapped."""
        return [False] * self.num_envs

    def close(self) -> None:
        """Nothing to close."""

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Begin anew at the next reset, as if made with this seed."""
        if seed is not None:
            self.start_seed = seed * self.num_envs
        return [self.start_seed + i for i in range(self.num_envs)]
