"""Extensions that succeed or fail in one way each; state lies in files, because workers come and go."""

import os
import time
from pathlib import Path
from typing import Any

from conductor_agent.hosting.extension import Context, Unable, extension
from fqg_env.outcome import Category, Hint, SideEffects, Success, error

Values = dict[str, Any]


@extension
def echo(inputs: Values, parameters: Values, context: Context) -> Values:
    """The input under the name of the output."""
    return {parameters.get("output", "text"): next(iter(inputs.values()))}


@extension
def fixed(inputs: Values, parameters: Values, context: Context) -> Success:
    """What it is told to answer, with the quality it is told to claim."""
    return Success(outputs=parameters["outputs"], quality=parameters.get("quality", {}))


@extension
def flaky(inputs: Values, parameters: Values, context: Context) -> Any:
    """Fails until its attempt in the run has the given number."""
    if context.attempt < parameters["from_attempt"]:
        return error(Category.UNAVAILABLE, "Not yet.")
    return {"text": "at last"}


@extension
def unable(inputs: Values, parameters: Values, context: Context) -> Values:
    """Says that it cannot, and what may help."""
    raise Unable("I cannot read this.", hints=(Hint(0.9, call=parameters["hint"]),))


@extension
def crash(inputs: Values, parameters: Values, context: Context) -> Values:
    """Dies."""
    os._exit(3)


@extension
def stumble(inputs: Values, parameters: Values, context: Context) -> Values:
    """Raises what its author did not foresee."""
    raise RuntimeError("no such page")


@extension
def slow(inputs: Values, parameters: Values, context: Context) -> Values:
    """Never answers; touches a file first."""
    if "started" in parameters:
        Path(parameters["started"]).write_text(str(os.getpid()))
    while True:
        time.sleep(60)


@extension
def inspect(inputs: Values, parameters: Values, context: Context) -> Success:
    """Looks and advises."""
    return Success(hints=(Hint(0.95, call=parameters["advises"]),))


@extension
def judge(inputs: Values, parameters: Values, context: Context) -> Success:
    """Says whether the text is good."""
    return Success(verdicts={"text": "bad" not in inputs["text"]})


@extension
def recover(inputs: Values, parameters: Values, context: Context) -> Values:
    """Tells whether it may recover by itself, and its key."""
    return {"text": f"recover={context.recover} key={context.idempotency_key}"}


@extension
def once(inputs: Values, parameters: Values, context: Context) -> Success:
    """Waits at a gate: the first attempt ever says that it is in flight and hangs, later ones answer."""
    started = Path(inputs["folder"], "started")
    if not started.exists():
        started.write_text(str(os.getpid()))
        while True:
            time.sleep(60)
    return Success(outputs={"text": context.idempotency_key}, side_effects=SideEffects.NONE)
