"""Datasets of episodes: what was played is what is read, by Minari too, and what is damaged is told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_training import fqg, only_sentence

pytest.importorskip("minari", reason="comes with the extra `datasets`")
pytest.importorskip("h5py", reason="comes with the extra `datasets`")

import minari

from fqg_env.arrays import SIZES
from fqg_env.errors import LevelError
from fqg_env.fields import OBSERVATION_VERSION, observation_dtype
from policies.recovery.features import network_inputs
from training.datasets import write as datasets
from training.datasets.reader import open_datasets, read_decisions
from training.datasets.write import chunks, write_dataset
from training.judging.setting import Setting
from training.learning.inputs import SEQUENCE_INPUTS

SETTING = Setting("train", episodes=24, seed=5, tiers=(6, 20))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("datasets") / "code_aware-v3"
    write_dataset(out, "code_aware", SETTING)
    return out


def test_what_was_played_is_what_is_read(folder: Path) -> None:
    """Bit for bit, by Minari's own reader; and the environment plays the same again."""
    dataset = minari.MinariDataset(folder / "data")
    played = [episode for chunk in chunks("code_aware", SETTING) for episode in chunk]
    read = list(dataset.iterate_episodes())
    assert len(read) == len(played) == 24 and dataset.total_steps == sum(map(len, read))
    for was, now in zip(played, read, strict=True):
        assert set(now.observations) == set(dataset.observation_space.spaces)
        for name, values in now.observations.items():
            assert values.dtype == was.observations[name].dtype
            assert values.tobytes() == was.observations[name].tobytes()
        assert (now.actions == was.actions).all() and (now.rewards == was.rewards).all()
        assert (now.infos["action_mask"] == was.masks).all()


def test_the_environment_plays_a_dataset_again(folder: Path) -> None:
    """Level, luck, boards, masks, rewards and ends are those of the Gymnasium environment."""
    dataset = minari.MinariDataset(folder / "data")
    env = dataset.recover_environment()
    assert env.observation_space == dataset.observation_space
    about = dataset.storage.get_episode_metadata(dataset.episode_indices)
    decisions = 0
    for episode, told in zip(dataset.iterate_episodes(), about, strict=True):
        observation, info = env.reset(seed=told["seed"])
        for t, action in enumerate(episode.actions):
            assert info["action_mask"][action] == 1
            assert (info["action_mask"] == episode.infos["action_mask"][t]).all()
            assert all((v == episode.observations[k][t]).all() for k, v in observation.items())
            observation, reward, ended, cut, info = env.step(action)
            assert reward == episode.rewards[t]
            assert (ended, cut) == (episode.terminations[t], episode.truncations[t])
            decisions += 1
        assert all((v == episode.observations[k][-1]).all() for k, v in observation.items())
        assert told["success"] == info["success"]
        assert told["wrong_delivered"] == info["wrong_delivered"]
        assert told["return"] == pytest.approx(env.unwrapped.lanes.truths["episode_return"][0])
        assert episode.terminations.sum() == 1
    assert decisions == dataset.total_steps


def test_minari_finds_it_by_the_name_of_its_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(folder.parent))
    assert minari.load_dataset("code_aware-v3").total_episodes == 24
    assert list(minari.list_local_datasets()) == ["code_aware-v3"]


@pytest.mark.parametrize(
    ("name", "known_as"),
    [
        ("index-v0", "index-v0"),
        ("index", "index-v0"),
        ("my data", "my-data-v0"),
        ("v1", "v1-v0"),
    ],
)
def test_any_folder_has_a_name_that_minari_takes(name: str, known_as: str) -> None:
    assert datasets.dataset_id(Path("datasets") / name) == known_as
    assert minari.dataset.minari_dataset.parse_dataset_id(known_as)[1]


def test_the_chunks_that_are_played_change_no_episode(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = [e for chunk in chunks("index", SETTING) for e in chunk]
    monkeypatch.setattr(datasets, "CHUNK", 7)
    parts = [e for chunk in chunks("index", SETTING) for e in chunk]
    assert [e.level for e in parts] == [e.level for e in whole] == list(range(5, 29))
    assert all((a.actions == b.actions).all() for a, b in zip(whole, parts, strict=True))


def decisions_of(folders: list[Path], batch: int = 32, seed: int = 0) -> list[Any]:
    random = np.random.default_rng(seed)
    return list(read_decisions(open_datasets(folders), SEQUENCE_INPUTS, batch, random))


def test_decisions_come_as_networks_take_them(folder: Path) -> None:
    """Every decision of the log once, with what `network_inputs` gives, its mask and its return to go."""
    batches = decisions_of([folder])
    assert all(len(b.action) <= 32 for b in batches)
    found = {}
    for b in batches:
        for m in range(len(b.action)):
            found[b.inputs["calls"][m].tobytes() + b.inputs["run"][m].tobytes()] = (b, m)
    logged = list(minari.MinariDataset(folder / "data").iterate_episodes())
    assert len(found) == sum(len(b.action) for b in batches) == sum(map(len, logged))
    for episode in logged:
        seen = {name: values[:-1] for name, values in episode.observations.items()}
        inputs = network_inputs(seen, episode.infos["action_mask"][:-1], SEQUENCE_INPUTS)
        for t in range(len(episode)):
            b, m = found[seen["calls"][t].tobytes() + seen["run"][t].tobytes()]
            assert all((b.inputs[k][m] == inputs[k][t]).all() for k in SEQUENCE_INPUTS)
            assert b.action[m] == episode.actions[t] and b.mask[m, b.action[m]] == 1
            assert b.return_to_go[m] == pytest.approx(episode.rewards[t:].sum())


def test_the_order_of_decisions_is_drawn_from_the_seed(folder: Path) -> None:
    one, same, other = (
        np.concatenate([b.action for b in decisions_of([folder], seed=seed)]) for seed in (0, 0, 1)
    )
    assert (one == same).all() and (one != other).any()
    assert sorted(one) == sorted(other)


def test_several_datasets_are_read_side_by_side(folder: Path, tmp_path: Path) -> None:
    write_dataset(tmp_path / "random", "random", SETTING)
    both = sum(len(b.action) for b in decisions_of([folder, tmp_path / "random"]))
    alone = [
        sum(len(b.action) for b in decisions_of([one])) for one in (folder, tmp_path / "random")
    ]
    assert both == sum(alone)
    write_dataset(tmp_path / "standard", "index", Setting("train", episodes=2, size="standard"))
    with pytest.raises(LevelError, match="standard: its levels are of another size than those of"):
        open_datasets([folder, tmp_path / "standard"])


@pytest.mark.parametrize(
    ("setting", "size"),
    [
        (Setting("exact_train", episodes=3), "small"),
        (Setting("train", episodes=4, mix="published,varied", mode="conductor"), "small"),
        (Setting("unseen", episodes=2, size="standard"), "standard"),
    ],
)
def test_any_levels_can_be_logged(tmp_path: Path, setting: Setting, size: str) -> None:
    told = write_dataset(tmp_path / "it", "index", setting)
    dataset = minari.MinariDataset(tmp_path / "it/data")
    boards = next(iter(dataset)).observations
    dtype = observation_dtype(SIZES[size], belief=True)
    assert {k: v.shape[1:] for k, v in boards.items()} == {k: dtype[k].shape for k in boards}
    assert told["tiers"] == (None if setting.split == "exact_train" else [1, 20])
    if "," in setting.mix:
        assert dataset.env_spec is None  # no one environment draws it
        return
    first, _ = dataset.recover_environment().reset(seed=0)
    assert all((first[name] == boards[name][0]).all() for name in first)


def test_another_observation_and_a_damaged_file_are_refused(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "old"
    write_dataset(out, "index", Setting("train", episodes=2))
    metadata = json.loads((out / "data/metadata.json").read_text())
    metadata["function_quest"]["observation_version"] = 1
    (out / "data/metadata.json").write_text(json.dumps(metadata))
    with pytest.raises(LevelError, match=f"of version 1, and .* of version {OBSERVATION_VERSION}"):
        open_datasets([out])
    metadata["function_quest"]["observation_version"] = OBSERVATION_VERSION
    (out / "data/metadata.json").write_text(json.dumps(metadata))
    file = out / "data/main_data.hdf5"
    file.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(LevelError, match="old: the dataset is damaged; make it again"):
        open_datasets([out])


def test_damage_in_the_middle_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    """Wherever it lies, and not only where the last episode does: whoever reads all of it is told."""
    out = tmp_path / "hurt"
    shutil.copytree(folder, out)
    file = out / "data/main_data.hdf5"
    whole, told = file.read_bytes(), 0
    for start in range(0, len(whole) - 4096, len(whole) // 40):
        file.write_bytes(whole[:start] + bytes(4096) + whole[start + 4096 :])
        try:
            decisions_of([out])
        except LevelError as problem:
            assert (
                str(problem) == f"{out}: the dataset is damaged; make it again, in another folder"
            )
            told += 1
    assert told > 30  # what is left lay in room that holds nothing
    file.write_bytes(whole)
    decisions_of([out])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("total_episodes", "many"),
        ("total_episodes", 0),
        ("total_steps", []),
        ("dataset_size", "large"),
        ("function_quest.tiers", 3),
        ("function_quest.seed", -1),
        ("function_quest.size", None),
        ("function_quest.return_mean", "good"),
        ("function_quest", {}),
    ],
)
def test_metadata_that_is_damaged_is_one_sentence(
    folder: Path, tmp_path: Path, key: str, value: Any
) -> None:
    out = tmp_path / "hurt"
    shutil.copytree(folder, out)
    file = out / "data/metadata.json"
    metadata = json.loads(file.read_text())
    *path, last = key.split(".")
    (metadata[path[0]] if path else metadata)[last] = value
    file.write_text(json.dumps(metadata))
    said = only_sentence(fqg("dataset", "show", out))
    assert f"{file}: {key}" in said and "is not what `fqg dataset make` writes" in said
    with pytest.raises(LevelError, match=key):
        open_datasets([out])


def test_a_relative_folder_is_written_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_dataset(Path("datasets/index-v0"), "index", Setting("train", episodes=2))
    (dataset,) = open_datasets([Path("datasets/index-v0")])
    assert dataset.total_episodes == 2 and [p.name for p in tmp_path.iterdir()] == ["datasets"]
