"""Which profile holds here: each is tried with an extension that means no good, the strongest first.

By what it does, never by version numbers: a kernel, a container or a security module may say one thing and do
another.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import tempfile
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from conductor_agent.hosting.contract import CallRequest, ExtensionSource, Reply
from conductor_agent.hosting.walls.enforcement import Enforced, enforcement, reaches
from conductor_agent.hosting.walls.profiles import GROUP, PROFILES, Profile
from fqg_env.errors import suggest
from fqg_env.outcome import StandardError
from policies.resource.limits import ResourceLimits

CHOICE = "CONDUCTOR_PROFILE"
"""Environment variable by which an operator chooses a profile; unset: the strongest."""
SOURCE = ExtensionSource("conductor_agent.hosting.walls.probe")
LIMITS = ResourceLimits(wall_s=10.0, memory_bytes=1 << 26, tasks=16, open_files=64)
UNSEEN = {"memory_file"}
"""What a profile with a control group may allow: it counts it."""


class ProfileError(ValueError):
    """The profile that the operator chose does not hold here. The text is one sentence."""


@cache
def strongest() -> Profile:
    """The first profile that holds here, or the one that the operator chose.

    Takes some tenths of a second for each that is tried.

    Raises:
        ProfileError: the operator's choice is none, or does not hold here.
    """
    wanted = os.environ.get(CHOICE, "")
    if not wanted:
        return next((one for one in PROFILES.values() if not why_not(one.name)), GROUP)
    if wanted not in PROFILES:
        raise ProfileError(f"{CHOICE}: there is no profile {wanted!r}." + suggest(wanted, PROFILES))
    reason = why_not(wanted)
    if reason:
        raise ProfileError(f"{CHOICE}: the profile {wanted} does not hold here: {reason}")
    return PROFILES[wanted]


def what_would(limit: str, wanted: Enforced) -> str:
    """What to mend here for a limit to be enforced so hard; empty: nothing would help."""
    for name in reversed(PROFILES):
        row = enforcement(name).get(limit)
        if row is not None and reaches(Enforced(row["level"]), wanted) and why_not(name):
            return f"the profile {name} would, but {why_not(name)}"
    return ""


@cache
def why_not(name: str) -> str:
    """Why a profile does not hold here, in a few words; empty: it does."""
    profile = PROFILES[name]
    lack = profile.lacks()
    if lack or profile == GROUP:
        return lack
    return _in_a_thread(lambda: asyncio.run(_failing(profile)))


async def _failing(profile: Profile) -> str:
    from conductor_agent.hosting.supervisor import Supervisor  # it asks us which profile to take

    with tempfile.TemporaryDirectory(prefix="fqg-secret-") as folder:
        marker = f"fqg-marker-{secrets.token_hex(8)}"
        with (
            socket.create_server(("127.0.0.1", 0)) as listener,
            socket.socket(socket.AF_UNIX) as local,
        ):
            local.bind(f"\0{marker}")
            local.listen()
            inputs = {
                "pid": os.getpid(),
                "pid_namespace": _namespace(),
                "port": listener.getsockname()[1],
                "abstract": f"\0{marker}",
                "secret": _secret(folder, marker),
                "marker": marker,
            }
            async with Supervisor(profile=profile.name) as supervisor:
                calls = [supervisor.call(SOURCE, CallRequest(inputs), one) for one in _identities()]
                replies = await asyncio.gather(*calls)
                held = await _hold_too_much(supervisor, profile)
        failing = [_judged(profile, reply) for reply in replies]
        return next(filter(None, failing), held or _survivor(marker))


def _secret(folder: str, text: str) -> str:
    """A file that nothing but the profile keeps from an extension."""
    Path(folder).chmod(0o755)
    secret = Path(folder) / "secret"
    secret.write_text(text)
    return str(secret)


def _judged(profile: Profile, reply: Reply) -> str:
    outcome = reply.outcome
    if isinstance(outcome, StandardError):
        return f"an extension does not start in it: {outcome.message} {outcome.detail}".strip()
    allowed = UNSEEN if profile.counted else set()
    done = [name for name in outcome.outputs["done"] if name not in allowed]
    if done:
        return f"an extension in it gets at {', '.join(done)}"
    return "" if outcome.outputs["works"] else "an extension in it cannot write its scratch space"


def _identities() -> list[ResourceLimits]:
    """Limits under which root starts a worker as a user of its own, and as root in name alone."""
    if os.getuid() != 0:
        return [LIMITS]
    return [LIMITS, LIMITS.model_copy(update={"write_paths": ("/nowhere",)})]


def _namespace() -> str:
    return str(Path("/proc/self/ns/pid").readlink())


async def _hold_too_much(supervisor: Any, profile: Profile) -> str:
    """Where memory is said to be limited by the kernel, see it done."""
    if not profile.counted:
        return ""
    request = CallRequest({}, {"hold_bytes": 2 * LIMITS.memory_bytes})
    reply = await supervisor.call(SOURCE, request, LIMITS)
    policy = getattr(reply.outcome, "policy", None)
    stopped = policy is not None and policy.name == "memory_bytes"
    return "" if stopped else "its memory is not limited"


def _survivor(marker: str) -> str:
    """Whether something that the probe left behind lives on."""
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if marker.encode() in line.read_bytes():
                return "what an extension left behind lives on"
        except OSError:
            continue
    return ""


def _in_a_thread(work: Callable[[], str]) -> str:
    """Its own event loop, whatever runs in ours."""
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(_guarded(work)), name="fqg-self-test")
    thread.start()
    thread.join()
    return found[0]


def _guarded(work: Callable[[], str]) -> str:
    try:
        return work()
    except OSError as problem:
        return f"it cannot be tried ({problem})"
