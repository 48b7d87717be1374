"""Calls of extensions in real processes: what succeeds, what cannot start, who is kept warm."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import venv
from pathlib import Path

import msgspec
import pytest
from hosted import ECHO, HERE, LIMITS, alive, bad, fails, hosted, succeeds, until

from conductor_agent.hosting.contract import CallRequest, ExtensionSource, Host
from conductor_agent.hosting.supervisor import Supervisor
from conductor_agent.hosting.testing import FakeHost
from conductor_agent.hosting.walls import chosen
from conductor_agent.hosting.walls.enforcement import Enforced
from conductor_agent.hosting.walls.profiles import PROFILES, Profile
from conductor_agent.hosting.walls.self_test import why_not
from fqg_env.outcome import Category, Phase, StandardError, Success, error
from policies.resource.limits import ResourceLimits


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
        assert facts["environment"]["ORT_DISABLE_TELEMETRY"] == "1"
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
        hangs = ("FAIL", "hang") in source.environment
        limits = LIMITS.model_copy(update={"start_wall_s": 0.6 if hangs else 10.0})
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
        async with Supervisor(profile="group", require={"network": Enforced.WATCHED}) as host:
            failure = fails(await host.call(ECHO, CallRequest(), LIMITS), Category.POLICY_VIOLATION)
            assert failure.code == "ENFORCEMENT_UNAVAILABLE"
        async with Supervisor(profile="group", require={"memory_bytes": Enforced.WATCHED}) as host:
            succeeds(await host.call(ECHO, CallRequest(), LIMITS))
            report = host.enforcement()
            assert set(ResourceLimits.model_fields) <= set(report)
            assert {row["level"] for row in report.values()} <= {level.value for level in Enforced}

    asyncio.run(run())


def test_the_self_test_does_not_block_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    loop_went_on = threading.Event()

    def self_test() -> Profile:
        assert loop_went_on.wait(10), "the loop stood still"
        return PROFILES["group"]

    monkeypatch.setattr(chosen, "strongest", self_test)

    async def run() -> None:
        asyncio.get_running_loop().call_soon(loop_went_on.set)
        async with Supervisor() as host:
            assert host.profile == "group"
        loop_went_on.clear()
        host = Supervisor()  # not entered: the first call asks
        asyncio.get_running_loop().call_later(0.01, loop_went_on.set)
        succeeds(await host.call(ECHO, CallRequest(), LIMITS))
        await host.close()

    asyncio.run(run())


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
        await until(lambda: bool(shelf.idle))
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
