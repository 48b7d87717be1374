"""Any program as an extension: JSON on its standard input, JSON on its standard output.

    in    {"inputs": {...}, "parameters": {...}, "context": {...}}
    out   {"words": 3}, the outputs; or an outcome, known by its "schema" (`fqg_env/outcome.py`)

Bytes travel as `{"$base64": "..."}`. The worker runs this adapter and the program is its child, so
that every limit holds for both. No shell is in between. Standard library and msgspec alone.
"""

from __future__ import annotations

import base64
import binascii
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from conductor_agent.hosting import classify, exits
from conductor_agent.hosting.contract import ExtensionSource
from conductor_agent.hosting.extension import Extension
from conductor_agent.hosting.pipes import Pipes
from conductor_agent.hosting.sdk.context import Cancelled, Context
from conductor_agent.hosting.values import check_plain
from fqg_env.outcome import WIRE, Outcome, StandardError, Success, from_json
from policies.resource.enforcers import ADAPTER
from policies.resource.violations import Limit, evidence, violation

VARIABLE = "FQG_COMMAND"
"""How a worker is told which program it is, as a JSON list."""
NAME = "command"
"""Of the extension in this module."""
BYTES = "$base64"
GRACE_S = 0.5
"""The supervisor ends a call at its deadline; so much later we do, where there is none."""
_SCHEMAS = ("success/1", "standard-error/1")
_OURS = ("PYTHONPATH", VARIABLE)
"""Variables of the worker that are no business of the program."""


def command_source(
    command: Sequence[str], folder: Path, environment: Sequence[tuple[str, str]] = ()
) -> ExtensionSource:
    """How a supervisor finds a program.

    Args:
        command: program and arguments; one that begins with `./` is a file in `folder`.
        folder: the author's, which the program may read.
        environment: variables of its own.
    """
    argv = placed(command, folder)
    told = (VARIABLE, msgspec.json.encode(argv).decode())
    return ExtensionSource(
        source="conductor_agent.hosting.command",
        name=NAME,
        environment=(*environment, told),
        import_paths=(str(folder.resolve()),),
        command=argv,
    )


def command_extension(command: Sequence[str], folder: Path) -> Extension:
    """The same program as an extension for `call`, in a unit test."""
    argv = placed(command, folder)

    def run(inputs: dict[str, Any], parameters: dict[str, Any], context: Context) -> Outcome:
        return run_command(argv, inputs, parameters, context)

    return Extension(run, NAME)


def placed(command: Sequence[str], folder: Path) -> tuple[str, ...]:
    """The command with its `./` files where they are."""
    here = folder.resolve()
    return tuple(str(here / part) if part.startswith("./") else part for part in command)


def _from_environment(
    inputs: dict[str, Any], parameters: dict[str, Any], context: Context
) -> Outcome:
    return run_command(msgspec.json.decode(os.environ[VARIABLE]), inputs, parameters, context)


command = Extension(_from_environment, NAME)
"""What a worker serves."""


def run_command(
    argv: Sequence[str], inputs: dict[str, Any], parameters: dict[str, Any], context: Context
) -> Outcome:
    """Run the program once and say what it came to.

    Raises:
        OSError: it cannot be started.
        Cancelled: nobody waits any more.
    """
    request = {
        "inputs": packed(inputs),
        "parameters": packed(parameters),
        "context": {
            "run_id": context.run_id,
            "attempt": context.attempt,
            "idempotency_key": context.idempotency_key,
            "recover": context.recover,
            "deadline_s": context.deadline_s,
            "own_retries": context.own_retries,
        },
    }
    environment = {key: value for key, value in os.environ.items() if key not in _OURS}
    with subprocess.Popen(  # noqa: S603  (running what the manifest names is the purpose)
        list(argv),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=context.scratch,
        env=environment,
        start_new_session=True,
    ) as process:
        pipes = Pipes(process, msgspec.json.encode(request), context.reply_bytes)
        try:
            over = pipes.run(context.deadline_s + GRACE_S, lambda: _unwanted(context))
        finally:
            _kill(process)
    if over is Limit.REPLY:
        allowed = context.reply_bytes or 0
        return violation(over, evidence(over, allowed, len(pipes.output), enforcer=ADAPTER))
    if over is Limit.DEADLINE:
        if context.deadline_s > 0:
            raise Cancelled("Nobody waits for the answer any more.")
        raise TimeoutError("The program did not answer in time.")
    return _read(process.returncode, bytes(pipes.output), pipes.log_tail(), inputs)


def _unwanted(context: Context) -> bool:
    """Whether somebody cancelled the call; that its time is over is a matter of `GRACE_S`."""
    return context.deadline_s > 0 and context.cancelled


def _kill(process: subprocess.Popen[bytes]) -> None:
    """The program's whole session; it is not reaped yet, so its number is still its own."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        process.kill()


def _read(status: int, output: bytes, log: str, inputs: dict[str, Any]) -> Outcome:
    """The outcome of a program that ended: what it says itself, else what its exit code says."""
    if status == 0:
        try:
            return _answer(output)
        except (ValueError, RecursionError) as problem:
            found = classify.from_answer(_said(output, problem))
            return msgspec.structs.replace(found, detail=f"{found.detail} {log}".strip())
    try:
        told = _answer(output)
    except (ValueError, RecursionError):
        told = None
    if isinstance(told, StandardError):
        return told
    return exits.from_exit_code(status, log, tuple(inputs))


def _said(output: bytes, problem: Exception) -> str:
    if not output.strip():
        return "Standard output is empty."
    begin = output[:80].decode("utf-8", "replace")
    return f"Standard output is no JSON object of outputs ({problem}); it begins with {begin!r}."


def _answer(output: bytes) -> Outcome:
    """An outcome or outputs.

    Raises:
        ValueError: it is neither.
    """
    data = msgspec.json.decode(output)
    if not isinstance(data, dict):
        raise ValueError("it is no object")  # noqa: TRY004  (the caller asks whether it is an answer)
    check_plain(data, "output")
    if data.get("schema") not in _SCHEMAS:
        return Success(outputs=unpacked(data))
    outcome = from_json(output)
    if isinstance(outcome, Success):
        return msgspec.structs.replace(outcome, outputs=unpacked(outcome.outputs))
    if "retryable" not in data:
        outcome = msgspec.structs.replace(outcome, retryable=WIRE[outcome.category].retryable)
    return outcome


def packed(value: Any) -> Any:
    """Plain data as JSON has it: bytes in base 64."""
    match value:
        case bytes():
            return {BYTES: base64.b64encode(value).decode()}
        case dict():
            return {key: packed(item) for key, item in value.items()}
        case list() | tuple():
            return [packed(item) for item in value]
        case _:
            return value


def unpacked(value: Any) -> Any:
    """Plain data again.

    Raises:
        ValueError: what is marked as base 64 is none.
    """
    match value:
        case {"$base64": str() as text} if len(value) == 1:
            try:
                return base64.b64decode(text, validate=True)
            except binascii.Error as problem:
                raise ValueError(f"no base 64: {problem}") from None
        case dict():
            return {key: unpacked(item) for key, item in value.items()}
        case list():
            return [unpacked(item) for item in value]
        case _:
            return value
