"""The file of the episodes of a dataset, laid out as Minari reads it: a group for each episode.

Minari's own writer spends 130 kB on an episode of a small level; each of its arrays as one compressed block
takes a tenth of that, and reads the same.

Letters in shapes: T decisions of an episode, C calls.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from training.disk import writing
from training.learning.uninterrupted import uninterrupted

EPISODES_FILE = "main_data.hdf5"
SMALL_BYTES = 64
"""What is not worth compressing."""
TABLE_BYTES = 2048
"""More than the file spends on where an array lies and what it is."""


@dataclass(frozen=True)
class Episode:
    """One episode as it was played."""

    level: int
    """The seed of its level."""
    observations: np.ndarray
    """[T + 1] records of the observation, the last one where it ended."""
    masks: np.ndarray
    """[T + 1, 2 + C]"""
    actions: np.ndarray
    """[T]"""
    rewards: np.ndarray
    """[T]"""
    success: bool
    wrong: bool
    """Some delivered goal is bad."""


def fields_of(episode: Episode) -> Iterator[tuple[str, np.ndarray]]:
    """Where each array of an episode lies in its group, and the array."""
    for name in episode.observations.dtype.names or ():
        yield f"observations/{name}", episode.observations[name]
    last = np.arange(len(episode.actions)) == len(episode.actions) - 1
    yield "actions", episode.actions
    yield "rewards", episode.rewards
    yield "terminations", last
    yield "truncations", np.zeros_like(last)
    yield "infos/action_mask", episode.masks.astype(np.int8)


def write_episode(group: Any, number: int, episode: Episode) -> None:
    """Fill the group of an episode: its arrays, and what Minari gives as its metadata."""
    group.attrs.update(
        {
            "id": number,
            "total_steps": len(episode.actions),
            "seed": episode.level,
            "return": float(episode.rewards.sum()),
            "success": episode.success,
            "wrong_delivered": episode.wrong,
        }
    )
    for name, array in fields_of(episode):
        packed = array.nbytes > SMALL_BYTES
        how = (
            {"chunks": array.shape, "compression": "gzip", "compression_opts": 1} if packed else {}
        )
        group.create_dataset(name, data=array, **how)


def open_file(file: Path) -> h5py.File:
    """The file of the episodes; the newest layout of HDF5 spends least on small arrays."""
    return h5py.File(file, "a", libver="latest", track_order=True)


def write_episodes(file: Path, first: int, episodes: Sequence[Episode]) -> None:
    """Append episodes number `first` and up.

    Raises:
        OSError: the disk is full, or fails.
    """
    arrays = [array for episode in episodes for _, array in fields_of(episode)]
    with writing(file):
        set_aside(file, sum(array.nbytes + TABLE_BYTES for array in arrays))
        # h5py swallows Ctrl-C where it lets go of what it has written
        with uninterrupted(), open_file(file) as whole:
            for number, episode in enumerate(episodes, first):
                write_episode(whole.create_group(f"episode_{number}"), number, episode)


def set_aside(file: Path, size_bytes: int) -> None:
    """Let the system keep room at the end of a file: HDF5 crashes the process where a disk is full.

    What is not used is given back when the file is closed.

    Raises:
        OSError: there is no such room.
    """
    with file.open("ab") as end:
        os.posix_fallocate(end.fileno(), end.tell(), size_bytes)
