"""A full disk: one sentence names the file and says how to go on, and the last checkpoint is as it was."""

from __future__ import annotations

import errno
import shutil
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
from full_disk import largest_file
from tiny_training import TINY, fqg, only_sentence, recipe_file

from conductor_agent.whole_file import write_whole
from training.learning import ppo
from training.learning.out_folder import CHECKPOINT
from training.learning.ppo import train
from training.terminal import command


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole")
    train(TINY, 0, out)
    return out


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_full_disk_leaves_the_last_checkpoint_and_says_how_to_go_on(
    whole: Path, tmp_path: Path
) -> None:
    out = Path(shutil.copytree(whole, tmp_path / "out"))
    before = contents(out / CHECKPOINT)
    recipe = recipe_file(tmp_path, steps=192)
    arguments = ("train", "--recipe", recipe, "--out", out, "--resume")
    with largest_file(20_000):
        result = fqg(*arguments)
    assert result.exit_code == 2, result.output
    said = only_sentence(result)
    assert f"{out}/checkpoint.new/lanes.npz: File too large; make room, then go on with: " in said
    assert said.endswith(f"fqg train --recipe {recipe} --seed 0 --out {out} --resume")
    assert contents(out / CHECKPOINT) == before
    assert not (out / "checkpoint.new").exists()  # it would take what room there is
    assert fqg(*arguments).exit_code == 0


def test_without_a_checkpoint_the_same_command_starts_again(whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ("train", "--recipe", recipe_file(tmp_path), "--out", out)
    with largest_file(20_000):
        result = fqg(*arguments)
    assert result.exit_code == 2
    assert "lanes.npz: File too large; make room, then run the same" in only_sentence(result)
    assert fqg(*arguments).exit_code == 0


def test_a_disk_that_is_full_from_the_start_is_said_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=4096))
    monkeypatch.setattr(ppo, "learn", None)
    result = fqg("train", "--recipe", recipe_file(tmp_path), "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert f"{tmp_path}/out: the disk is full; make room" in only_sentence(result)


def test_no_room_for_the_policy_keeps_the_one_before(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = Path(shutil.copytree(whole, tmp_path / "out"))
    before = contents(out / "policy")
    monkeypatch.setattr(ppo, "save_checkpoint", lambda *_: None)
    recipe = recipe_file(tmp_path, steps=192)
    with largest_file(20_000):
        result = fqg("train", "--recipe", recipe, "--out", out, "--resume")
    assert result.exit_code == 2
    assert f"{out}/policy: File too large; make room, then go on" in only_sentence(result)
    assert contents(out / "policy") == before


def test_no_room_for_the_logs_is_told_once(whole: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    out, recipe = tmp_path / "out", recipe_file(tmp_path)
    with largest_file(16):
        result = fqg("train", "--recipe", recipe, "--out", out)
    assert result.exit_code == 2, result.output
    assert f"{out}/tensorboard: File too large; make room" in only_sentence(result)


def test_an_error_of_a_disk_in_a_thread_is_left_to_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorBoard's thread dies of it and ours raises it again; whatever else goes wrong in one is printed."""
    printed = []
    monkeypatch.setattr(threading, "excepthook", lambda told: printed.append(told.exc_type))

    def fails(error: Exception) -> None:
        raise error

    with ppo.told_once():
        for error in (OSError(errno.ENOSPC, "full"), ValueError("a bug")):
            thread = threading.Thread(target=fails, args=(error,))
            thread.start()
            thread.join()
    assert printed == [ValueError]


@pytest.mark.parametrize(
    ("number", "code"), [(errno.ENOSPC, 2), (errno.EDQUOT, 2), (errno.EIO, None)]
)
def test_every_command_tells_a_full_disk(
    number: int, code: int | None, capsys: pytest.CaptureFixture[str]
) -> None:
    @command
    def writes() -> None:
        raise OSError(number, "so it is", "report.html")

    if code is None:
        with pytest.raises(OSError, match="so it is"):
            writes()
        return
    with pytest.raises(typer.Exit) as end:
        writes()
    assert end.value.exit_code == code
    said = capsys.readouterr().err
    assert said == "fqg: report.html: so it is; make room, then run the same command again\n"


def test_a_page_is_written_whole_or_the_one_before_stays(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    write_whole(page, b"the one before")
    with largest_file(10_000), pytest.raises(OSError, match="File too large"):
        write_whole(page, b"x" * 20_000)
    assert contents(tmp_path) == {"page.html": b"the one before"}
