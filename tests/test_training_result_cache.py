"""Results on disk: the same again is not played, anything that may change a figure is, and nothing corrupt is read."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing import active_children
from pathlib import Path

import hand_drawn
import numpy as np
import pytest

from fqg_env.puzzle import Puzzle, write_puzzle
from training.judging import evaluate as judge
from training.judging import result_cache
from training.judging.contestants import Contestant, Thinking
from training.judging.episodes import play_chunk
from training.judging.evaluate import evaluate
from training.judging.result_cache import (
    OURS,
    PACKAGES,
    ROOT,
    ResultCache,
    code_files,
    default_folder,
    packed,
    unpacked,
)
from training.judging.setting import Setting, level_files

INDEX = Contestant("a", "index")
SETTING = Setting(episodes=20, tiers=(10, 20))
CHUNK = (0, 20, 0)


def told(cache: ResultCache | None, **policies: str) -> dict:
    """The figures without times, which are measured anew."""
    result = evaluate(policies, SETTING, cache=cache)
    for figures in result["policies"].values():
        for name in ("decision_ms_p50", "decision_ms_p99", "decision_ms_batched"):
            figures.pop(name)
    return result


def test_what_was_played_is_not_played_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = ResultCache(tmp_path)
    first = told(cache, index="index")
    monkeypatch.setattr(judge, "play_chunk", None)  # nobody plays any more
    again = ResultCache(tmp_path)
    assert told(again, index="index") == first
    assert again.hits > 0 == cache.hits
    with_another = told(again, renamed="index")
    assert with_another["policies"]["renamed"] == first["policies"]["index"]


def test_figures_are_those_without_a_cache(tmp_path: Path) -> None:
    cache = ResultCache(tmp_path)
    kept = [told(cache, index="index", retry="retry") for _ in range(2)]
    assert kept[0] == kept[1] == told(None, index="index", retry="retry")


def test_what_was_cut_goes_on_where_it_was(tmp_path: Path) -> None:
    """Two processes, cut by Ctrl-C after the first chunk: no process is left, and the chunk is kept."""

    def cut(label: str, n: int) -> None:
        if n:
            raise KeyboardInterrupt

    cache = ResultCache(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        evaluate({"index": "index", "retry": "retry"}, SETTING, 2, cut, cache=cache)
    assert active_children() == []
    assert len(list(tmp_path.rglob("*.played"))) == 1
    told(cache, index="index", retry="retry")
    assert cache.hits == 1


@pytest.mark.parametrize("damage", ["truncated", "altered", "empty", "foreign", "other_chunk"])
def test_what_is_damaged_is_played_again(tmp_path: Path, damage: str) -> None:
    cache = ResultCache(tmp_path)
    first = told(cache, index="index")
    for file in tmp_path.rglob("*.played"):
        data = file.read_bytes()
        match damage:
            case "truncated":
                file.write_bytes(data[:-10])
            case "altered":
                file.write_bytes(data[:-100] + bytes([data[-100] ^ 1]) + data[-99:])
            case "empty":
                file.write_bytes(b"")
            case "foreign":  # its digest is right, what it holds is not ours
                file.write_bytes(result_cache.hashlib.sha256(b"x").hexdigest().encode() + b"x")
            case "other_chunk":
                file.write_bytes(packed(play_chunk(INDEX, SETTING, 0, 3)))
    again = ResultCache(tmp_path)
    assert told(again, index="index") == first
    assert again.hits == 0
    assert told(again, index="index") == first and again.hits > 0  # it was mended


def test_an_entry_is_read_as_it_was_written() -> None:
    played = play_chunk(INDEX, SETTING, 0, 12)
    back = unpacked(packed(played), 12)
    assert back is not None
    assert back.episodes.tobytes() == played.episodes.tobytes()
    assert (back.reactions == played.reactions).all()
    assert np.array_equal(back.decision_ms, played.decision_ms)
    assert (back.decisions, back.floor, back.spent_s) == (
        played.decisions,
        played.floor,
        played.spent_s,
    )


@pytest.mark.parametrize(
    "setting",
    [
        replace(SETTING, split="validation"),
        replace(SETTING, seed=1),
        replace(SETTING, tiers=(10, 19)),
        replace(SETTING, size="standard"),
        replace(SETTING, mix="stress"),
        replace(SETTING, mode="conductor"),
    ],
)
def test_another_setting_is_another_entry(tmp_path: Path, setting: Setting) -> None:
    cache = ResultCache(tmp_path)
    assert cache.file(INDEX, setting, *CHUNK) != cache.file(INDEX, SETTING, *CHUNK)


def test_more_episodes_are_the_same_chunks(tmp_path: Path) -> None:
    cache = ResultCache(tmp_path)
    longer = replace(SETTING, episodes=9999)
    assert cache.file(INDEX, longer, *CHUNK) == cache.file(INDEX, SETTING, *CHUNK)
    chunks = {cache.file(INDEX, SETTING, *c) for c in (CHUNK, (20, 20, 0), (0, 19, 0), (0, 20, 1))}
    assert len(chunks) == 4


def test_thinking_and_code_and_files_are_part_of_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "policy"
    folder.mkdir()
    mine = Contestant("a", str(folder))
    names = []
    for text in ("one", "two"):
        (folder / "policy.onnx").write_text(text)
        names.append(ResultCache(tmp_path).file(mine, SETTING, *CHUNK))
    elsewhere = tmp_path / "elsewhere"
    folder.rename(elsewhere)
    moved = Contestant("b", str(elsewhere))
    assert ResultCache(tmp_path).file(moved, SETTING, *CHUNK) == names[1]  # the same content
    names.append(ResultCache(tmp_path).file(INDEX, SETTING, *CHUNK))
    thinking = replace(INDEX, thinking=Thinking(simulations=3))
    names.append(ResultCache(tmp_path).file(thinking, SETTING, *CHUNK))
    monkeypatch.setattr(result_cache, "code_digest", lambda: "other code")
    names.append(ResultCache(tmp_path).file(INDEX, SETTING, *CHUNK))
    assert len(set(names)) == len(names)


def imported(file: Path) -> Iterator[Path]:
    """The files of ours that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            path = ROOT.joinpath(*name.split("."))
            yield from (f for f in (path.with_suffix(".py"), path / "__init__.py") if f.exists())


WORDS = ROOT / "training" / "level_reader.py"
"""What it imports puts the mistakes of a level file into words, and plays nothing."""


def test_every_file_that_plays_is_part_of_the_name() -> None:
    """From the module that plays a chunk, and from every policy, along all imports."""
    waiting = [ROOT / "training" / "judging" / "episodes.py"]
    waiting += [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    found: set[Path] = set()
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            if file != WORDS:
                waiting += imported(file)
    judging = ROOT / "training" / "judging"
    packages = {ROOT / "training" / "__init__.py", judging / "__init__.py"}
    assert found - set(code_files()) <= packages
    plays = {file.stem for file in found if file.parent == judging} - {"__init__"}
    assert plays == set(OURS)


def test_level_files_count_by_what_is_in_them(tmp_path: Path) -> None:
    names = []
    for attempts in (4, 5):
        level = hand_drawn.one_move(
            budget=hand_drawn.Budget(time_s=99.0, cost=9.0, attempts=attempts)
        )
        write_puzzle(Puzzle(level=level), tmp_path / "a.yaml")
        setting = Setting(levels=level_files(tmp_path), split="levels")
        names.append(ResultCache(tmp_path).file(INDEX, setting, *CHUNK))
    assert names[0] != names[1]


def test_somebodys_own_class_is_never_kept(tmp_path: Path) -> None:
    assert ResultCache(tmp_path).file(Contestant("a", "mine:Policy"), SETTING, *CHUNK) is None


def test_a_folder_that_cannot_be_written_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = ResultCache(tmp_path / "file" / "cache")
    assert not cache.keeps()
    assert "index" in told(cache, index="index")["policies"]
    assert cache.hits == 0


def test_a_folder_that_took_something_and_then_no_more_does_not_keep(tmp_path: Path) -> None:
    cache = ResultCache(tmp_path / "cache")
    assert cache.keeps()
    told(cache, index="index")
    assert cache.keeps()
    (tmp_path / "file").write_text("in the way")
    cache.put(tmp_path / "file" / "a.played", play_chunk(INDEX, SETTING, 0, 12))
    assert not cache.keeps()


def test_the_place_on_disk_is_the_users_cache_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FQG_CACHE_DIR", "/somewhere")
    assert default_folder() == Path("/somewhere/fqg/evaluations")
    monkeypatch.delenv("FQG_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert default_folder() == Path("/cache/fqg/evaluations")
    assert json.dumps(SETTING.content())  # it has a form that can be digested
