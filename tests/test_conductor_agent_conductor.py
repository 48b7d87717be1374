"""The loop, on a manual clock and a fake world: no process, no disk, no waiting."""

import asyncio

import numpy as np
import pytest
from two_ways import FAST, LEVEL, SURE, Scripted, bad, good, play

from conductor_agent.conductor import Conductor
from conductor_agent.live_world import Answer, Held
from conductor_agent.record.events import (
    Decided,
    Ended,
    Finished,
    Lost,
    Signal,
    Started,
    Waited,
    from_json,
    to_json,
)
from conductor_agent.record.fold import Fold, FoldError, fold, replay
from conductor_agent.results import result_of
from conductor_agent.testing import FakeWorld, ManualClock, MemoryRecorder
from fqg_env import rules, world
from fqg_env.arrays import SIZES, Stopped
from fqg_env.describe import describe
from fqg_env.draw import draw
from fqg_env.lanes import Lanes
from fqg_env.level import Level
from fqg_env.outcome import Category, Hint
from fqg_env.row import outcome, versions
from fqg_env.rules import STOP, WAIT
from fqg_env.splits import Source
from policies.recovery.index import Index


def kinds(conductor):
    """The run's events by their class."""
    return [type(event) for event in conductor.recorder.events]


def test_one_try_and_deliver():
    run = play(Scripted(FAST), lambda _: good(3.0, quality=0.75))
    assert kinds(run) == [Decided, Started, Finished, Decided, Ended]
    result = result_of("run", run.fold, run.recorder.events, run.held)
    assert (result.status, result.elapsed_s, result.cost, result.attempts) == ("succeeded", 3, 1, 1)
    assert (result.goals["text"].quality, result.values) == (0.75, {"text": "hi"})


def test_nothing_is_waited_for_where_nothing_can_come():
    """Both calls said that a repeat is in vain; the policy would wait until the time is used up."""
    waits = [WAIT] * 20
    shield = {"final_repeats": "forbidden"}
    run = play(Scripted(FAST, SURE, *waits), lambda _: bad(Category.INVALID_INPUT), shield=shield)
    assert kinds(run) == [Decided, Started, Finished, Decided, Started, Finished, Decided, Ended]
    last = run.recorder.events[-2]
    assert (last.action, last.source, last.why) == (
        "STOP",
        "floor",
        "the policy chose 0, which is not legal",
    )
    assert run.recorder.events[-1].at_s == 2.0


def test_while_a_call_may_still_be_made_a_policy_may_wait():
    run = play(
        Scripted(FAST, WAIT, SURE),
        lambda call: good() if call == "sure" else bad(Category.INVALID_INPUT),
        shield={"final_repeats": "forbidden"},
    )
    assert Waited in kinds(run)
    assert Started in kinds(run)[3:]


def test_the_intent_is_written_before_the_world_is_asked_and_the_outcome_before_the_policy():
    log = []
    level = Level.model_validate(LEVEL)

    class Recorder(MemoryRecorder):
        async def write(self, events, contents=(), *, alone=False):
            await super().write(events, contents)
            log.extend(type(event).__name__ for event in events)

    class Policy(Scripted):
        def decide(self, observation, mask):
            log.append("asked the policy")
            return super().decide(observation, mask)

    def script(_):
        log.append("asked the world")
        return good()

    clock = ManualClock()
    run = Conductor(
        "run",
        Fold(level),
        FakeWorld(clock, script),
        Policy(FAST),
        Recorder(),
        clock,
        {"page": Held("", "")},
    )
    asyncio.run(run.run())
    assert log == [
        "asked the policy", "Decided", "Started", "asked the world", "Finished",
        "asked the policy", "Decided", "Ended",
    ]  # fmt: skip


def test_a_failure_is_waited_out_and_tried_again():
    run = play(
        Scripted(FAST, WAIT, FAST), lambda a: good() if a.nth == 2 else bad(retry_after_s=7.0)
    )
    waited = next(e for e in run.recorder.events if isinstance(e, Waited))
    assert waited.at_s == pytest.approx(1 + 100 / 32)
    labels = [e.strategy for e in run.recorder.events if isinstance(e, Decided)]
    assert labels == ["first_try", "back_off", "retry", "deliver"]
    assert len({a.key for a in run.world.attempts}) == 1  # it asks for the same


@pytest.mark.parametrize(
    ("told", "written"),
    [(0.25, 0.25), (1.5, None), (float("nan"), None), ("no", None), (None, None)],
)
def test_the_chance_of_success_that_a_policy_tells_is_written_down(told, written):
    class Hopeful(Index):
        name = "hopeful"

        def decide(self, observation, mask):
            return super().decide(observation, mask)._replace(success=told and [told])

    first = play(Hopeful(), lambda _: good()).recorder.events[0]
    assert first.success == written
    assert from_json(to_json(first)) == first
    if written is not None:
        assert first.source == "hopeful"


def test_an_attempt_past_the_budget_is_ended_with_the_run():
    run = play(Scripted(FAST, FAST), lambda _: bad(elapsed_s=60.0))
    assert run.fold.stopped() is Stopped.TIME
    last = [e for e in run.recorder.events if isinstance(e, Finished)][-1]
    assert (last.outcome.category, last.at_s, last.elapsed_s) == (Category.CANCELLED, 100, 40)
    assert last.outcome.detail == "The run's time budget of 100 s was used up before it answered."
    assert len(run.world.cancelled) == 1


def test_what_was_made_cancels_what_could_only_make_the_same_pro_rata():
    run = play(
        Scripted(SURE, FAST), lambda a: good(4.0) if a.call == 0 else good(10.0), max_in_flight=2
    )
    finished = [e for e in run.recorder.events if isinstance(e, Finished)]
    assert [e.call for e in finished] == ["fast", "sure"]
    assert finished[1].outcome.category is Category.CANCELLED
    assert finished[1].outcome.detail == "Another call has made what it was to make."
    assert run.fold.number("cost") == pytest.approx(1 + 4 * 0.4)
    labels = [e.strategy for e in run.recorder.events if isinstance(e, Decided)]
    assert labels == ["first_try", "hedge", "deliver"]


def test_news_end_a_wait_and_are_folded():
    level = Level.model_validate({**LEVEL, "max_in_flight": 2})
    clock, recorder = ManualClock(), MemoryRecorder()
    run = Conductor(
        "run",
        Fold(level),
        FakeWorld(clock, lambda _: good(50.0)),
        Scripted(SURE, WAIT),
        recorder,
        clock,
        {"page": Held("", "")},
    )
    run.tell("a", up=False, until_s=30.0)
    asyncio.run(run.run())
    assert kinds(run)[3:6] == [Waited, Signal, Decided]
    assert run.fold.board["down_until_s"][0] == 30.0


def test_hints_reach_the_policy():
    policy = Scripted(FAST, SURE)
    hints = (Hint(0.8, call="sure"),)
    run = play(policy, lambda a: good() if a.call else bad(Category.UNABLE, hints=hints))
    labels = [e.strategy for e in run.recorder.events if isinstance(e, Decided)]
    assert labels == ["first_try", "follow_hint", "deliver"]


def test_events_survive_the_journal_and_give_the_same_observations_again():
    run = play(
        Index(),
        lambda a: good() if a.call else bad(Category.CRASHED, blame="unknown"),
        max_in_flight=2,
    )
    again = [from_json(to_json(event)) for event in run.recorder.events]
    assert again == run.recorder.events
    logged = [e.observation for e in again if isinstance(e, Decided)]
    assert replay(run.fold.level, again) == logged
    assert fold(run.fold.level, again).board.tobytes() == run.fold.board.tobytes()


def test_lost_answers_are_folded_not_repeated():
    events = play(Scripted(FAST), lambda _: good()).recorder.events[:2]
    state = fold(Level.model_validate(LEVEL), [*events, Lost(at_s=1.0, attempt=0)])
    assert (state.board["lost"][0], state.number("in_flight"), state.flights()) == (1, 0, {})


@pytest.mark.parametrize("seed", range(12))
def test_the_live_loop_and_the_simulated_step_fold_the_same_board(seed):
    lanes = Lanes(1, SIZES["small"], source=Source(tiers=(1, 8)))
    lanes.keys[:] = seed
    lanes.draw_levels()
    lanes.levels["max_in_flight"] = 1
    lanes.begin()
    lanes.truths["news_s"] = np.inf  # nobody outside says anything
    level = describe(lanes.levels[0], "drawn")
    policy, random = Index(), np.random.default_rng(seed)
    actions = []
    while not lanes.done[0]:
        legal = np.flatnonzero(lanes.masks[0])
        wild = random.random() < 0.4 and len(legal) > 1
        action = (
            random.choice(legal[legal != STOP])
            if wild
            else policy.actions(
                {name: lanes.observations[name] for name in lanes.observations.dtype.names},
                lanes.masks,
            )[0]
        )
        actions.append(int(action))
        lanes.step(np.array([action]))
    run = play(Scripted(*actions), Simulated(lanes), level)
    assert run.fold.stopped() == lanes.boards[0]["stopped"]
    # what a cancelled attempt would have cost in the end is known to the simulator alone
    cut = {"cost", "history"} if run.fold.stopped() is Stopped.TIME else set()
    for name in set(run.fold.board.dtype.names) - cut:
        np.testing.assert_allclose(run.fold.board[name], lanes.boards[0][name], 1e-12, err_msg=name)


class Simulated:
    """The simulator's draws as answers: what the simulated world would say of each attempt."""

    def __init__(self, lanes):
        self.lanes, self.level = lanes, describe(lanes.levels[0], "drawn")
        self.board, self.truth = lanes.boards.copy()[0], lanes.truths.copy()[0]
        world.begin_episode(lanes.levels[0], lanes.hidden[0], self.board, None, self.truth)

    def __call__(self, attempt):
        r, bad = self.lanes.rows[0, 0].copy(), np.zeros(self.lanes.size.artifacts, np.uint8)
        level, hidden, at_s = (
            self.lanes.levels[0],
            self.lanes.hidden[0],
            self.level.budget.time_s - attempt.left_s,
        )
        number = rules.begin(level, self.board, attempt.call, at_s)
        draw(level, hidden, self.board, self.truth, attempt.call, r, bad)
        rules.finish(level, self.board, number, r, at_s + float(r["elapsed_s"]))
        self.truth["bad"][r["made"] > 0] = bad[r["made"] > 0]
        made = versions(self.level, r)
        said = outcome(self.level, attempt.call, r)
        return Answer(said, float(r["elapsed_s"]), made, dict.fromkeys(made, 0))


def test_news_of_nobody_are_refused_before_they_are_written():
    run = play(Scripted(FAST), lambda _: good())
    with pytest.raises(FoldError, match="names the provider 'nobody'"):
        run.tell("nobody", up=True)
