"""Recipes: what they are by default, how two differ, and what is said of those that cannot be trained."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_training import TAUGHT, TINY, fqg, only_sentence, recipe_file

from fqg_env.errors import LevelError
from training.learning.recipe import Draws, Recipe, differences, read_recipe, recipe_names


def test_a_recipe_says_only_where_it_differs_from_quick() -> None:
    assert Recipe(name="quick") == read_recipe("quick")


@pytest.mark.parametrize("file", ["nofile.yaml", "recipes/quick", "nofile.yml"])
def test_what_looks_like_a_file_is_looked_for_as_one(file: str) -> None:
    with pytest.raises(LevelError, match=f"^{file}: there is no such file; check the path"):
        read_recipe(file)


def test_a_name_is_looked_for_among_the_recipes() -> None:
    with pytest.raises(LevelError, match="there is no recipe 'quik'. Did you mean 'quick'"):
        read_recipe("quik")


def test_a_recipe_that_was_saved_is_read_again() -> None:
    """Strict as recipes are, what a checkpoint or a manifest keeps of one is one."""
    for name in recipe_names():
        recipe = read_recipe(name)
        assert Recipe.model_validate(json.loads(json.dumps(recipe.model_dump()))) == recipe
        assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe


def test_a_sequence_has_two_layers_where_nothing_is_said() -> None:
    """In one, no attempt hears another before the calls hear it."""
    assert Recipe(name="set").rounds == 1
    assert Recipe(name="seq", network="sequence", hidden=8).rounds == 2
    assert Recipe(name="seq", network="sequence", hidden=8, rounds=1).rounds == 1


def test_two_recipes_differ_by_name_and_value() -> None:
    assert differences(TINY, TINY) == []
    assert differences(TINY, TINY.model_copy(update={"hidden": 9})) == ["hidden: 8 then, 9 now"]
    deeper = TINY.model_copy(update={"draws": (Draws(tiers=(16, 20)), Draws(mix="stress"))})
    told = differences(TINY, deeper)
    assert told[:2] == [
        "draws.0.tiers: (6, 20) then, (16, 20) now",
        "draws.1.share: none then, 1.0 now",
    ]
    assert len(told) == 4 and told[-1] == "and 4 more"
    taught = differences(TINY.model_copy(update={"steps": 256}), TAUGHT)
    assert taught[0] == "teacher.labels: none then, 96 now" and "teacher: " not in str(taught)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"trust": "NAN"}, "trust"),
        ({"trust": -1.0}, "trust"),
        ({"lanes": 100_000_000}, "lanes"),
        ({"learning_rate": 1}, "learning_rate"),
        ({"lanes": 1, "rollout": 1}, "lanes * rollout is 1"),
        ({"batch": 65}, "batch: 65, and lanes * rollout is 64; make it 2 to 64"),
        ({"batch": 63}, "leaves a batch of one"),
        ({"rollout": 10_000_000}, "make it 2 to 1,048,576"),
        ({"lanes": 16.0}, "lanes: Input should be a valid integer; change 16.0"),
        ({"rollout": True}, "rollout: Input should be a valid integer; change True"),
        ({"steps": "128"}, "steps: Input should be a valid integer; change '128'"),
        (
            {"network": "sequence", "hidden": 10},
            "hidden: 10 is no multiple of 4, the number of heads",
        ),
        ({"clip": True}, "clip: Input should be a valid number; change True"),
        ({"draws": [{"share": True}]}, "draws.0.share: Input should be a valid number"),
        ({"draws": [{"tiers": [6.0, 20]}]}, "draws.0.tiers.0: Input should be a valid integer"),
        ({"teacher": {"labels": 96.0}}, "teacher.labels: Input should be a valid integer"),
        ({"teacher": {"sharpen": False}}, "teacher.sharpen: Input should be a valid number"),
        (
            {"draws": [{"split": "exact_train", "tiers": [16, 20]}]},
            "draws.0: tiers: the templates of 'exact_train' have none; leave them out",
        ),
        (
            {"draws": [{"split": "exact_train", "mix": "stress"}]},
            "draws.0: the templates of 'exact_train' have their own mix and mode; leave them out",
        ),
    ],
)
def test_a_recipe_that_cannot_be_trained_gets_one_sentence(
    tmp_path: Path, changes: dict[str, object], says: str
) -> None:
    file = recipe_file(tmp_path, **changes)
    text = Path(file).read_text().replace('"NAN"', ".nan")
    Path(file).write_text(text)
    result = fqg("train", "--recipe", file, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert says in only_sentence(result)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["r" * 300, "r" * 300 + ".yaml", "no\\0name", "", "/" * 5000])
def test_a_recipe_that_no_file_can_hold_gets_one_sentence(tmp_path: Path, name: str) -> None:
    result = fqg("train", "--recipe", name, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert only_sentence(result)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("more", [(), ("--resume",), ("--force",)])
def test_a_folder_with_a_name_too_long_gets_one_sentence(
    tmp_path: Path, more: tuple[str, ...]
) -> None:
    out = tmp_path / ("o" * 300)
    result = fqg("train", "--recipe", recipe_file(tmp_path), "--out", out, *more)
    assert result.exit_code == 2, result.output
    assert "File name too long" in only_sentence(result)
