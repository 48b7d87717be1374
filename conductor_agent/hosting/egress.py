"""The way out of a jail to the destinations that are allowed: an HTTP proxy that its network ends at.

The jail has a network of its own with nothing in it but a listening socket, made in there and served out
here. So whoever goes around the proxy goes nowhere. Clients find it by the usual variables (HTTP_PROXY).
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import re
import socket
from urllib.parse import urlsplit

from policies.resource.freedoms import Network, allows

ENFORCER = "egress proxy"
HEAD_BYTES = 16_384
"""Longest head of a request."""
HEAD_S = 10.0
"""For a client to say where it wants to go."""
CONNECTIONS = 64
"""At a time, per worker."""
HOST = re.compile(r"[a-z0-9_][a-z0-9_.-]*|[0-9a-f:.]+")
"""What a destination can be named by. A resolver reads other letters its own way, and a NUL as the end."""
_CHUNK = 65_536


class Egress:
    """Serves one worker's way out."""

    def __init__(self, listener: socket.socket, network: Network) -> None:
        self._refused: list[str] = []
        self._network: Network = network
        self._open = asyncio.Semaphore(CONNECTIONS)
        self._listener = listener
        self._serving = asyncio.ensure_future(self._serve())
        self._serving.add_done_callback(lambda _: listener.close())  # it may end before it begins

    def take_refused(self) -> tuple[str, ...]:
        """Destinations that were asked for and are not allowed, since this was last asked; the first few."""
        refused, self._refused = tuple(self._refused), []
        return refused

    def close(self) -> None:
        """Let nobody out any more."""
        self._serving.cancel()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._connected, sock=self._listener, limit=HEAD_BYTES)
        try:
            await server.serve_forever()
        finally:
            server.close()
            for task in asyncio.all_tasks():
                if task.get_name() == self._name():
                    task.cancel()

    def _name(self) -> str:
        return f"fqg-egress-{id(self)}"

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            task.set_name(self._name())
        ends = (OSError, asyncio.IncompleteReadError, asyncio.CancelledError)
        with contextlib.closing(writer), contextlib.suppress(*ends):
            if self._open.locked():
                return  # each one waiting would hold a descriptor of ours
            async with self._open:
                await self._let_out(reader, writer)

    async def _let_out(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read where to, open the way if it is allowed, and pass on both ways."""
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), HEAD_S)
            host, port, first = _destination(head)
        except (TimeoutError, ValueError, asyncio.LimitOverrunError):
            writer.write(_answer("400 Bad Request", "a proxy is spoken to in HTTP"))
            return
        if not allows(self._network, host, port):
            if len(self._refused) < CONNECTIONS:
                self._refused.append(f"{host}:{port}")
            writer.write(
                _answer("403 Forbidden", f"{host}:{port} is not among the destinations allowed")
            )
            return
        try:
            address = await _address(host, port)
            far_reader, far_writer = await asyncio.open_connection(address, port)
        except (OSError, ValueError) as problem:
            writer.write(_answer("502 Bad Gateway", str(problem)))
            return
        with contextlib.closing(far_writer):
            if first:
                far_writer.write(first)
            else:
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await asyncio.gather(_pass_on(reader, far_writer), _pass_on(far_reader, writer))


async def _address(host: str, port: int) -> str:
    """Where a name leads: to this machine only where it was written so.

    Raises:
        OSError: the name leads nowhere, or to this machine or its own link.
        ValueError: it is no name.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    address = str(found[0][4][0])
    if host not in ("localhost", address) and _near(address):
        raise OSError(f"{host} leads to {address}, which has to be named itself")
    return address


def _near(address: str) -> bool:
    """Whether it is this machine's, by whatever name, or its own link's."""
    told = ipaddress.ip_address(address.partition("%")[0])
    here = getattr(told, "ipv4_mapped", None) or told
    if here.is_loopback or here.is_link_local or here.is_unspecified or here.is_multicast:
        return True
    family = socket.AF_INET if here.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as asked, contextlib.suppress(OSError):
        asked.connect((str(here), 9))  # nothing is sent: the kernel says whence it would be
        return bool(asked.getsockname()[0] == str(here))
    return False


def _destination(head: bytes) -> tuple[str, int, bytes]:
    """Host, port, and what to send there first: the request itself, unless it is a tunnel.

    Raises:
        ValueError: it is no request to a proxy.
    """
    line, _, rest = head.partition(b"\r\n")
    method, target, version = line.decode("ascii").split(" ")
    if method == "CONNECT":
        parts = urlsplit(f"//{target}")
        return _named(parts.hostname), _port(parts.port, 443), b""
    parts = urlsplit(target)
    if parts.scheme != "http":
        raise ValueError("it is no request to a proxy")
    path = parts._replace(scheme="", netloc="").geturl() or "/"
    # One request to one place: the next one on this connection could be meant for another.
    kept = [
        one
        for one in rest.split(b"\r\n")
        if not one.lower().startswith((b"proxy-", b"connection:"))
    ]
    first = f"{method} {path} {version}\r\nConnection: close\r\n".encode() + b"\r\n".join(kept)
    return _named(parts.hostname), _port(parts.port, 80), first


def _port(told: int | None, usual: int) -> int:
    return usual if told is None else told


def _named(host: str | None) -> str:
    if not host or not HOST.fullmatch(host):
        raise ValueError("no host")
    return host


def _answer(status: str, why: str) -> bytes:
    body = f"{why}\n".encode()
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until one side has said all."""
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
