"""Extensions that each do one thing wrong, small and fast."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from conductor_agent.hosting.extension import Context, InvalidInput, Unable, extension
from fqg_env.outcome import Hint, Success

Values = dict[str, Any]


@extension
def sleeper(inputs: Values, parameters: Values, context: Context) -> Values:
    """Sleeps for ever, whatever it is asked to stop by; says its pid and touches a file first."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    Path(parameters["started"]).write_text(str(os.getpid()))
    while True:
        time.sleep(60)


@extension
def spinner(inputs: Values, parameters: Values, context: Context) -> Values:
    """Burns processor time."""
    while True:
        pass


@extension
def hog(inputs: Values, parameters: Values, context: Context) -> Values:
    """Takes more and more memory."""
    kept = []
    while True:
        kept.append(b"x" * 4_000_000)
        time.sleep(0.001)


@extension
def family_hog(inputs: Values, parameters: Values, context: Context) -> Values:
    """Takes memory in children, each of which would be within the limit."""
    code = "x = b'x' * 30_000_000; import time; time.sleep(60)"
    children = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(6)]
    return {"codes": [child.wait() for child in children]}


@extension
def threads(inputs: Values, parameters: Values, context: Context) -> Values:
    """Starts more threads than it may."""
    for _ in range(100):
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    time.sleep(60)
    return {}


@extension
def killed_by(inputs: Values, parameters: Values, context: Context) -> Values:
    """Dies by the signal it is given."""
    signal.signal(parameters["signal"], signal.SIG_DFL) if parameters["signal"] != 9 else None
    os.kill(os.getpid(), parameters["signal"])
    time.sleep(60)
    return {}


@extension
def exits(inputs: Values, parameters: Values, context: Context) -> Values:
    """Leaves without an answer."""
    print("last words", flush=True)
    os._exit(parameters["code"])


@extension
def daemon(inputs: Values, parameters: Values, context: Context) -> Values:
    """Leaves a detached grandchild behind, then answers or hangs."""
    pids = Path(parameters["pids"])
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            pids.write_text(str(os.getpid()))
            time.sleep(60)
        os._exit(0)
    os.wait()
    while not pids.exists() or not pids.read_text():
        time.sleep(0.001)
    if parameters.get("exit"):
        os._exit(3)
    if parameters.get("hang"):
        time.sleep(60)
    return {}


@extension
def flood(inputs: Values, parameters: Values, context: Context) -> Values:
    """Writes to its log without end."""
    while True:
        print("x" * 1000)


@extension
def liar(inputs: Values, parameters: Values, context: Context) -> Any:
    """Answers something that is no outcome."""
    answers = {
        "number": 7,
        "none": None,
        "object": {"a": object()},
        "nan": {"a": float("nan")},
        "quality": Success(quality={"a": 7.0}),
        "keys": {"a": {1: 2}},
        "cost": Success(cost=float("inf")),
        "deep": {"a": _nested(100)},
        "surrogate": {"a": "\ud800"},
    }
    return answers[parameters["what"]]


def _nested(depth: int) -> list[Any]:
    return [_nested(depth - 1)] if depth else []


@extension
def big_answer(inputs: Values, parameters: Values, context: Context) -> Values:
    """Answers as many bytes as it is told."""
    return {"blob": b"x" * parameters["bytes"]}


@extension
def big_file(inputs: Values, parameters: Values, context: Context) -> Values:
    """Writes a large file."""
    (context.scratch / "big").write_bytes(b"x" * parameters["bytes"])
    return {}


@extension
def many_files(inputs: Values, parameters: Values, context: Context) -> Values:
    """Opens more files than it may."""
    kept = [open(os.devnull) for _ in range(1000)]  # noqa: SIM115
    return {"opened": len(kept)}


@extension
def raises(inputs: Values, parameters: Values, context: Context) -> Values:
    """Raises what it is told."""
    match parameters["what"]:
        case "value":
            raise ValueError("a bug")
        case "memory":
            raise MemoryError
        case "input":
            raise InvalidInput("the page is empty", artifact="page")
        case "unable":
            raise Unable("too blurred", hints=(Hint(0.7, call="denoise"),))
        case "program":
            subprocess.run(["no-such-program"], check=False)
        case "exit":
            sys.exit(5)
    return {}


@extension
async def asynchronous(inputs: Values, parameters: Values, context: Context) -> Values:
    """Awaits a little."""
    await asyncio.sleep(0)
    return {"ok": True}


@extension
def tidy(inputs: Values, parameters: Values, context: Context) -> Values:
    """Does to files what programs do."""
    import shutil

    file = context.scratch / "file"
    file.touch()
    touched = file.exists()
    file.write_text("text")
    file.touch()
    file.chmod(0o600)
    shutil.copy2(file, context.scratch / "copy")
    shutil.copytree(context.scratch, context.scratch / "folder", ignore=lambda *_: ["folder"])
    listed = sorted(path.name for path in context.scratch.iterdir())
    return {"touched": touched, "copied": (context.scratch / "copy").read_text(), "listed": listed}


KEPT: list[bytes] = []


@extension
def keep(inputs: Values, parameters: Values, context: Context) -> Values:
    """Never lets go of what it made."""
    KEPT.append(b"x" * inputs["size"])
    return {"pid": os.getpid()}


@extension
def facts(inputs: Values, parameters: Values, context: Context) -> Values:
    """What an extension can see of its surroundings."""
    scratch = context.scratch
    fresh = not list(scratch.iterdir())
    (scratch / "left").write_text("over")
    return {
        "pid": os.getpid(),
        "environment": dict(os.environ),
        "stdin": sys.stdin.read(),
        "fresh": fresh,
        "scratch": str(scratch),
        "run_id": context.run_id,
        "attempt": context.attempt,
        "key": context.idempotency_key,
        "recover": context.recover,
        "deadline_s": context.deadline_s,
        "cancelled": context.cancelled,
        "cwd": os.getcwd(),
        "packages": os.listdir(os.environ["PYTHONPATH"].split(os.pathsep)[0]),
    }


@extension
def stubborn(inputs: Values, parameters: Values, context: Context) -> Values:
    """Repeats what never works, a thousand times if it may."""
    tries = []

    def fails() -> None:
        tries.append(1)
        raise ConnectionError(f"try {len(tries)}")

    context.retry(fails, attempts=1000, backoff_s=0)
    return {}
