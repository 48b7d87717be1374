"""Function Quest as a Gymnasium environment, one level at a time; its ids, and those of vector_env.py.

gymnasium.make("fqg_env.env:FunctionQuest-small-test-v0")      # or FunctionQuest-v0, with keyword arguments
gymnasium.make_vec("fqg_env.env:FunctionQuest-v0", num_envs=1024, vectorization_mode="vector_entry_point")
"""

from __future__ import annotations

import operator
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from fqg_env import library
from fqg_env.arrays import SIZES
from fqg_env.errors import LevelError, suggest
from fqg_env.faces import (
    RENDER_MODES,
    action_space,
    check_options,
    observation_space,
    render_mode_named,
    size_named,
)
from fqg_env.lanes import Lanes
from fqg_env.level import Level
from fqg_env.puzzle import Puzzle
from fqg_env.render import board_as_text
from fqg_env.splits import SPLITS, level_key, level_name, source_of


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
            vector_entry_point="fqg_env.vector_env:VectorFunctionQuest",
            kwargs=arguments,
        )


register()
