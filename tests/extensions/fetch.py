"""Fetches a page, in ways that go through a proxy and around it."""

import http.client
import socket
import urllib.request
from typing import Any

from conductor_agent.hosting.extension import extension

PROXY = ("127.0.0.1", 3128)
kept: list[socket.socket] = []


@extension
def fetch(inputs: dict[str, Any], parameters: dict[str, Any], context: Any) -> dict[str, Any]:
    """The page, or what a proxy says to junk."""
    host, port = inputs.get("host"), inputs.get("port")
    match parameters["how"]:
        case "request":
            with urllib.request.urlopen(f"http://{host}:{port}/page") as answer:
                return {"body": answer.read().decode()}
        case "tunnel":
            connection = http.client.HTTPConnection(*PROXY)
            connection.set_tunnel(host, port)
            connection.request("GET", "/page")
            return {"body": connection.getresponse().read().decode()}
        case "direct":
            connection = http.client.HTTPConnection(host, port)
            connection.request("GET", "/page")
            return {"body": connection.getresponse().read().decode()}
        case "two":
            return {
                "answer": said(
                    f"GET http://{host}:{port}/page HTTP/1.1\r\n\r\nGET http://evil/ HTTP/1.1"
                )
            }
        case "many":
            for _ in range(inputs["count"]):
                kept.append(socket.create_connection(PROXY))
                kept[-1].sendall(f"CONNECT {host}:{port} HTTP/1.1\r\n\r\n".encode())
            return {"count": len(kept)}
        case _:
            return {"answer": said(parameters["text"])[:12]}


def said(text: str) -> str:
    with socket.create_connection(PROXY) as one:
        one.sendall(text.encode() + b"\r\n\r\n")
        one.shutdown(socket.SHUT_WR)
        found = b""
        while part := one.recv(4096):
            found += part
    return found.decode()
