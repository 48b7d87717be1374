"""Start a worker process: its walls, its environment, its pipes, its own directory.

    conductor, spawning thread
      full, jail:  bwrap  >  bwrap, pid 1 in there  >  enter, becomes the worker
      lock, group: enter, stays as keeper  >  enter, becomes the worker

In full, a shell joins the control group and becomes the first bwrap. What stands above everything foreign
(`Watched.above`) is pid 1 in a jail, and the keeper elsewhere.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from msgspec import json

from conductor_agent.hosting.walls import bubblewrap, cgroups, enter, seccomp
from conductor_agent.hosting.walls.confine import Confinement
from conductor_agent.hosting.walls.enter import ROOT
from conductor_agent.hosting.walls.grants import FIELDS, places
from conductor_agent.hosting.walls.handover import VARIABLES, take_over
from conductor_agent.hosting.walls.place import Place
from conductor_agent.hosting.walls.profiles import Profile, give_back_uid, private_uid
from conductor_agent.hosting.walls.readable import NAMES, NEEDED, SYSTEM, code_of, firm, open_to_all
from conductor_agent.hosting.watch import tree
from conductor_agent.hosting.windows import Window
from conductor_agent.hosting.worker import Setup

if TYPE_CHECKING:
    from conductor_agent.hosting.contract import ExtensionSource
    from policies.resource.limits import ResourceLimits

HAND_OVER_S = 5.0
"""For a jail to hand over its way out: our own code alone runs until then."""
SCRATCH = "scratch"
"""Folder in a worker's directory."""
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty")
"""Devices that are there for everybody."""
ALLOWED = (
    "PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES",
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS", "NUMBA_NUM_THREADS",
)  # fmt: skip
"""Environment variables that a worker gets from the conductor. Secrets are not among them."""


@dataclass(frozen=True, slots=True)
class Launched:
    """A started worker with what stands above it, and the ends of its pipes that are ours."""

    process: subprocess.Popen[bytes]
    """A keeper, or the jail's outer process: when it has ended, nothing is left below."""
    channel: socket.socket
    log: int
    """Read end of standard output and error."""
    pidfd: int
    """Becomes readable when the process has ended."""
    directory: Path
    """Its own folder on disk, removed with it; without a jail, its scratch space is in it."""
    profile: Profile
    uid: int | None
    """The user that it is, where that is one of its own."""
    group: cgroups.Group | None
    asked: Window
    told: Window
    """Memory that large inputs and outputs go through."""
    listener: socket.socket | None = None
    """Where the jail's network ends, if some destinations are allowed."""


def launch(
    source: ExtensionSource, limits: ResourceLimits, python: str, profile: Profile
) -> Launched:
    """Start a worker; blocks for some milliseconds, so call it from a thread that lives long.

    (The kernel tells a keeper that its supervisor ended when the *thread* that started it ends.)

    Raises:
        OSError: the Python does not exist or the system is out of something.
        LedAwayError: a path that is granted leads elsewhere.
    """
    found = shutil.which(python)
    if found is None:
        raise FileNotFoundError(2, "No such program", python)
    python = os.path.abspath(found)  # noqa: PTH100  (an environment is found by its link)
    with contextlib.ExitStack() as undo:
        directory = Path(tempfile.mkdtemp(prefix="fqg-worker-"))
        undo.callback(shutil.rmtree, directory, ignore_errors=True)
        group = None
        place = cgroups.place() if profile.counted else None
        if place is not None:
            group = cgroups.make(place, limits.memory_bytes, limits.tasks)
            undo.callback(group.remove)
        asked = Window(limits.request_bytes, ours_to_write=True)
        told = Window(limits.reply_bytes, ours_to_write=False)
        undo.callback(asked.close)
        undo.callback(told.close)
        ours, theirs = socket.socketpair()
        undo.callback(ours.close)
        read_log, write_log = os.pipe()
        undo.callback(os.close, read_log)
        with theirs, asked.shared(), told.shared(), open(write_log, "wb"):  # noqa: PTH123
            fds = theirs.fileno(), asked.fd, told.fd
            plan = _plan(source, limits, python, profile, directory, fds)
            uid = plan.entry.confinement.uid
            undo.callback(give_back_uid, uid)
            with open(enter.written(plan.entry), "rb") as settings:  # noqa: PTH123
                line = [*plan.jail, *enter.command(sys.executable, settings.fileno())]
                process = _spawn(line, directory, (*fds, settings.fileno()), write_log, group)
        undo.callback(_end, process)
        within_s = min(limits.start_wall_s, HAND_OVER_S)
        listener = take_over(ours, within_s) if _by_name(limits) else None
        pidfd = os.pidfd_open(process.pid)
        undo.pop_all()
    ours.setblocking(False)
    os.set_blocking(read_log, False)
    return Launched(
        process, ours, read_log, pidfd, directory, profile, uid, group, asked, told, listener
    )


def _by_name(limits: ResourceLimits) -> bool:
    """Whether some destinations are allowed, and no others."""
    return not isinstance(limits.network, str)


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        tree.kill_below(process.pid)
    except OSError:  # no descriptor is left to look with; a keeper kills until nothing is left
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(HAND_OVER_S)
    process.kill()
    process.wait()


class _Plan(NamedTuple):
    """How a worker is started."""

    jail: list[str]
    """Command line before the first process."""
    entry: enter.Entry


def _plan(
    source: ExtensionSource,
    limits: ResourceLimits,
    python: str,
    profile: Profile,
    directory: Path,
    fds: tuple[int, int, int],
) -> _Plan:
    """The jail, the first process in it, and what that becomes."""
    code = code_of(source, python, limits.write_paths)
    limits, granted = _granted(limits, profile)
    uid = _uid(limits, profile, code)
    scratch = bubblewrap.SCRATCH if profile.jailed else str(_own_folder(directory, uid))
    shelf = ROOT
    if python != sys.executable or profile.locked:
        shelf = _shelf(directory)
        code = [*code, str(shelf)]
    entry = enter.Entry(
        command=_worker(source, python, scratch, fds),
        confinement=replace(_confinement(limits, profile, code, scratch, uid), granted=granted),
        keeper=None if profile.jailed else os.getpid(),
        directory=str(directory),
        hand_over=fds[0] if _by_name(limits) else None,
        environment=tuple(
            environment(source, python, str(shelf), scratch, limits, os.environ).items()
        ),
    )
    jail = bubblewrap.jail_of(limits, code, uid)
    return _Plan(bubblewrap.arguments(jail) if profile.jailed else [], entry)


def _granted(
    limits: ResourceLimits, profile: Profile
) -> tuple[ResourceLimits, dict[str, Place | None]]:
    """The limits with paths that nobody can lead elsewhere, and what has to lie at them behind the walls.

    What the jail has of its own is not looked for, and without walls there is nobody to look.

    Raises:
        LedAwayError: a path leads elsewhere.
    """
    paths = {field: tuple(firm(getattr(limits, field), limits.write_paths)) for field in FIELDS}
    read, written = (places(field, paths[field]) for field in FIELDS)
    if profile.jailed:
        read = {path: place for path, place in read.items() if not bubblewrap.covers(path)}
    return limits.model_copy(update=paths), read | written if profile.filtered else {}


def _worker(
    source: ExtensionSource, python: str, scratch: str, fds: tuple[int, int, int]
) -> tuple[str, ...]:
    """The worker's own command line."""
    location = source.source
    if location.endswith(".py"):
        location = str(Path(location).resolve())
    channel, asked, told = fds
    setup = json.encode(
        Setup(fd=channel, name=source.name, scratch=scratch, asked=asked, told=told)
    ).decode()
    # -P: nothing is imported from the working directory; -u: the log is complete when killed.
    return python, "-P", "-u", "-m", "conductor_agent.hosting.worker", location, setup


def _uid(limits: ResourceLimits, profile: Profile, code: list[str]) -> int | None:
    """A user of its own, unless it has to reach what is root's alone."""
    if not profile.filtered or limits.write_paths:
        return None
    paths = (*code, *limits.read_paths)
    return private_uid() if open_to_all(paths, above=not profile.jailed) else None


def _confinement(
    limits: ResourceLimits, profile: Profile, code: list[str], scratch: str, uid: int | None
) -> Confinement:
    """What the worker gives up in this profile."""
    own = uid is not None or (profile.jailed and os.getuid() != 0)
    program = b""
    if profile.filtered:
        sockets = profile.sockets(limits)
        program = seccomp.program(
            sockets,
            count_memfd=profile.counted,
            keep_files=profile.locked,
            keep_cores=limits.cpu_cores is not None,
        )
    return Confinement(
        open_files=limits.open_files,
        file_bytes=limits.file_bytes,
        tasks=limits.tasks if own else None,
        uid=uid,
        root_stays=not profile.filtered,
        cores=limits.cpu_cores,
        read=(*SYSTEM, *NAMES, "/proc", *code, *limits.read_paths) if profile.locked else None,
        write=(scratch, *limits.write_paths),
        use=(*DEVICES, *limits.devices),
        network=limits.network != "none",
        program=program,
    )


def _spawn(
    line: list[str],
    directory: Path,
    fds: tuple[int, ...],
    log: int,
    group: cgroups.Group | None,
) -> subprocess.Popen[bytes]:
    """Start it, in its control group from the first moment on."""
    if group is not None:
        joins = "".join(f'echo $$ >"{folder}/cgroup.procs" && ' for folder in group.folders)
        line = ["/bin/sh", "-c", f'{joins}exec "$@"', "sh", *line]
    return subprocess.Popen(  # noqa: S603  (running what the workflow names is the purpose)
        line,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        cwd=directory,
        env={"PATH": os.environ.get("PATH", os.defpath)},
        pass_fds=fds,
        start_new_session=True,
    )


def environment(
    source: ExtensionSource,
    python: str,
    packages: str,
    scratch: str,
    limits: ResourceLimits,
    ours: Mapping[str, str],
) -> dict[str, str]:
    """The whole environment of a worker: the allow-list, its own, our packages, what is handed on by name."""
    allowed = {name: ours[name] for name in (*ALLOWED, *limits.environment) if name in ours}
    own = dict(source.environment)
    # what the conductor can import, its extensions can
    inherited = ours.get("PYTHONPATH", "") if python == sys.executable else ""
    paths = [packages, *source.import_paths, own.pop("PYTHONPATH", ""), inherited]
    return {
        "ORT_DISABLE_TELEMETRY": "1",  # of ONNX Runtime, as in policies/onnx_runtime.py
        **allowed,
        "HOME": scratch,
        "TMPDIR": scratch,
        **(VARIABLES if _by_name(limits) else {}),
        **own,
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
    }


def _own_folder(directory: Path, uid: int | None) -> Path:
    """The scratch folder of a worker without a jail."""
    folder = directory / SCRATCH
    folder.mkdir(mode=0o700)
    if uid is not None:
        directory.chmod(0o711)
        os.chown(folder, uid, uid)
    return folder


def _shelf(directory: Path) -> Path:
    """A directory of our packages alone: the conductor's others may not fit another Python."""
    directory.chmod(0o711)
    shelf = directory / "packages"
    shelf.mkdir(mode=0o755)
    for package in NEEDED:
        (shelf / package).symlink_to(ROOT / package, target_is_directory=True)
    return shelf
