"""Attacks before the first call: what a file does when it is imported, chosen by its environment."""

from __future__ import annotations

import os
import sys
import time

from attacking import Values, attack

match os.environ.get("ATTACK"):
    case "hang":
        time.sleep(60)
    case "spin":
        while True:
            pass
    case "exit":
        os._exit(0)
    case "memory":
        kept = [b"x" * 8_000_000 for _ in range(int(os.environ["MEMORY_BYTES"]) // 8_000_000 + 8)]
        time.sleep(60)
    case "daemon":
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(15)
            os._exit(0)
        os.wait()
        raise RuntimeError("a broken file")
    case "flood":
        while True:
            os.write(1, b"x" * 65_536)
    case "hooks":
        sys.settrace(lambda *_: os._exit(5))
        sys.excepthook = lambda *_: os._exit(6)


@attack
def loaded(parameters: Values, context: object) -> Values:
    """Nothing more."""
    return {"count": 0}
