"""Attacks on the network: reach a listener of the suite by every kind of socket, or be one."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import platform
import select
import socket
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from attacking import LIBC, Tries, Values, attack, checked

MPTCP = 262
CONNECTIONS = 200
"""In a flood: below the limit of open files."""
SETTLE_S = 3.0
"""For the proxy to have looked at all of them; it lets nobody wait for so short a time."""
_open: list[socket.socket] = []
"""What stays open after the answer, for the suite to find."""


def _connect(family: int, kind: int, address: Any, protocol: int = 0) -> str:
    made = socket.socket(family, kind, protocol)
    _open.append(made)
    made.settimeout(1.0)
    made.connect(address)
    made.send(b"attack")
    return f"reached {address!r}"


def _one(act: Callable[[], Any]) -> Values:
    tries = Tries()
    tries.way("socket", act)
    return tries.answer()


@attack
def tcp(parameters: Values, context: Any) -> Any:
    """Connects by TCP."""
    port = parameters["bait"]["tcp_port"]
    return _one(lambda: _connect(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", port)))


@attack
def udp(parameters: Values, context: Any) -> Any:
    """Sends a datagram."""
    port = parameters["bait"]["udp_port"]
    return _one(lambda: _connect(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", port)))


@attack
def mptcp(parameters: Values, context: Any) -> Any:
    """Connects by multipath TCP, which some walls do not know."""
    port = parameters["bait"]["tcp_port"]
    return _one(lambda: _connect(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", port), MPTCP))


@attack
def vsock(parameters: Values, context: Any) -> Any:
    """Makes a socket to the machine that this one runs on."""
    return _one(lambda: socket.socket(40, socket.SOCK_STREAM).fileno())


@attack
def abstract(parameters: Values, context: Any) -> Any:
    """Connects to a local socket that has no file."""
    name = "\0" + parameters["bait"]["abstract"]
    return _one(lambda: _connect(socket.AF_UNIX, socket.SOCK_STREAM, name))


@attack
def path(parameters: Values, context: Any) -> Any:
    """Connects to a local socket by its file."""
    return _one(lambda: _connect(socket.AF_UNIX, socket.SOCK_STREAM, parameters["bait"]["socket"]))


@attack
def datagram_pair(parameters: Values, context: Any) -> Any:
    """Sends from one of a pair of connected sockets to a listener that it is not connected to."""
    tries, bait = Tries(), parameters["bait"]

    def send(kind: int, address: str) -> str:
        pair = socket.socketpair(socket.AF_UNIX, kind)
        pair[0].sendto(b"attack", address)
        return f"reached {address!r}"

    for name, address in (("file", bait["datagram"]), ("name", "\0" + bait["datagram_name"])):
        tries.way(f"datagrams to a {name}", lambda to=address: send(socket.SOCK_DGRAM, to))
        tries.way(f"raw to a {name}", lambda to=address: send(socket.SOCK_RAW, to))
    return tries.answer()


@attack
def flood_the_way_out(parameters: Values, context: Any) -> Any:
    """Opens connections to the proxy and says nothing; how many of them the conductor keeps open."""
    address = urlsplit(os.environ["HTTP_PROXY"])
    waiting: list[socket.socket] = []
    for _ in range(CONNECTIONS):
        with contextlib.suppress(OSError):
            waiting.append(socket.create_connection((address.hostname, address.port), 1.0))
    ends = time.monotonic() + SETTLE_S
    while len(waiting) > parameters["enough"] and time.monotonic() < ends:
        closed = select.select(waiting, [], [], 0.05)[
            0
        ]  # it never says a word: only an end can be read
        waiting = [one for one in waiting if one not in closed]
    if len(waiting) < parameters["enough"] // 2:
        return {"managed": {}}  # it was not flooded, so nothing is shown
    return {"count": len(waiting)}


@attack
def names_with_another_end(parameters: Values, context: Any) -> Any:
    """Asks the proxy for names that end as an allowed one does, and that a resolver might read otherwise."""
    tries, address = Tries(), urlsplit(os.environ["HTTP_PROXY"])

    def answer(host: str) -> str | None:
        with socket.create_connection((address.hostname, address.port), 1.0) as proxy:
            proxy.sendall(f"CONNECT {host}:9 HTTP/1.1\r\n\r\n".encode())
            status = proxy.recv(4096).decode().partition("\r\n")[0]
        return None if status.split()[1] in ("400", "403") else status

    for odd in ("\0", "%00", "%2e", "#", "/", "?", "\\", "@", "%lo", "\x0b"):
        tries.way(repr(odd), lambda odd=odd: answer(f"127.0.0.1{odd}.example.org"))
    return tries.answer()


@attack
def listen(parameters: Values, context: Any) -> Any:
    """Listens where the suite can reach it: the suite tries."""
    bait = parameters["bait"]
    done = []
    for family, address in (
        (socket.AF_INET, ("127.0.0.1", bait["free_port"])),
        (socket.AF_UNIX, "\0" + bait["free_name"]),
    ):
        try:
            made = socket.socket(family, socket.SOCK_STREAM)
            made.bind(address)
            made.listen()
        except OSError as problem:
            done.append(f"refused: {problem.errno}")
        else:
            _open.append(made)
            done.append("listens")
    return {"managed": {}, "refused": {}, "tried": done}


@attack
def raw(parameters: Values, context: Any) -> Any:
    """Makes sockets that see or forge whole packets."""
    tries = Tries()
    tries.way("raw", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1).fileno())
    tries.way("packet", lambda: socket.socket(17, socket.SOCK_RAW, 0x300).fileno())
    tries.way("bluetooth", lambda: socket.socket(31, socket.SOCK_RAW, 1).fileno())
    tries.way("algorithms", lambda: socket.socket(38, socket.SOCK_SEQPACKET).fileno())
    return tries.answer()


@attack
def other_numbers(parameters: Values, context: Any) -> Any:
    """Makes a socket by the numbers of another instruction set, which filters may not know."""
    if platform.machine() != "x86_64":
        return {"managed": {}, "refused": {"i386": "not on this processor"}}
    tries = Tries()
    tries.way("x32", lambda: checked(LIBC.syscall(ctypes.c_long(0x40000000 | 41), 40, 1, 0)))
    tries.way("i386", _i386_socket)
    return tries.answer()


def _i386_socket() -> str | None:
    """socket(AF_VSOCK, SOCK_STREAM, 0) as a 32-bit program would; None: the kernel has no such."""
    # mov eax, 359; mov ebx, 40; mov ecx, 1; xor edx, edx; int 0x80; ret (rbx kept)
    code = (
        b"\x53\xb8\x67\x01\x00\x00\xbb\x28\x00\x00\x00\xb9\x01\x00\x00\x00\x31\xd2\xcd\x80\x5b\xc3"
    )
    page = mmap.mmap(-1, len(code), prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    function = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(write, str(function()).encode())
        os._exit(0)
    os.close(write)
    os.waitpid(pid, 0)
    said = os.read(read, 32).decode()
    return said if said and int(said) >= 0 else None
