"""Runs any Python program as an extension: the file `attack.py` beside this one, as if started by hand."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

from conductor_agent.hosting.extension import Context, extension


@extension
def program(inputs: dict[str, Any], parameters: dict[str, Any], context: Context) -> dict[str, Any]:
    """Run it to its end; what it raises is what the call raises."""
    runpy.run_path(str(Path(__file__).with_name("attack.py")), run_name="__main__")
    return {}
