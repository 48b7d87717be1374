"""A failure at a wall names the limit that would open it, where it is known which wall it was."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from conductor_agent.hosting.contract import CallRequest, ExtensionSource
from conductor_agent.hosting.supervisor import Supervisor
from conductor_agent.hosting.walls import opening
from conductor_agent.hosting.walls.opening import with_the_key
from conductor_agent.hosting.walls.profiles import PROFILES
from conductor_agent.hosting.walls.self_test import why_not
from fqg_env.outcome import Category, Cause, Outcome, StandardError, error
from policies.resource.limits import ResourceLimits, limits_for

CODE = """
import socket, urllib.request
from conductor_agent.hosting.extension import extension

@extension
def reach(what: str, path: str):
    if what == "network":
        socket.create_connection(("192.0.2.1", 80), timeout=1)
    elif what == "wrapped":
        urllib.request.urlopen("http://192.0.2.1", timeout=1)
    elif what == "mine":
        open("not-there.txt")
    else:
        open(path, what)
"""
LIMITS = limits_for("operator")


@pytest.mark.parametrize("profile", ["full", "jail", "lock", "group"])
def test_each_wall_is_named_by_the_limit_that_opens_it(tmp_path: Path, profile: str) -> None:
    if why_not(profile):
        pytest.skip(why_not(profile))
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "reach.py").write_text(CODE)
    (tmp_path / "other.txt").write_text("not for it")
    source = ExtensionSource(str(tmp_path / "code" / "reach.py"))

    async def asked() -> dict[str, str]:
        async with Supervisor(profile=profile) as host:
            told = {}
            for what in ("network", "wrapped", "r", "w", "mine"):
                inputs = {"what": what, "path": str(tmp_path / "other.txt")}
                outcome = (await host.call(source, CallRequest(inputs), LIMITS)).outcome
                told[what] = outcome.detail if isinstance(outcome, StandardError) else ""
                wall = "which the limit" in told[what]
                assert not wall or outcome.category is Category.FORBIDDEN
                assert not wall or outcome.retryable is False
            return told

    told = asyncio.run(asked())
    if profile == "group":
        assert not any("which the limit" in text for text in told.values())
        return
    either = "which the limit `read_paths` or `write_paths` opens"
    assert told["network"].endswith("which the limit `network` opens")
    assert told["wrapped"].endswith("which the limit `network` opens")
    assert told["r"].endswith("which the limit `read_paths` opens" if profile != "lock" else either)
    assert told["w"].endswith("`write_paths` opens")
    assert "which the limit" not in told["mine"]


@pytest.mark.parametrize(
    ("message", "limits", "keys"),
    [
        ("[Errno 13] Permission denied", {}, "network"),
        ("[Errno 13] Permission denied", {"network": "host"}, None),
        ("[Errno 101] Network is unreachable", {}, "network"),
        ("[Errno -2] Name or service not known", {}, "network"),
        ("[Errno -5] No address associated with hostname", {}, "network"),
        ("[Errno 1] Operation not permitted", {}, None),
        ("<urlopen error [Errno -3] Temporary failure in name resolution>", {}, "network"),
        ("[Errno 30] Read-only file system: '/usr/lib/a: b'", {}, "write_paths"),
        ("[Errno 13] Permission denied: '/dev/sda'", {}, "devices"),
        ("[Errno 2] No such file or directory: '/nowhere/at/all'", {}, None),
        ("[Errno 2] No such file or directory: '/usr'", {}, "read_paths"),
        ("the author wrote this", {}, None),
        ("x" * 500 + "[Errno 13] Permission denied", {}, None),
    ],
)
def test_what_is_not_known_is_not_said(
    message: str, limits: dict[str, str], keys: str | None
) -> None:
    below = Cause("RuntimeError", "it went wrong", cause=Cause("OSError", message))
    failure = error(Category.CRASHED, "x", cause=below)
    told = asyncio.run(with_the_key(failure, ResourceLimits(**limits), PROFILES["jail"]))
    assert isinstance(told, StandardError)
    assert told.detail == (
        "" if keys is None else f"that is a wall around it, which the limit `{keys}` opens"
    )


@pytest.mark.parametrize(
    ("profile", "message", "keys"),
    [
        ("lock", "[Errno 2] No such file or directory: '/usr'", None),
        ("lock", "[Errno 13] Permission denied: '/usr'", "read_paths` or `write_paths"),
        ("group", "[Errno 13] Permission denied", None),
        ("group", "[Errno 30] Read-only file system: '/usr/a'", None),
    ],
)
def test_a_profile_without_a_wall_is_not_said_to_have_it(
    profile: str, message: str, keys: str | None
) -> None:
    failure = error(Category.CRASHED, "x", detail="seen", cause=Cause("OSError", message))
    told = asyncio.run(with_the_key(failure, ResourceLimits(), PROFILES[profile]))
    assert isinstance(told, StandardError)
    wall = [] if keys is None else [f"that is a wall around it, which the limit `{keys}` opens"]
    assert told.detail == "; ".join(["seen", *wall])


def test_a_file_system_that_does_not_answer_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The path is the extension's word; of our threads no more than four wait for it."""
    answers, asked = threading.Event(), []

    def never(path: str) -> bool:
        asked.append(path)
        return answers.wait()

    monkeypatch.setattr(opening.os.path, "lexists", never)
    monkeypatch.setattr(opening, "LOOK_S", 0.05)
    cause = Cause("OSError", "[Errno 2] No such file or directory: '/dead/mount'")
    failure = error(Category.CRASHED, "x", cause=cause)

    async def each() -> list[Outcome]:
        calls = [with_the_key(failure, ResourceLimits(), PROFILES["jail"]) for _ in range(9)]
        return await asyncio.gather(*calls)

    try:
        assert asyncio.run(each()) == [failure] * 9
        assert asked == ["/dead/mount"] * 4
    finally:
        answers.set()
