"""Read datasets of episodes: batches of decisions as the networks take them, and never all of it in memory.

Letters in shapes: M decisions, C calls.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from minari import MinariDataset

from fqg_env.errors import LevelError
from fqg_env.fields import OBSERVATION_VERSION
from policies.recovery.features import network_inputs
from training.datasets.about import DATA, describe_dataset

POOL = 512
"""Episodes whose decisions lie in memory together, and are shuffled."""


DAMAGE = (
    AssertionError,
    IndexError,
    KeyError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What Minari and h5py raise where a file is not what it was."""


class Decisions(NamedTuple):
    """A batch of logged decisions."""

    inputs: dict[str, np.ndarray]
    """[M, ...] what a network reads, by name."""
    mask: np.ndarray
    """[M, 2 + C] 1 where an action was legal."""
    action: np.ndarray
    """[M] what was chosen."""
    return_to_go: np.ndarray
    """[M] the rewards from this decision on."""


@contextmanager
def reading(folder: Path) -> Iterator[None]:
    """A block that reads the file of a dataset.

    Raises:
        LevelError: the file is damaged.
    """
    try:
        yield
    except DAMAGE:
        raise LevelError(
            f"{folder}: the dataset is damaged; make it again, in another folder"
        ) from None


def open_dataset(folder: Path) -> MinariDataset:
    """The dataset in a folder.

    Raises:
        LevelError: there is none, or it is of another version of the observation, or damaged.
    """
    version = describe_dataset(folder)["observation_version"]
    if version != OBSERVATION_VERSION:
        raise LevelError(
            f"{folder}: its observations are of version {version}, and those of this game of version "
            f"{OBSERVATION_VERSION}; make the dataset again"
        )
    with reading(folder):
        dataset = MinariDataset(folder / DATA)
        dataset[len(dataset) - 1]
    return dataset


def open_datasets(folders: Sequence[Path | str]) -> list[MinariDataset]:
    """The datasets in folders, all of one size of level.

    Raises:
        LevelError: one cannot be opened, or their levels are padded to different sizes.
    """
    datasets = [open_dataset(Path(folder)) for folder in folders]
    for folder, dataset in zip(folders, datasets, strict=True):
        if dataset.observation_space != datasets[0].observation_space:
            raise LevelError(
                f"{folder}: its levels are of another size than those of {folders[0]}; "
                "read datasets of one size together"
            )
    return datasets


def returns_to_go(rewards: np.ndarray) -> np.ndarray:
    """[T] of rewards [T]: the sum of those from each decision on."""
    return rewards[::-1].cumsum()[::-1]


def together(episodes: Sequence[Any], names: tuple[str, ...]) -> Decisions:
    """All decisions of some episodes of Minari's; the board on which one ended is no decision."""
    observation = {
        name: np.concatenate([episode.observations[name][:-1] for episode in episodes])
        for name in episodes[0].observations
    }
    mask = np.concatenate([episode.infos["action_mask"][:-1] for episode in episodes])
    return Decisions(
        network_inputs(observation, mask, names),
        mask,
        np.concatenate([episode.actions for episode in episodes]),
        np.concatenate([returns_to_go(episode.rewards) for episode in episodes]),
    )


def picked(decisions: Decisions, which: np.ndarray) -> Decisions:
    """Some of the decisions, by number."""
    inputs = {name: array[which] for name, array in decisions.inputs.items()}
    return Decisions(inputs, *(array[which] for array in decisions[1:]))


def read_decisions(
    datasets: Sequence[MinariDataset],
    names: tuple[str, ...],
    batch: int,
    random: np.random.Generator,
) -> Iterator[Decisions]:
    """Every decision of the datasets once, in batches of at most so many.

    Args:
        datasets: of levels of one size, see `open_datasets`.
        names: what the network reads, see training/learning/inputs.py.
        batch: decisions in a batch; the last of each pool of episodes may have fewer.
        random: draws the order of episodes, and that of the decisions of each pool.

    Raises:
        LevelError: the file of a dataset is damaged.
    """
    every = np.array([(i, e) for i, one in enumerate(datasets) for e in one.episode_indices])
    order = random.permutation(every)
    for first in range(0, len(order), POOL):
        pool = order[first : first + POOL]
        episodes: list[Any] = []
        for i, one in enumerate(datasets):
            with reading(one.storage.data_path.parent):
                episodes += one.iterate_episodes(pool[pool[:, 0] == i, 1])
        decisions = together(episodes, names)
        shuffled = random.permutation(len(decisions.action))
        for start in range(0, len(shuffled), batch):
            yield picked(decisions, shuffled[start : start + batch])
