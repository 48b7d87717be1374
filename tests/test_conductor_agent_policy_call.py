"""Policies that raise, hang or answer nonsense: the floor decides, and the run goes on."""

import asyncio
import threading

import numpy as np
import pytest
from two_ways import FAST, LEVEL, SURE, Scripted, bad, good, play

from conductor_agent.aside import aside
from conductor_agent.conductor import Conductor
from conductor_agent.deciding import policy_call as asked_module
from conductor_agent.record.events import (
    Decided,
    from_json,
    to_json,
)
from conductor_agent.record.fold import Fold, replay
from conductor_agent.testing import FakeWorld, ManualClock, MemoryRecorder
from fqg_env.arrays import Stopped
from fqg_env.level import Level
from policies.recovery.index import Index


class Mute(Exception):
    """An exception whose own text raises."""

    def __str__(self):
        raise RuntimeError


@pytest.mark.parametrize(
    "answer", [RuntimeError("broken"), Mute(), ValueError("\ud800\x1b\n"), SURE + 60, -1, FAST + 40]
)
def test_where_the_policy_fails_the_floor_decides_and_the_journal_says_so(answer):
    run = play(Scripted(answer), lambda _: good())
    first = run.recorder.events[0]
    assert (first.source, first.action) == ("floor", "fast")
    assert first.why.startswith("the policy ")
    assert from_json(to_json(first)) == first
    assert run.fold.stopped() is Stopped.POLICY


def test_a_policy_may_scribble_on_what_it_sees_or_say_nonsense():
    class Careless(Index):
        name = "careless"

        def decide(self, observation, mask):
            decision = super().decide(observation, mask)
            for array in (*observation.values(), mask):
                array[:] = 1
            return decision

    run, clean = (
        play(policy, lambda a: good() if a.call else bad()) for policy in (Careless(), Index())
    )
    seen = [
        [e.observation for e in r.recorder.events if isinstance(e, Decided)] for r in (run, clean)
    ]
    assert seen[0] == seen[1] == replay(run.fold.level, run.recorder.events)

    class Unsure(Scripted):
        def decide(self, observation, mask):
            decision = super().decide(observation, mask)
            decision.probabilities[:] = np.nan
            return decision

    first = play(Unsure(SURE), lambda _: good()).recorder.events[0]
    assert (first.source, first.why.endswith("that are none")) == ("floor", True)


def test_a_policy_that_hangs_is_given_up_and_the_floor_decides(monkeypatch):
    ended, asked = threading.Event(), []

    class Hanging(Scripted):
        def decide(self, observation, mask):
            asked.append(1)
            ended.wait()
            return super().decide(observation, mask)

    monkeypatch.setattr(asked_module, "DECISION_S", 0.01)
    try:
        run = play(Hanging(SURE), lambda _: good())
    finally:
        ended.set()
    decided = [e for e in run.recorder.events if isinstance(e, Decided)]
    assert [e.source for e in decided] == ["floor", "floor"]
    assert decided[0].why == "the policy is too slow: no answer within 0.01 s"
    assert decided[1].why.endswith("once; it is not asked again")
    assert len(asked) == 1


def test_a_run_can_be_interrupted_while_its_policy_hangs():
    began, ended = threading.Event(), threading.Event()

    class Hanging(Scripted):
        def decide(self, observation, mask):
            began.set()
            ended.wait()

    async def interrupted():
        clock, recorder = ManualClock(), MemoryRecorder()
        world = FakeWorld(clock, lambda _: good())
        level = Level.model_validate(LEVEL)
        run = Conductor("run", Fold(level), world, Hanging(), recorder, clock, {})
        task = asyncio.create_task(run.run())
        await asyncio.to_thread(began.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    try:
        asyncio.run(interrupted())
    finally:
        ended.set()


@pytest.mark.parametrize("problem", [SystemExit(0), StopIteration(), KeyboardInterrupt()])
def test_whatever_a_policy_raises_is_raised_where_it_is_awaited(problem):
    def work():
        raise problem

    async def asked():
        try:
            await aside(work, 5.0, "test")
        except BaseException as found:  # noqa: BLE001  (it is what the test looks at)
            return found

    found = asyncio.run(asked())
    assert found is problem or found.__cause__ is problem


def test_ours_are_asked_in_the_loops_own_thread():
    threads = []

    class Ours(Index):
        __module__ = Index.__module__

        def decide(self, observation, mask):
            threads.append(threading.current_thread())
            return super().decide(observation, mask)

    play(Ours(), lambda _: good())
    assert set(threads) == {threading.main_thread()}
