"""One extension with a load hook; what it loads is the environment's business."""

import os
import time
from typing import Any

from conductor_agent.hosting.extension import Context, extension

if os.environ.get("FAIL") == "import":
    import a_package_that_is_not_there  # noqa: F401
if os.environ.get("FAIL") == "syntax":
    raise SyntaxError("as if")


@extension
def model(inputs: dict[str, Any], parameters: dict[str, Any], context: Context) -> dict[str, Any]:
    """Answers with what was loaded."""
    return {"loaded": context.loaded}


@model.load
def load() -> dict[str, int]:
    """The hook."""
    if os.environ.get("FAIL") == "hang":
        time.sleep(60)
    if os.environ.get("FAIL") == "memory":
        kept = b"x" * 200_000_000
        time.sleep(60)
        return {"kept": len(kept)}
    if os.environ.get("FAIL") == "exit":
        os._exit(4)
    return {"pid": os.getpid()}
