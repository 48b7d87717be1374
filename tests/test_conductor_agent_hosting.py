"""Hosting: real processes, small limits. Whatever an extension does, the answer is a value, and
nothing of it is left."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
import venv
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from conductor_agent.hosting import classify, extension, frames, tree, values
from conductor_agent.hosting.classify import Fault, InvalidInput, Unable
from conductor_agent.hosting.contract import CallRequest, ExtensionSource, Host, Reply
from conductor_agent.hosting.enforcement import Level
from conductor_agent.hosting.profiles import PROFILES
from conductor_agent.hosting.self_test import why_not
from conductor_agent.hosting.supervisor import Supervisor
from conductor_agent.hosting.testing import FakeHost
from fqg_env.outcome import Blame, Category, Hint, Phase, SideEffects, StandardError, Success, error
from policies.resource.limits import ResourceLimits
from policies.resource.violations import BREACHES, Limit, evidence, violation

HERE = Path(__file__).parent / "extensions"
LIMITS = ResourceLimits(
    start_wall_s=10,
    wall_s=5,
    memory_bytes=100_000_000,
    tasks=24,
    open_files=64,
    file_bytes=1_000_000,
    request_bytes=1_000_000,
    reply_bytes=1_000_000,
    log_bytes=100_000,
)
QUICK = LIMITS.model_copy(update={"wall_s": 0.25})

Test = Callable[[Supervisor], Awaitable[None]]


def hosted(test: Test) -> None:
    """Run a test with a supervisor of its own, and check that it leaves nothing behind."""
    before = set(tree.children(os.getpid()))
    descriptors = len(os.listdir("/proc/self/fd"))

    async def run() -> None:
        async with Supervisor(profile="group") as supervisor:
            await test(supervisor)
        assert set(tree.descendants(os.getpid())) <= before
        assert len(os.listdir("/proc/self/fd")) <= descriptors + 3  # the loop's own

    asyncio.run(run())


def bad(name: str) -> ExtensionSource:
    return ExtensionSource(str(HERE / "misbehaving.py"), name)


def fails(reply: Reply, category: Category) -> StandardError:
    assert isinstance(reply.outcome, StandardError), reply
    assert reply.outcome.category is category, reply.outcome
    return reply.outcome


def succeeds(reply: Reply) -> dict[str, Any]:
    assert isinstance(reply.outcome, Success), reply
    return reply.outcome.outputs


def alive(pid: int) -> bool:
    return not tree._ended(pid)


ECHO = ExtensionSource(str(HERE / "echo.py"))


# Calls that succeed


def test_a_call_answers_and_the_worker_stays_warm() -> None:
    async def test(host: Supervisor) -> None:
        first = await host.call(ECHO, CallRequest({"a": [1, "x", None, 2.5, b"\x00png"]}), LIMITS)
        second = await host.call(ECHO, CallRequest({"a": {}}), LIMITS)
        assert succeeds(first) == {"a": [1, "x", None, 2.5, b"\x00png"]}
        assert first.usage.start_s > 0 == second.usage.start_s
        assert first.usage.worker_generation == second.usage.worker_generation == 1
        assert first.usage.request_bytes > 0 < first.usage.reply_bytes
        assert 1_000_000 < first.usage.peak_memory_bytes < 100_000_000
        assert 0 <= second.usage.cpu_s < 1

    hosted(test)


def test_start_tells_the_names_and_warms() -> None:
    async def test(host: Supervisor) -> None:
        assert await host.start(ECHO, LIMITS) == ("echo",)
        assert (await host.call(ECHO, CallRequest(), LIMITS)).usage.start_s == 0.0

    hosted(test)


def test_overlapping_calls_run_in_workers_of_their_own() -> None:
    async def test(host: Supervisor) -> None:
        replies = await asyncio.gather(
            *(host.call(bad("facts"), CallRequest(), LIMITS) for _ in range(3))
        )
        assert len({succeeds(reply)["pid"] for reply in replies}) == 3

    hosted(test)


def test_large_values_pass_both_ways() -> None:
    async def test(host: Supervisor) -> None:
        limits = LIMITS.model_copy(update={"request_bytes": 2**24, "reply_bytes": 2**24})
        page = os.urandom(10_000_000)
        assert succeeds(await host.call(ECHO, CallRequest({"page": page}), limits)) == {
            "page": page
        }

    hosted(test)


def test_an_extension_sees_its_context_and_little_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "token")

    async def test(host: Supervisor) -> None:
        source = ExtensionSource(str(HERE / "misbehaving.py"), "facts", environment=(("OWN", "1"),))
        request = CallRequest(
            run_id="r", call="c", attempt=2, idempotency_key="r/c/2", recover=False, deadline_s=3.0
        )
        facts = succeeds(await host.call(source, request, LIMITS))
        assert "SECRET" not in facts["environment"]
        assert facts["environment"]["OWN"] == "1"
        assert (facts["run_id"], facts["attempt"], facts["key"]) == ("r", 2, "r/c/2")
        assert facts["recover"] is False
        assert facts["cancelled"] is False
        assert 0 < facts["deadline_s"] <= 3.0
        assert facts["stdin"] == ""
        again = succeeds(await host.call(source, request, LIMITS))
        assert facts["fresh"] and again["fresh"]
        assert not Path(facts["scratch"]).exists()
        assert Path(again["cwd"]) != Path.cwd()

    hosted(test)


def test_asynchronous_extensions_and_load_hooks() -> None:
    async def test(host: Supervisor) -> None:
        assert succeeds(await host.call(bad("asynchronous"), CallRequest(), LIMITS)) == {"ok": True}
        source = ExtensionSource(str(HERE / "loading.py"))
        first = succeeds(await host.call(source, CallRequest(), LIMITS))
        assert first == succeeds(await host.call(source, CallRequest(), LIMITS))
        assert first["loaded"]["pid"] > 0

    hosted(test)


def test_a_source_may_be_a_module() -> None:
    async def test(host: Supervisor) -> None:
        source = ExtensionSource("echo", import_paths=(str(HERE),))
        assert succeeds(await host.call(source, CallRequest({"a": 1}), LIMITS)) == {"a": 1}

    hosted(test)


def test_workers_are_replaced_after_their_share_and_when_idle() -> None:
    async def test(host: Supervisor) -> None:
        limits = LIMITS.model_copy(update={"calls_per_worker": 1})
        for generation in (1, 2):
            reply = await host.call(ECHO, CallRequest(), limits)
            assert reply.usage.worker_generation == generation
        limits = LIMITS.model_copy(update={"idle_s": 0.05})
        pid = succeeds(await host.call(bad("facts"), CallRequest(), limits))["pid"]
        await until(lambda: not alive(pid))

    hosted(test)


async def until(condition: Callable[[], bool], within_s: float = 5.0) -> None:
    """Wait for something that another process does."""
    ends = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < ends, "it did not happen in time"
        await asyncio.sleep(0.002)


# Limits


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


# Crashes


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


# Lies


@pytest.mark.parametrize(
    "what", ["number", "none", "object", "nan", "quality", "keys", "deep", "surrogate", "cost"]
)
def test_an_answer_that_is_no_outcome_keeps_the_worker(what: str) -> None:
    async def test(host: Supervisor) -> None:
        for _ in range(2):
            reply = await host.call(bad("liar"), CallRequest(parameters={"what": what}), LIMITS)
            failure = fails(reply, Category.INVALID_OUTPUT)
            assert failure.phase is Phase.OUTPUT
        assert reply.usage.worker_generation == 1

    hosted(test)


ATTACKS = {
    "garbage": "PROTOCOL_WRONG_ID",
    "huge_length": "LIMIT_REPLY",
    "two_parts": "LIMIT_REPLY",
    "partial_header": "LIMIT_WALL",
    "partial_body": "LIMIT_WALL",
    "wrong_id": "PROTOCOL_WRONG_ID",
    "twice": "PROTOCOL_UNSOLICITED",
    "not_msgpack": "ANSWER",
    "pickle": "ANSWER",
    "extra_field": "ANSWER",
    "nan": "ANSWER",
    "deep": "ANSWER",
    "claimed_items": "ANSWER",
    "many_items": "ANSWER",
    "timestamp": "ANSWER",
    "close": "PROTOCOL_CLOSED",
    "ready": "ANSWER",
}


@pytest.mark.parametrize(("what", "code"), ATTACKS.items())
def test_misuse_of_the_channel_costs_only_the_worker(what: str, code: str) -> None:
    async def test(host: Supervisor) -> None:
        source = ExtensionSource(str(HERE / "protocol.py"), "attack")
        limits = LIMITS.model_copy(update={"wall_s": 0.3 if "partial" in what else 5.0})
        reply = await host.call(source, CallRequest(parameters={"what": what}), limits)
        assert isinstance(reply.outcome, StandardError)
        assert reply.outcome.code == code, reply.outcome

    hosted(test)


def test_many_small_items_are_refused_before_they_are_unpacked() -> None:
    async def test(host: Supervisor) -> None:
        source = ExtensionSource(str(HERE / "protocol.py"), "attack")
        limits = LIMITS.model_copy(update={"reply_bytes": 2_000_000})
        request = CallRequest(parameters={"what": "many_items"})
        failure = fails(await host.call(source, request, limits), Category.INVALID_OUTPUT)
        assert "more than" in failure.detail

    hosted(test)


@pytest.mark.parametrize("name", ["late_talker", "deaf"])
def test_a_worker_that_breaks_between_calls_is_replaced_or_fails(name: str) -> None:
    async def test(host: Supervisor) -> None:
        source = ExtensionSource(str(HERE / "protocol.py"), name)
        succeeds(await host.call(source, CallRequest(), LIMITS))
        generation = 1
        for _ in range(200):
            reply = await host.call(source, CallRequest(), LIMITS)
            generation = reply.usage.worker_generation
            if generation > 1:
                return
            await asyncio.sleep(0.005)
        pytest.fail("the broken worker was kept")

    hosted(test)


# Starting


@pytest.mark.parametrize(
    ("source", "category"),
    [
        (ExtensionSource("no_such_module"), Category.UNSUPPORTED),
        (ExtensionSource("/no/such/file.py"), Category.CRASHED),
        (ExtensionSource(ECHO.source, "nobody"), Category.UNSUPPORTED),
        (ExtensionSource(str(HERE / "misbehaving.py")), Category.UNSUPPORTED),
        (ExtensionSource(ECHO.source, python="/no/such/python"), Category.UNSUPPORTED),
        (ExtensionSource(ECHO.source, python="/bin/false"), Category.CRASHED),
        (
            ExtensionSource(str(HERE / "loading.py"), environment=(("FAIL", "import"),)),
            Category.UNSUPPORTED,
        ),
        (
            ExtensionSource(str(HERE / "loading.py"), environment=(("FAIL", "syntax"),)),
            Category.CRASHED,
        ),
        (
            ExtensionSource(str(HERE / "loading.py"), environment=(("FAIL", "hang"),)),
            Category.TIMEOUT,
        ),
        (
            ExtensionSource(str(HERE / "loading.py"), environment=(("FAIL", "exit"),)),
            Category.CRASHED,
        ),
        (
            ExtensionSource(str(HERE / "loading.py"), environment=(("FAIL", "memory"),)),
            Category.POLICY_VIOLATION,
        ),
    ],
)
def test_what_cannot_start_says_why(source: ExtensionSource, category: Category) -> None:
    async def test(host: Supervisor) -> None:
        limits = LIMITS.model_copy(update={"start_wall_s": 0.6 if source.environment else 5.0})
        failure = await host.start(source, limits)
        assert isinstance(failure, StandardError)
        assert failure.category is category, failure
        assert failure.phase is Phase.ADMISSION
        fails(await host.call(source, CallRequest(), limits), category)

    hosted(test)


def test_an_extension_may_have_a_python_of_its_own(tmp_path: Path) -> None:
    """It sees our packages and its own, not the conductor's; msgspec it has to bring."""
    venv.create(tmp_path / "venv", with_pip=False)
    source = ExtensionSource(
        str(HERE / "misbehaving.py"), "facts", python=str(tmp_path / "venv" / "bin" / "python")
    )

    async def test(host: Supervisor) -> None:
        failure = fails(await host.call(source, CallRequest(), LIMITS), Category.UNSUPPORTED)
        assert "msgspec" in failure.message
        (packages,) = (tmp_path / "venv").glob("lib/python*/site-packages")
        (packages / "msgspec").symlink_to(Path(msgspec.__file__).parent)
        facts = succeeds(await host.call(source, CallRequest(), LIMITS))
        assert sorted(facts["packages"]) == ["conductor_agent", "fqg_env", "policies"]

    hosted(test)


def test_a_required_level_that_is_not_there_refuses_to_start() -> None:
    async def run() -> None:
        async with Supervisor(profile="group", require={"network": Level.WATCHED}) as host:
            failure = fails(await host.call(ECHO, CallRequest(), LIMITS), Category.POLICY_VIOLATION)
            assert failure.code == "ENFORCEMENT_UNAVAILABLE"
        async with Supervisor(profile="group", require={"memory_bytes": Level.WATCHED}) as host:
            succeeds(await host.call(ECHO, CallRequest(), LIMITS))
            report = host.enforcement()
            assert set(ResourceLimits.model_fields) <= set(report)
            assert {row["level"] for row in report.values()} <= {level.value for level in Level}

    asyncio.run(run())


# The table of classification


class OutOfMemoryError(RuntimeError):
    """As torch names it."""


@pytest.mark.parametrize(
    ("problem", "category", "blame"),
    [
        *((kind("x"), row.category, row.blame) for kind, row in classify.EXCEPTIONS),
        *(
            (type(name, (Exception,), {})("x"), row.category, row.blame)
            for name, row in classify.NAMED.items()
        ),
        *(
            (OSError(number, "x"), row.category, row.blame)
            for number, row in classify.ERRNO.items()
        ),
        *(
            (OSError(number, "x"), Category.POLICY_VIOLATION, Blame.EXTENSION)
            for number in classify.ERRNO_LIMITS
        ),
        (OutOfMemoryError("x"), Category.OUT_OF_RESOURCES, Blame.EXTENSION),
        (ConnectionRefusedError("x"), Category.UNAVAILABLE, Blame.EXTENSION),
        (ModuleNotFoundError("x", name="torch"), Category.UNSUPPORTED, Blame.PLATFORM),
        (FileNotFoundError(2, "x", "data.txt"), Category.CRASHED, Blame.EXTENSION),
        (ValueError("x"), Category.CRASHED, Blame.EXTENSION),
        (KeyError("x"), Category.CRASHED, Blame.EXTENSION),
        (RecursionError("x"), Category.CRASHED, Blame.EXTENSION),
        (SystemExit(3), Category.CRASHED, Blame.EXTENSION),
        (InvalidInput("x"), Category.INVALID_INPUT, Blame.CALLER),
        (InvalidInput("x", artifact="page"), Category.INVALID_INPUT, Blame.UPSTREAM),
        (Unable("x"), Category.UNABLE, Blame.EXTENSION),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_every_exception_row(problem: BaseException, category: Category, blame: Blame) -> None:
    found = classify.from_exception(problem)
    assert (found.category, found.blame) == (category, blame)
    assert found.cause is not None and found.cause.type == type(problem).__name__
    assert found.message


@pytest.mark.parametrize("number", sorted(signal.valid_signals()))
def test_every_signal_row(number: int) -> None:
    found = classify.from_exit(-number, log="log")
    limit = classify.SIGNAL_LIMITS.get(number)
    assert found.category is (Category.POLICY_VIOLATION if limit else Category.CRASHED)
    assert (found.policy is not None) is (limit is not None)


@pytest.mark.parametrize("fault", Fault)
def test_every_fault_row(fault: Fault) -> None:
    found = classify.from_protocol(fault)
    assert (found.category, found.phase) == (Category.INVALID_OUTPUT, Phase.TRANSPORT)
    assert found.message == classify.FAULTS[fault]


@pytest.mark.parametrize("limit", Limit)
def test_every_breach_row(limit: Limit) -> None:
    found = violation(limit, evidence(limit, 1, 2, enforcer="test"))
    assert found.policy is not None
    assert (found.category, found.code) == (BREACHES[limit].category, f"LIMIT_{limit.name}")


def test_missing_msgspec_and_spawn_failures() -> None:
    starting = classify.from_exit(classify.EXIT_NO_MSGSPEC, starting=True)
    assert starting.category is Category.UNSUPPORTED
    assert classify.from_exit(classify.EXIT_NO_MSGSPEC).category is Category.CRASHED
    spawn = classify.from_spawn(OSError(11, "again"), "python")
    assert spawn.category is Category.OUT_OF_RESOURCES


def test_causes_are_chained_and_cut() -> None:
    problem: BaseException = ValueError("x" * 10_000)
    for _ in range(20):
        above = RuntimeError("above")
        above.__cause__ = problem
        problem = above
    cause, depth = classify.from_exception(problem).cause, 0
    while cause is not None:
        cause, depth = cause.cause, depth + 1
    assert depth == classify.MAX_CAUSES

    class Awkward(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert "no text" in classify.from_exception(Awkward()).detail


# The author's side, in process


def test_the_harness_runs_an_extension_in_process() -> None:
    @extension.extension
    def double(
        inputs: dict[str, Any], parameters: dict[str, Any], context: extension.Context
    ) -> Any:
        if not context.recover:
            raise InvalidInput("off")
        (context.scratch / "x").touch()
        return {"twice": inputs["n"] * context.loaded, "key": context.idempotency_key}

    @double.load
    def load() -> int:
        return 2

    answer = extension.call(double, {"n": 4})
    assert answer == Success(outputs={"twice": 8, "key": "test/double/1"})
    refused = extension.call(double, {"n": 4}, recover=False)
    assert isinstance(refused, StandardError) and refused.category is Category.INVALID_INPUT
    broken = extension.call(double)
    assert isinstance(broken, StandardError) and broken.category is Category.CRASHED


def test_names_of_extensions() -> None:
    @extension.extension(name="other")
    def first(inputs: Any, parameters: Any, context: Any) -> Any:
        """Doc."""
        return {}

    import types

    module = types.ModuleType("m")
    module.first = module.alias = first  # type: ignore[attr-defined]
    assert extension.extensions_of(module) == {"other": first}
    assert first.__doc__ == "Doc."
    module.second = extension.extension(name="other")(lambda *_: {})  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="Two extensions"):
        extension.extensions_of(module)


def test_context_counts_down() -> None:
    assert extension.Context(deadline_s=0).cancelled
    assert extension.Context(cancelled=lambda: True).cancelled
    assert not extension.Context().cancelled


@pytest.mark.parametrize("what", ["value", "memory", "input", "unable", "program", "exit"])
def test_what_an_extension_raises_arrives_classified(what: str) -> None:
    async def test(host: Supervisor) -> None:
        reply = await host.call(bad("raises"), CallRequest(parameters={"what": what}), LIMITS)
        expected = {
            "value": Category.CRASHED,
            "memory": Category.OUT_OF_RESOURCES,
            "input": Category.INVALID_INPUT,
            "unable": Category.UNABLE,
            "program": Category.UNSUPPORTED,
            "exit": Category.CRASHED,
        }
        failure = fails(reply, expected[what])
        if what == "input":
            assert failure.blamed_inputs[0].artifact == "page"
        if what == "unable":
            assert failure.hints == (Hint(0.7, call="denoise"),)
        if what == "program":
            assert "no-such-program" in failure.message

    hosted(test)


# Values, frames, fakes


def test_frames_round_trip_and_refuse_the_rest() -> None:
    frame = frames.encode(7, frames.Result(Success(outputs={"a": [b"x", {"b": None}]})))
    length, call_id = frames.HEADER.unpack_from(frame)
    assert (length, call_id) == (len(frame) - frames.HEADER.size, 7)
    assert frames.from_worker(frame[frames.HEADER.size :]) == frames.Result(
        Success(outputs={"a": [b"x", {"b": None}]})
    )
    call = frames.Call({}, {}, "r", 1, "k", True, 1.0, 10)
    assert frames.from_supervisor(frames.encode(1, call)[frames.HEADER.size :]) == call
    with pytest.raises(frames.FrameError):
        frames.from_supervisor(b"\xc1")


def test_counting_items_agrees_with_msgpack() -> None:
    value: list[Any] = [
        None,
        True,
        1,
        -1,
        200,
        -200,
        70_000,
        2**40,
        1.5,
        "a" * 10,
        "b" * 300,
        b"c" * 300,
        [[]],
        {"k": 1},
    ]
    body = msgspec.msgpack.encode(value)
    items = 1 + len(value) + 1 + 2  # the list, its items, the inner list, key and value
    frames.check_items(body, items)
    with pytest.raises(frames.FrameError):
        frames.check_items(body, items - 1)


@pytest.mark.parametrize("value", [None, True, 1, 2.5, "a", b"b", [1, [2.0]], {"a": {"b": ()}}])
def test_plain_values_pass(value: Any) -> None:
    values.check_plain(value, "value")


@pytest.mark.parametrize(
    "value", [object(), {1}, [1.0, float("inf")], {"a": [float("nan"), 1]}, {2: 1}, 2**64]
)
def test_other_values_are_named(value: Any) -> None:
    with pytest.raises(values.NotPlainError, match="^value"):
        values.check_plain(value, "value")


def test_the_fake_is_a_host() -> None:
    async def run() -> None:
        host: Host = FakeHost(
            {"a": [error(Category.TIMEOUT, "slow"), {"x": 1}], "b": lambda _: Success()}
        )
        first = await host.call(ExtensionSource("m", "a"), CallRequest(), LIMITS)
        second = await host.call(ExtensionSource("m", "a"), CallRequest(), LIMITS)
        fails(first, Category.TIMEOUT)
        assert succeeds(second) == {"x": 1}
        assert await host.start(ExtensionSource("m", "b"), LIMITS) == ("a", "b")
        await host.close()

    asyncio.run(run())


def test_a_spare_is_ready_after_a_worker_had_to_be_ended() -> None:
    async def test(host: Supervisor) -> None:
        crashing = bad("exits"), CallRequest(parameters={"code": 3})
        await host.call(*crashing, LIMITS)
        shelf = host._pool.shelf(crashing[0], LIMITS)
        while not shelf.idle:
            await asyncio.sleep(0)
        reply = await host.call(*crashing, LIMITS)
        assert (reply.usage.worker_generation, reply.usage.start_s) == (2, 0.0)

    hosted(test)


def test_a_worker_that_grows_is_replaced_between_calls() -> None:
    limits = ResourceLimits(memory_bytes=100_000_000)

    async def test(host: Supervisor) -> None:
        pids = [
            succeeds(await host.call(bad("keep"), CallRequest({"size": 15_000_000}), limits))["pid"]
            for _ in range(8)
        ]
        assert 1 < len(set(pids)) < 8

    hosted(test)


@pytest.mark.parametrize("profile", [name for name in PROFILES if not why_not(name)])
def test_a_secret_reaches_the_extension_and_no_command_line(profile, monkeypatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "a-secret-nobody-may-see")
    monkeypatch.setenv("OTHER_KEY", "another")
    limits = ResourceLimits(environment=("SECRET_KEY",))

    async def run() -> None:
        async with Supervisor(profile=profile) as host:
            seen = succeeds(await host.call(bad("facts"), CallRequest(), limits))["environment"]
            assert seen["SECRET_KEY"] == "a-secret-nobody-may-see"
            assert "OTHER_KEY" not in seen
            for line in Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):
                    assert b"nobody-may-see" not in line.read_bytes(), line

    asyncio.run(run())


@pytest.mark.parametrize("profile", [name for name in PROFILES if not why_not(name)])
def test_files_in_scratch_behave_as_files_do(profile) -> None:
    """Behind a filter that drops changes of modes and times, too."""

    async def run() -> None:
        async with Supervisor(profile=profile) as host:
            told = succeeds(await host.call(bad("tidy"), CallRequest(), ResourceLimits()))
            assert told == {"touched": True, "copied": "text", "listed": ["copy", "file", "folder"]}

    asyncio.run(run())
