"""Where the suite runs: as root in mounts and processes of its own, so that nothing reaches the machine.

Some attacks really mount and really kill where they are not contained. The suite starts itself anew
behind `unshare`, with empty common folders; as an ordinary user if it is asked to.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

MARK = "FQG_SUITE_STAGE"
NOBODY = 65534
COVERED = ("/tmp", "/var/tmp", "/dev/shm")
_BIND = 4096 | 16384
"""With what is mounted below."""
_ROOT = Path(__file__).resolve().parents[2]


class StageError(Exception):
    """The suite cannot run safely here. The text is one sentence."""


def entered() -> bool:
    """Whether this process is on a stage, so that even the deadliest attack ends there."""
    return os.environ.get(MARK) == "play"


def enter(script: str, words: list[str], keep: Iterable[Path], *, as_user: bool) -> int | None:
    """Run the script anew on a stage; its exit code, or None: go on, this is it.

    Args:
        script: the file to run.
        words: its arguments.
        keep: files and folders that have to stay to be seen.
        as_user: become an ordinary user.

    Raises:
        StageError: it cannot be built.
    """
    match os.environ.get(MARK):
        case None if os.getuid() == 0:
            return _unshared(script, words)
        case "build":
            _build(list(keep), as_user=as_user)
            return _play(script, words, as_user=as_user)
    if as_user and os.getuid() == 0:
        raise StageError("This is root on a stage already.")
    return None


def _unshared(script: str, words: list[str]) -> int:
    """A mount namespace and a process namespace; the suite's child is the first process there."""
    if shutil.which("unshare") is None:
        raise StageError("As root the suite needs the program unshare: install util-linux.")
    line = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    line += ["--propagation", "private", sys.executable, script, *words]
    environment = {**os.environ, MARK: "build"}
    try:
        return subprocess.run(line, env=environment, check=False).returncode
    except KeyboardInterrupt:
        return 130


def _build(keep: list[Path], *, as_user: bool) -> None:
    """Cover the common folders with empty ones that show only what is needed."""
    needed = [*keep, *(Path(path) for path in (sys.prefix, sys.base_prefix)), _ROOT]
    needed += [Path(path) for path in sys.path if path and Path(path).exists()]
    needed = [path.resolve() for path in needed if str(path) not in COVERED]
    closed = _closed(needed) if as_user else []
    for place in dict.fromkeys([*COVERED, *closed]):
        if Path(place).is_dir():
            _cover(Path(place), [path for path in needed if path.is_relative_to(place)])


def _closed(needed: list[Path]) -> list[str]:
    """Folders on the way to what is needed that an ordinary user may not enter."""
    ways = {parent for path in needed for parent in path.parents}
    closed = sorted(way for way in ways if way.stat().st_mode & 0o5 != 0o5)
    inner = [
        way for way in closed if any(way.is_relative_to(other) for other in closed if other != way)
    ]
    return [str(way) for way in closed if way not in inner and not str(way).startswith(COVERED)]


def _cover(place: Path, needed: list[Path]) -> None:
    """An empty folder over `place`, in which what is needed shows through."""
    outer = [
        path
        for path in needed
        if not any(path != other and path.is_relative_to(other) for other in needed)
    ]
    folders = {path: path.is_dir() for path in outer if path != place}
    through = os.open(place, os.O_PATH)
    mode = "1777" if str(place) in COVERED else "755"
    _mount("suite", place, "tmpfs", options=f"size=2g,mode={mode}")
    for path, is_folder in folders.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(exist_ok=True) if is_folder else path.touch()
        _mount(f"/proc/self/fd/{through}/{path.relative_to(place)}", path, flags=_BIND)
    os.close(through)


def _mount(source: str, target: Path, kind: str = "", flags: int = 0, options: str = "") -> None:
    """The system call: the program of this name would look up where a descriptor leads."""
    libc = ctypes.CDLL(None, use_errno=True)
    words = (source.encode(), bytes(target), kind.encode())
    if libc.mount(*words, ctypes.c_ulong(flags), options.encode()) != 0:
        why = os.strerror(ctypes.get_errno())
        raise StageError(f"The suite cannot make its own mount on {target}: {why}.")


def _play(script: str, words: list[str], *, as_user: bool) -> int:
    """Start the play in a child; this first process of the namespace buries whoever is left to it."""
    child = os.fork()
    if child == 0:
        _become(script, words, as_user=as_user)
    while True:
        pid, status = os.wait()
        if pid == child:
            return os.waitstatus_to_exitcode(status) % 256


def _become(script: str, words: list[str], *, as_user: bool) -> None:
    home = tempfile.mkdtemp(prefix="suite-")
    if as_user:
        os.chown(home, NOBODY, NOBODY)
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    else:
        Path(home).chmod(0o755)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    environment = {
        **os.environ,
        MARK: "play",
        "TMPDIR": home,
        "HOME": home,
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    # A new program: the kernel keeps a process that changed its user from looking at itself.
    os.execve(sys.executable, [sys.executable, script, *words], environment)
