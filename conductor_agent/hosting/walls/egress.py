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

from conductor_agent.aside import TooSlowError, aside
from policies.resource.freedoms import Network, allows, names

HEAD_BYTES = 16_384
"""Longest head of a request."""
HEAD_S = 10.0
"""For a client to say where it wants to go."""
CONNECTIONS = 64
"""At a time, per worker."""
LOOK_UPS = 8
"""Of them; others wait, so that a slow resolver holds no more of our threads."""
LOOK_UP_S = 60.0
"""For a resolver to answer."""
HOST = re.compile(r"[a-z0-9_][a-z0-9_.-]*|[0-9a-f:.]+")
"""What a destination can be named by. A resolver reads other letters its own way, and a NUL as the end."""
_CHUNK = 65_536


class Egress:
    """Serves one worker's way out."""

    def __init__(self, listener: socket.socket, network: Network) -> None:
        self._refused: list[str] = []
        self._network: Network = network
        self._open = asyncio.Semaphore(CONNECTIONS)
        self._looking = asyncio.Semaphore(LOOK_UPS)
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
            async with self._looking:
                named = names(self._network, host, port)
                address = await _address(host, port, named=named)
            far_reader, far_writer = await asyncio.open_connection(address, port)
        except (OSError, ValueError, TooSlowError, RuntimeError) as problem:
            writer.write(_answer("502 Bad Gateway", str(problem)))
            return
        with contextlib.closing(far_writer):
            if first:
                far_writer.write(first)
            else:
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await asyncio.gather(_pass_on(reader, far_writer), _pass_on(far_reader, writer))


async def _address(host: str, port: int, *, named: bool) -> str:
    """Where a name leads: to this machine only where it was written so.

    It is looked up in a thread that nobody waits for at the end: a resolver may take minutes to give up.

    Args:
        host: a name or an address.
        port: for the look-up.
        named: it is allowed as it is, not by its domain: whoever owns a domain may let names in it lead
            anywhere, so that it opens what is public alone.

    Raises:
        OSError: the name leads nowhere, to this machine or its own link, or to what is not for it.
        ValueError: it is no name.
        TooSlowError: nobody answers.
        RuntimeError: the system has no thread to give.
    """
    found = await aside(
        lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM), LOOK_UP_S, "fqg-look-up"
    )
    address = str(found[0][4][0])
    if host not in ("localhost", address) and _near(address):
        raise OSError(f"{host} leads to {address}, which has to be named itself")
    if not named and not _plain(address).is_global:
        raise OSError(
            f"{host} leads to {address}, which is not public; one of them has to be named"
        )
    return address


def _plain(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Without its zone, and in version 4 where it only says so in version 6."""
    told = ipaddress.ip_address(address.partition("%")[0])
    return getattr(told, "ipv4_mapped", None) or told


def _near(address: str) -> bool:
    """Whether it is this machine's, by whatever name, or its own link's."""
    here = _plain(address)
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
