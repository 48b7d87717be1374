"""A workflow whose functions wait for each other is told which ones they are."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hand_written import work, workflow

from conductor_agent.files.circle import UNREACHED, circle_in
from conductor_agent.files.workflow import WorkflowError


def flow(functions: dict[str, tuple[str, str]], given: str = "page") -> dict[str, Any]:
    """Function -> what it reads and what it makes, separated by blanks; `text` is the goal."""
    names = {name for both in functions.values() for words in both for name in words.split()}
    artifacts: dict[str, Any] = {name: {} for name in sorted({*names, "text"})}
    artifacts |= {name: {"given": True} for name in given.split()}
    artifacts["text"] = {"goal": {"weight": 1}}
    return {
        "artifacts": artifacts,
        "functions": {
            name: {"inputs": reads.split(), "outputs": makes.split()}
            for name, (reads, makes) in functions.items()
        },
    }


@pytest.mark.parametrize(
    ("functions", "circle"),
    [
        ({"a": ("y", "x"), "b": ("x", "y text")}, "b reads x, which a makes, and a reads y, which b makes"),
        ({"a": ("text", "text")}, "a reads text, which a makes"),
        (
            {"end": ("page x", "text"), "a": ("y page", "x"), "b": ("z", "y"), "c": ("x", "z")},
            "a reads y, which b makes, and b reads z, which c makes, and c reads x, which a makes",
        ),
        ({"blind": ("nothing", "text"), "a": ("y", "text"), "b": ("text", "y")},
         "a reads y, which b makes, and b reads text, which a makes"),
        ({"a": ("page", "x"), "b": ("x", "text")}, ""),
        ({"a": ("y", "x"), "b": ("x", "y"), "read": ("page", "text")}, ""),
        ({"a": ("y", "x"), "b": ("x page", "y"), "c": ("page", "x"), "d": ("y", "text")}, ""),
        ({"a": ("nothing", "text")}, ""),
    ],
)  # fmt: skip
def test_the_circle_before_the_goal_is_named(functions: dict[str, tuple[str, str]], circle: str):
    assert circle_in(flow(functions)) == circle


def test_a_variant_that_reads_something_else_opens_a_circle():
    level = flow({"a": ("y", "x"), "b": ("x", "y text")})
    level["functions"]["a"]["variants"] = {"slow": {}, "alone": {"inputs": ["page"]}}
    assert circle_in(level) == ""
    level["functions"]["a"]["variants"]["alone"]["inputs"] = ["text"]
    assert circle_in(level).startswith("b reads x, which a makes, and a reads y")


@pytest.mark.parametrize("key", ["artifacts", "functions"])
@pytest.mark.parametrize("junk", [None, 7, ["a"], {"a": 7}, {"a": {"inputs": 7}}])
def test_what_cannot_be_read_has_no_circle(key: str, junk: Any):
    assert circle_in({**flow({"a": ("text", "text")}), key: junk}) == ""


def test_a_workflow_says_it_in_its_sentence():
    functions = {"wash": work(inputs=["text"], outputs=["clean"]), "read": work(inputs=["clean"])}
    with pytest.raises(WorkflowError) as wrong:
        workflow(functions, artifacts={"clean": {}})
    assert re.search(
        f"artifacts.text: {UNREACHED}: .*; "
        r"read reads clean, which wash makes, and wash reads text, which read makes$",
        str(wrong.value),
    )


def test_where_nobody_makes_it_no_circle_is_told():
    with pytest.raises(WorkflowError, match=f"{UNREACHED}: no order of calls.*given$"):
        workflow({"read": work(inputs=["clean"])}, artifacts={"clean": {}})
