"""Function Quest as a vector environment: many levels side by side, in compiled loops."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from fqg_env.errors import LevelError, suggest
from fqg_env.faces import (
    action_space,
    check_options,
    observation_space,
    render_mode_named,
    size_named,
)
from fqg_env.lanes import Lanes
from fqg_env.splits import level_key, source_of


def reset_mask(options: dict[str, Any] | None, n: int) -> np.ndarray:
    """The lanes [N] that a reset begins anew: all, or those in `options["reset_mask"]`.

    Raises:
        ValueError: the mask does not have one value per lane, or one that is not true or false.
    """
    if not options or options.get("reset_mask") is None:
        return np.ones(n, np.uint8)
    mask = np.asarray(options["reset_mask"])
    if mask.shape != (n,):
        raise ValueError(
            f"reset_mask has shape {mask.shape}; it needs one value for each of the {n} lanes"
        )
    if mask.dtype.kind not in "biuf" or not np.isin(mask, (0, 1)).all():
        raise ValueError(
            "reset_mask holds what is neither true nor false; give booleans, or 0 and 1"
        )
    return mask.astype(np.uint8)


def seeds_of(seed: Any, n: int) -> list[int | None]:
    """The seed of each of n lanes; None where it goes on with its own sequence.

    Raises:
        ValueError: it is neither one seed nor one for each lane.
    """
    if seed is None:
        return [None] * n
    if isinstance(seed, (int, np.integer)):
        return list(range(int(seed), int(seed) + n))
    if not isinstance(seed, (list, tuple, np.ndarray)) or len(seed) != n:
        raise ValueError(f"seed={seed!r}: give one whole number, or one for each of the {n} lanes")
    return list(seed)


def autoreset_named(mode: AutoresetMode | str) -> AutoresetMode:
    """Gymnasium's autoreset mode of a name, however it is spelt.

    Raises:
        LevelError: there is none.
    """
    names = {"-".join(str(m.name).lower().split("_")): m for m in AutoresetMode}
    if isinstance(mode, AutoresetMode):
        return mode
    meant = str(mode).lower().replace("_", "-")
    found = names.get(meant) or {n.replace("-", ""): m for n, m in names.items()}.get(meant)
    if found is None:
        raise LevelError(f"there is no autoreset mode {mode!r}." + suggest(meant, names))
    return found


class VectorFunctionQuest(VectorEnv[dict[str, np.ndarray], np.ndarray, np.ndarray]):
    """N levels side by side in compiled loops.

    Args:
        num_envs: number of lanes.
        copy: return fresh arrays; False: views that the next step overwrites.
        threads: that share the work of a step, on as many cores.
        autoreset_mode: Gymnasium's, or its name: "next-step" (the default), "same-step" (for trainers) or
            "disabled".
        others: as `FunctionQuest`.

    `reset(seed=s)`: lane i plays what a single env seeded s + i plays, then goes on with its own sequence.
    At the end of an episode `info` has `success`, `wrong_delivered`, `episode_return` and `episode_length`
    [N], valid where `terminated`.
    """

    metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.NEXT_STEP}  # noqa: RUF012

    def __init__(
        self,
        num_envs: int = 1,
        size: str = "standard",
        split: str = "train",
        tiers: int | tuple[int, int] = (1, 20),
        belief: bool = False,
        render_mode: str | None = None,
        copy: bool = True,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        mix: str = "",
        mode: str = "hybrid",
        threads: int = 1,
    ):
        if not isinstance(num_envs, int) or isinstance(num_envs, bool) or num_envs < 1:
            raise LevelError(f"num_envs={num_envs!r}: give a whole number, 1 or more")
        self.num_envs = num_envs
        self.render_mode = render_mode_named(render_mode)
        self.copy = copy
        self.autoreset_mode = autoreset_named(autoreset_mode)
        self.metadata = {**type(self).metadata, "autoreset_mode": self.autoreset_mode}
        self.single_observation_space = observation_space(size, belief)
        self.single_action_space = action_space(size)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.split = split
        source = source_of(split, tiers, mix, mode)
        self.lanes = Lanes(num_envs, size_named(size), belief, source, threads)
        self._over = np.zeros(num_envs, np.uint8)
        self._seeded = False

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Begin an episode in every lane, or where `options["reset_mask"]` [N] says.

        Raises:
            LevelError: there is no such option or seed.
            ValueError: there is not one seed, or one value of the mask, for each lane; or the first reset
                leaves lanes out.
        """
        check_options(options, "reset_mask")
        seeds = seeds_of(seed, self.num_envs)
        one = int(seed) if isinstance(seed, (int, np.integer)) else None
        super().reset(seed=one)
        which = reset_mask(options, self.num_envs)
        if not self._seeded:
            if not which.all():
                raise ValueError("reset_mask leaves lanes out; the first reset begins all of them")
            self.lanes.keys[:] = self.np_random.integers(2**63, size=self.num_envs, dtype=np.uint64)
        for i, s in enumerate(seeds):
            if s is not None and which[i]:
                self.lanes.keys[i] = level_key(self.split, s)
        self._seeded = True
        self._begin(which)
        return self._observations(), self._masked({})

    def step(
        self, actions: np.ndarray
    ) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Play actions [N].

        Raises:
            gymnasium.error.ResetNeeded: no episode has begun.
            ValueError: there is not one action for each lane, or they are no whole numbers.
        """
        if not self._seeded:
            raise gymnasium.error.ResetNeeded("call reset before the first step")
        lanes = self.lanes
        over = self._over.copy()
        actions = np.asarray(actions)
        if actions.shape != (self.num_envs,):
            raise ValueError(
                f"actions have shape {actions.shape}; they need one for each of the {self.num_envs} lanes"
            )
        if actions.dtype.kind not in "iub":
            raise ValueError(f"actions are of type {actions.dtype}; they need to be whole numbers")
        lanes.step(actions.astype(np.int64))
        terminated = lanes.done.astype(bool)
        info: dict[str, Any] = {}
        if self.autoreset_mode == AutoresetMode.NEXT_STEP and over.any():
            self._begin(over)
            terminated &= ~over.astype(bool)
            lanes.rewards[over.astype(bool)] = 0.0
        self._over[:] = terminated
        if terminated.any():
            info = self._finals(terminated)
            if self.autoreset_mode == AutoresetMode.SAME_STEP:
                self._begin(self._over)
                self._over[:] = 0
        rewards, truncated = lanes.rewards.copy(), np.zeros(self.num_envs, bool)
        return self._observations(), rewards, terminated, truncated, self._masked(info)

    def action_masks(self) -> np.ndarray:
        """Masks [N, 2 + C] of int8."""
        masks = self.lanes.masks.view(np.int8)
        return masks.copy() if self.copy else masks

    def _masked(self, info: dict[str, Any]) -> dict[str, Any]:
        info["action_mask"], info["_action_mask"] = (
            self.action_masks(),
            np.ones(self.num_envs, bool),
        )
        return info

    def _begin(self, which: np.ndarray) -> None:
        self.lanes.draw_levels(which)
        self.lanes.begin(which)
        self._over[which.astype(bool)] = 0

    def _finals(self, terminated: np.ndarray) -> dict[str, Any]:
        lanes = self.lanes
        lanes.judge()
        info: dict[str, Any] = {
            "success": lanes.success.astype(bool) & terminated,
            "wrong_delivered": lanes.wrong.astype(bool) & terminated,
            "episode_return": np.where(terminated, lanes.truths["episode_return"], 0.0),
            "episode_length": np.where(terminated, lanes.truths["episode_length"], 0),
        }
        info |= {f"_{name}": terminated for name in info}
        if self.autoreset_mode == AutoresetMode.SAME_STEP:
            info["final_info"], info["_final_info"] = dict(info), terminated
            names = tuple(self.single_observation_space.spaces)  # type: ignore[attr-defined]
            final = np.full(self.num_envs, None, object)
            ended = np.flatnonzero(terminated)
            last = lanes.observations[ended]  # a copy
            columns = [list(last[name]) for name in names]
            for i, values in zip(ended, zip(*columns, strict=True), strict=True):
                final[i] = dict(zip(names, values, strict=True))
            info["final_obs"], info["_final_obs"] = final, terminated
        return info

    def _observations(self) -> dict[str, np.ndarray]:
        names = self.single_observation_space.spaces  # type: ignore[attr-defined]
        view = {name: self.lanes.observations[name] for name in names}
        return {name: a.copy() for name, a in view.items()} if self.copy else view
