"""Attacks on what is not the extension's: secrets, other programs, the conductor, the kernel."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attacking import LIBC, Tries, Values, attack, checked, in_child, system_call

CLONE_NEWUSER = 0x10000000
CLONE_NEWNS = 0x00020000
SEIZE, DETACH = 0x4206, 17


def _others() -> Iterator[int]:
    """Every process that can be seen and is not this one."""
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            yield int(name)


@attack
def secret_file(parameters: Values, context: Any) -> Any:
    """Reads a file of the conductor's user."""
    tries = Tries()
    tries.way("file", lambda: Path(parameters["bait"]["secret"]).read_text())
    return tries.answer()


@attack
def planted_python(parameters: Values, context: Any) -> Any:
    """Reads that file where its own environment calls home, and through the links that lie in it."""
    tries, secret = Tries(), Path(parameters["bait"]["secret"])
    home = Path(sys.executable).parents[1]
    for folder in (secret.parent, home / "lib" / "python3", home / "bin" / "python-docs"):
        tries.way(str(folder), lambda folder=folder: (folder / secret.name).read_text())
    return tries.answer()


@attack
def granted_link(parameters: Values, context: Any) -> Any:
    """Reads that file by a path that it was granted, in whose place another has put a link."""
    tries, secret = Tries(), Path(parameters["bait"]["secret"])
    for folder in (os.environ["GRANTED"], str(secret.parent)):
        tries.way(folder, lambda folder=folder: Path(folder, secret.name).read_text())
    return tries.answer()


@attack
def environments(parameters: Values, context: Any) -> Any:
    """Reads the secrets in its own environment and in everybody's."""
    tries, wanted = Tries(), parameters["bait"]["variable"]

    def of(pid: int) -> str | None:
        text = Path(f"/proc/{pid}/environ").read_bytes()
        return next((part.decode() for part in text.split(b"\0") if wanted.encode() in part), None)

    tries.way("own", lambda: os.environ.get(wanted))
    for pid in _others():
        tries.way(f"of {pid}", lambda pid=pid: of(pid))
    return tries.answer()


@attack
def inherited_files(parameters: Values, context: Any) -> Any:
    """Reads from descriptors that it should not have got."""
    tries = Tries()

    def read(fd: int) -> bytes | None:
        found = os.pread(fd, 200, 0)
        return found if b"secret" in found else None  # its channel and its window are its own

    for name in sorted(os.listdir("/proc/self/fd"), key=int):
        if int(name) > 2:
            tries.way(f"descriptor {name}", lambda name=name: read(int(name)))
    tries.refused["end"] = "no more"
    return tries.answer()


@attack
def memory_of_others(parameters: Values, context: Any) -> Any:
    """Reads the conductor's memory, by file and by system call."""
    tries, bait = Tries(), parameters["bait"]
    address, size = bait["address"], bait["size"]

    def by_file(pid: int) -> bytes | None:
        with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
            memory.seek(address)
            return memory.read(size) or None

    def by_call(pid: int) -> bytes:
        room = ctypes.create_string_buffer(size)
        ours = (ctypes.c_void_p * 2)(ctypes.addressof(room), size)
        theirs = (ctypes.c_void_p * 2)(address, size)
        system_call("process_vm_readv", pid, ours, ctypes.c_ulong(1), theirs, ctypes.c_ulong(1), 0)
        return room.raw

    tries.way("file", lambda: by_file(bait["conductor"]))
    tries.way("call", lambda: by_call(bait["conductor"]))
    return tries.answer()


@attack
def trace_others(parameters: Values, context: Any) -> Any:
    """Takes hold of the conductor or of a bystander as a debugger does, and lets go."""
    tries = Tries()
    for name in ("conductor", "sentinel"):
        pid = parameters["bait"][name]

        def seize(pid: int = pid) -> str:
            checked(LIBC.ptrace(SEIZE, pid, None, None))
            LIBC.ptrace(DETACH, pid, None, None)
            return "traced"

        tries.way(name, seize)

    def steal() -> int:
        handle = system_call("pidfd_open", parameters["bait"]["conductor"], 0)
        return system_call("pidfd_getfd", handle, 1, 0)

    tries.way("descriptor", steal)
    return tries.answer()


@attack
def kill_bystander(parameters: Values, context: Any) -> Any:
    """Kills a process of the same user that has nothing to do with it."""
    tries = Tries()
    tries.way("kill", lambda: os.kill(parameters["bait"]["sentinel"], signal.SIGKILL) or "sent")
    return tries.answer()


@attack
def kill_conductor(parameters: Values, context: Any) -> Any:
    """Kills the conductor."""
    tries = Tries()
    tries.way("kill", lambda: os.kill(parameters["bait"]["conductor"], signal.SIGKILL) or "sent")
    return tries.answer()


@attack
def kill_parents(parameters: Values, context: Any) -> Any:
    """Kills whoever started it, up to the first process, then hangs."""
    pid = os.getppid()
    for _ in range(8):
        try:
            above = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
            os.kill(pid, signal.SIGKILL)
        except (OSError, ValueError):
            break
        pid = above
        if pid <= 1:
            break
    time.sleep(60)


@attack
def kill_everybody(parameters: Values, context: Any) -> Any:
    """Kills every process it may, then hangs."""
    with contextlib.suppress(OSError):
        os.kill(-1, signal.SIGKILL)
    time.sleep(60)


@attack
def siblings(parameters: Values, context: Any) -> Any:
    """Reads and changes what another extension keeps in its own folder."""
    tries, name = Tries(), parameters["bait"]["sibling_file"]

    def spoil(path: Path) -> str:
        text = path.read_text()
        path.write_text("changed")
        return text

    own = Path(os.environ["TMPDIR"])
    roots = {own.parent, own, Path(parameters["bait"]["workers"])}
    found = [path for root in roots for path in root.glob(f"*/{name}")]
    found += [Path(f"/proc/{pid}/root/tmp/{name}") for pid in _others()]
    found += [Path(f"/proc/{pid}/cwd/{name}") for pid in _others()]
    for path in found:
        tries.way(str(path), lambda path=path: spoil(path))
    tries.refused["end"] = "no more"
    return tries.answer()


@attack
def user_namespace(parameters: Values, context: Any) -> Any:
    """Makes a namespace in which it is root, where much of the kernel opens up."""
    tries = Tries()
    tries.way("unshare", lambda: in_child(lambda: checked(LIBC.unshare(CLONE_NEWUSER))))
    tries.way(
        "with mounts", lambda: in_child(lambda: checked(LIBC.unshare(CLONE_NEWUSER | CLONE_NEWNS)))
    )
    tries.way("mounts", lambda: in_child(lambda: checked(LIBC.unshare(CLONE_NEWNS))))
    return tries.answer()


@attack
def mount(parameters: Values, context: Any) -> Any:
    """Covers others' files with a file system of its own."""
    tries = Tries()
    target = parameters["bait"]["folder"].encode()
    for place in (target, b"/mnt"):
        tries.way(
            f"on {place.decode()}",
            lambda place=place: (
                checked(LIBC.mount(b"attack", place, b"tmpfs", 0, b"size=4k")) or "mounted"
            ),
        )
    tries.way("chroot", lambda: in_child(lambda: os.chroot("/usr")))
    return tries.answer()


@attack
def kernel(parameters: Values, context: Any) -> Any:
    """Calls into parts of the kernel that no model needs; each call is harmless where it works."""
    tries = Tries()
    nothing, zero = ctypes.c_void_p(0), ctypes.c_ulong(0)
    room = ctypes.create_string_buffer(256)
    calls: dict[str, tuple[Any, ...]] = {
        "io_uring_setup": (1, room),
        "bpf": (0, room, 72),
        "perf_event_open": (room, 0, -1, -1, zero),
        "userfaultfd": (0,),
        "add_key": (b"user", b"attack", b"x", ctypes.c_size_t(1), -2),
        "keyctl": (0, -3, 1),
        "init_module": (nothing, zero, b""),
        "kexec_load": (zero, zero, nothing, zero),
        "swapon": (b"/nowhere", 0),
    }
    for name, arguments in calls.items():
        tries.way(name, lambda name=name, arguments=arguments: _past_the_guard(name, *arguments))
    return tries.answer()


def _past_the_guard(name: str, *arguments: Any) -> str:
    """Whether the kernel looked at the arguments at all: then the caller was allowed."""
    try:
        return f"answered {system_call(name, *arguments)}"
    except OSError as problem:
        if problem.errno in _ARGUMENTS:
            return f"looked at its arguments: {problem.strerror}"
        raise


_ARGUMENTS = {2, 7, 14, 22}  # ENOENT, E2BIG, EFAULT, EINVAL


@attack
def capabilities(parameters: Values, context: Any) -> Any:
    """Looks what it may do that others may not."""
    tries = Tries()
    status = dict(
        line.split(":\t", 1)
        for line in Path("/proc/self/status").read_text().splitlines()
        if ":\t" in line
    )
    tries.way("effective", lambda: status["CapEff"] if int(status["CapEff"], 16) else None)
    tries.way("permitted", lambda: status["CapPrm"] if int(status["CapPrm"], 16) else None)
    tries.way("ambient", lambda: status["CapAmb"] if int(status["CapAmb"], 16) else None)
    tries.way("new by exec", lambda: None if status["NoNewPrivs"].strip() == "1" else "possible")
    return tries.answer()


@attack
def terminal(parameters: Values, context: Any) -> Any:
    """Types into the terminal of whoever runs the conductor."""
    import fcntl

    tries = Tries()

    def type_in() -> str:
        fd = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
        fcntl.ioctl(fd, 0x5412, b"\n")  # TIOCSTI
        return "typed"

    tries.way("tty", type_in)
    tries.way("standard input", lambda: os.read(0, 1) or None)
    return tries.answer()


@attack
def host_names(parameters: Values, context: Any) -> Any:
    """Sets the machine's name, to what it is."""
    import socket

    tries = Tries()
    tries.way("hostname", lambda: socket.sethostname(socket.gethostname()) or "set")
    return tries.answer()
