"""A training that was cut ends as an uncut one, wherever it was cut, and says how to go on."""

from __future__ import annotations

import itertools
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sb3_contrib import MaskablePPO
from tiny_training import TAUGHT, fqg, only_sentence, recipe_file

from training import cli
from training.learning import ppo
from training.learning.lane_groups import LaneGroups
from training.learning.out_folder import CHECKPOINT, NEW
from training.learning.ppo import Interrupted, train
from training.learning.sb3_policy import PointerPolicy
from training.learning.teacher import Teacher
from training.learning.vec_env import ConductorVecEnv

PLACES = {
    "teacher plays": (Teacher, "play"),
    "teacher learns": (Teacher, "slow_down"),
    "rollout": (MaskablePPO, "collect_rollouts"),
    "step": (ConductorVecEnv, "step_wait"),
    "begin": (LaneGroups, "begin"),  # some lanes are over, and have not begun anew
    "update": (PointerPolicy, "evaluate_actions"),
}


@pytest.fixture(autouse=True)
def ctrl_c_is_heard() -> Iterator[None]:
    """Also where the tests run in the background of a shell, which lets Ctrl-C pass by."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def uncut(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("uncut")
    train(TAUGHT, 0, out)
    return out


def policy(out: Path) -> bytes:
    return (out / "policy" / "policy.onnx").read_bytes()


def cut_at(patch: pytest.MonkeyPatch, place: str, nth: int) -> None:
    """Ctrl-C as the nth call begins."""
    owner, name = PLACES[place]
    real, calls = getattr(owner, name), itertools.count(1)

    def cut(*args: Any, **kwargs: Any) -> Any:
        if next(calls) == nth:
            signal.raise_signal(signal.SIGINT)
        return real(*args, **kwargs)

    patch.setattr(owner, name, cut)


@pytest.mark.parametrize(
    ("place", "nth"),
    [
        ("teacher plays", 1),
        ("teacher plays", 3),
        ("teacher learns", 5),
        *(("rollout", n) for n in (1, 2, 3, 4)),  # after no update, and after each
        ("step", 8),
        ("step", 16),
        ("begin", 9),
        ("update", 7),
    ],
)
def test_a_cut_training_ends_with_the_policy_of_an_uncut_one(
    uncut: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, nth: int
) -> None:
    with monkeypatch.context() as patch:
        cut_at(patch, place, nth)
        with pytest.raises(Interrupted):
            train(TAUGHT, 0, tmp_path)
    assert not (tmp_path / "policy").exists()
    result = train(TAUGHT, 0, tmp_path, resume=True)
    assert (result["labels"], result["steps"]) == (96, 256)
    assert policy(tmp_path) == policy(uncut)


@pytest.mark.parametrize(
    ("place", "nth", "labels", "steps"),
    [
        ("teacher plays", 2, 32, 0),
        ("rollout", 1, 96, 0),
        ("rollout", 3, 96, 64),
        ("step", 18, 96, 128),
    ],
)
def test_a_cut_costs_no_more_than_a_rollout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, nth: int, labels: int, steps: int
) -> None:
    with monkeypatch.context() as patch:
        cut_at(patch, place, nth)
        with pytest.raises(Interrupted):
            train(TAUGHT, 0, tmp_path)
    kept = tmp_path / CHECKPOINT
    assert torch.load(kept / "teacher.pt", weights_only=True)["labels"] == labels
    assert MaskablePPO.load(kept / "model.zip", device="cpu").num_timesteps == steps


def test_a_training_may_be_cut_again_and_again(
    uncut: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place, nth in (("step", 3), ("update", 3), ("step", 6), ("rollout", 2)):
        with monkeypatch.context() as patch:
            cut_at(patch, place, nth)
            with pytest.raises(Interrupted):
                train(TAUGHT, 0, tmp_path, resume=(tmp_path / CHECKPOINT).exists())
    train(TAUGHT, 0, tmp_path, resume=True)
    assert policy(tmp_path) == policy(uncut)


def test_a_second_ctrl_c_is_heard_when_the_checkpoint_is_written(
    uncut: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, savez, pressed = tmp_path / "out", np.savez, []

    def press_again(*args: Any, **kwargs: Any) -> None:
        pressed.append(signal.raise_signal(signal.SIGINT))
        savez(*args, **kwargs)

    arguments = ("train", "--recipe", recipe_file(tmp_path, TAUGHT), "--out", out)
    with monkeypatch.context() as patch:
        cut_at(patch, "step", 12)
        patch.setattr(np, "savez", press_again)
        result = fqg(*arguments)
    assert pressed and result.exit_code == 130
    assert "go on with: fqg train --recipe" in only_sentence(result)
    assert {path.name for path in out.iterdir()} - {"tensorboard"} == {CHECKPOINT}
    assert fqg(*arguments, "--resume").exit_code == 0
    assert policy(out) == policy(uncut)


def test_once_all_is_said_nothing_is_left_to_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = recipe_file(tmp_path, TAUGHT)
    monkeypatch.setattr(sys, "argv", ["fqg", "train", "--recipe", recipe, "--out", f"{tmp_path}/o"])
    cut_at(monkeypatch, "teacher plays", 2)
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 130 and "go on with: fqg train" in capsys.readouterr().err
    signal.raise_signal(signal.SIGINT)  # while the interpreter ends


def test_ctrl_c_while_the_policy_is_written_leaves_it_whole(
    uncut: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = ppo.export

    def press(*args: Any, **kwargs: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        export(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(ppo, "export", press)
        with pytest.raises(Interrupted):
            train(TAUGHT, 0, tmp_path)
    assert policy(tmp_path) == policy(uncut)
    assert (tmp_path / "result.json").exists() and not (tmp_path / NEW).exists()


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ({"labels": 96}, "optimizer"),
        ({"labels": "many", "optimizer": {}}, "no number of labels"),
        (["labels"], "list"),
        (None, "exp_avg: it is of another network"),
    ],
)
def test_a_broken_teacher_is_told_like_other_damage(
    uncut: Path, tmp_path: Path, state: object, says: str
) -> None:
    out = Path(shutil.copytree(uncut, tmp_path / "out"))
    file = out / CHECKPOINT / "teacher.pt"
    if state is None:
        state = torch.load(file, weights_only=True)
        moments = state["optimizer"]["state"].values()
        one = next(each for each in moments if each["exp_avg"].dim())
        one["exp_avg"] = one["exp_avg"][:1]
    torch.save(state, file)
    result = fqg("train", "--recipe", recipe_file(tmp_path, TAUGHT), "--out", out, "--resume")
    assert result.exit_code == 2, result.output
    assert f"{out / CHECKPOINT}: it is damaged (" in only_sentence(result)
    assert says in only_sentence(result)
    assert only_sentence(result).endswith("train anew with --force")
