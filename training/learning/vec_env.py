"""The native lanes behind stable-baselines3's VecEnv: no Python object per environment, masks included."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.vec_env.base_vec_env import VecEnv

from fqg_env.faces import action_space, observation_space
from training.learning.lane_groups import LaneGroups
from training.learning.networks import inputs_of
from training.learning.recipe import Recipe


class ConductorVecEnv(VecEnv):
    """N lanes of training levels that begin a new one as soon as the old one ends.

    Args:
        recipe: how many lanes, and what they draw.
        seed: lane i begins with level seed * lanes + i of the `train` split.
    """

    def __init__(self, recipe: Recipe, seed: int):
        self.lanes = LaneGroups(recipe.draws, recipe.lanes, inputs_of(recipe))
        self.start_seed = seed * recipe.lanes  # no two seeds begin with the same levels
        size = self.lanes.size.name
        whole = observation_space(size, True).spaces
        parts: dict[str, spaces.Space[Any]] = {
            k: whole[k] if k in whole else spaces.Box(-1, 1, v.shape[1:], np.float32)
            for k, v in self.lanes.inputs().items()
        }
        super().__init__(recipe.lanes, spaces.Dict(parts), action_space(size))
        self._actions = np.zeros(recipe.lanes, np.int64)
        self.spent_s = 0.0
        """Wall time spent in here so far."""
        self.finished: list[tuple[float, bool]] = []
        """(return, success) of episodes that ended since somebody last emptied it."""

    def reset(self) -> dict[str, np.ndarray]:
        """Begin the first episode of every lane."""
        self.lanes.deal(self.start_seed)
        return self.lanes.inputs()

    def step_async(self, actions: np.ndarray) -> None:
        """Remember the actions."""
        self._actions = np.asarray(actions, np.int64)

    def step_wait(self) -> tuple[Any, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        """Play them; lanes that end begin anew at once."""
        began = time.perf_counter()
        rewards, done = self.lanes.step(self._actions)
        if done.any():
            returns = self.lanes.each(lambda lanes: lanes.truths["episode_return"])
            success = self.lanes.each(lambda lanes: lanes.success)
            ended = np.flatnonzero(done)
            self.finished += zip(returns[ended].tolist(), success[ended] > 0, strict=True)
            self.lanes.begin(done)
        observation = self.lanes.inputs()
        self.spent_s += time.perf_counter() - began
        infos: list[dict[str, Any]] = [{}] * self.num_envs
        return observation, rewards.astype(np.float32), done.astype(bool), infos

    def env_method(
        self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any
    ) -> Any:
        """`action_masks`, where sb3-contrib asks for it."""
        if method_name != "action_masks":
            raise AttributeError(f"lanes have no method {method_name!r}")
        return self.lanes.masks

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
