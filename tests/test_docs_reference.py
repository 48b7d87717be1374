"""The pages of commands and of files are what the commands and models say, and others lead to them."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

import pytest
from test_commands import COMMANDS, own

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("commands.md", "files.md")


@cache
def reference() -> dict[Path, str]:
    """Page or schema -> its text as it should be."""
    spec = importlib.util.spec_from_file_location("make_reference", ROOT / "docs/make_reference.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    pages: dict[Path, str] = module.pages()
    return pages


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_up_to_date(page: str):
    path = ROOT / "docs" / page
    assert path.read_text("utf-8") == reference()[path], "run: python docs/make_reference.py"


@pytest.mark.parametrize("page", PAGES)
def test_the_readme_leads_to_it(page: str):
    assert f"(docs/{page})" in (ROOT / "README.md").read_text("utf-8")


def test_every_command_and_every_option_is_there():
    text = (ROOT / "docs/commands.md").read_text("utf-8")
    for words, command in COMMANDS.items():
        section = text.split(f"\n## {words}\n")[1].split("\n## ")[0]
        for one in own(command):
            names = one.opts if one.param_type_name == "option" else [one.name.upper()]
            assert all(f"`{name}`" in section for name in names), (words, names)


def test_every_part_of_a_file_has_its_table():
    text = (ROOT / "docs/files.md").read_text("utf-8")
    for part in ("a function", "a variant", "limits", "`[extension]`", "the faults", "a check"):
        assert f": {part}\n\n| key |" in text, part
