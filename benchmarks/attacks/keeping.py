"""No attack: a neighbour that keeps a file in its own folder and says whether it is still as it was."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from conductor_agent.hosting.extension import Context, extension

Values = dict[str, Any]


@extension
def keeper(inputs: Values, parameters: Values, context: Context) -> Values:
    """Writes the file on the first call; always answers what is in it, and who it is."""
    path = Path(os.environ["TMPDIR"], parameters["file"])
    if "text" in parameters:
        path.write_text(parameters["text"])
    return {"text": path.read_text() if path.exists() else "", "pid": os.getpid()}
