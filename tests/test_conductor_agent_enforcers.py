"""Broken limits in words: who enforced them, and figures as people read them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from conductor_agent.enforcers import WORDS, in_words
from conductor_agent.hosting.classify import as_told
from policies.resource import enforcers
from policies.resource.limits import LimitError, limits_for
from policies.resource.violations import Limit, amount, evidence, violation

ROOT = Path(__file__).resolve().parents[1]


NAMED_IN = {"evidence", "PolicyEvidence"}
"""What is called with who held a call to its limit: `enforcer=`, or the sixth argument."""


def who_enforces(code: str) -> list[ast.expr]:
    """What is named as an enforcer in a module, and whatever is assigned to such a name in it."""
    nodes = list(ast.walk(ast.parse(code)))
    named: list[ast.expr] = []
    for call in nodes:
        if isinstance(call, ast.Call) and ast.unparse(call.func).split(".")[-1] in NAMED_IN:
            named += [one.value for one in call.keywords if one.arg == "enforcer"] + call.args[5:6]
    variables = names(named)
    for one in nodes:
        if isinstance(one, ast.Assign) and variables & names(one.targets):
            named.append(one.value)
        if isinstance(one, ast.AnnAssign) and one.value and variables & names([one.target]):
            named.append(one.value)
    return named


def names(found: list[ast.expr]) -> set[str]:
    """Of variables in these expressions."""
    parts = [part for one in found for part in ast.walk(one)]
    return {part.id for part in parts if isinstance(part, ast.Name)}


def literals(code: str) -> set[str]:
    """Enforcers that a module names by a text of its own."""
    parts = [part for one in who_enforces(code) for part in ast.walk(one)]
    return {p.value for p in parts if isinstance(p, ast.Constant) and isinstance(p.value, str)}


@pytest.mark.parametrize(
    "code",
    [
        "evidence(limit, 1, 2, enforcer='me')",
        "violations.evidence(limit, 1, 2, enforcer='me' if it else WATCHDOG)",
        "PolicyEvidence('tasks', 1.0, 2.0, UNIT, KILLED, 'me')",
        "limit, by = Limit.TASKS, 'me'\nevidence(limit, 1, 2, enforcer=by)",
        "ME: str = 'me'\nevidence(limit, 1, 2, enforcer=ME)",
    ],
)
def test_a_literal_is_seen_wherever_it_stands(code: str) -> None:
    assert literals(code) == {"me"}


def test_enforcers_are_named_in_one_place() -> None:
    files = (ROOT / "conductor_agent").rglob("*.py")
    found = {file.name: literals(file.read_text("utf-8")) for file in files}
    assert not {name: own for name, own in found.items() if own}


def test_everybody_who_enforces_something_has_words() -> None:
    declared = [value for name, value in vars(enforcers).items() if name.isupper()]
    assert set(declared) == set(WORDS) and len(declared) == len(WORDS)


def test_what_an_extension_says_of_itself_is_told_as_its_word() -> None:
    failure = violation(Limit.FILE, evidence(Limit.FILE, 1, 1, enforcer="rlimit"))
    told = as_told(failure).policy
    assert in_words(failure.policy.enforcer) == WORDS["rlimit"]  # type: ignore[union-attr]
    assert in_words(told.enforcer) == f"{WORDS['rlimit']}, as the extension itself says"  # type: ignore[union-attr]
    assert in_words("somebody new") == "somebody new"


@pytest.mark.parametrize(
    ("value", "unit", "told"),
    [
        (73_700_000, "bytes", "73.7 MB"),
        (64_000_000.0, "bytes", "64 MB"),
        (2.5e9, "bytes", "2.5 GB"),
        (4096, "bytes", "4.1 kB"),
        (130, "bytes", "130 bytes"),
        (5.02, "s", "5.02 s"),
        (64.0, "tasks", "64 tasks"),
        (12_345_678, "files", "12,345,678 files"),
    ],
)
def test_amounts_are_told_as_people_read_them(value: float, unit: str, told: str) -> None:
    assert amount(value, unit) == told


def test_a_limit_that_is_refused_is_told_so_too() -> None:
    with pytest.raises(LimitError, match=r"memory_bytes .* asked for 9 GB, the ceiling is 2 GB"):
        limits_for(
            "instrument",
            {"memory_bytes": 9_000_000_000},
            {"instrument": {"memory_bytes": 2_000_000_000}},
        )
