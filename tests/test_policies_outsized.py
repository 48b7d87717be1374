"""Whole numbers that fit nowhere are told by whoever reads a file, before anything is made of them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from fqg_env.errors import LevelError
from policies.resource.limits import LimitError, load_ceiling
from policies.resource.outsized import outsized
from training.judging.tune import read_tables
from training.learning.recipe import read_recipe
from training.level_reader import read_level_file

HUGE = "0x" + "f" * 5000
"""Python reads it, and cannot say it in base 10."""
RECIPES = Path(__file__).parents[1] / "training" / "recipes"


def test_the_first_one_is_named_with_its_place() -> None:
    assert outsized({"a": [1, {"b": 1 << 64}], "c": 2.0}) == (
        "a.1.b: a whole number of more than 64 bits fits nowhere; write a smaller one"
    )
    assert str(outsized({"a": {1 << 20_000: 1}})).startswith("a: ")
    assert str(outsized(-1 << 64)).startswith("at the top: ")
    assert outsized({"a": [(1 << 64) - 1, 1e308, True, None, "9" * 99, b"", {}]}) is None


def test_an_operators_file_with_one_is_refused(tmp_path: Path) -> None:
    for name, text in (
        ("a.yaml", f"motif: {{wall_s: {HUGE}}}"),
        ("b.toml", f"[motif]\nnosuch = {HUGE}"),
        ("c.yaml", HUGE),
    ):
        file = tmp_path / name
        file.write_text(text)
        with pytest.raises(LimitError, match="more than 64 bits"):
            load_ceiling(file)


def test_a_recipe_with_one_is_refused(tmp_path: Path) -> None:
    data = yaml.safe_load(min(RECIPES.glob("*.yaml")).read_text())
    file = tmp_path / "recipe.yaml"
    file.write_text(yaml.safe_dump({**data, "steps": "HUGE"}).replace("HUGE", HUGE))
    with pytest.raises(LevelError, match="steps: a whole number"):
        read_recipe(str(file))


def test_a_level_with_one_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "level.yaml"
    file.write_text(f"name: a\nbudget: {{time_s: 1, cost: {HUGE}}}\n")
    with pytest.raises(LevelError, match=r"budget\.cost: a whole number"):
        read_level_file(file)


@pytest.mark.parametrize("text", ["a = " + "9" * 5000, "a = " + "[" * 5000])
def test_tables_that_cannot_be_read_are_said(tmp_path: Path, text: str) -> None:
    file = tmp_path / "tuned.toml"
    file.write_text(text)
    with pytest.raises(LevelError, match="cannot be read"):
        read_tables(file)
