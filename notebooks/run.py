"""Run notebooks from a clean kernel, one after the other, and keep what they answer in their files.

python notebooks/run.py [FILE ...]      # without files: all of them
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parent
LONGEST_S = 1200
"""Of one cell: the first run compiles."""


def notebooks() -> list[Path]:
    """All notebooks, in the order in which they are to be read."""
    return sorted(FOLDER.glob("*.ipynb"))


def run(path: Path, folder: Path) -> nbformat.NotebookNode:
    """The notebook as it is after a run in an empty folder.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed; it shows which, and the traceback.
    """
    book = nbformat.read(path, as_version=4)
    where = {"metadata": {"path": str(folder)}}
    client = NotebookClient(
        book,
        timeout=LONGEST_S,
        kernel_name="python3",
        resources=where,
        record_timing=False,
        coalesce_streams=True,
    )
    client.execute()
    return book


def main(names: list[str]) -> None:
    """Run and write."""
    for path in [Path(name) for name in names] or notebooks():
        print(path.name, flush=True)
        with tempfile.TemporaryDirectory() as folder:
            book = run(path, Path(folder))
        nbformat.write(book, path)


if __name__ == "__main__":
    main(sys.argv[1:])
