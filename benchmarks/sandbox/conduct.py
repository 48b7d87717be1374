"""A conductor under attack: runs cases one after the other and tells how each ended, a line of JSON each.

A process of its own, because some attacks end the conductor where they are not contained. The suite
reads its lines; what it does not live to tell, the suite says for it (suite.py).
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import resource
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from sandbox.authored import Handed, handed_over
from sandbox.bait import Bait
from sandbox.case import ATTACKS, LIMITS, Case
from sandbox.cases import CASES
from sandbox.judge import Seen, judge

from conductor_agent.hosting.contract import CallRequest, ExtensionSource, Usage
from conductor_agent.hosting.supervisor import Supervisor
from conductor_agent.hosting.walls.self_test import why_not
from conductor_agent.hosting.watch import tree
from fqg_env.outcome import Outcome, StandardError, Success, to_json
from policies.resource.limits import ResourceLimits

SETTLE_S = 1.0
"""What lives on for so long after the end of a call has survived it."""
PEACEFUL_CALLS = 3
"""One of so many calls after an attack has to work."""
DESCRIPTOR_LOOKS = 20
PATIENCE = 5
"""So many times as long a descriptor is waited for: a spare worker takes seconds on a busy machine."""
_SUBREAPER = 36


@dataclass
class Told:
    """What one run of one case came to; the suite prints it."""

    contained: bool
    why: list[str]
    category: str | None = None
    code: str | None = None
    limit: str | None = None
    enforcer: str | None = None
    unit: str | None = None
    allowed: float | None = None
    observed: float | None = None
    gone_ms: float | None = None
    """From the limit, or the decision, until the last process was gone; None: nothing was killed."""
    peak_memory_bytes: int = 0
    survivors: int = 0
    answer: dict[str, Any] = field(default_factory=dict)


class Neighbour:
    """Another extension of the same conductor, which must not notice."""

    LIMITS = LIMITS.model_copy(update={"calls_per_worker": 1_000_000, "idle_s": 3600.0})

    def __init__(self, profile: str | None) -> None:
        self.supervisor = Supervisor(profile=profile)
        self.file = f"kept-by-{os.getpid()}"
        self._source = ExtensionSource(str(ATTACKS / "keeping.py"))
        self._text = os.environ["FQG_SUITE_SECRET"]
        self._generation = 1

    async def begin(self) -> None:
        """Let it write its file.

        Raises:
            RuntimeError: it could not.
        """
        reply = await self._ask({"text": self._text})
        if not isinstance(reply.outcome, Success):
            raise RuntimeError(f"{reply.outcome.message} {reply.outcome.detail}")  # noqa: TRY004  (a failure of the run)

    async def harm(self) -> list[str]:
        """What is not as it was; afterwards it is again."""
        reply = await self._ask({})
        same = isinstance(reply.outcome, Success) and reply.outcome.outputs["text"] == self._text
        if same and reply.usage.worker_generation == self._generation:
            return []
        await self._ask({"text": self._text})
        self._generation = reply.usage.worker_generation
        return ["its neighbour was ended" if not same else "its neighbour's file was changed"]

    async def _ask(self, parameters: dict[str, Any]) -> Any:
        request = CallRequest(parameters={"file": self.file, **parameters})
        return await self.supervisor.call(self._source, request, self.LIMITS)


async def conduct(profile: str | None, names: list[str], repeats: int) -> None:
    """Run these cases, telling on standard output."""
    if profile is not None and why_not(profile):
        tell({"unavailable": why_not(profile)})
        return
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)  # nothing that escapes leaves our sight
    neighbour = Neighbour(profile)
    async with neighbour.supervisor:
        await neighbour.begin()
        host = neighbour.supervisor
        tell({"profile": host.profile, "enforcement": host.enforcement()})
        with Bait() as bait:
            for name in names:
                for turn in range(repeats):
                    tell({"began": name})
                    told = await one(CASES[name], host.profile, bait, neighbour)
                    tell({"name": name, "turn": turn, **asdict(told)})
                    if told.gone_ms is None:
                        break  # nothing was timed


def tell(line: dict[str, Any]) -> None:
    """One line for the suite."""
    print(json.dumps(line), flush=True)


async def one(case: Case, profile: str, bait: Bait, neighbour: Neighbour) -> Told:
    """Run one case and look at the host."""
    told = bait.parameters(neighbour.file)
    with handed_over(case, told) as handed:
        if isinstance(handed, StandardError):
            now = time.monotonic()
            return _told(case, Seen(handed), Ended(handed, Usage(), None, now), 0.0)
        return await _attacked(case, handed, profile, bait, neighbour)


async def _attacked(
    case: Case, handed: Handed, profile: str, bait: Bait, neighbour: Neighbour
) -> Told:
    """Run it and look at the host."""
    before = Before(bait)
    source, limits = handed
    parameters = {**_sizes(limits), **case.parameters, "bait": bait.parameters(neighbour.file)}
    async with Supervisor(profile=profile) as supervisor:
        ended = await attack(supervisor, source, parameters, limits, before)
        if case.again is not None:
            ended = await attack(supervisor, source, {**parameters, **case.again}, limits, before)
        harm = bait.reachable()
        survivors, late_s = await before.settled() if ended.over else (0, 0.0)
        works = case.loads or case.linked or await _works(supervisor, source, limits)
    lived_on, _ = await before.settled()
    harm += [*await neighbour.harm(), *bait.harm(), *await before.leaks()]
    seen = Seen(
        outcome=ended.outcome,
        harm=tuple(harm),
        survivors=survivors + lived_on,
        works_again=works,
        grown_bytes=before.grown_bytes(),
        leaked=("secret",) if bait.secret in to_json(ended.outcome).decode() else (),
    )
    return _told(case, seen, ended, late_s)


def _sizes(limits: ResourceLimits) -> dict[str, Any]:
    names = ("memory_bytes", "written_bytes", "file_bytes", "scratch_files", "reply_bytes")
    programs = os.environ.get("FQG_SUITE_PROGRAMS")
    return {
        **{name: getattr(limits, name) for name in names},
        "hopper": f"{programs}/hopper" if programs else "",
    }


@dataclass(frozen=True)
class Ended:
    """How a call ended, and when the decision to end it fell."""

    outcome: Outcome
    usage: Usage
    decided_at: float | None
    """Monotonic seconds: when the clock passed the limit, else when the supervisor decided; None: it
    did not say."""
    replied_at: float

    @property
    def over(self) -> bool:
        """Whether its worker is no more."""
        return self.usage.kill_s > 0 or self.killed

    @property
    def killed(self) -> bool:
        """Whether its worker was ended from outside, for a limit or for what it said."""
        if not isinstance(self.outcome, StandardError):
            return False
        policy, code = self.outcome.policy, self.outcome.code or ""
        said = self.usage.kill_s > 0 and code.startswith(("PROTOCOL_", "ANSWER"))
        return said or (policy is not None and policy.action == "killed")

    def gone_ms(self, late_s: float) -> float | None:
        """From the limit until the last process was gone, `late_s` after the answer; None: not killed."""
        if not self.killed or self.decided_at is None:
            return None
        return round(1e3 * max(0.0, self.replied_at + late_s - self.decided_at), 2)


async def attack(
    supervisor: Supervisor,
    source: ExtensionSource,
    parameters: dict[str, Any],
    limits: ResourceLimits,
    before: Before,
) -> Ended:
    """Start a worker, then call it; only the call is timed."""
    began = time.monotonic()
    started = await supervisor.start(source, limits)
    if isinstance(started, StandardError):
        now = time.monotonic()
        clock = _limit(started) == "start_wall_s"
        return Ended(started, Usage(), began + limits.start_wall_s if clock else None, now)
    before.attack_begins()
    began = time.monotonic()
    reply = await supervisor.call(source, CallRequest(parameters=parameters), limits)
    now = time.monotonic()
    decided = now - reply.usage.kill_s
    if _limit(reply.outcome) == "wall_s":
        decided = min(decided, began + limits.wall_s)
    return Ended(reply.outcome, reply.usage, decided, now)


async def _works(supervisor: Supervisor, source: ExtensionSource, limits: ResourceLimits) -> bool:
    """Whether the same extension answers when it is asked for peace."""
    for _ in range(PEACEFUL_CALLS):
        request = CallRequest(parameters={"peace": True})
        reply = await supervisor.call(source, request, limits)
        if isinstance(reply.outcome, Success) and reply.outcome.outputs == {"peace": True}:
            return True
    return False


class Before:
    """How this conductor was before an attack."""

    def __init__(self, bait: Bait) -> None:
        bait.look()
        self._known = set(tree.descendants(os.getpid()))
        self.attacked: set[int] = set()
        """Workers that the attack runs in, by the process at the top of each."""
        self._resident = tree.resident_bytes(os.getpid())
        self._open = _descriptors()

    async def settled(self) -> tuple[int, float]:
        """Wait for everything new to be gone: how many are not, and after how many seconds the rest was."""
        began = time.monotonic()
        while True:
            new = list(self._new())
            waited = time.monotonic() - began
            if not new or waited > SETTLE_S:
                break
            await asyncio.sleep(0.002)
        for pid in new:
            tree.kill(pid)
        return len(new), waited if waited > 0.001 else 0.0

    def _new(self) -> Iterator[int]:
        """Living processes below us that were not there before; orphans that ended are buried.

        A worker that the supervisor has started since, to have one ready, is none of the attack's.
        """
        waiting = [pid for pid in tree.children(os.getpid()) if pid not in self._known]
        while waiting:
            pid = waiting.pop()
            if pid not in self.attacked and _is_new_worker(pid):
                continue
            waiting.extend(tree.children(pid))
            if alive(pid):
                yield pid
            else:
                _bury(pid)

    def attack_begins(self) -> None:
        """Those below us that are new now are the ones that will be judged."""
        self.attacked = set(tree.children(os.getpid())) - self._known

    def grown_bytes(self) -> int:
        """Of our resident memory."""
        return tree.resident_bytes(os.getpid()) - self._resident

    async def leaks(self) -> list[str]:
        """Descriptors that were not there before, and stay."""
        more = _descriptors() - self._open
        for _ in range(PATIENCE * DESCRIPTOR_LOOKS):
            if (
                more > 0
            ):  # the neighbour's watch, held up, or a spare that is being started, holds one
                await asyncio.sleep(SETTLE_S / DESCRIPTOR_LOOKS)
                more = _descriptors() - self._open
        return [f"{more} descriptors stay open"] if more > 0 else []


def _is_new_worker(pid: int) -> bool:
    """Whether the supervisor started it: foreign code never bears the name of what confines it."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return b"conductor_agent.hosting.walls.enter" in file.read()
    except OSError:
        return False


def alive(pid: int) -> bool:
    """Whether it runs: neither ended nor waiting to be buried."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except OSError:
        return False


def _bury(pid: int) -> None:
    """An orphan that came to us; those of the supervisor are its own to bury."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        if int(fields[1]) == os.getpid() and int(fields[3]) != pid:  # not the leader of its session
            os.waitpid(pid, os.WNOHANG)
    except (OSError, IndexError):
        return


def _descriptors() -> int:
    """Open now; the neighbour's watch opens one for a moment, so the fewest of some looks."""
    return min(len(os.listdir("/proc/self/fd")) for _ in range(DESCRIPTOR_LOOKS))


def _limit(outcome: object) -> str | None:
    policy = getattr(outcome, "policy", None)
    return policy.name if policy is not None else None


def _told(case: Case, seen: Seen, ended: Ended, late_s: float) -> Told:
    why = judge(case, seen)
    told = Told(not why, why, survivors=seen.survivors)
    told.peak_memory_bytes = ended.usage.peak_memory_bytes
    told.gone_ms = ended.gone_ms(late_s)
    match ended.outcome:
        case StandardError() as failure:
            told.category, told.code = failure.category.value, failure.code
            if failure.policy is not None:
                told.limit, told.enforcer = failure.policy.name, failure.policy.enforcer
                told.allowed, told.observed = failure.policy.limit, failure.policy.observed
                told.unit = failure.policy.unit
        case Success(outputs=outputs):
            told.answer = json.loads(json.dumps(outputs, default=repr))
    return told


def main(profile: str | None, names: list[str], repeats: int) -> None:
    """Run these cases in this process, telling on standard output."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    asyncio.run(conduct(profile, names, repeats))
