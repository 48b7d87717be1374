"""Attacks with files: too large, too many, in others' places, or hard to remove."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attacking import Tries, Values, attack

OVER = 64_000_000
BLOCK = 1_000_000


def _hold(**facts: Any) -> Any:
    """Give a watch time to see it; a place that is large enough for it all is no refusal."""
    time.sleep(1.0)
    return facts


@attack
def one_big_file(parameters: Values, context: Any) -> Any:
    """Writes one file over the limit."""
    block = b"x" * BLOCK
    with (context.scratch / "big").open("wb", buffering=0) as file:
        for _ in range((parameters["file_bytes"] + OVER) // BLOCK):
            file.write(block)
    return _hold(count=parameters["file_bytes"] + OVER)


@attack
def sparse_file(parameters: Values, context: Any) -> Any:
    """Makes a file of a terabyte with nothing in it."""
    with (context.scratch / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    return {"count": 1 << 40}


@attack
def allocated_file(parameters: Values, context: Any) -> Any:
    """Asks the file system for the whole size at once."""
    with (context.scratch / "allocated").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, parameters["file_bytes"] + OVER)
    return _hold(count=parameters["file_bytes"] + OVER)


@attack
def many_big_files(parameters: Values, context: Any) -> Any:
    """Fills the scratch space with files that are each within the limit."""
    block = b"x" * BLOCK
    made = 0
    for number in range((parameters["written_bytes"] + OVER) // BLOCK):
        (context.scratch / str(number)).write_bytes(block)
        made += BLOCK
    return _hold(count=made)


@attack
def deleted_file(parameters: Values, context: Any) -> Any:
    """Fills the scratch space with files that have no name any more."""
    block, kept, made = b"x" * BLOCK, [], 0
    for number in range((parameters["written_bytes"] + OVER) // BLOCK):
        path = context.scratch / str(number)
        kept.append(path.open("wb", buffering=0))
        path.unlink()
        kept[-1].write(block)
        made += BLOCK
    return _hold(count=made)


@attack
def many_files(parameters: Values, context: Any) -> Any:
    """Makes empty files, ten times as many as allowed."""
    for number in range(parameters["scratch_files"] * 10):
        (context.scratch / str(number)).touch()
    return _hold(count=parameters["scratch_files"] * 10)


@attack
def open_files(parameters: Values, context: Any) -> Any:
    """Opens ten thousand files."""
    kept = [os.open(os.devnull, os.O_RDONLY) for _ in range(10_000)]
    return {"count": len(kept)}


@attack
def deep_folders(parameters: Values, context: Any) -> Any:
    """Makes folders in folders, deeper than a path can say, and leaves them."""
    os.chdir(os.environ["TMPDIR"])
    depth = 0
    try:
        for _ in range(3000):
            os.mkdir("d")
            os.chdir("d")
            depth += 1
    except OSError:
        return {"count": 0, "depth": depth}
    return {"count": 0, "depth": depth}


@attack
def closed_folder(parameters: Values, context: Any) -> Any:
    """Leaves a folder that may not be entered, with a file in it."""
    folder = Path(os.environ["TMPDIR"], "closed")
    folder.mkdir()
    (folder / "file").touch()
    folder.chmod(0)
    return {"count": 0}


@attack
def odd_names(parameters: Values, context: Any) -> Any:
    """Leaves files whose names are no text, and things that are no files."""
    home = os.fsencode(os.environ["TMPDIR"])
    for name in (b"\xff\xfe", b"new\nline", b"-rf", b"\x1b[31m", b"n" * 255):
        os.close(os.open(os.path.join(home, name), os.O_CREAT | os.O_WRONLY))
    os.mkfifo(os.path.join(home, b"fifo"))
    os.symlink("/", os.path.join(home, b"everything"))
    return {"count": 0}


@attack
def swapped_for_a_link(parameters: Values, context: Any) -> Any:
    """Puts a link to others' files where its own folder was, for whoever removes it."""
    target, home = parameters["bait"]["folder"], Path(os.environ["TMPDIR"])
    scratch = context.scratch
    scratch.rmdir()
    scratch.symlink_to(target)
    try:
        moved = home.with_name(f"{home.name}-moved")
        home.rename(moved)
        home.symlink_to(target)
    except OSError:
        return {"count": 0}
    return {"count": 0}


@attack
def write_outside(parameters: Values, context: Any) -> Any:
    """Writes wherever a program might, under the suite's name; the suite looks for it there."""
    bait = parameters["bait"]
    written = []
    places = ["/tmp", "/var/tmp", "/dev/shm", "/run", "/", "/etc", bait["folder"]]
    for place in (*places, str(Path(__file__).parent), bait["home"]):
        try:
            Path(place, bait["name"]).write_text("here")
        except OSError:
            continue
        written.append(place)
    return {"managed": {}, "refused": {}, "tried": written or ["nowhere"]}


@attack
def tamper(parameters: Values, context: Any) -> Any:
    """Opens for writing what others run or keep; it writes to none but the suite's own."""
    from conductor_agent.hosting import extension, worker

    tries = Tries()
    targets = [__file__, worker.__file__, extension.__file__, os.__file__]
    for path in (*targets, parameters["bait"]["kept"]):

        def touch(path: str = path) -> str:
            os.close(os.open(path, os.O_WRONLY | os.O_APPEND))
            return path

        tries.way(path, touch)
    if parameters["bait"]["kept"] in tries.managed:
        Path(parameters["bait"]["kept"]).write_text("changed")
    return tries.answer()


@attack
def modes(parameters: Values, context: Any) -> Any:
    """Makes a file outside writable for everybody; whether the kernel says it did proves nothing."""
    tries, kept = Tries(), parameters["bait"]["kept"]
    before = Path(kept).stat().st_mode if Path(kept).exists() else 0

    def changed(change: Callable[[], Any]) -> str | None:
        change()
        now = Path(kept).stat().st_mode
        return oct(now) if now != before else None

    def by_descriptor() -> None:
        fd = os.open(kept, os.O_RDONLY)
        os.fchmod(fd, 0o666)

    tries.way("chmod", lambda: changed(lambda: os.chmod(kept, 0o777)))
    tries.way("fchmod", lambda: changed(by_descriptor))
    tries.way(
        "fchmodat", lambda: changed(lambda: os.chmod(Path(kept).name, 0o766, dir_fd=_above(kept)))
    )
    return tries.answer()


def _above(path: str) -> int:
    return os.open(Path(path).parent, os.O_RDONLY)


@attack
def set_user_id(parameters: Values, context: Any) -> Any:
    """Makes a program that runs as its owner, whoever starts it."""
    tries = Tries()

    def made(name: str, make: Callable[[Path], Any]) -> str | None:
        path = context.scratch / name
        make(path)
        mode = path.stat().st_mode
        return oct(mode) if mode & (stat.S_ISUID | stat.S_ISGID) else None

    def then_chmod(path: Path) -> None:
        path.touch()
        os.chmod(path, 0o4755)

    def then_fchmod(path: Path) -> None:
        with path.open("w") as file:
            os.fchmod(file.fileno(), 0o2755)

    flags = os.O_CREAT | os.O_WRONLY
    os.umask(0)
    tries.way("open", lambda: made("opened", lambda path: os.close(os.open(path, flags, 0o4755))))
    tries.way("chmod", lambda: made("changed", then_chmod))
    tries.way("fchmod", lambda: made("held", then_fchmod))
    tries.way("mknod", lambda: made("node", lambda path: os.mknod(path, stat.S_IFREG | 0o4755)))
    return tries.answer()


@attack
def leave_behind(parameters: Values, context: Any) -> Any:
    """Leaves a file for a later call, or looks for it."""
    name = f"{parameters['bait']['name']}-left"
    places = {
        str(Path(os.environ["TMPDIR"])),
        os.environ["HOME"],
        "/tmp",
        "/dev/shm",
        str(Path.cwd()),
    }
    if parameters.get("second"):
        found = {place: "found" for place in places if Path(place, name).exists()}
        return {"managed": found, "refused": {"find": "nothing there"}}
    for place in places:
        try:
            Path(place, name).write_text("for later")
        except OSError:
            continue
    return {"managed": {}, "refused": {}, "tried": sorted(places)}


@attack
def devices(parameters: Values, context: Any) -> Any:
    """Opens or makes devices that reach around the file system."""
    tries = Tries()
    for path in (
        "/dev/mem",
        "/dev/kmsg",
        "/dev/port",
        "/dev/fuse",
        "/dev/vda",
        "/dev/sda",
        "/proc/kcore",
    ):
        tries.way(path, lambda path=path: os.close(os.open(path, os.O_RDWR)) or path)
    number = os.makedev(1, 1)
    path = str(context.scratch / "mem")
    tries.way("mknod", lambda: os.mknod(path, stat.S_IFBLK | 0o600, number) or path)
    tries.way("sysrq", lambda: os.close(os.open("/proc/sysrq-trigger", os.O_WRONLY)) or "open")
    tries.way(
        "core_pattern",
        lambda: os.close(os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY)) or "open",
    )
    return tries.answer()


@attack
def host_root(parameters: Values, context: Any) -> Any:
    """Walks to the secret by other roots than its own."""
    tries = Tries()
    secret = parameters["bait"]["secret"]
    pids = [name for name in os.listdir("/proc") if name.isdigit()]

    def through(pid: str, door: str) -> str | None:
        path = Path(f"/proc/{pid}/{door}", secret.lstrip("/"))
        return path.read_text() if path.exists() else None

    for pid in pids:
        tries.way(f"root of {pid}", lambda pid=pid: through(pid, "root"))
        tries.way(f"folder of {pid}", lambda pid=pid: through(pid, "cwd/" + "../" * 12))
    return tries.answer()
