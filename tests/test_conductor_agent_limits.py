"""Extensions that take too much, crash or outlive: each ends, is named, and costs one call."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hosted import ECHO, HERE, LIMITS, QUICK, alive, bad, fails, hosted, succeeds, until

from conductor_agent.hosting.contract import CallRequest
from conductor_agent.hosting.supervisor import Supervisor
from conductor_agent.hosting.watch import tree
from fqg_env.outcome import Blame, Category, Phase, SideEffects, StandardError
from policies.resource.limits import ResourceLimits
from policies.resource.violations import BREACHES, Limit


@pytest.mark.parametrize(
    ("name", "parameters", "limits", "limit", "enforcer"),
    [
        ("spinner", {}, QUICK, Limit.WALL, "watchdog"),
        ("spinner", {}, LIMITS.model_copy(update={"cpu_s": 0.1}), Limit.CPU, "watchdog"),
        ("hog", {}, LIMITS, Limit.MEMORY, "watchdog"),
        ("family_hog", {}, LIMITS, Limit.MEMORY, "watchdog"),
        ("threads", {}, LIMITS, Limit.TASKS, "watchdog"),
        ("flood", {}, LIMITS, Limit.LOG, "log pipe"),
        ("big_answer", {"bytes": 1_000_001}, LIMITS, Limit.REPLY, "told: worker"),
        ("big_file", {"bytes": 2_000_000}, LIMITS, Limit.FILE, "told: rlimit"),
        ("many_files", {}, LIMITS, Limit.OPEN_FILES, "told: rlimit"),
    ],
)
def test_a_broken_limit_is_named(
    name: str, parameters: dict[str, Any], limits: ResourceLimits, limit: Limit, enforcer: str
) -> None:
    async def test(host: Supervisor) -> None:
        reply = await host.call(bad(name), CallRequest(parameters=parameters), limits)
        failure = fails(reply, BREACHES[limit].category)
        assert failure.policy is not None
        assert failure.policy.name == limit.value
        assert failure.policy.observed >= failure.policy.limit > 0
        assert failure.policy.enforcer == enforcer
        assert failure.blame is Blame.EXTENSION

    hosted(test)


def test_repeats_of_its_own_end_at_their_limit() -> None:
    async def test(host: Supervisor) -> None:
        for allowed in (0, 2):
            limits = LIMITS.model_copy(update={"own_retries": allowed})
            reply = await host.call(bad("stubborn"), CallRequest(), limits)
            failure = fails(reply, Category.UNAVAILABLE)
            assert f"try {allowed + 1}" in failure.detail
            assert failure.own_recovery.attempts == allowed

    hosted(test)


def test_memory_overshoot_is_small() -> None:
    async def test(host: Supervisor) -> None:
        reply = await host.call(bad("hog"), CallRequest(), LIMITS)
        assert reply.usage.peak_memory_bytes < LIMITS.memory_bytes * 2

    hosted(test)


def test_the_runs_deadline_is_not_the_extensions_fault(tmp_path: Path) -> None:
    async def test(host: Supervisor) -> None:
        request = CallRequest(parameters={"started": str(tmp_path / "pid")}, deadline_s=0.2)
        failure = fails(await host.call(bad("sleeper"), request, LIMITS), Category.TIMEOUT)
        assert failure.blame is Blame.POLICY
        assert failure.policy is not None and failure.policy.name == "deadline_s"

    hosted(test)


def test_requests_are_refused_before_they_are_sent() -> None:
    async def test(host: Supervisor) -> None:
        big = await host.call(ECHO, CallRequest({"a": b"x" * 1_000_001}), LIMITS)
        fails(big, Category.INPUT_TOO_LARGE)
        late = await host.call(ECHO, CallRequest(deadline_s=0), LIMITS)
        assert fails(late, Category.TIMEOUT).phase is Phase.ADMISSION
        for value in (object(), float("nan"), {1: 2}, "\ud800", 2**70):
            failure = fails(
                await host.call(ECHO, CallRequest({"a": value}), LIMITS), Category.INVALID_INPUT
            )
            assert failure.blame is Blame.CALLER
        assert big.usage.worker_generation == 0

    hosted(test)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL])
def test_a_deadly_signal_is_named_and_costs_one_call(number: int) -> None:
    async def test(host: Supervisor) -> None:
        request = CallRequest(parameters={"signal": int(number)}, run_id="r", call="c", attempt=3)
        failure = fails(await host.call(bad("killed_by"), request, LIMITS), Category.CRASHED)
        assert failure.code == f"SIGNAL_{signal.Signals(number).name}"
        assert (failure.run_id, failure.step_id, failure.attempt) == ("r", "c", 3)

    hosted(test)


def test_an_exit_without_answer_keeps_the_last_words() -> None:
    async def test(host: Supervisor) -> None:
        for code in (0, 9):
            reply = await host.call(bad("exits"), CallRequest(parameters={"code": code}), LIMITS)
            failure = fails(reply, Category.CRASHED)
            assert failure.code == f"EXIT_{code}"
            assert failure.detail.strip() == "last words"
        assert reply.usage.worker_generation == 2

    hosted(test)


@pytest.mark.parametrize("then", ["hang", "exit", "answer"])
def test_a_detached_grandchild_does_not_survive(tmp_path: Path, then: str) -> None:
    pids = tmp_path / "pid"

    async def test(host: Supervisor) -> None:
        request = CallRequest(parameters={"pids": str(pids), then: True})
        reply = await host.call(bad("daemon"), request, QUICK.model_copy(update={"wall_s": 1.0}))
        match then:
            case "hang":
                fails(reply, Category.TIMEOUT)
            case "exit":
                fails(reply, Category.CRASHED)
            case _:
                succeeds(reply)
                await host.close()
        assert not alive(int(pids.read_text()))

    hosted(test)


def test_cancelling_kills_and_returns_at_once(tmp_path: Path) -> None:
    started = tmp_path / "pid"

    async def test(host: Supervisor) -> None:
        request = CallRequest(parameters={"started": str(started)})
        task = asyncio.create_task(host.call(bad("sleeper"), request, LIMITS))
        await until(lambda: started.exists() and bool(started.read_text()))
        began = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - began < 0.5
        await until(lambda: not alive(int(started.read_text())))

    hosted(test)


def test_closing_while_a_worker_starts_or_works_leaves_nothing(tmp_path: Path) -> None:
    async def test(host: Supervisor) -> None:
        request = CallRequest(parameters={"started": str(tmp_path / "pid")})
        working = asyncio.create_task(host.call(bad("sleeper"), request, LIMITS))
        await until((tmp_path / "pid").exists)
        starting = asyncio.create_task(host.call(ECHO, CallRequest(), LIMITS))
        await asyncio.sleep(0)
        await host.close()
        fails(await working, Category.CANCELLED)
        fails(await starting, Category.CANCELLED)
        fails(await host.call(ECHO, CallRequest(), LIMITS), Category.CANCELLED)

    hosted(test)


def test_cancelling_a_start_leaves_nothing() -> None:
    async def test(host: Supervisor) -> None:
        task = asyncio.create_task(host.call(ECHO, CallRequest(), LIMITS))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    hosted(test)


def test_workers_end_with_the_program_that_started_them(tmp_path: Path) -> None:
    """kill -9 of the conductor: the keeper notices and ends the tree."""
    script = f"""
import asyncio
from conductor_agent.hosting.contract import CallRequest, ExtensionSource
from conductor_agent.hosting.supervisor import Supervisor
from policies.resource.limits import ResourceLimits

async def main():
    source = ExtensionSource({str(HERE / "misbehaving.py")!r}, "daemon")
    request = CallRequest(parameters={{"pids": {str(tmp_path / "pid")!r}, "hang": True}})
    await Supervisor(profile="group").call(source, request, ResourceLimits(wall_s=60))

asyncio.run(main())
"""

    async def test(_: Supervisor) -> None:
        program = await asyncio.create_subprocess_exec(
            sys.executable, "-c", script, env={**os.environ, "TMPDIR": str(tmp_path)}
        )
        pids = tmp_path / "pid"
        await until(lambda: pids.exists() and bool(pids.read_text()))
        below = list(tree.descendants(program.pid))
        program.kill()
        await program.wait()
        await until(lambda: not any(alive(pid) for pid in [*below, int(pids.read_text())]))
        assert not list(tmp_path.glob("fqg-worker-*")), "its directory stayed"

    hosted(test)


def test_an_attempt_that_does_not_say_what_it_changed_may_have_changed_it() -> None:
    async def test(host: Supervisor) -> None:
        attempts: list[tuple[str, dict[str, Any], SideEffects]] = [
            ("exits", {"code": 1}, SideEffects.POSSIBLE),
            ("raises", {"what": "value"}, SideEffects.POSSIBLE),
            ("raises", {"what": "unable"}, SideEffects.NONE),
        ]
        for name, parameters, effects in attempts:
            request = CallRequest(parameters=parameters, effects=SideEffects.POSSIBLE)
            reply = await host.call(bad(name), request, LIMITS)
            assert isinstance(reply.outcome, StandardError)
            assert reply.outcome.side_effects is effects

    hosted(test)


def test_an_answer_in_time_counts_although_the_conductor_was_busy() -> None:
    async def test(host: Supervisor) -> None:
        await host.start(ECHO, QUICK)
        task = asyncio.create_task(host.call(ECHO, CallRequest({"a": 1}), QUICK))
        await asyncio.sleep(0)
        time.sleep(QUICK.wall_s * 1.5)  # the event loop stands still, the watchdog does not
        assert succeeds(await task) == {"a": 1}

    hosted(test)
