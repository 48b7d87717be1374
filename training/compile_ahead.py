"""Compile the rules ahead, a process for each size; it is kept, and nothing waits for it later."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from conductor_agent.record.events import Ended, Finished, Lost, Signal, Started, Waited
from conductor_agent.record.fold import Fold
from fqg_env.arrays import SIZES
from fqg_env.env import FunctionQuest
from fqg_env.faults import truly_bad
from fqg_env.lanes import Lanes
from fqg_env.level import Level
from fqg_env.outcome import Success
from fqg_env.rules import FIRST_CALL, STOP
from policies.recovery.advantages import advantages
from policies.recovery.registry import HAND_RULES, policy_named
from training.judging.contestants import Contestant
from training.judging.evaluate import Question, judge
from training.judging.processes import NoAnswer, Workers
from training.judging.replay import Showing, replay, told
from training.judging.setting import Setting, deal
from training.learning.lane_groups import LaneGroups
from training.learning.recipe import Draws

POLICIES = (*HAND_RULES, "shipped", "oracle")
EPISODES = 16


def compile_all(sizes: Sequence[str], processes: int, tell: Callable[[str], None]) -> list[str]:
    """Compile for these sizes side by side; `tell` is called with each that is done.

    Returns:
        The sizes whose process died, for want of memory perhaps.
    """
    died = []
    with Workers(processes, speakers=processes) as staff:
        for size, answer in staff.run(compile_size, list(sizes)):
            if answer is NoAnswer.DIED:
                died.append(size)
            else:
                tell(size)
    return died


def compile_size(size: str) -> None:
    """Play, judge, imagine and fold levels of a size, so that all that these need is compiled."""
    setting = Setting(episodes=EPISODES, size=size)
    judge(Question({name: name for name in POLICIES}, setting))
    lanes = deal(setting, 0, 2)
    advantages(lanes, worlds=1)
    fold_a_little(size)
    train_a_little(size)
    show_a_little(size)
    for belief in (True, False):
        played = Lanes(2, lanes.size, belief)
        played.deal("train")
        played.step(np.full(2, FIRST_CALL))


def show_a_little(size: str) -> None:
    """Play a level with a story, and tell a generated one step by step, as pages do."""
    FunctionQuest(size).reset(options={"level": "escape_the_room"})
    setting = Setting(episodes=1, size=size)
    replay(Showing(Contestant("index", "index"), setting, 0))
    told(setting, 0)
    lanes = deal(setting, 0, 1)
    truly_bad(
        lanes.levels[0], lanes.boards[0], lanes.truths[0], 0
    )  # of what is delivered, if anything
    deal(Setting(split="exact", episodes=1, size=size), 0, 1)


def train_a_little(size: str) -> None:
    """Label and play lanes as the teacher and PPO do; no network is needed for that."""
    lanes = LaneGroups((Draws(size=size),), 2, ())
    lanes.deal(0)
    lanes.choices(policy_named("index"))
    lanes.advantages(1, 0, 1, lanes.masks)
    lanes.step(np.full(2, STOP))
    lanes.begin(np.ones(2, np.uint8))


def as_large_as(size: str) -> Level:
    """A level that fits this size and no smaller one, by the number of its calls."""
    function = {"outputs": ["thing"], "variants": {name: {} for name in "abcd"}}
    functions = {f"make{number}": function for number in range(SIZES[size].calls // 4)}
    return Level.model_validate(
        {
            "name": size,
            "artifacts": {"thing": {"goal": {"weight": 1}}},
            "functions": functions,
            "budget": {"time_s": 1, "cost": 1},
        }
    )


def fold_a_little(size: str) -> Any:
    """Fold an event of each kind, as a real run does."""
    level = as_large_as(size)
    fold = Fold(level)
    call = level.call_names[0]
    for event in (
        Started(at_s=0.0, attempt=0, call=call, key="k"),
        Finished(at_s=0.1, attempt=0, call=call, outcome=Success(), elapsed_s=0.1),
        Waited(at_s=0.2),
        Signal(at_s=0.2, provider=level.providers[0], up=False, until_s=0.3),
        Started(at_s=0.3, attempt=1, call=call, key="k"),
        Lost(at_s=0.4, attempt=1),
    ):
        fold.apply(event)
        fold.look()
        fold.exhausted()
        policy_named("index").decide(fold.observation(), fold.mask.copy())
    fold.usable(level.artifact_names[0])
    fold.redundant(())
    fold.wait_until()
    fold.apply(Ended(at_s=0.5, reason="policy"))
    return fold
