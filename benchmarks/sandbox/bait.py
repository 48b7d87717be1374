"""What an attack could harm on the host: set out before it, looked at after it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from sandbox.case import ATTACKS

VARIABLE = "FQG_SUITE_SECRET"
"""Environment variable of the conductor that holds the secret; it has to be there when Python starts,
because the kernel shows the environment that a program started with."""
NAME = "fqg-attack"
KEPT = "as it was"
MODES = {"kept": 0o644, "secret": 0o600}
_SENTINEL = "import sys; sys.stdin.read()"  # ends with us, whatever ends us


class Bait:
    """Listeners that nobody should reach, secrets nobody should read, files nobody should change."""

    def __init__(self) -> None:
        self.secret = os.environ.setdefault(VARIABLE, f"secret-{secrets.token_hex(8)}")
        self.name = f"{NAME}-{secrets.token_hex(4)}"
        self._undo = contextlib.ExitStack()

    def __enter__(self) -> Self:
        """Set it out."""
        with contextlib.ExitStack() as undo:
            self.folder = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="bait-")))
            self._files()
            self._listeners(undo)
            self.sentinel = _bystander()
            undo.callback(self._dismiss)
            self._memory = ctypes.create_string_buffer(self.secret.encode())
            self._open = os.open(self.folder / "secret", os.O_RDONLY)
            os.set_inheritable(self._open, True)  # as a careless library would
            undo.callback(os.close, self._open)
            self._undo = undo.pop_all()
        self.look()
        return self

    def __exit__(self, *_: object) -> None:
        """Take it away."""
        self._undo.close()

    def _dismiss(self) -> None:
        self.sentinel.kill()
        self.sentinel.communicate()

    def _files(self) -> None:
        self.folder.chmod(0o755)
        (self.folder / "secret").write_text(self.secret)
        (self.folder / "secret").chmod(MODES["secret"])
        (self.folder / "kept").write_text(KEPT)
        (self.folder / "kept").chmod(MODES["kept"])

    def _listeners(self, undo: contextlib.ExitStack) -> None:
        self._tcp = undo.enter_context(socket.create_server(("127.0.0.1", 0)))
        self._udp = undo.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self._udp.bind(("127.0.0.1", 0))
        self._abstract = undo.enter_context(socket.socket(socket.AF_UNIX))
        self._abstract.bind(f"\0{self.name}")
        self._path = undo.enter_context(socket.socket(socket.AF_UNIX))
        self._path.bind(str(self.folder / "socket"))
        (self.folder / "socket").chmod(0o777)
        self._datagrams = []
        for address in (str(self.folder / "datagram"), f"\0{self.name}-datagram"):
            self._datagrams.append(
                undo.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
            )
            self._datagrams[-1].bind(address)
        (self.folder / "datagram").chmod(0o777)
        for listener in (self._tcp, self._abstract, self._path):
            listener.listen()
            listener.setblocking(False)
        for listener in (self._udp, *self._datagrams):
            listener.setblocking(False)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._free_port = free.getsockname()[1]

    def parameters(self, sibling_file: str) -> dict[str, Any]:
        """Where everything is: an attack that has to search would only be slower."""
        return {
            "name": self.name,
            "folder": str(self.folder),
            "kept": str(self.folder / "kept"),
            "secret": str(self.folder / "secret"),
            "variable": VARIABLE,
            "home": str(Path.home()),
            "workers": tempfile.gettempdir(),
            "sibling_file": sibling_file,
            "tcp_port": self._tcp.getsockname()[1],
            "udp_port": self._udp.getsockname()[1],
            "abstract": self.name,
            "socket": str(self.folder / "socket"),
            "datagram": str(self.folder / "datagram"),
            "datagram_name": f"{self.name}-datagram",
            "free_port": self._free_port,
            "free_name": f"{self.name}-free",
            "conductor": os.getpid(),
            "sentinel": self.sentinel.pid,
            "address": ctypes.addressof(self._memory),
            "size": len(self.secret),
        }

    def look(self) -> None:
        """Remember how the host is now."""
        self._before = _state()

    def reachable(self) -> list[str]:
        """Whether an extension listens where the host can reach it; asked while its worker lives."""
        found = []
        for family, address in (
            (socket.AF_INET, ("127.0.0.1", self._free_port)),
            (socket.AF_UNIX, f"\0{self.name}-free"),
        ):
            with socket.socket(family) as caller:
                if caller.connect_ex(address) == 0:
                    found.append(f"it listens on {address!r}")
        return found

    def harm(self) -> list[str]:
        """What is not as it was, one sentence each; what was left behind is removed."""
        found = [*self._reached(), *self._changed()]
        now = _state()
        for what, before in self._before.items():
            found += [f"{what}: {entry} is new" for entry in sorted(now[what] - before)]
            found += [f"{what}: {entry} is gone" for entry in sorted(before - now[what])]
        for path in _named(self.name):
            with contextlib.suppress(OSError):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        return found

    def _reached(self) -> Iterator[str]:
        for name in ("tcp", "abstract", "path"):
            with contextlib.suppress(BlockingIOError):
                getattr(self, f"_{name}").accept()[0].close()
                yield f"it reached the {name} listener"
        listeners = {
            "UDP": self._udp,
            **dict(zip(("datagram file", "datagram name"), self._datagrams, strict=True)),
        }
        for name, listener in listeners.items():
            with contextlib.suppress(BlockingIOError):
                while listener.recv(64):
                    yield f"it reached the {name} listener"

    def _changed(self) -> Iterator[str]:
        if self.sentinel.poll() is not None:
            yield "it killed a bystander"
            self.sentinel = _bystander()
        for name, text in (("kept", KEPT), ("secret", self.secret)):
            path = self.folder / name
            if not path.exists() or path.read_text() != text:
                yield f"it changed the file {name!r}"
                path.write_text(text)
            if stat.S_IMODE(path.stat().st_mode) != MODES[name]:
                yield f"it changed the mode of the file {name!r}"
                path.chmod(MODES[name])


def _bystander() -> subprocess.Popen[bytes]:
    """A process of our user that has nothing to do with extensions."""
    line = [sys.executable, "-I", "-S", "-c", _SENTINEL]
    return subprocess.Popen(line, stdin=subprocess.PIPE)


def places() -> list[Path]:
    """Folders that programs write to without being asked."""
    named = ("/tmp", "/var/tmp", "/dev/shm", "/run", "/", "/etc", tempfile.gettempdir())
    return [Path(place) for place in dict.fromkeys((*named, str(Path.home()), str(ATTACKS)))]


def _named(name: str) -> Iterator[Path]:
    for place in places():
        with contextlib.suppress(OSError):
            yield from place.glob(f"{name}*")


def _state() -> dict[str, set[str]]:
    """Lists that should be the same after an attack as before."""
    return {
        "files": {str(path) for path in _ours()},
        "mounts": set(Path("/proc/self/mountinfo").read_text().splitlines()),
        "shared memory": {line.split()[1] for line in _lines("/proc/sysvipc/shm")[1:]},
        "control groups": {str(path) for path in groups()},
    }


def _ours() -> Iterator[Path]:
    """Files in those places that our user owns, or in a place of our own whoever owns them."""
    uid = os.getuid()
    for place in places():
        with contextlib.suppress(OSError):
            for entry in os.scandir(place):
                with contextlib.suppress(OSError):
                    if uid == 0 or entry.stat(follow_symlinks=False).st_uid == uid:
                        yield Path(entry.path)


def groups() -> Iterator[Path]:
    """Control groups of this conductor's workers."""
    with contextlib.suppress(OSError):
        yield from Path("/sys/fs/cgroup").glob(f"**/fqg-{os.getpid()}-*")


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
