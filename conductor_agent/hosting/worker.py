"""The process that runs one extension: load, say Ready, answer calls one at a time.

    python -m conductor_agent.hosting.worker SOURCE SETUP      (SETUP: JSON, see `Setup`)

Standard library and msgspec alone, so that an extension in its own environment starts fast.
Standard output and error go to the supervisor's log pipe, never into the protocol.
"""

from __future__ import annotations

import mmap
import os
import sys

try:
    import msgspec
except ImportError:
    sys.exit(69)  # classify.EXIT_NO_MSGSPEC, which cannot be imported without msgspec

from pathlib import Path
from typing import Any

from conductor_agent.hosting import frames, windows
from conductor_agent.hosting.classify import from_answer, from_exception
from conductor_agent.hosting.extension import Context, Extension, extensions_of, perform
from fqg_env.outcome import Blame, Category, Outcome, Phase, StandardError, Success, error
from policies.resource.enforcers import WORKER
from policies.resource.violations import Limit, evidence, violation

_CHUNK = 65_536


class Setup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the supervisor tells a worker on the command line."""

    fd: int
    """The worker's end of the channel."""
    name: str
    """Which extension of the source; empty: the only one."""
    scratch: str
    """Directory for the scratch directories of calls."""
    asked: int
    """Window that large inputs lie in (windows.py)."""
    told: int
    """Window for large outputs."""


class Channel:
    """Blocking frames over the file descriptor of the channel."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        os.set_inheritable(fd, False)

    def receive(self) -> tuple[int, frames.Hello | frames.Call]:
        """The next message and its call id. The supervisor is trusted with its length.

        Raises:
            EOFError: the supervisor closed the channel.
        """
        length, call_id = frames.HEADER.unpack(self._read(frames.HEADER.size))
        return call_id, frames.from_supervisor(self._read(length))

    def send(self, frame: bytearray) -> None:
        """Write a whole frame."""
        rest = memoryview(frame)
        while rest:
            rest = rest[os.write(self._fd, rest) :]

    def _read(self, size: int) -> bytes | bytearray:
        part = os.read(self._fd, min(size, _CHUNK))
        if len(part) == size:
            return part
        whole = bytearray(size)  # filled in place: a large array is copied once
        whole[: len(part)] = part
        rest = memoryview(whole)[len(part) :]
        while part and rest:
            count = os.readv(self._fd, [rest])
            if count == 0:
                break
            rest = rest[count:]
        if rest:
            raise EOFError
        return whole


def main(source: str, setup: Setup) -> int:
    """Run a worker until the supervisor closes the channel; the exit code."""
    channel = Channel(setup.fd)
    try:
        call_id, hello = channel.receive()
        ready, chosen, loaded = _load(source, setup.name)
        channel.send(frames.encode(call_id, ready))
        if chosen is not None and isinstance(hello, frames.Hello):
            asked = windows.opened(setup.asked, write=False)
            told = windows.opened(setup.told, write=True)
            _serve(channel, chosen, loaded, Path(setup.scratch), asked, told)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        pass  # the supervisor has closed the channel
    return 0


def _load(source: str, name: str) -> tuple[frames.Ready, Extension | None, Any]:
    """Import the source, choose the extension and run its load hook."""
    try:
        found = extensions_of(_module(source))
        chosen = _choose(found, source, name)
        if isinstance(chosen, StandardError):
            return frames.Ready(frames.VERSION, tuple(found), chosen), None, None
        loaded = chosen.loader() if chosen.loader else None
    except (Exception, SystemExit) as problem:  # noqa: BLE001
        failure = from_exception(problem, Phase.ADMISSION)
        return frames.Ready(frames.VERSION, (), failure), None, None
    return frames.Ready(frames.VERSION, tuple(found)), chosen, loaded


def _module(source: str) -> Any:
    import importlib.util

    if not source.endswith(".py"):
        return importlib.import_module(source)
    path = Path(source)
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{source} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def _choose(found: dict[str, Extension], source: str, name: str) -> Extension | StandardError:
    if name in found:
        return found[name]
    if not name and len(found) == 1:
        return next(iter(found.values()))
    return error(
        Category.UNSUPPORTED,
        _not_in(found, Path(source).name, name),
        blame=Blame.CALLER,
        phase=Phase.ADMISSION,
    )


def _not_in(found: dict[str, Extension], file: str, name: str) -> str:
    from fqg_env.errors import suggest  # only a mistake needs it

    if not found:
        return f"{file} has no extension: decorate a function with @extension."
    if name:
        return f"{file} has no extension {name!r}.{suggest(name, found)}"
    return f"{file} has {len(found)} extensions ({', '.join(found)}): say which one is meant."


def _serve(
    channel: Channel,
    ext: Extension,
    loaded: Any,
    scratch: Path,
    asked: mmap.mmap,
    told: mmap.mmap,
) -> None:
    while True:
        call_id, call = channel.receive()
        if not isinstance(call, frames.Call):
            return
        context = Context(
            run_id=call.run_id,
            attempt=call.attempt,
            idempotency_key=call.idempotency_key,
            recover=call.recover,
            deadline_s=call.deadline_s,
            scratch_base=scratch,
            loaded=loaded,
            reply_bytes=call.reply_bytes,
            own_retries=call.own_retries,
        )
        inputs = {**call.inputs, **windows.take(asked, call.large)} if call.large else call.inputs
        outcome = perform(ext, inputs, call.parameters, context)
        channel.send(_reply(call_id, outcome, call.reply_bytes, told))


def _reply(call_id: int, outcome: Outcome, limit: int, window: mmap.mmap) -> bytearray:
    """The frame of an outcome; where it cannot be sent, of the error that says why."""
    places: windows.Places = {}
    if isinstance(outcome, Success):
        outputs = outcome.outputs
        places = windows.lay_out(outputs, min(limit, len(window)))
        if places:
            windows.put(window, outputs, places)
            outcome = msgspec.structs.replace(outcome, outputs=windows.without(outputs, places))
    try:
        frame = frames.encode(call_id, frames.Result(outcome, places))
    except (TypeError, ValueError, RecursionError) as problem:
        return frames.encode(call_id, frames.Result(from_answer(str(problem))))
    size = len(frame) - frames.HEADER.size + windows.total(places)
    if size <= limit:
        return frame
    # Saying so ourselves keeps the worker; one that lies here is killed by the supervisor.
    proof = evidence(Limit.REPLY, limit, size, enforcer=WORKER, action="refused")
    return frames.encode(call_id, frames.Result(violation(Limit.REPLY, proof)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], msgspec.json.decode(sys.argv[2], type=Setup)))
