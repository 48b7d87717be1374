"""The watch over one worker, with what it sees and its clock in the test's hands."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from conductor_agent.hosting.watch import tree
from conductor_agent.hosting.watch.watchdog import IDLE_CPU_S, IDLE_SHARE, Watched
from fqg_env.outcome import StandardError
from policies.resource.limits import ResourceLimits
from policies.resource.violations import Limit


class Looked:
    """A worker whose processor time is whatever the test says."""

    def __init__(
        self, keeper: int, limits: ResourceLimits, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.told: list[StandardError] = []
        self.cpu_s = 0.0
        self.watched = Watched(keeper, limits, self.told.append)
        monkeypatch.setattr(
            tree, "sample", lambda root: tree.Sample((root,), 1, 1, {root: (self.cpu_s, 0.0)})
        )

    def at(self, now: float, cpu_s: float) -> list[StandardError]:
        self.cpu_s = cpu_s
        self.watched.look(now)
        return self.told


@pytest.fixture
def keeper() -> Iterator[int]:
    """A process with nothing below it."""
    line = [sys.executable, "-I", "-S", "-c", "input()"]
    with subprocess.Popen(line, stdin=subprocess.PIPE) as process:
        yield process.pid
        process.kill()


def test_threads_that_wake_now_and_then_do_not_end_an_idle_worker(keeper, monkeypatch) -> None:
    one = Looked(keeper, ResourceLimits(cpu_s=1.0), monkeypatch)
    one.watched.disarm(100.0)
    for minute in range(1, 11):  # half of the share
        assert one.at(100.0 + 60 * minute, 60 * minute * IDLE_SHARE / 2) == []
    assert one.cpu_s > 10 * IDLE_CPU_S


def test_a_worker_that_spins_between_calls_is_ended(keeper, monkeypatch) -> None:
    one = Looked(keeper, ResourceLimits(cpu_s=1.0), monkeypatch)
    one.watched.disarm(100.0)
    assert one.at(101.0, 1.0) == []
    assert one.at(102.0, 2.0) == []
    (failure,) = one.at(103.0, 3.0)
    assert failure.policy is not None and failure.policy.name == Limit.CPU.value
    assert failure.policy.observed == 3.0
    assert failure.policy.limit == pytest.approx(IDLE_CPU_S + 3 * IDLE_SHARE)
    assert one.at(104.0, 4.0) == [failure], "told once"


def test_each_idle_time_is_counted_anew_and_a_call_by_its_own_limit(keeper, monkeypatch) -> None:
    one = Looked(keeper, ResourceLimits(cpu_s=5.0), monkeypatch)
    one.watched.disarm(0.0)
    assert one.at(1.0, 1.9) == []
    one.watched.arm(Limit.WALL, 100.0, 1.0)
    assert one.at(2.0, 6.8) == []
    one.watched.disarm(2.0)
    assert one.at(3.0, 8.7) == []
    one.watched.arm(Limit.WALL, 100.0, 3.0)
    (failure,) = one.at(4.0, 13.8)
    assert failure.policy is not None and failure.policy.limit == 5.0
    assert failure.policy.observed == pytest.approx(5.1)
