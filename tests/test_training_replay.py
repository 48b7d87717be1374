"""A level in words, step by step: what was done, what came of it, and how it ended."""

from __future__ import annotations

from pathlib import Path

import hand_drawn
import pytest

from fqg_env.level import Artifact, CallKind, Goal
from fqg_env.puzzle import Faults, Puzzle, write_puzzle
from training.judging.contestants import Contestant
from training.judging.evaluate import evaluate
from training.judging.replay import Showing, replay, told
from training.judging.setting import Setting, level_files

LEVEL = hand_drawn.level(
    artifacts={"page": Artifact(given=True), "text": Artifact(goal=Goal())},
    functions={
        "read": hand_drawn.maker("text"),
        "scan": hand_drawn.maker("text"),
        "check": hand_drawn.probe(CallKind.VERIFY, "text"),
    },
)


def file_of(tmp_path: Path, **functions: str) -> Setting:
    write_puzzle(Puzzle(level=LEVEL, faults=Faults(functions=functions)), tmp_path / "a.yaml")
    return Setting(split="levels", levels=level_files(tmp_path))


def test_a_level_is_told_step_by_step(tmp_path: Path) -> None:
    setting = file_of(tmp_path, read="broken")
    played = replay(Showing(Contestant("c", "cascade"), setting, 0))
    assert [step.did for step in played.steps] == ["read", "scan", "stop and deliver"]
    assert [step.good for step in played.steps] == [False, True, None]
    assert played.steps[0].came[0].startswith("read: ")
    assert "text is made" in played.steps[1].came
    assert played.steps[0].at_s == 0.0 < played.steps[1].at_s
    assert played.ended == "stopped, text is delivered and good"
    assert played.success and played.episode_return > 0.8
    assert told(setting, 0).wrong == ("read: never works",)


def test_what_is_delivered_bad_is_told(tmp_path: Path) -> None:
    played = replay(
        Showing(Contestant("c", "cascade"), file_of(tmp_path, read="silent", scan="silent"), 0)
    )
    assert played.ended.endswith("text is delivered and BAD") and not played.success


@pytest.mark.parametrize("split", ["test", "unseen", "exact"])
def test_a_replay_is_the_episode_that_was_judged(split: str) -> None:
    """The same level and luck as in the evaluation: the return is the same to the bit."""
    setting = Setting(split=split, episodes=3, seed=5)
    returns = [
        replay(Showing(Contestant("i", "index"), setting, i)).episode_return for i in range(3)
    ]
    result = evaluate({"index": "index"}, setting)
    assert sum(returns) / 3 == pytest.approx(result["policies"]["index"]["return_mean"], abs=1e-12)
    assert told(setting, 0).title == f"{split} level 5"
