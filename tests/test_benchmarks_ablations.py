"""The ablations: trained once each, gone on with where they were cut, refused where they are of another recipe."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from tiny_training import TINY, recipe_file

from training.learning import ppo
from training.learning.out_folder import CHECKPOINT
from training.learning.ppo import Interrupted, train
from training.learning.recipe import Recipe

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))
import ablations
import tables


def test_a_difference_bears_its_sign_and_interval() -> None:
    pair = {"difference_mean": 0.04, "difference_ci95": [-0.001, 0.0816]}
    assert tables.signed(pair) == "+0.040 [-0.001, +0.082]"
    assert tables.signed(pair, 4) == "+0.0400 [-0.0010, +0.0816]"
    assert tables.signed(None) == ""
    rows = [("a", "1"), ("b", "2")]
    assert tables.table(("x", "y"), rows) == "| x | y |\n|---|---|\n| a | 1 |\n| b | 2 |"


def test_the_table_has_every_seed_and_leaves_out_what_there_is_not() -> None:
    pair = {"difference_mean": 0.5, "difference_ci95": [0.25, 0.75]}
    result = {
        "all": [{"over_index": pair, "worth": None}] * 2,
        "no_ppo": [{"over_index": pair, "worth": pair}] * 2,
    }
    both = "+0.5000 [+0.2500, +0.7500]; +0.5000 [+0.2500, +0.7500]"
    assert ablations.told(result).splitlines()[2:] == [
        f"| all | {both} |  |",
        f"| no ppo | {both} | {both} |",
    ]


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Trainings of `all`: seed 0 done, seed 1 cut."""
    out = tmp_path / "out"
    train(TINY, 0, out / "all-0")
    with monkeypatch.context() as patch:
        patch.setattr(ppo, "fit_confidence", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(Interrupted):
            train(TINY, 1, out / "all-1")
    return out


def test_what_is_there_is_not_trained_again_and_what_was_cut_goes_on(
    out: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = (out / "all-0" / "result.json").stat().st_mtime_ns
    cut = (out / "all-1" / CHECKPOINT / "curve.json").read_text()
    words = ["--out", out, "--recipe", recipe_file(tmp_path), "--variants", "all", "--seeds", 2]
    assert ablations.main([*map(str, words), "--episodes", "64", "--json"]) == 0
    told = capfd.readouterr()
    assert "all-0: is there\n" in told.err and "2 of 2 trainings after " in told.err
    assert (out / "all-0" / "result.json").stat().st_mtime_ns == before
    assert (out / "all-1" / "curve.json").read_text() == cut  # nothing was left to play
    result = json.loads(told.out)
    assert [len(result["all"]), result["all"][0]["worth"]] == [2, None]
    low, high = result["all"][1]["over_index"]["difference_ci95"]
    assert low <= result["all"][1]["over_index"]["difference_mean"] <= high


def test_a_training_of_another_recipe_is_told_with_what_differs(
    out: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["--out", out, "--recipe", recipe_file(tmp_path, hidden=9), "--seeds", 1]
    assert ablations.main([*map(str, words), "--variants", "all"]) == 4
    assert f"{out / 'all-0'}: it is of another recipe (hidden: 8 then, 9 now); name" in (
        capfd.readouterr().err
    )
    with pytest.raises(ablations.NotTrainedError, match="seed: 0 then, 1 now"):
        ablations.is_done(out / "all-0", TINY, 1)
    (out / "all-0" / "policy" / "manifest.json").write_text("{}")
    with pytest.raises(ablations.NotTrainedError, match="remove"):
        ablations.is_done(out / "all-0", TINY, 0)


def test_every_variant_is_a_recipe() -> None:
    for change in ablations.VARIANTS.values():
        Recipe.model_validate(TINY.model_dump() | change)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--variants", "all,no_pop"), "Did you mean 'no_ppo'?"),
        (("--seeds", "0"), "--seeds and --episodes are 1 or more"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, str], says: str
) -> None:
    with pytest.raises(SystemExit) as end:
        ablations.main(["--out", str(tmp_path), *words])
    assert end.value.code == 2 and says in capsys.readouterr().err
