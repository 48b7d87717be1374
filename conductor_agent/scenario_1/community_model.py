"""The model from nowhere, as a careless author writes it: what the walls and the fallback are there for.

timeout          of 2 hours, for an engine that may never answer
repeats          without end while the engine is loading
bad input        ends the process
error reports    none
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from pathlib import Path

from conductor_agent.hosting.extension import Context, extension

TIMEOUT_S = 2 * 60 * 60
BACKOFF_S = 0.05
ENGINE = Path(__file__).with_name("engine.py")


class Engine:
    """The program that does the work; it lives as long as the worker does."""

    def __init__(self) -> None:
        """Start it. How long its large model takes to load is a setting: seconds in `ENGINE_LOAD_S`."""
        load_s = os.environ.get("ENGINE_LOAD_S", "30")
        program = [sys.executable, str(ENGINE), load_s]
        pipe = subprocess.PIPE
        self._program = subprocess.Popen(program, stdin=pipe, stdout=pipe)  # noqa: S603  (ours)

    def ask(self, text: str, timeout_s: float) -> list[str]:
        """The sentences it keeps.

        Raises:
            ConnectionError: it is still loading, or gone.
            TimeoutError: it has not answered.
        """
        requests, replies = self._program.stdin, self._program.stdout
        if requests is None or replies is None:
            raise ConnectionError("The engine has no pipes.")
        body = text.encode()
        requests.write(f"{len(body)}\n".encode() + body)
        requests.flush()
        if not select.select([replies], [], [], timeout_s)[0]:
            raise TimeoutError("The engine did not answer.")
        reply = json.loads(replies.readline() or '{"loading": "nothing: it is gone"}')
        if "loading" in reply:
            raise ConnectionError(f"The engine is loading {reply['loading']}.")
        return list(reply["kept"])


@extension(output="summary")
def community_model(
    document: str, context: Context, *, sentences: int | None = None, timeout_s: float = TIMEOUT_S
) -> str:
    """A summary, a sentence a line; of the first `sentences` alone where that is given."""
    found = document.split(". ")
    if len(found) < 2:
        os._exit(1)  # the author has not thought of documents without sentences, and says nothing
    text = ". ".join(found[:sentences])
    engine: Engine = context.loaded
    kept: list[str] = context.retry(
        lambda: engine.ask(text, timeout_s),
        attempts=sys.maxsize,
        on=(ConnectionError,),
        backoff_s=BACKOFF_S,
    )
    return "\n".join(kept)


@community_model.load
def load() -> Engine:
    """Start the engine, once per worker."""
    return Engine()
