"""Broken limits in words: who enforced them, and figures as people read them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conductor_agent.enforcers import WORDS, in_words
from conductor_agent.hosting.classify import as_told
from conductor_agent.hosting.walls import egress
from conductor_agent.hosting.watch import watchdog
from policies.resource import enforcers
from policies.resource.limits import LimitError, limits_for
from policies.resource.violations import Limit, amount, evidence, violation

ROOT = Path(__file__).resolve().parents[1]


def test_everybody_who_enforces_something_has_words() -> None:
    named = {egress.ENFORCER, watchdog.CONTROL_GROUP, watchdog.WATCHDOG}
    for file in (ROOT / "conductor_agent").rglob("*.py"):
        named |= set(re.findall(r'enforcer="([^"]+)"', file.read_text("utf-8")))
    declared = [value for name, value in vars(enforcers).items() if name.isupper()]
    assert named <= set(declared) == set(WORDS) and len(declared) == len(WORDS)


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
