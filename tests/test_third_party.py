"""THIRD_PARTY.md names the licence of everything that pyproject.toml asks for, and of what that brings."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "THIRD_PARTY.md").read_text("utf-8")


def maker() -> Any:
    """The script that makes the page, as a module."""
    spec = importlib.util.spec_from_file_location("third", ROOT / "docs/make_third_party.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MAKER = maker()


def section(extra: str) -> str:
    """The part of the page about an extra."""
    title = "The base" if extra == MAKER.BASE else f"Extra `{extra}`"
    return TEXT.split(f"\n## {title}: ")[1].split("\n## ")[0]


def test_every_extra_has_its_section():
    extras = {*MAKER.PROJECT["optional-dependencies"], MAKER.BASE}
    assert extras == set(MAKER.WHAT)
    told = re.findall(r"^## (?:The (base)|Extra `(\w+)`): ", TEXT, re.MULTILINE)
    assert [base or extra for base, extra in told] == list(MAKER.WHAT)


@pytest.mark.parametrize("extra", MAKER.WHAT)
def test_what_an_extra_asks_for_is_listed_with_its_licence(extra: str):
    direct, _ = MAKER.rows(extra)
    rows = re.findall(r"^\| ([\w.-]+) \| (.+) \|$", section(extra), re.MULTILINE)
    assert rows[1:] == direct, "run: python docs/make_third_party.py"  # (the first is the head)


def test_what_they_bring_is_listed_with_its_licence():
    found = re.findall(r"([\w.-]+) \(([^()]+)\)[,.]", TEXT)
    found += re.findall(r"^\| ([\w.-]+) \| (.+) \|$", TEXT, re.MULTILINE)
    told = {name.lower().replace("_", "-"): licence for name, licence in found}
    for extra in MAKER.WHAT:
        _, more = MAKER.rows(extra)
        assert [one for one in more if told.get(MAKER.key(one[0])) != one[1]] == [], extra


def test_a_licence_that_nobody_has_read_is_no_licence(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(MAKER.licence_of.__globals__, "READ", {})
    with pytest.raises(ValueError, match="numba: .*read its licence"):
        MAKER.licence_of("numba")
