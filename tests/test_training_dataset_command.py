"""`fqg dataset make | show`: what they write and tell, and what they refuse in a sentence, leaving nothing."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from full_disk import largest_file
from tiny_training import fqg, only_sentence

pytest.importorskip("minari", reason="comes with the extra `datasets`")
pytest.importorskip("h5py", reason="comes with the extra `datasets`")

import minari

from policies.recovery.base import Decision
from policies.recovery.registry import policy_named
from training import terminal
from training.datasets import file as dataset_file
from training.datasets.write import write_dataset
from training.judging.setting import Setting


def test_the_command_makes_and_shows(tmp_path: Path) -> None:
    out = tmp_path / "index-v0"
    arguments = ("--episodes", 3, "--seed", 7, "--tiers", "6-20", "--out", out)
    result = fqg("dataset", "make", "--policy", "index", "--split", "train", *arguments, "--json")
    assert result.exit_code == 0, result.output
    made = json.loads(result.stdout)
    assert made == json.loads(fqg("dataset", "show", out, "--json").stdout)
    assert (made["policy"], made["episodes"], made["seed"], made["tiers"]) == (
        "index",
        3,
        7,
        [6, 20],
    )
    episodes = list(minari.MinariDataset(out / "data"))
    assert made["return_mean"] == pytest.approx(np.mean([e.rewards.sum() for e in episodes]))
    assert made["decisions"] == sum(map(len, episodes))
    told = fqg("dataset", "show", out).stdout
    assert "index-v0: 3 episodes" in told and "index on levels 7 to 9 of train, small" in told


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--policy", "indx"), "there is no policy 'indx'. Did you mean 'index'?"),
        (("--split", "trian"), "there is no split 'trian'. Did you mean 'train'?"),
        (("--size", "smal"), "there is no size 'smal'. Did you mean 'small'?"),
        (("--tiers", "0-9"), "--tiers '0-9': tiers run from 1 to 20"),
        (("--policy", "bayes"), "bayes"),
        (("--split", "exact", "--tiers", "3"), "the templates of 'exact' have no tiers"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(
    tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    out = tmp_path / "out"
    result = fqg("dataset", "make", "--out", out, "--episodes", 2, *arguments)
    assert result.exit_code == 2
    assert said in only_sentence(result)
    assert not out.exists()


def test_a_dataset_is_not_overwritten(tmp_path: Path) -> None:
    write_dataset(tmp_path / "there", "index", Setting("train", episodes=2))
    result = fqg("dataset", "make", "--out", tmp_path / "there", "--episodes", 3)
    assert result.exit_code == 2
    assert f"{tmp_path}/there: there is a dataset here already; name another" in only_sentence(
        result
    )
    assert minari.MinariDataset(tmp_path / "there/data").total_episodes == 2


def test_where_there_is_no_dataset_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for content in (None, "{", "[]", '{"dataset_id": "of-others-v0"}'):
        if content:
            (tmp_path / "data/metadata.json").write_text(content)
        result = fqg("dataset", "show", tmp_path)
        assert result.exit_code == 2
        assert f"{tmp_path}: there is no dataset of Function Quest here" in only_sentence(result)


def test_without_the_extra_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "find_spec", lambda module: None)
    for arguments in (("make", "--out", tmp_path / "out"), ("show", tmp_path)):
        said = only_sentence(fqg("dataset", *arguments))
        assert said.endswith(
            'the extra datasets; install with: pip install "fqg-conductor[datasets]"'
        )


def test_a_full_disk_is_one_sentence_and_leaves_no_dataset(tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ("dataset", "make", "--out", out, "--episodes", 40)
    with largest_file(100_000):
        result = fqg(*arguments)
    assert result.exit_code == 2, result.output
    said = only_sentence(result)
    assert "File too large; make room, then run the same command again" in said
    assert "main_data.hdf5" in said
    assert list(out.iterdir()) == []
    assert fqg(*arguments).exit_code == 0


def test_what_ctrl_c_cuts_leaves_no_dataset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = dataset_file.write_episode

    def pressed(*arguments: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        whole(*arguments)

    monkeypatch.setattr(dataset_file, "write_episode", pressed)
    out = tmp_path / "out"
    result = fqg("dataset", "make", "--out", out, "--episodes", 2)
    assert result.exit_code == 130
    assert "interrupted; run the same command to start again" in only_sentence(result)
    assert list(out.iterdir()) == []


class Raises:
    """Somebody's policy with a bug."""

    name = "raises"

    def decide(self, observation, mask):
        raise ValueError("a bug")


class Mumbles(Raises):
    """Somebody's policy that answers what is no decision."""

    def decide(self, observation, mask):
        return "yes"


class Beyond(Raises):
    """Somebody's policy that answers an action that there is not; the game would refuse it."""

    name = "beyond"

    def decide(self, observation, mask):
        actions = np.full(len(mask), mask.shape[1])
        return Decision(actions, mask.astype(np.float32), np.full(len(mask), self.name, object))


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (Raises, "a bug"),
        (Mumbles, "decide must return"),
        (Beyond, "it answered the action 18; they run from 0 to 17"),
    ],
)
def test_somebodys_own_policy_that_fails_is_one_sentence(
    tmp_path: Path, kind: type, said: str
) -> None:
    assert policy_named(f"{__name__}:{kind.__name__}")
    out = tmp_path / "out"
    result = fqg("dataset", "make", "--policy", f"{__name__}:{kind.__name__}", "--out", out)
    assert result.exit_code == 2
    assert said in only_sentence(result) and f"{__name__}:{kind.__name__}" in only_sentence(result)
    assert list(out.iterdir()) == []
