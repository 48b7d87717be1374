"""Which levels are judged: a setting, and the lanes at the start of its episodes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fqg_env.arrays import SIZES, Clash, Size
from fqg_env.chance import mix
from fqg_env.compiled import kernel
from fqg_env.errors import LevelError
from fqg_env.faces import size_named
from fqg_env.faults import clashes
from fqg_env.lanes import Lanes, template_numbers
from fqg_env.puzzle import Puzzle
from fqg_env.splits import MIX_NAMES, SPLITS, Source, level_key, source_of
from training.level_reader import read_level_file


@dataclass(frozen=True)
class Setting:
    """Which levels are played."""

    split: str = "test"
    episodes: int = 1000
    seed: int = 0
    tiers: tuple[int, int] = (1, 20)
    size: str = "small"
    mix: str = ""
    """Of faults; several, separated by commas, take turns; the split's own where it is empty."""
    mode: str = "hybrid"
    """Who owns failures."""
    levels: tuple[str, ...] = ()
    """Level files to play instead of a split, in turn."""

    @property
    def drawn(self) -> bool:
        """Levels are generated; level files and templates have no tier, and a mode of their own."""
        return not self.levels and not SPLITS[self.split].templates

    def content(self) -> dict[str, Any]:
        """What the episodes depend on, besides their number and the code; files by what is in them."""
        files = [hashlib.sha256(Path(file).read_bytes()).hexdigest() for file in self.levels]
        return {**vars(self), "levels": files, "episodes": None}


def sources(setting: Setting) -> list[Source]:
    """What is drawn: one source for each mix of faults.

    Raises:
        LevelError: a split, tier, mix or mode cannot be had.
    """
    split = "test" if setting.levels else setting.split
    mixes = [name.strip() for name in setting.mix.split(",")]
    return [source_of(split, setting.tiers, name, setting.mode) for name in mixes]


def mixes_of(setting: Setting) -> list[str]:
    """The names of the mixes of faults that take turns; none for level files."""
    return [] if setting.levels else [source.mix for source in sources(setting)]


def size_of(setting: Setting, puzzles: Sequence[Puzzle]) -> Size:
    """The padding that all levels of a setting fit."""
    if not puzzles:
        return size_named(setting.size)
    return max((p.level.size for p in puzzles), key=lambda s: list(SIZES).index(s.name))


MOST_SEED = 2**62
"""Level numbers end here."""


def check_setting(setting: Setting) -> Size:
    """The size of the levels of a setting, once every name in it is known to be one.

    Raises:
        LevelError: a split, tier, mix, mode, size, seed or level file cannot be had.
    """
    if not setting.levels:
        sources(setting)
    if not 0 <= setting.seed <= MOST_SEED - setting.episodes:
        raise LevelError(f"the seed {setting.seed} is not between 0 and {MOST_SEED:,}")
    return size_of(setting, [read_level_file(path) for path in setting.levels])


def level_files(folder: str | Path) -> tuple[str, ...]:
    """The level files in a folder, sorted.

    Raises:
        LevelError: there are none.
    """
    found = tuple(str(path) for path in sorted(Path(folder).glob("*.yaml")))
    if not found:
        raise LevelError(f"{folder}: there are no level files (*.yaml) here; check the path")
    return found


@kernel
def change_luck(levels: Any, hidden: Any, luck: int) -> None:
    """Give each lane another luck: the same level and the same faults, other draws of attempts and news."""
    for n in range(len(levels)):
        level = levels[n]
        for f in range(level.functions):
            for g in range(level.functions):
                clash = clashes(level, hidden[n], f, g)
                hidden[n].clash[f, g] = Clash.CLASHES if clash else Clash.FITS
        level.key = mix(mix(level.key, np.uint64(8)), np.uint64(luck))


def load_puzzles(lanes: Lanes, puzzles: Sequence[Puzzle], first: int) -> None:
    """Put level files into the lanes, in turn."""
    one = Lanes(1, lanes.size, False)
    for i in range(lanes.n):
        puzzles[(first + i) % len(puzzles)].load(one, int(lanes.keys[i]))
        lanes.levels[i], lanes.hidden[i] = one.levels[0], one.hidden[0]


def deal(setting: Setting, first: int, n: int, luck: int = 0) -> Lanes:
    """Lanes at the start of episodes first to first + n - 1.

    Args:
        setting: which levels.
        first: number of the first episode of the setting.
        n: how many.
        luck: 0, or the number of another luck on the same levels with the same faults.
    """
    puzzles = [read_level_file(path) for path in setting.levels]
    split = "test" if puzzles else setting.split
    turns = sources(setting)
    lanes = Lanes(n, size_of(setting, puzzles), True, turns[0])
    for i in range(n):
        lanes.keys[i] = level_key(split, setting.seed + first + i)
    if puzzles:
        load_puzzles(lanes, puzzles, first)
    else:
        turn = (first + np.arange(n)) % len(turns)
        for i, source in enumerate(turns):
            lanes.source = source
            lanes.draw_levels((turn == i).astype(np.uint8))
        lanes.source = turns[0]
    if luck:
        change_luck(lanes.levels, lanes.hidden, luck)
    lanes.begin()
    return lanes


def describe_levels(setting: Setting, lanes: Lanes, first: int, out: np.ndarray) -> None:
    """Fill the fields of episodes [N] that say which level was played; -1 where there is no such thing."""
    turns = sources(setting)
    out["number"] = setting.seed + first + np.arange(lanes.n)
    for name in ("tier", "family", "template", "mix"):
        out[name] = -1
    if setting.levels:
        out["template"] = (first + np.arange(lanes.n)) % len(setting.levels)
        return
    turn = (first + np.arange(lanes.n)) % len(turns)
    out["mix"] = [MIX_NAMES.index(turns[i].mix) for i in turn]
    if turns[0].templates:
        out["template"] = template_numbers(turns[0].templates, lanes.levels["key"])
        return
    for n, key in enumerate(lanes.levels["key"]):
        out["tier"][n], out["family"][n] = turns[turn[n]].tier_and_family(key)
