"""What a profile has to keep from an extension, tried as one: the self-test of profiles (self_test.py).

Each attempt answers whether it succeeded. Nothing here harms a host on which it does.
"""

from __future__ import annotations

import ctypes
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from conductor_agent.hosting.extension import extension

_NEW_USER, _NEW_NS, _SEIZE, _MPTCP = 0x10000000, 0x00020000, 0x4206, 262


def _succeeds(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except (OSError, ValueError, subprocess.SubprocessError):
        return False
    return True


def _read(path: str) -> None:
    with open(path, "rb") as file:  # noqa: PTH123
        file.read(1)


def _close(path: str) -> None:
    """Change who may read a file; a filter may say yes and do nothing."""
    before = Path(path).stat().st_mode
    Path(path).chmod(before ^ 0o100)
    if Path(path).stat().st_mode == before:
        raise OSError


def _connect(family: int, kind: int, address: Any, protocol: int = 0) -> None:
    with socket.socket(family, kind, protocol) as one:
        one.connect(address)
        one.send(b"x")


def _call(number: int, *arguments: int) -> None:
    if ctypes.CDLL(None, use_errno=True).syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), "refused")


def _new_user() -> None:
    """A namespace of one's own, in a child: it may come true."""
    child = os.fork()
    if child == 0:
        failed = ctypes.CDLL(None).unshare(_NEW_USER | _NEW_NS)
        os._exit(1 if failed else 0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0:
        raise OSError


def _memory_file() -> None:
    os.close(os.memfd_create("probe"))


def _leave_behind(marker: str) -> None:
    """A process that has left its session and its parent."""
    code = "import os, time; os.setsid(); os.fork() and os._exit(0); time.sleep(60)"
    subprocess.run([sys.executable, "-I", "-S", "-c", code, marker], check=True)  # noqa: S603


@extension
def probe(inputs: dict[str, Any], parameters: dict[str, Any], context: Any) -> dict[str, Any]:
    """Try everything; what succeeded."""
    if "hold_bytes" in parameters:
        return {"held": len(b"x" * parameters["hold_bytes"])}
    tried = {**_at_sockets(inputs), "namespace": _new_user, "memory_file": _memory_file}
    tried["kernel"] = lambda: os.close(os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY))
    tried["filesystem"] = lambda: _read(inputs["secret"])
    tried["mode"] = lambda: _close(inputs["secret"])
    if (
        str(Path("/proc/self/ns/pid").readlink()) == inputs["pid_namespace"]
    ):  # elsewhere its pid is nobody's
        tried.update(_at_process(inputs["pid"]))
    done = [name for name, attempt in tried.items() if _succeeds(attempt)]
    _leave_behind(inputs["marker"])
    works = _succeeds(lambda: (context.scratch / "file").write_bytes(b"x"))
    return {"done": done, "works": works}


def _at_process(pid: int) -> dict[str, Callable[[], object]]:
    """At the conductor."""
    trace = 101 if os.uname().machine == "x86_64" else 117
    return {
        "environment": lambda: _read(f"/proc/{pid}/environ"),
        "signal": lambda: os.kill(pid, 0),
        "limits": lambda: resource.prlimit(pid, resource.RLIMIT_CORE),
        "trace": lambda: _call(trace, _SEIZE, pid, 0, 0),
    }


def _at_sockets(inputs: dict[str, Any]) -> dict[str, Callable[[], object]]:
    """At the network, and at what listens on this machine."""
    local, stream = ("127.0.0.1", inputs["port"]), socket.SOCK_STREAM
    return {
        "tcp": lambda: _connect(socket.AF_INET, stream, local),
        "mptcp": lambda: _connect(socket.AF_INET, stream, local, _MPTCP),
        "udp": lambda: _connect(socket.AF_INET, socket.SOCK_DGRAM, local),
        "abstract": lambda: _connect(socket.AF_UNIX, stream, inputs["abstract"]),
        "vsock": lambda: socket.socket(socket.AF_VSOCK, stream).close(),
    }
