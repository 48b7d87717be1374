"""`fqg levels`: list, show, validate, make."""

from __future__ import annotations

import json
from pathlib import Path

import hand_drawn
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from fqg_env import library
from fqg_env.arrays import SIZES
from fqg_env.errors import LevelError
from fqg_env.frequencies import WINDOWS
from fqg_env.lanes import Lanes
from fqg_env.level import Artifact, CallKind, Goal
from fqg_env.puzzle import PLAIN, Faults, Puzzle, read_puzzle, write_puzzle
from fqg_env.splits import Source, level_key
from training.cli import app as fqg
from training.commands.levels import Generated, app, chosen, find, generated
from training.judging.hidden_words import WORDS, clashing, fault_words, window_words


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_list_names_the_library_and_the_splits() -> None:
    result = run("list")
    assert result.exit_code == 0
    for name in library.names():
        assert name in result.stdout
    data = json.loads(run("list", "--json").stdout)
    assert [entry["name"] for entry in data["levels"]] == library.names()
    assert data["tiers"] == 20 and "test" in data["splits"]


def test_show_a_library_level() -> None:
    result = run("show", "escape_the_room")
    assert result.exit_code == 0 and "use_key/complete_key" in result.stdout
    assert "works" not in result.stdout  # what is hidden stays hidden
    assert "  hands: combine_items, pick_lock, break_window\n" in result.stdout
    result = run("show", "escape_the_room", "--solution")
    assert "use_key: only complete_key works" in result.stdout
    assert "find_key, combine_items, use_key/complete_key, STOP" in result.stdout


def test_a_solution_is_told_in_words(tmp_path: Path) -> None:
    """Faults, the times of a provider and whose functions they are, defects and clashes; what is sound is not."""
    drawn = hand_drawn.level(
        {
            "north_ocr": hand_drawn.maker("text", provider="north"),
            "north_scan": hand_drawn.maker("draft", provider="north"),
            "reader": hand_drawn.maker("text", inputs=("draft",), provider="south"),
            "mend": hand_drawn.maker("page", kind=CallKind.REPAIR),
        },
        {"page": Artifact(given=True), "draft": Artifact(), "text": Artifact(goal=Goal())},
    )
    faults = Faults(
        functions={"north_ocr": "ok", "north_scan": "quota_1", "reader": "silent"},
        providers={"north": 2, "south": 0},
        defects=("page",),
        clashes={"reader": "north_scan"},
    )
    write_puzzle(Puzzle(level=drawn, faults=faults), tmp_path / "drawn.yaml")
    result = run("show", str(tmp_path / "drawn.yaml"), "--solution")
    assert result.stdout.split("what is wrong\n")[1].split("\n\n")[0].splitlines() == [
        "  north_scan: works once",
        "  reader: answers, but badly",
        "  north (north_ocr, north_scan): down until 48 s",
        "  page: bad from the start",
        "  reader: cannot read what north_scan makes",
    ]
    broken = Faults(functions={"north_ocr": "broken", "north_scan": "broken", "reader": "ok"})
    write_puzzle(Puzzle(level=drawn, faults=broken), tmp_path / "broken.yaml")
    result = run("show", str(tmp_path / "broken.yaml"), "--solution")
    assert result.stdout.endswith("a way\n  none: it cannot be solved\n")


def test_a_clash_that_only_the_key_knows_is_told() -> None:
    """A pair is told where the reader reads what the maker makes, and about one such pair in twenty clashes."""
    told = [list(clashing(generated(Generated("test", 14, seed)))) for seed in range(30)]
    assert 0 < sum(map(len, told)) < 200
    for seed, pairs in enumerate(told):
        level = generated(Generated("test", 14, seed)).level
        for reader, maker in pairs:
            assert set(level.functions[reader].inputs) & set(level.functions[maker].outputs)


def test_every_fault_and_every_window_has_its_words() -> None:
    assert set(WORDS) == set(PLAIN)
    assert fault_words("wrong:b") == "only b works"
    assert fault_words("silent:b") == "answers badly except with b"
    told = [window_words(w, 100.0) for w in range(len(WINDOWS))]
    assert told[0] == "up"
    for words, window in zip(told[1:], WINDOWS[1:], strict=True):
        assert words.startswith("rate limit" if window.limit else "down")
        assert (f"until {100 * window.until_share:.3g} s" in words) == (window.until_share < 1)
    assert "down all the time" in told and "down from 20 s on" in told
    assert len(set(told)) == len(WINDOWS)


def test_one_is_singular(tmp_path: Path) -> None:
    puzzle = Puzzle(level=hand_drawn.one_move())
    write_puzzle(puzzle, tmp_path / "one.yaml")
    assert "good (1 call, 2 artifacts)" in run("validate", str(tmp_path / "one.yaml")).stdout


def test_two_examples_are_two_paragraphs() -> None:
    assert "\n\n  Example: fqg levels show --split" in run("show", "--help").stdout


def test_show_a_generated_level_as_json() -> None:
    data = json.loads(run("show", "--tier", "5", "--seed", "3", "--solution", "--json").stdout)
    assert data["level"]["name"] == data["title"] == "test, tier 5, chain, seed 3"
    assert set(data) >= {"goals", "faults", "witness", "calls"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["show"], "give a level"),
        (["show", "escape_room"], "Did you mean 'escape_the_room'?"),
        (["show", "nowhere.yaml"], "nowhere.yaml: there is no such file"),
        (["show", "escape_the_room", "--tier", "3"], "not both"),
        (["show", "--tier", "21"], "there is no tier 21; they run from 1 to 20"),
        (["show", "--tier", "3", "--split", "tset"], "Did you mean 'test'?"),
        (["show", "--tier", "3", "--split", "exact"], "'exact' have no tiers; leave them out"),
        (["make", "--out", "x"], "give a tier"),
        (["show", "--tier", "3", "--mix", "stres"], "Did you mean 'stress'?"),
        (["show", "--split", "exact", "--mix", "stress"], "have their own mix"),
        (["show", "--tier", "3", "--size", "smal"], "Did you mean 'small'?"),
        (["make", "--tier", "3", "--out", "/dev/null/x"], "name another folder"),
    ],
)
def test_bad_input_is_one_sentence_on_stderr(arguments: list[str], sentence: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2 and result.stdout == ""
    assert sentence in result.stderr and result.stderr.count("\n") == 1
    assert result.stderr.startswith("fqg: ")


def test_make_looks_at_the_folder_before_it_draws(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    drawn: list[object] = []
    monkeypatch.setattr("training.commands.levels.generated", drawn.append)
    result = run("make", "--tier", "3", "--out", "/dev/null/x")
    assert result.exit_code == 2 and "name another folder" in result.stderr
    assert run("make", "--tier", "21", "--out", str(tmp_path / "new")).exit_code == 2
    assert not drawn and not (tmp_path / "new").exists()


def test_wrong_usage_is_exit_2() -> None:
    assert run("make", "--tier", "3").exit_code == 2
    assert run("show", "--tier", "3", "--seed", "-1").exit_code == 2
    assert run("make", "--tier", "3", "--out", "x", "--count", "0").exit_code == 2
    assert run("shw").exit_code == 2


def test_validate_answers_for_every_file(tmp_path: Path) -> None:
    assert run("make", "--tier", "3", "--out", str(tmp_path)).exit_code == 0
    good = str(tmp_path / "test-tier3-seed0.yaml")
    bad = tmp_path / "bad.yaml"
    bad.write_text("name: x\n")
    result = run("validate", good)
    assert result.exit_code == 0 and "good" in result.stdout and result.stderr == ""
    result = run("validate", str(bad), good)
    assert result.exit_code == 2 and f"{bad}: " in result.stderr and "good" in result.stdout
    result = run("validate", str(bad), good, "--json")
    files = json.loads(result.stdout)["files"]
    assert result.exit_code == 2
    assert [files[name]["valid"] for name in (str(bad), good)] == [False, True]


def test_make_writes_what_the_split_draws(tmp_path: Path) -> None:
    """The same level, the same faults, the same luck, read back from the file."""
    result = run(
        "make", "--tier", "14", "--split", "validation", "--count", "3", "--seed", "5",
        "--out", str(tmp_path / "new"), "--json",
    )  # fmt: skip
    files = json.loads(result.stdout)["files"]
    assert len(files) == 3 and all(Path(file).exists() for file in files)
    for i, file in enumerate(files):
        puzzle = read_puzzle(file)
        assert puzzle == generated(Generated("validation", 14, 5 + i))
        direct, read = (
            Lanes(1, SIZES["small"], belief=False, source=Source(tiers=(14, 14))) for _ in range(2)
        )
        direct.keys[0] = level_key("validation", 5 + i)
        direct.draw_levels()
        puzzle.load(read)
        calls = np.random.default_rng(i).integers(0, 18, 40)
        for lanes in (direct, read):
            lanes.begin()
            for action in calls:
                lanes.step(np.array([action if lanes.masks[0, action] else 0]))
        assert direct.truths["episode_return"][0] == read.truths["episode_return"][0]
        assert direct.boards["attempts"][0] == read.boards["attempts"][0]


def test_templates_have_no_tier(tmp_path: Path) -> None:
    result = run("show", "--split", "exact", "--seed", "3")
    assert result.exit_code == 0 and "exact, seed 3\n" in result.stdout
    assert run("make", "--split", "exact", "--seed", "3", "--out", str(tmp_path)).exit_code == 0
    assert read_puzzle(tmp_path / "exact-seed3.yaml").level.name == "exact, seed 3"


def test_every_help_has_an_example() -> None:
    for name in ("list", "show", "validate", "make"):
        result = run(name, "--help")
        assert result.exit_code == 0 and f"Example: fqg levels {name}" in result.stdout


def test_find_takes_a_name_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("make", "--tier", "1", "--out", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert find("test-tier1-seed0.yaml").level.name.startswith("test, tier 1, ")
    assert find("escape_the_room") == chosen("escape_the_room", Generated())
    with pytest.raises(LevelError, match="in the library or as a file"):
        find("nothing")


def test_files_are_played_as_their_split_only_under_the_same_seed(tmp_path: Path) -> None:
    """Also where the numbers in their names get another digit: seed9 comes before seed10."""
    out = str(tmp_path / "made")
    assert run("make", "--tier", "12", "--count", "4", "--seed", "8", "--out", out).exit_code == 0

    def played(*options: str) -> tuple[float, float]:
        asked = ["evaluate", "--policies", "index", "--episodes", "4", "--no-cache", "--json"]
        result = CliRunner().invoke(fqg, [*asked, *options])
        figures = json.loads(result.stdout)["policies"]["index"]
        return figures["return_mean"], figures["attempts_mean"]

    of_the_split = played("--split", "test", "--tiers", "12", "--seed", "8")
    assert played("--levels", out, "--seed", "8") == of_the_split
    assert played("--levels", out) != of_the_split
