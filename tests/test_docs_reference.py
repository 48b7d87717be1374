"""The pages of commands and of files are what the commands and models say, and others lead to them."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

import pytest
from test_commands import COMMANDS, own

from policies.resource.limits import ExtensionClass, ResourceLimits, limits_for

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


def test_no_class_passes_for_all_where_limits_differ_by_class():
    text = (ROOT / "docs/files.md").read_text("utf-8")
    table = text.split("### A workflow: limits\n")[1].split("\n### ")[0]
    rows = dict(line[2:].split("`", 2)[1:] for line in table.splitlines() if line.startswith("| `"))
    for name in ResourceLimits.model_fields:
        values = {kind: getattr(limits_for(kind.value), name) for kind in ExtensionClass}
        if len({*values.values()}) == 1:
            assert "by class" not in rows[name].lower()
            continue
        assert "| by class |" in rows[name]
        for kind in ExtensionClass:
            assert f" {kind.value} " in rows[name]
    assert "instrument 120 to 300, operator 20 to 30, motif 5 to 10." in rows["wall_s"]
    assert "operator 192 MiB to 256 MiB" in rows["memory_bytes"]


def test_every_part_of_a_file_has_its_table():
    text = (ROOT / "docs/files.md").read_text("utf-8")
    for part in ("a function", "a variant", "limits", "`[extension]`", "the faults", "a check"):
        assert f": {part}\n\n| key |" in text, part
