"""Write datasets of episodes in Minari's format: any policy on any levels, played on the native lanes.

A dataset is a folder: DIR/data/metadata.json says what it is, DIR/data/main_data.hdf5 holds the episodes
(file.py).

Letters in shapes: N lanes, K lanes that are running.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import minari
import numpy as np
from gymnasium.envs.registration import EnvSpec
from minari.dataset.minari_storage import MinariStorage

from conductor_agent.distribution import DISTRIBUTION, installed_version
from fqg_env.errors import LevelError
from fqg_env.faces import action_space, observation_space
from fqg_env.fields import OBSERVATION_VERSION
from fqg_env.lanes import Lanes
from policies.recovery.registry import PolicyError
from training.datasets.about import DATA, OURS, About, describe_dataset, levels_of
from training.datasets.file import EPISODES_FILE, Episode, open_file, write_episodes
from training.disk import NotWritten
from training.judging.blame import blamed
from training.judging.bounds import BAYES, why_no_bayes
from training.judging.contestants import Contestant, thinks
from training.judging.episodes import AnswerError, actions_of, ask
from training.judging.setting import Setting, check_setting, deal, mixes_of
from training.learning.out_folder import check_writable, is_there

NEW = "data.new"
"""Folder in OUT: the dataset while it is written."""
CHUNK, SLOW_CHUNK = 256, 16
"""Episodes played side by side, and those of a policy that thinks."""


def by_lane(parts: Sequence[tuple[np.ndarray, ...]], n: int) -> list[list[np.ndarray]]:
    """Steps, each (lanes [K], then arrays [K, ...]), as a list for each array: the part of each lane."""
    lanes, *arrays = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(lanes, kind="stable")
    ends = np.cumsum(np.bincount(lanes, minlength=n))[:-1]
    return [np.split(array[order], ends) for array in arrays]


def checked(actions: np.ndarray, of: int) -> np.ndarray:
    """Actions [N], of which there are so many; the game refuses others, and Minari has no place for them.

    Raises:
        AnswerError: one is none of them.
    """
    if (none := (actions < 0) | (actions >= of)).any():
        raise AnswerError(f"it answered the action {actions[none][0]}; they run from 0 to {of - 1}")
    return actions


def play_logged(policy: Any, lanes: Lanes, first: int) -> list[Episode]:
    """Let a policy play every lane to its end, and keep all of it; `first` is the level of the first lane.

    Raises:
        AnswerError: the policy answers what is no decision.
    """
    seen, did = [], []
    while (running := np.flatnonzero(lanes.boards["stopped"] == 0)).size:
        seen.append((running, lanes.observations[running], lanes.masks[running]))
        action = checked(actions_of(ask(policy, lanes), lanes.n), lanes.masks.shape[1])
        lanes.step(action)
        did.append((running, action[running], lanes.rewards[running]))
    seen.append((np.arange(lanes.n), lanes.observations.copy(), lanes.masks.copy()))
    lanes.judge()
    whole = zip(*by_lane(seen, lanes.n), *by_lane(did, lanes.n), strict=True)
    return [
        Episode(
            level=first + i,
            observations=boards,
            masks=masks,
            actions=actions,
            rewards=rewards,
            success=bool(lanes.success[i]),
            wrong=bool(lanes.wrong[i]),
        )
        for i, (boards, masks, actions, rewards) in enumerate(whole)
    ]


def dataset_id(out: Path) -> str:
    """The name under which Minari knows the dataset in a folder: the folder's, with a version at its end."""
    name = re.sub(r"[^\w-]+", "-", out.resolve().name, flags=re.ASCII) or "dataset"
    return name if re.search(r"[^-]-v\d+$", name) else f"{name}-v0"


def env_spec(setting: Setting) -> EnvSpec | None:
    """The environment whose `reset(seed=s)` begins the episode of seed s; None where mixes take turns."""
    mixes = mixes_of(setting)
    if len(mixes) > 1:
        return None
    drawn = {"tiers": list(setting.tiers), "mix": mixes[0], "mode": setting.mode}
    return EnvSpec(
        "FunctionQuest-v0",
        entry_point="fqg_env.env:FunctionQuest",
        vector_entry_point="fqg_env.vector_env:VectorFunctionQuest",
        kwargs={
            "size": setting.size,
            "split": setting.split,
            "belief": True,
            **(drawn if setting.drawn else {}),
        },
    )


def new_storage(folder: Path, out: Path, policy: str, setting: Setting) -> MinariStorage:
    """An empty dataset in a folder, which will lie in `out`."""
    storage = MinariStorage.new(
        folder.absolute(),  # it joins a relative one to itself
        observation_space(setting.size, belief=True),
        action_space(setting.size),
        env_spec(setting),
        data_format="hdf5",
        jpeg_encoding=False,  # a table of bytes is no picture
    )
    storage.update_metadata(
        {
            "dataset_id": dataset_id(out),
            "minari_version": minari.__version__,
            "algorithm_name": policy,
            "description": f"Function Quest, played by the policy {policy}.",
            "requirements": [f"{DISTRIBUTION}=={installed_version()}"],
        }
    )
    open_file(folder / EPISODES_FILE).close()
    return storage


def chunks(policy: str, setting: Setting) -> Iterator[list[Episode]]:
    """All episodes of a setting, some at a time.

    Raises:
        PolicyError: the policy cannot be had, or fails.
    """
    player = Contestant(policy, policy).make()
    chunk = SLOW_CHUNK if thinks(player) else CHUNK
    for first in range(0, setting.episodes, chunk):
        lanes = deal(setting, first, min(chunk, setting.episodes - first))
        with blamed(policy):
            episodes = play_logged(player, lanes, setting.seed + first)
        yield episodes


@contextmanager
def unfinished(out: Path) -> Iterator[Path]:
    """A folder in `out` to write in; it takes the dataset's place when the block is done, else it goes."""
    new = out / NEW
    shutil.rmtree(new, ignore_errors=True)  # of a writing that was killed
    try:
        yield new
        new.rename(out / DATA)
    except OSError as error:
        raise NotWritten(error, out) from None
    finally:
        shutil.rmtree(new, ignore_errors=True)


def check(out: Path, policy: str, setting: Setting) -> None:
    """See that a dataset can be written.

    Raises:
        LevelError: the levels cannot be had; or `out` holds a dataset, or cannot be written to.
        PolicyError: the policy cannot be had.
    """
    check_setting(setting)
    Contestant(policy, policy).make()
    if policy == BAYES and (problem := why_no_bayes(setting)):
        raise PolicyError(problem)
    if is_there(out / DATA):
        raise LevelError(f"{out}: there is a dataset here already; name another folder with --out")
    check_writable(out)


def write_dataset(
    out: Path,
    policy: str,
    setting: Setting,
    progress: Callable[[int], None] = lambda done: None,
) -> dict[str, Any]:
    """Play a policy on a setting, write the dataset to `out/data`, and return what `describe_dataset` does.

    A writing that is cut leaves no dataset.

    Raises:
        LevelError, PolicyError: as `check`; or the policy fails.
        NotWritten: a full disk, or one that fails.
    """
    check(out, policy, setting)
    returns: list[float] = []
    successes = decisions = 0
    with unfinished(out) as folder:
        storage = new_storage(folder, out, policy, setting)
        for episodes in chunks(policy, setting):
            write_episodes(folder / EPISODES_FILE, len(returns), episodes)
            returns += [float(episode.rewards.sum()) for episode in episodes]
            successes += sum(episode.success for episode in episodes)
            decisions += sum(len(episode.actions) for episode in episodes)
            progress(len(returns))
        about = About(
            policy=policy,
            **levels_of(setting),
            return_mean=float(np.mean(returns)),
            success_rate=successes / len(returns),
            observation_version=OBSERVATION_VERSION,
            fqg_version=installed_version(),
        )
        storage.update_metadata(
            {
                "total_episodes": len(returns),
                "total_steps": decisions,
                "dataset_size": storage.get_size(),
                OURS: about.model_dump(mode="json"),
            }
        )
    return describe_dataset(out)
