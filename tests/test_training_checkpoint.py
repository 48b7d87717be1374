"""Checkpoints: whose they are, that a cut loses none, and what is said of a damaged one."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from tiny_training import TINY, fqg, only_sentence, recipe_file

from fqg_env.errors import LevelError
from policies.recovery.policy_file import read_policy_file
from training.learning import checkpoint, confidence, ppo
from training.learning.checkpoint import find_checkpoint
from training.learning.out_folder import CHECKPOINT, NEW, OLD
from training.learning.pointer_network import Conductor
from training.learning.ppo import Interrupted, train
from training.quickstart import claim


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that is done, of seed 0."""
    out = tmp_path_factory.mktemp("whole")
    train(TINY, 0, out)
    return out


@pytest.fixture
def trained(whole: Path, tmp_path: Path) -> Path:
    """A copy of it to spoil."""
    return Path(shutil.copytree(whole, tmp_path / "out"))


def killed(*_: object, **__: object) -> None:
    raise SystemExit("killed")


def test_a_fresh_start_leaves_nothing_of_another_seed(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seed 1 is killed before its first checkpoint: there is nothing to go on from, and no policy of seed 0."""
    with monkeypatch.context() as patch:
        patch.setattr(ppo, "new_model", killed)
        with pytest.raises(SystemExit):
            train(TINY, 1, trained, force=True)
    assert not (trained / "policy" / "policy.onnx").exists()
    for seed in (0, 1):
        with pytest.raises(LevelError, match="no checkpoint to go on from"):
            train(TINY, seed, trained, resume=True)


def test_the_checkpoint_itself_says_whose_it_is(trained: Path) -> None:
    begun = "begun with recipe 'tiny' and seed 0, as they were then "
    with pytest.raises(LevelError, match=rf"{begun}\(seed: 0 then, 1 now\); name those"):
        find_checkpoint(trained, TINY, 1)
    with pytest.raises(LevelError, match=rf"{begun}\(hidden: 8 then, 9 now\); name those"):
        find_checkpoint(trained, TINY.model_copy(update={"hidden": 9}), 0)
    longer = TINY.model_copy(update={"steps": 10**6})
    assert find_checkpoint(trained, longer, 0) == trained / CHECKPOINT


def test_fewer_steps_than_are_done_are_told(trained: Path, tmp_path: Path) -> None:
    """A last rollout that was not needed whole counts as asked for."""
    arguments = ("train", "--out", trained, "--resume", "--recipe")
    result = fqg(*arguments, recipe_file(tmp_path, steps=64))
    assert result.exit_code == 2
    assert only_sentence(result).endswith(
        "128 steps are done and the recipe asks for 64; ask for as many or more, or name another folder "
        "with --out"
    )
    assert fqg(*arguments, recipe_file(tmp_path, steps=65)).exit_code == 0


def test_an_earlier_training_is_not_overwritten_unasked(trained: Path, tmp_path: Path) -> None:
    before = (trained / "policy" / "policy.onnx").read_bytes()
    arguments = ("train", "--recipe", recipe_file(tmp_path), "--seed", "1", "--out", trained)
    result = fqg(*arguments)
    assert result.exit_code == 2
    for way in ("--out", "--resume", "--force"):
        assert way in only_sentence(result)
    assert (trained / "policy" / "policy.onnx").read_bytes() == before
    assert fqg(*arguments, "--force", "--resume").exit_code == 2
    result = fqg(*arguments, "--force", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["seed"] == 1
    assert read_policy_file(trained / "policy")[0].recipe["seed"] == 1


def test_a_training_leaves_only_what_is_documented(whole: Path) -> None:
    left = {path.name for path in whole.iterdir()} - {"tensorboard"}
    assert left == {CHECKPOINT, "policy", "result.json", "curve.json"}


@pytest.mark.parametrize("cut_at", [1, 2])
def test_a_cut_of_the_swap_loses_nothing(
    trained: Path, monkeypatch: pytest.MonkeyPatch, cut_at: int
) -> None:
    """Cut before either renaming: the last checkpoint is found, also by the save that comes next."""
    shutil.copytree(trained / CHECKPOINT, trained / NEW)
    renamed = Path.replace
    calls = []

    def replace(self: Path, target: Path) -> Path:
        calls.append(self)
        return killed() if len(calls) == cut_at else renamed(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", replace)
        with pytest.raises(SystemExit):
            checkpoint.swap_in(trained)
    found = find_checkpoint(trained, TINY, 0)
    assert found.name == (CHECKPOINT, OLD)[cut_at - 1]
    monkeypatch.setattr(np, "savez", killed)  # the next save is cut as well, while it writes
    with pytest.raises(SystemExit):
        train(TINY.model_copy(update={"steps": 256}), 0, trained, resume=True)
    assert find_checkpoint(trained, TINY, 0) == found


def test_after_a_cut_swap_training_goes_on(trained: Path) -> None:
    (trained / CHECKPOINT).rename(trained / OLD)
    result = train(TINY.model_copy(update={"steps": 192}), 0, trained, resume=True)
    assert result["steps"] == 192
    assert (trained / CHECKPOINT).exists() and not (trained / OLD).exists()


def spoil(folder: Path, damage: str) -> None:
    """Damage one file of a checkpoint."""
    match damage:
        case "no curve":
            (folder / "curve.json").unlink()
        case "curve of text":
            (folder / "curve.json").write_text('[{"steps": "many"}]')
        case "curve of nothing":
            (folder / "curve.json").write_text("{}")
        case "cut model":
            (folder / "model.zip").write_bytes((folder / "model.zip").read_bytes()[:500])
        case "broken weights":
            with zipfile.ZipFile(folder / "model.zip") as old:
                parts = {name: old.read(name) for name in old.namelist()}
            with zipfile.ZipFile(folder / "model.zip", "w") as new:
                for name, data in parts.items():
                    new.writestr(name, b"nonsense" if name == "policy.pth" else data)
        case "short torch state":
            with np.load(folder / "lanes.npz") as data:
                arrays = dict(data)
            arrays["torch_state"] = arrays["torch_state"][:10]
            np.savez(folder / "lanes.npz", **arrays)
        case "no lanes":
            (folder / "lanes.npz").unlink()
        case "recipe is a list":
            (folder / "recipe.json").write_text("[]")
        case "recipe without a seed":
            (folder / "recipe.json").write_text(TINY.model_dump_json())
        case "no recipe":
            (folder / "recipe.json").unlink()


@pytest.mark.parametrize(
    "damage",
    [
        "no curve",
        "curve of text",
        "curve of nothing",
        "cut model",
        "broken weights",
        "short torch state",
        "no lanes",
        "recipe is a list",
        "recipe without a seed",
        "no recipe",
    ],
)
def test_a_damaged_checkpoint_gets_one_sentence(trained: Path, tmp_path: Path, damage: str) -> None:
    spoil(trained / CHECKPOINT, damage)
    result = fqg("train", "--recipe", recipe_file(tmp_path), "--out", trained, "--resume")
    assert result.exit_code == 2, result.output
    assert str(trained / CHECKPOINT) in only_sentence(result)
    assert only_sentence(result).endswith("train anew with --force")


def test_a_cut_of_the_last_fit_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*_: object) -> float:
        raise KeyboardInterrupt

    out = tmp_path / "out of here"
    arguments = ("train", "--recipe", recipe_file(tmp_path), "--out", out)
    with monkeypatch.context() as patch:
        patch.setattr(ppo, "fit_confidence", cut)
        result = fqg(*arguments)
        assert result.exit_code == 130
        assert "go on with: fqg train --recipe" in only_sentence(result)
        assert f"'{out}' --resume" in only_sentence(result)
        with pytest.raises(Interrupted):
            train(TINY, 0, out, resume=True)
    assert fqg(*arguments, "--resume").exit_code == 0


def test_a_gpu_that_is_not_there_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ppo.torch.cuda, "is_available", lambda: False)
    result = fqg("train", "--device", "cuda", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "torch finds no GPU here" in only_sentence(result)
    assert not (tmp_path / "out").exists()
    assert ppo.device_named("auto") == "cpu"


def test_a_badly_calibrated_head_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert confidence.calibration_warning(0.1) is None
    arguments = ("train", "--recipe", recipe_file(tmp_path), "--json")
    for error, told in ((0.09, False), (0.25, True)):
        fitted = confidence.Confidence(error, 0.5, 10.0)
        monkeypatch.setattr(
            ppo, "fit_confidence", lambda network, *_, f=fitted: (Conductor(network), f)
        )
        result = fqg(*arguments, "--out", tmp_path / f"out{error}")
        assert ("off by 0.25 on average" in result.stderr) == told
        assert json.loads(result.stdout)["success_ece"] == error


def test_a_quickstart_replaces_a_quickstart_and_nothing_else(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(LevelError, match="no quickstart made"):
        claim(trained)
    assert (trained / CHECKPOINT).exists()
    (trained / "quickstart.json").write_text("{}")
    claim(trained)
    assert not (trained / CHECKPOINT).exists()
    claim(tmp_path / "fresh")
    claim(tmp_path / "fresh")
