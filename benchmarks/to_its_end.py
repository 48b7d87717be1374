"""A script that Ctrl-C ends in one line, with exit code 130 and how to go on."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

INTERRUPTED = 130


def to_its_end(main: Callable[[], int | None], again: str = "to start again") -> NoReturn:
    """Run a script's `main` and leave with its exit code.

    Args:
        main: the script.
        again: what the same command does when it is run once more.
    """
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        script = Path(sys.argv[0]).stem
        print(f"{script}: interrupted; run the same command {again}", file=sys.stderr)
        sys.exit(INTERRUPTED)
