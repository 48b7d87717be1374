"""The notebooks run from top to bottom in a clean kernel, and what is committed of them is what they answered."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError

FOLDER = Path(__file__).parent.parent / "notebooks"
BOOKS = sorted(FOLDER.glob("*.ipynb"))
LARGEST_PICTURE, LARGEST_BOOK = 100_000, 500_000
"""In bytes."""
EXACT = "1_play_and_look.ipynb"
"""Nothing in it is trained or timed: it answers the same everywhere."""


def runner() -> Any:
    """The script `notebooks/run.py` as a module."""
    spec = importlib.util.spec_from_file_location("run_notebooks", FOLDER / "run.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def outputs(path: Path) -> list[tuple[Any, Any]]:
    """(cell, output) of all code cells."""
    book = nbformat.read(path, as_version=4)
    return [(cell, out) for cell in book.cells if cell.cell_type == "code" for out in cell.outputs]


def texts(book: Any) -> list[str]:
    """What the cells printed."""
    outs = [out for cell in book.cells if cell.cell_type == "code" for out in cell.outputs]
    return [out.text for out in outs if out.output_type == "stream"]


def test_there_are_four():
    assert [path.name[0] for path in BOOKS] == ["1", "2", "3", "4"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning:zmq")
@pytest.mark.parametrize("path", BOOKS, ids=lambda path: path.stem)
def test_it_runs_from_top_to_bottom(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
    book = runner().run(path, tmp_path)
    committed = nbformat.read(path, as_version=4)
    kept = [len(cell.get("outputs", ())) for cell in committed.cells]
    assert [len(cell.get("outputs", ())) for cell in book.cells] == kept
    if path.name == EXACT:
        assert texts(book) == texts(committed), f"run: python notebooks/run.py {path}"


def test_a_fault_in_a_cell_is_a_fault_of_the_run(tmp_path: Path):
    cells = [nbformat.v4.new_code_cell(source) for source in ("x = 1", "assert x == 2", "y = x")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "bad.ipynb")
    with pytest.raises(CellExecutionError, match="assert x == 2"):
        runner().run(tmp_path / "bad.ipynb", tmp_path)


@pytest.mark.parametrize("path", BOOKS, ids=lambda path: path.stem)
def test_what_is_committed_was_run_in_order_and_is_small(path: Path):
    book = nbformat.read(path, as_version=4)
    nbformat.validate(book)
    counts = [cell.execution_count for cell in book.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1)), f"run: python notebooks/run.py {path}"
    assert path.stat().st_size < LARGEST_BOOK
    kinds = [out.output_type for _, out in outputs(path)]
    assert "error" not in kinds and kinds
    shown = [out.get("data", {}) for _, out in outputs(path)]
    pictures = [data[kind] for data in shown for kind in data if kind.startswith("image/")]
    assert pictures and all(len(picture) < LARGEST_PICTURE for picture in pictures)


@pytest.mark.parametrize("path", BOOKS, ids=lambda path: path.stem)
def test_it_names_no_place_of_ours_and_no_metadata_of_an_editor(path: Path):
    text = path.read_text("utf-8")
    assert not re.search(r"/(work|tmp|home|root)/", text)
    assert not re.search(r"\x1b|\\u001b", text), "colours of a terminal"
    book = json.loads(text)
    assert set(book["metadata"]) == {"kernelspec", "language_info"}
    assert book["metadata"]["kernelspec"]["name"] == "python3"
    assert all(not cell["metadata"] for cell in book["cells"])


@pytest.mark.parametrize("path", BOOKS, ids=lambda path: path.stem)
def test_its_links_lead_somewhere(path: Path):
    book = nbformat.read(path, as_version=4)
    words = "\n".join(cell.source for cell in book.cells if cell.cell_type == "markdown")
    targets = [target.split("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", words)]
    assert all((FOLDER / target).exists() for target in targets if not target.startswith("http"))
