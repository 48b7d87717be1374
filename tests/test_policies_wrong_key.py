"""A misspelt key is told before what is missing for it, wherever it stands."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

from fqg_env.errors import LevelError
from fqg_env.level import Level
from policies.resource.wrong_key import wrong_key
from training.level_reader import read_level_file

GOOD = {
    "name": "a",
    "artifacts": {"text": {"goal": {"weight": 1}}},
    "functions": {"read": {"outputs": ["text"], "variants": {"x": {"cost": 1}}}},
    "budget": {"time_s": 1, "cost": 1},
}


@pytest.mark.parametrize(
    ("place", "meant"),
    [
        (("budjet",), "budget"),
        (("budget", "tim_s"), "time_s"),
        (("artifacts", "text", "goal", "wieght"), "weight"),
        (("functions", "read", "variants", "x", "csot"), "cost"),
    ],
)
def test_it_is_found_wherever_it_stands(place: tuple[str, ...], meant: str):
    data = copy.deepcopy(GOOD)
    assert wrong_key(data, Level) is None
    inner = data
    for key in place[:-1]:
        inner = inner[key]  # type: ignore[assignment]
    inner[place[-1]] = 1  # type: ignore[assignment]
    told = wrong_key(data, Level)
    assert told and told.startswith(".".join(place)) and told.endswith(f"Did you mean '{meant}'?")


@pytest.mark.parametrize("data", [None, 3, [], {"functions": 3}, {"artifacts": {"a": None}}])
def test_what_is_no_mapping_has_no_wrong_key(data: object):
    assert wrong_key(data, Level) is None


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        (("artifacts", "text", "goal", "weight"), 2, "it has to be at most 1; change 2"),
        (("budget", "cost"), -1, "it has to be greater than 0; change -1"),
        (("artifacts", "text", "goal", "kind"), "esential", "Did you mean 'essential'?"),
        (("shield",), {"unsafe_repeats": "forbiden"}, "Did you mean 'forbidden'?"),
    ],
)
def test_a_value_beyond_its_bounds_or_none_of_the_words_is_told(place, value, told):
    data = copy.deepcopy(GOOD)
    inner = data
    for key in place[:-1]:
        inner = inner[key]  # type: ignore[assignment]
    inner[place[-1]] = value
    found = wrong_key(data, Level)
    assert found and found.startswith(".".join(place)) and found.endswith(told)


def test_a_level_file_says_what_was_perhaps_meant(tmp_path: Path):
    file = tmp_path / "a.yaml"
    file.write_text("name: a\nfalts: {}\n")
    with pytest.raises(LevelError, match=r"a.yaml: falts: there is no.* Did you mean 'faults'\?"):
        read_level_file(file)
