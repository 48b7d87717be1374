"""Options that several commands of `conductor` take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

JOURNAL = Path("conductor.sqlite")
"""Where runs are written down unless another file is named."""
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
JournalOption = Annotated[Path, typer.Option(help="The SQLite file that runs are written down in.")]
