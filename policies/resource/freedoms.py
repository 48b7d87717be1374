"""What an extension may reach, where a limit is no number: network, paths, devices, variables.

Each freedom has one question: what is asked for beyond what is allowed?
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any, Literal

Destinations = tuple[str, ...]
Network = Literal["none", "host"] | Destinations
DESTINATION = re.compile(r"(\*\.)?[A-Za-z0-9_.-]+:\d{1,5}|\[[0-9A-Fa-f:.]+\]:\d{1,5}")


def check_network(value: Any) -> Any:
    """A network as it is written: a word, or a list of destinations; no destination is none.

    Raises:
        ValueError: it is neither.
    """
    if value in ("none", "host"):
        return value
    if isinstance(value, str) or not isinstance(value, list | tuple):
        raise ValueError("it is none, host, or a list of host:port")  # noqa: TRY004  (pydantic tells it)
    for one in value:
        if not isinstance(one, str) or not DESTINATION.fullmatch(one) or not _port(one):
            raise ValueError(f"{one!r} is no destination; write host:port or *.host:port")
    return tuple(_plain(one) for one in value) or "none"


def _plain(destination: str) -> str:
    """A destination in small letters, its port without noughts before it."""
    host, _, port = destination.rpartition(":")
    return f"{host.lower()}:{int(port)}"


def check_paths(paths: tuple[str, ...]) -> tuple[str, ...]:
    """Paths, none of them relative.

    Raises:
        ValueError: one is.
    """
    for path in paths:
        if not path.startswith("/") or "\0" in path or ".." in PurePosixPath(path).parts:
            raise ValueError(f"{path!r} is no absolute path")
    return paths


def allows(network: Network, host: str, port: int) -> bool:
    """Whether a destination may be reached."""
    if isinstance(network, str):
        return network == "host"
    return any(_covers(one, _written(host, port)) for one in network)


def names(network: Network, host: str, port: int) -> bool:
    """Whether a destination is allowed as it is written, not only by its domain."""
    return not isinstance(network, str) and _written(host, port) in network


def _written(host: str, port: int) -> str:
    name = f"[{host}]" if ":" in host else host
    return f"{name.lower()}:{port}"


def _covers(allowed: str, wanted: str) -> bool:
    """Whether a destination, perhaps of a whole domain, holds another."""
    allowed, wanted = allowed.lower(), wanted.lower()
    if allowed.startswith("*."):
        return wanted.endswith(allowed[1:])
    return allowed == wanted


def _beyond_network(asked: Network, allowed: Network | None) -> Any:
    if asked == "none" or allowed in (None, "host"):
        return None
    if asked == "host" or allowed == "none":
        return asked
    return [one for one in asked if not any(_covers(held, one) for held in allowed or ())]


def _beyond_paths(asked: tuple[str, ...], allowed: tuple[str, ...] | None) -> Any:
    if allowed is None:
        return None
    return [one for one in asked if not any(PurePosixPath(one).is_relative_to(a) for a in allowed)]


def _beyond_names(asked: tuple[str, ...], allowed: tuple[str, ...] | None) -> Any:
    return None if allowed is None else [one for one in asked if one not in allowed]


def _port(destination: str) -> bool:
    return 0 < int(destination.rpartition(":")[2]) < 65_536


FREEDOMS: dict[str, Callable[[Any, Any], Any]] = {
    "network": _beyond_network,
    "read_paths": _beyond_paths,
    "write_paths": _beyond_paths,
    "devices": _beyond_paths,
    "environment": _beyond_names,
}
"""Field of `ResourceLimits` -> what of the first, asked for, the second does not allow."""
