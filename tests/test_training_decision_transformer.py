"""The Decision Transformer: it imitates, heeds the return that it is asked for, and stays within the rules."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_training import only_sentence
from typer.testing import CliRunner, Result

pytest.importorskip("torch", reason="comes with the extra `train`")
pytest.importorskip("minari", reason="comes with the extra `datasets`")

import minari
import torch

from fqg_env.rules import STOP
from policies.recovery.base import Decision, certain
from training.datasets.decision_transformer import (
    Conditioned,
    DecisionTransformer,
    app,
    judged,
    load,
    loss_of,
    spent,
    train,
)
from training.datasets.reader import open_datasets, picked, read_decisions
from training.datasets.write import write_dataset
from training.judging.episodes import observations
from training.judging.setting import Setting, deal


class Stops:
    """It stops at once: a return of 0."""

    name = "stops"

    def decide(self, observation, mask) -> Decision:
        return certain(np.full(len(mask), STOP), mask.shape[1], self.name)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Episodes of `index`, and episodes that are stopped at once."""
    out = tmp_path_factory.mktemp("logs")
    setting = Setting("train", episodes=12, tiers=(3, 8))
    write_dataset(out / "index", "index", setting)
    write_dataset(out / "stops", f"{__name__}:Stops", setting)
    return [out / "index", out / "stops"]


@pytest.fixture(scope="module")
def learned(folders: list[Path]) -> tuple[DecisionTransformer, float]:
    return train(open_datasets(folders), steps=60, seed=0)


def everything(folders: list[Path]) -> Any:
    random = np.random.default_rng(0)
    return next(read_decisions(open_datasets(folders), DecisionTransformer.inputs, 10**6, random))


def test_it_learns_what_was_logged(
    folders: list[Path], learned: tuple[DecisionTransformer, float]
) -> None:
    batch = everything(folders)
    fresh = DecisionTransformer()
    with torch.no_grad():
        before, after = loss_of(fresh, batch).item(), loss_of(learned[0], batch).item()
    chance = np.log(batch.mask.sum(1)).mean()
    assert before == pytest.approx(chance, rel=0.01)  # it does not begin as the index rule
    assert after < 0.5 * chance
    assert learned[1] == pytest.approx(after, abs=0.3 * chance)


def test_of_what_was_illegal_it_learns_nothing(folders: list[Path]) -> None:
    """Somebody's own policy may have been refused; a loss of a billion would drown all that was legal."""
    batch = everything(folders)
    illegal, rows = batch.action.copy(), np.arange(0, len(batch.action), 3)
    illegal[rows] = (batch.mask[rows] == 0).argmax(1)
    assert (batch.mask[rows, illegal[rows]] == 0).all()
    kept = np.setdiff1d(np.arange(len(batch.action)), rows)
    network = DecisionTransformer()
    with torch.no_grad():
        found = loss_of(network, batch._replace(action=illegal)).item()
        assert found == pytest.approx(loss_of(network, picked(batch, kept)).item(), rel=1e-4)
        none = picked(batch._replace(action=illegal), rows)
        assert loss_of(network, none).item() == 0.0


def test_what_it_is_asked_for_changes_what_it_does(
    learned: tuple[DecisionTransformer, float],
) -> None:
    """Who asks for nothing gets a STOP, as in the log; who asks for more gets attempts."""
    lanes = deal(Setting("validation", episodes=64, tiers=(3, 8)), 0, 64)
    stops = [
        Conditioned(learned[0], target)
        .decide(observations(lanes), lanes.masks)
        .probabilities[:, STOP]
        for target in (0.0, 0.9)
    ]
    assert stops[0].mean() > stops[1].mean() + 0.3


def test_one_that_is_blind_to_returns_does_not_heed_them(folders: list[Path]) -> None:
    network, _ = train(open_datasets(folders), steps=2, seed=0, blind=True)
    lanes = deal(Setting("validation", episodes=16), 0, 16)
    low, high = (
        Conditioned(network, target).decide(observations(lanes), lanes.masks).probabilities
        for target in (0.0, 0.9)
    )
    assert (low == high).all() and np.ptp(low) > 0.0


def test_it_is_asked_for_what_is_left_of_the_target(folders: list[Path]) -> None:
    """What a policy works out of one board is what the log says has been paid until then."""
    checked = 0
    for episode in minari.MinariDataset(folders[0] / "data"):
        so_far = np.concatenate([[0.0], episode.rewards.cumsum()[:-1]])
        known = spent(episode.observations["run"][:-1])
        assert known == pytest.approx(-so_far, abs=1e-6)
        checked += int((known > 0.0).sum())
    assert checked > 30


def test_it_takes_legal_actions_alone(learned: tuple[DecisionTransformer, float]) -> None:
    policy = Conditioned(learned[0], 0.6)
    setting = Setting("validation", episodes=64, tiers=(6, 20))
    episodes = judged(policy, setting)
    assert len(episodes) == 64 and (episodes["refused"] == 0).all()
    assert episodes["attempts"].sum() > 64
    lanes = deal(setting, 0, 64)
    one = np.zeros_like(lanes.masks)
    one[np.arange(64), np.arange(64) % one.shape[1]] = 1  # whatever it would rather do
    decision = policy.decide(observations(lanes), one)
    assert (decision.action == np.arange(64) % one.shape[1]).all()
    assert decision.probabilities.sum(1) == pytest.approx(1.0)


def test_the_seed_decides(folders: list[Path]) -> None:
    logs = open_datasets(folders)
    first, again, other = (
        torch.cat([p.flatten() for p in train(logs, steps=2, seed=seed)[0].parameters()])
        for seed in (3, 3, 4)
    )
    assert torch.equal(first, again) and not torch.equal(first, other)


def transformer(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_the_command_judges_each_target_and_keeps_the_policy(
    folders: list[Path], tmp_path: Path
) -> None:
    arguments = ["--out", tmp_path, "--steps", 2, "--episodes", 32, "--targets", "0,0.5"]
    for folder in folders:
        arguments += ["--dataset", folder]
    result = transformer(*arguments, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert json.loads((tmp_path / "result.json").read_text()) == told
    assert list(told["targets"]) == ["0", "0.5"]
    assert told["index"]["over_index"] == 0.0
    by_hand = np.mean([e.rewards.sum() for f in folders for e in minari.MinariDataset(f / "data")])
    assert told["data_return_mean"] == pytest.approx(by_hand)
    again = judged(load(tmp_path, 0.5), Setting("validation", episodes=32, tiers=(6, 20)))
    assert told["targets"]["0.5"]["return_mean"] == pytest.approx(again["return"].mean())
    table = transformer(*arguments).stdout
    assert "asked for" in table and "(index)" in table


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--dataset", "nowhere"), "nowhere: there is no dataset of Function Quest here"),
        (
            ("--dataset", "nowhere", "--targets", "high"),
            "--targets 'high': write returns separated",
        ),
        (("--dataset", "nowhere", "--targets", "0.5,nan"), "--targets '0.5,nan': write returns"),
        (("--dataset", "nowhere", "--targets", "1e400"), "--targets '1e400': write returns"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    result = transformer("--out", tmp_path / "out", *arguments)
    assert result.exit_code == 2
    assert said in only_sentence(result)
