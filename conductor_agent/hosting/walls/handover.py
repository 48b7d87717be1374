"""A listening socket made inside a jail and served outside: the way out of its own network (egress.py).

Standard library alone.
"""

from __future__ import annotations

import array
import socket

PORT = 3128
URL = f"http://127.0.0.1:{PORT}"
VARIABLES: dict[str, str] = dict.fromkeys(
    ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"), URL
)
"""Where HTTP clients find it."""
_INT = array.array("i").itemsize


def hand_over(channel: int) -> None:
    """In the jail, before anything foreign runs: listen, and send the socket to the supervisor.

    Raises:
        OSError: the jail's network does not allow it.
    """
    to_supervisor = socket.socket(fileno=channel)
    try:
        with socket.create_server(("127.0.0.1", PORT)) as listener:
            rights = array.array("i", [listener.fileno()])
            to_supervisor.sendmsg([b"!"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
    finally:
        to_supervisor.detach()  # the channel stays open


def take_over(channel: socket.socket, within_s: float) -> socket.socket:
    """Outside: the socket that `hand_over` sends; blocks until it is there.

    Raises:
        OSError: none came in time.
    """
    channel.settimeout(within_s)
    _, messages, _, _ = channel.recvmsg(1, socket.CMSG_SPACE(_INT))
    for level, kind, data in messages:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            found = array.array("i")
            found.frombytes(data[:_INT])
            return socket.socket(fileno=found[0])
    raise OSError("the jail handed over no way out")
