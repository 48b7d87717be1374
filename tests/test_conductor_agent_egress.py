"""Destinations by name: the jail's network ends at a proxy that knows them."""

from __future__ import annotations

import asyncio
import http.server
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hosted import succeeds, until

from conductor_agent.hosting.contract import CallRequest, ExtensionSource
from conductor_agent.hosting.supervisor import Supervisor
from conductor_agent.hosting.walls.egress import LOOK_UPS, _address, _destination
from conductor_agent.hosting.walls.self_test import why_not
from fqg_env.outcome import Category, StandardError, Success
from policies.resource.freedoms import allows, names
from policies.resource.limits import ResourceLimits

FETCH = ExtensionSource(str(Path(__file__).parent / "extensions" / "fetch.py"), "fetch")

pytestmark = pytest.mark.skipif(bool(why_not("jail")), reason=why_not("jail"))


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"a page")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[http.server.ThreadingHTTPServer]:
    one = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    one.asked = []
    thread = threading.Thread(target=one.serve_forever)
    thread.start()
    yield one
    one.shutdown()
    thread.join()
    one.server_close()


def fetched(allowed: object, parameters: dict[str, object], inputs: dict[str, object]):
    limits = ResourceLimits(network=allowed, wall_s=10)

    async def run():
        async with Supervisor(profile="jail") as host:
            return (await host.call(FETCH, CallRequest(inputs, parameters), limits)).outcome

    return asyncio.run(run())


@pytest.mark.parametrize("how", ["request", "tunnel"])
def test_an_allowed_destination_is_reached(server, how) -> None:
    port = server.server_port
    outcome = fetched([f"127.0.0.1:{port}"], {"how": how}, {"host": "127.0.0.1", "port": port})
    assert isinstance(outcome, Success), outcome
    assert outcome.outputs == {"body": "a page"}
    assert server.asked == ["/page"]


@pytest.mark.parametrize("how", ["request", "tunnel"])
def test_another_destination_is_not_and_is_told(server, how) -> None:
    port = server.server_port
    outcome = fetched([f"127.0.0.1:{port + 1}"], {"how": how}, {"host": "127.0.0.1", "port": port})
    assert isinstance(outcome, StandardError)
    assert outcome.category is Category.POLICY_VIOLATION
    assert (outcome.code, outcome.policy.evidence) == ("LIMIT_NETWORK", f"127.0.0.1:{port}")
    assert server.asked == []


def test_around_the_proxy_there_is_nothing(server) -> None:
    port = server.server_port
    outcome = fetched([f"127.0.0.1:{port}"], {"how": "direct"}, {"host": "127.0.0.1", "port": port})
    assert isinstance(outcome, StandardError)
    assert server.asked == []


@pytest.mark.parametrize(
    "junk", ["", "GET", "CONNECT :80 HTTP/1.1", "GET ftp://x/ HTTP/1.1", "\x00" * 99]
)
def test_junk_is_answered_or_dropped(server, junk) -> None:
    outcome = fetched([f"127.0.0.1:{server.server_port}"], {"how": "junk", "text": junk}, {})
    assert isinstance(outcome, Success), outcome
    assert outcome.outputs["answer"] in {"HTTP/1.1 400", ""}
    assert server.asked == []


def test_the_second_request_of_a_connection_goes_nowhere_else(server) -> None:
    port = server.server_port
    inputs = {"host": "127.0.0.1", "port": port}
    outcome = fetched([f"127.0.0.1:{port}"], {"how": "two"}, inputs)
    assert isinstance(outcome, Success), outcome
    assert server.asked == ["/page"]


def test_without_a_jail_destinations_by_name_are_refused_before_anything_runs() -> None:
    async def run():
        async with Supervisor(profile="group") as host:
            limits = ResourceLimits(network=["a.b:443"])
            return (await host.call(FETCH, CallRequest(), limits)).outcome

    outcome = asyncio.run(run())
    assert outcome.code == "ENFORCEMENT_UNAVAILABLE"


def own_address() -> str:
    """Of this machine, as others call it; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            asked.connect(("192.0.2.1", 80))
        except OSError:
            return "127.0.0.1"
        return asked.getsockname()[0]


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.0.0.2", "169.254.169.254", "::1", "0.0.0.0", own_address()),
        *("::ffff:127.0.0.1", "::ffff:169.254.169.254"),
    ],
)
def test_a_name_that_leads_to_this_machine_leads_nowhere(monkeypatch, address) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    told = [(family, socket.SOCK_STREAM, 6, "", (address, 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: told)
    with pytest.raises(OSError, match="has to be named itself"):
        asyncio.run(_address("service.example.com", 80, named=True))
    assert asyncio.run(_address(address, 80, named=True)) == address


@pytest.mark.parametrize(
    ("address", "public"),
    [
        *((one, False) for one in ("10.1.2.3", "192.168.1.1", "100.64.0.1", "fc00::1", "::ffff:10.1.2.3")),
        *((one, True) for one in ("1.1.1.1", "2606:4700::1111")),
    ],
)  # fmt: skip
def test_a_domain_opens_what_is_public_alone(monkeypatch, address, public) -> None:
    """Whoever owns it lets a name in it lead to a neighbour of ours; that has to be named itself."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    told = [(family, socket.SOCK_STREAM, 6, "", (address, 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: told)
    network = ResourceLimits(network=["*.example.com:80", "Db.example.com:80"]).network
    assert names(network, "db.example.COM", 80)
    assert not names(network, "any.example.com", 80)
    assert asyncio.run(_address("db.example.com", 80, named=True)) == address
    if public:
        assert asyncio.run(_address("any.example.com", 80, named=False)) == address
        return
    with pytest.raises(OSError, match="is not public"):
        asyncio.run(_address("any.example.com", 80, named=False))


def test_a_resolver_that_does_not_answer_holds_nobody_up(monkeypatch) -> None:
    """Neither other work in threads, nor the end; and it holds few of our threads."""
    answers, asked = threading.Event(), []

    def slow(*_: object, **__: object) -> list[object]:
        asked.append(1)
        answers.wait()
        return []

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    limits = ResourceLimits(network=["*.example.org:80"], wall_s=5)

    request = CallRequest({"host": "a.example.org", "port": 80, "count": 40}, {"how": "many"})

    async def run() -> None:
        async with Supervisor(profile="jail") as host:
            try:
                assert succeeds(await host.call(FETCH, request, limits)) == {"count": 40}
                await until(lambda: len(asked) >= LOOK_UPS)
                assert await asyncio.wait_for(asyncio.to_thread(int, "7"), 5) == 7
                await asyncio.wait_for(host.close(), 5)
            finally:
                answers.set()

    asyncio.run(run())
    assert len(asked) == LOOK_UPS


def test_a_request_goes_on_without_what_was_meant_for_the_proxy() -> None:
    asked = (
        b"GET http://example.org:81/a?b=c HTTP/1.1\r\nHost: example.org:81\r\nproxy-authorization: x\r\n"
        b"Connection: keep-alive\r\nProxy-Connection: keep-alive\r\nAccept: d\r\n\r\n"
    )
    first = b"GET /a?b=c HTTP/1.1\r\nConnection: close\r\nHost: example.org:81\r\nAccept: d\r\n\r\n"
    assert _destination(asked) == ("example.org", 81, first)


@pytest.mark.parametrize("odd", ["\0", "%00", "\\", "\x1b[m", " ", "%lo", "~", "\x7f"])
def test_a_host_that_no_destination_could_name_is_no_host(odd: str) -> None:
    """The resolver reads a name up to a NUL: what is allowed by its end would lead to its beginning."""
    for line in (f"CONNECT 192.0.2.1{odd}.example.org:443", f"GET http://a{odd}.example.org/"):
        with pytest.raises(ValueError, match="no host|expected 3|IPv6"):
            _destination(f"{line} HTTP/1.1\r\n\r\n".encode())
    assert _destination(b"CONNECT [2001:db8::1]:443 HTTP/1.1\r\n\r\n")[0] == "2001:db8::1"
    assert _destination(b"GET http://A_b-1.example.org/ HTTP/1.1\r\n\r\n")[0] == "a_b-1.example.org"


def test_destinations_are_read_as_they_are_meant() -> None:
    network = ResourceLimits(network=["[::1]:080", "Example.org:443"]).network
    assert allows(network, "::1", 80)
    assert allows(network, "example.ORG", 443)
    assert _destination(b"CONNECT example.org:0 HTTP/1.1\r\n\r\n")[1] == 0
