"""Start a worker process: its environment, its pipes, its own session, its own directory."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import json

from conductor_agent.hosting.worker import Setup

if TYPE_CHECKING:
    from conductor_agent.hosting.contract import ExtensionSource
    from policies.resource.limits import ResourceLimits

ROOT = Path(__file__).resolve().parents[2]
"""Directory that the project's packages are imported from."""
NEEDED = ("fqg_env", "policies", "conductor_agent")
"""Packages a worker imports from."""
ALLOWED = (
    "PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES",
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS", "NUMBA_NUM_THREADS",
)  # fmt: skip
"""Environment variables that a worker gets from the conductor. Secrets are not among them."""


@dataclass(frozen=True, slots=True)
class Launched:
    """A started keeper with its worker, and the ends of its pipes that are ours."""

    process: subprocess.Popen[bytes]
    channel: socket.socket
    log: int
    """Read end of standard output and error."""
    pidfd: int
    """Becomes readable when the keeper has ended."""
    directory: Path
    """Working directory, home of the scratch directories; removed with the worker."""


def launch(source: ExtensionSource, limits: ResourceLimits, python: str) -> Launched:
    """Start a worker; blocks for some milliseconds, so call it from a thread that lives long.

    (The kernel tells a keeper that its supervisor ended when the *thread* that started it ends.)

    Raises:
        OSError: the Python does not exist or the system is out of something.
    """
    directory = Path(tempfile.mkdtemp(prefix="fqg-worker-"))
    with contextlib.ExitStack() as undo:
        undo.callback(shutil.rmtree, directory, ignore_errors=True)
        ours, theirs = socket.socketpair()
        undo.callback(ours.close)
        read_log, write_log = os.pipe()
        undo.callback(os.close, read_log)
        try:
            process = _spawn(source, limits, python, directory, theirs.fileno(), write_log)
        finally:
            theirs.close()
            os.close(write_log)
        pidfd = os.pidfd_open(process.pid)
        undo.pop_all()
    ours.setblocking(False)
    os.set_blocking(read_log, False)
    return Launched(process, ours, read_log, pidfd, directory)


def _spawn(
    source: ExtensionSource,
    limits: ResourceLimits,
    python: str,
    directory: Path,
    channel: int,
    log: int,
) -> subprocess.Popen[bytes]:
    setup = Setup(
        fd=channel,
        name=source.name,
        parent=os.getpid(),
        open_files=limits.open_files,
        file_bytes=limits.file_bytes,
        scratch=str(directory),
    )
    location = str(Path(source.source).resolve()) if _is_file(source) else source.source
    # -P: nothing is imported from the working directory; -u: the log is complete when killed.
    module = "conductor_agent.hosting.worker"
    return subprocess.Popen(  # noqa: S603  (running what the workflow names is the purpose)
        [python, "-P", "-u", "-m", module, location, json.encode(setup).decode()],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        cwd=directory,
        env=environment(source, python, directory, os.environ),
        pass_fds=(channel,),
        start_new_session=True,
    )


def environment(
    source: ExtensionSource, python: str, directory: Path, ours: Mapping[str, str]
) -> dict[str, str]:
    """The whole environment of a worker: the allow-list, our packages, the source's own."""
    allowed = {name: ours[name] for name in ALLOWED if name in ours}
    own = dict(source.environment)
    if python == sys.executable:  # what the conductor can import, its extensions can
        packages, inherited = ROOT, ours.get("PYTHONPATH", "")
    else:
        packages, inherited = _shelf(directory), ""
    paths = [str(packages), *source.import_paths, own.pop("PYTHONPATH", ""), inherited]
    return {
        **allowed,
        "TMPDIR": str(directory),
        **own,
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
    }


def _shelf(directory: Path) -> Path:
    """A directory of our packages alone: the conductor's others may not fit another Python."""
    shelf = directory / "packages"
    shelf.mkdir()
    for package in NEEDED:
        (shelf / package).symlink_to(ROOT / package, target_is_directory=True)
    return shelf


def _is_file(source: ExtensionSource) -> bool:
    return source.source.endswith(".py")
