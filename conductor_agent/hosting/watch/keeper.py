"""The process between supervisor and worker: whatever a worker leaves behind, this one ends.

A worker may start programs that detach themselves. Orphans of a process go to its nearest
*subreaper*, so a keeper that declares itself one keeps the whole tree below it in sight, without
changing anything for the program that runs the supervisor. It also ends the tree when that
program dies. Standard library alone; Linux.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from pathlib import Path
from types import FrameType

from conductor_agent.hosting.watch import tree
from conductor_agent.hosting.watch.scratch import remove_folder

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def keep_below(parent: int, directory: str) -> None:
    """Fork: returns in what will be the worker; the keeper stays in here and exits as the worker did.

    Args:
        parent: pid of the supervisor; if it is gone already, so are we.
        directory: the worker's own; removed here if the supervisor no longer can.
    """
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(1))
    if os.getppid() != parent:
        os._exit(1)
    worker = os.fork()
    if worker == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        return
    told = _end_when_told()
    status = _keep(worker)
    if told or os.getppid() != parent:
        remove_folder(Path(directory))
    _exit_like(status)


def _end_when_told() -> list[int]:
    """From now on SIGTERM, the kernel's word that the supervisor is gone, ends the tree.

    Returns a list that is empty until then. (The signal comes once per thread of the supervisor,
    and until the last of them is gone our parent's pid is still the old one.)
    """
    told: list[int] = []

    def end(number: int, _frame: FrameType | None) -> None:
        told.append(number)
        _kill_children()

    signal.signal(signal.SIGTERM, end)
    return told


def _keep(worker: int) -> int:
    """Reap whatever ends; when the worker does, end the rest. How the worker ended."""
    os.closerange(3, 65_536)  # the channel belongs to the worker alone
    status = 0
    while True:
        try:
            pid, code = os.waitpid(-1, 0)
        except ChildProcessError:
            break
        if pid == worker:
            status = os.waitstatus_to_exitcode(code)
            _kill_children()
        elif not _alive(worker):
            _kill_children()
    return status


def _alive(worker: int) -> bool:
    return worker in tree.children(os.getpid())


def _kill_children() -> None:
    """Children of those killed become ours and are met in the next round of the wait."""
    for pid in tree.children(os.getpid()):
        tree.kill(pid)


def _exit_like(status: int) -> None:
    if status < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if -status != signal.SIGKILL:
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status)
