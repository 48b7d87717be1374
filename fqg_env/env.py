"""Function Quest as Gymnasium environments: one level at a time, or natively vectorised.

gymnasium.make("fqg_env.env:FunctionQuest-small-test-v0")      # or FunctionQuest-v0, with keyword arguments
gymnasium.make_vec("fqg_env.env:FunctionQuest-v0", num_envs=1024, vectorization_mode="vector_entry_point")
"""

from __future__ import annotations

import operator
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from fqg_env import library
from fqg_env.arrays import SIZES
from fqg_env.errors import LevelError, suggest
from fqg_env.fields import observation_dtype
from fqg_env.lanes import Lanes
from fqg_env.level import Level
from fqg_env.puzzle import Puzzle
from fqg_env.render import board_as_text
from fqg_env.rules import FIRST_CALL
from fqg_env.splits import SPLITS, level_key, level_name, source_of

RENDER_MODES = ("ansi", "rgb_array")


def render_mode_named(mode: str | None) -> str | None:
    """The render mode of this name; None: nothing is rendered.

    Raises:
        LevelError: there is none.
    """
    if mode is not None and mode not in RENDER_MODES:
        raise LevelError(f"there is no render mode {mode!r}." + suggest(mode, RENDER_MODES))
    return mode


def size_named(name: str) -> Any:
    """The size of this name.

    Raises:
        LevelError: there is none.
    """
    if name not in tuple(SIZES):
        raise LevelError(f"there is no size {name!r}." + suggest(name, SIZES))
    return SIZES[name]


def observation_space(size: str, belief: bool) -> spaces.Dict:
    """The Dict space of an observation: float fields in [0, 1], relations as bytes 0 or 1."""
    dtype = observation_dtype(size_named(size), belief)
    out: dict[str, spaces.Space[Any]] = {}
    for name in dtype.names or ():
        base, shape = dtype[name].subdtype  # type: ignore[misc]
        out[name] = spaces.Box(0, 1, shape, base.type)
    return spaces.Dict(out)


def action_space(size: str) -> spaces.Discrete:
    """0 WAIT, 1 STOP, 2 + i attempts call i."""
    return spaces.Discrete(FIRST_CALL + size_named(size).calls)


def action_number(action: Any) -> int:
    """The action as a number; -1, which is illegal, for what is no whole number."""
    try:
        number = operator.index(np.asarray(action).item())
    except (TypeError, ValueError):
        return -1
    return number if abs(number) < 2**31 else -1


def puzzle_of(given: Level | Puzzle | str) -> Puzzle:
    """What `options["level"]` means.

    Raises:
        LevelError: it is neither a level nor the name of one.
    """
    if isinstance(given, Level):
        return Puzzle(level=given)
    if isinstance(given, Puzzle):
        return given
    if given in library.names():
        return library.load(given)
    raise LevelError(
        f"options['level']: {given!r} is no level." + suggest(str(given), library.names())
    )


def check_options(options: dict[str, Any] | None, *known: str) -> None:
    """Every option of a reset is one that it knows.

    Raises:
        LevelError: one is not.
    """
    for name in options or {}:
        if name not in known:
            raise LevelError(f"options: there is no {name!r}." + suggest(str(name), known))


class FunctionQuest(gymnasium.Env[dict[str, np.ndarray], np.int64]):
    """One level at a time.

    Args:
        size: "small", "standard" or "large".
        split: seed space that levels come from.
        tiers: one tier, or the lowest and the highest.
        mix: of faults: one of `fqg_env.splits.MIX_NAMES`; the split's own where it is empty.
        mode: who owns failures: "hybrid", "conductor" or "community".
        belief: show the posterior (keys `belief` and `doubt`).
        render_mode: None, "ansi" (text) or "rgb_array" (a picture, drawn without a window system).

    `reset(seed=s)` plays level s of the split; without a seed, the next one of this env's sequence.
    `reset(options={"level": ...})` plays a `Level`, a `Puzzle`, or one of the library by its name: with the
    luck of its own key, or with that of `seed` where one is given. `info["action_mask"]` [2 + C] comes with
    every reset and step. An illegal action costs one attempt and never raises.
    """

    metadata = {"render_modes": list(RENDER_MODES), "render_fps": 1}  # noqa: RUF012 (Gymnasium's own form)
    observation_space: spaces.Dict  # type: ignore[assignment]  # it is a Dict of arrays, as declared

    def __init__(
        self,
        size: str = "standard",
        split: str = "train",
        tiers: int | tuple[int, int] = (1, 20),
        belief: bool = False,
        render_mode: str | None = None,
        mix: str = "",
        mode: str = "hybrid",
    ):
        self.observation_space = observation_space(size, belief)
        self.action_space = action_space(size)
        self.render_mode = render_mode_named(render_mode)
        self.split = split
        self.puzzle: Puzzle | None = None
        self.lanes = Lanes(1, size_named(size), belief, source_of(split, tiers, mix, mode))
        self._seeded = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Begin an episode.

        Raises:
            LevelError: there is no such option, level or seed; the episode before goes on then.
        """
        check_options(options, "level")
        given = (options or {}).get("level")
        puzzle = None if given is None else puzzle_of(given)
        key = None if seed is None else level_key(self.split, seed)
        if puzzle is not None:
            puzzle.load(self.lanes, None if key is None else int(key))
        super().reset(seed=seed)
        if key is not None:
            self.lanes.keys[0] = key
        elif not self._seeded:
            self.lanes.keys[0] = self.np_random.integers(2**63, dtype=np.uint64)
        self._seeded = True
        self.puzzle = puzzle
        if puzzle is None:
            self.lanes.draw_levels()
        self.lanes.begin()
        return self._observation(), self.info()

    def step(self, action: Any) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        """Play one action; `terminated` when the run has stopped, never `truncated`.

        Raises:
            gymnasium.error.ResetNeeded: no episode has begun.
        """
        if not self._seeded:
            raise gymnasium.error.ResetNeeded("call reset before the first step")
        self.lanes.step(np.array([action_number(action)]))
        done = bool(self.lanes.done[0])
        info = self.info()
        if done:
            self.lanes.judge()
            info["success"] = bool(self.lanes.success[0])
            info["wrong_delivered"] = bool(self.lanes.wrong[0])
        return self._observation(), float(self.lanes.rewards[0]), done, False, info

    def action_masks(self) -> np.ndarray:
        """The mask [2 + C] as booleans, where sb3-contrib looks for it."""
        return self.lanes.masks[0].astype(bool)

    def render(self) -> Any:
        """The board as text, or as a picture [height, width, 3] of bytes.

        Raises:
            gymnasium.error.ResetNeeded: no episode has begun.
        """
        if not self._seeded:
            raise gymnasium.error.ResetNeeded("there is no level to render before the first reset")
        record, board = self.lanes.levels[0], self.lanes.boards[0]
        if self.render_mode == "ansi":
            return board_as_text(self.level, record, board)
        if self.render_mode == "rgb_array":
            from fqg_env.picture import board_as_picture

            return board_as_picture(self.level, record, board, self.lanes.masks[0])
        return None

    @property
    def level(self) -> Level:
        """The level being played, with names."""
        if self.puzzle is not None:
            return self.puzzle.level
        from fqg_env.describe import describe

        record, seed = self.lanes.levels[0], self.np_random_seed
        return describe(record, level_name(self.split, self.lanes.source, int(record["key"]), seed))

    def _observation(self) -> dict[str, np.ndarray]:
        record = self.lanes.observations[0]
        return {name: record[name].copy() for name in self.observation_space.spaces}

    def info(self) -> dict[str, Any]:
        """What comes beside an observation: the mask [2 + C]."""
        return {"action_mask": self.lanes.masks[0].astype(np.int8)}


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


def register() -> None:
    """Give the environments their ids: `FunctionQuest-v0`, and one per size and split."""
    ids: dict[str, dict[str, str]] = {"FunctionQuest-v0": {}}
    for size in SIZES:
        for split in SPLITS:
            ids[f"FunctionQuest-{size}-{split}-v0"] = {"size": size, "split": split}
    for name, arguments in ids.items():
        gymnasium.register(
            id=name,
            entry_point="fqg_env.env:FunctionQuest",
            vector_entry_point="fqg_env.env:VectorFunctionQuest",
            kwargs=arguments,
        )


register()
