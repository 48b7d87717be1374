"""Policies of one's own: what the judge lets them see and do, and what it says of those that fail."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import hand_drawn
import numpy as np
import pytest
from own_policies import CallsOnce, Stops, puzzle
from typer.testing import CliRunner

from fqg_env.errors import LevelError
from fqg_env.lanes import Lanes
from policies.recovery.base import Decision, certain
from policies.recovery.oracle import Oracle
from policies.recovery.registry import PolicyError, policy_named
from training.cli import app as fqg
from training.judging.contestants import Thinking
from training.judging.episodes import ask, observations
from training.judging.evaluate import Question, episodes_to_play, evaluate, judge
from training.judging.processes import NoAnswer
from training.judging.setting import Setting, deal


class Heir(Oracle):
    """It inherits from the oracle, to be handed what the oracle is handed."""

    def plan(self, lanes: Lanes) -> Decision:
        assert not hasattr(lanes, "hidden") and not hasattr(lanes, "truths")
        assert not lanes.levels["key"].any()
        return super().plan(lanes)


def test_an_heir_of_the_oracle_is_handed_nothing_hidden() -> None:
    result = evaluate({"heir": f"{__name__}:Heir"}, Setting(episodes=2))
    assert "has no attribute 'hidden'" in result["policies"]["heir"]["error"]


class Scribbler:
    """It writes over all that it is given."""

    name = "scribbler"

    def decide(self, observation, mask) -> Decision:
        for field in observation.values():
            field[...] = 1
        mask[...] = 1
        return certain(np.ones(len(mask), np.int64), mask.shape[1], self.name)


class ScribblingPlanner:
    name = "scribbling_planner"

    def plan(self, seen) -> Decision:
        for array in (seen.levels, seen.boards, seen.beliefs, seen.observations, seen.masks):
            array.view(np.uint8)[...] = 1
        return certain(np.ones(seen.n, np.int64), seen.masks.shape[1], self.name)


@pytest.mark.parametrize("policy", [Scribbler(), ScribblingPlanner()], ids=lambda p: p.name)
def test_what_a_policy_scribbles_on_is_its_own_copy(policy) -> None:
    names = ("levels", "boards", "beliefs", "observations", "masks", "hidden", "truths")
    lanes = deal(Setting(), 0, 3)
    before = {name: getattr(lanes, name).tobytes() for name in names}
    ask(policy, lanes)
    assert {name: getattr(lanes, name).tobytes() for name in names} == before


def test_the_oracle_is_handed_what_is_hidden() -> None:
    lanes = deal(Setting(), 0, 3)
    assert ask(Oracle(), lanes).action.shape == (3,)


def test_what_can_be_observed_does_not_name_the_level() -> None:
    """Two levels of one shape and different keys, faults and luck look alike at the start."""
    drawn = hand_drawn.one_move()
    seen = []
    for key, fault in ((1, "ok"), (2, "broken")):
        lanes = Lanes(1, hand_drawn.SMALL)
        puzzle(drawn, read=fault).load(lanes, key)
        lanes.begin()
        seen.append(observations(lanes))
    assert all(np.array_equal(seen[0][name], seen[1][name]) for name in seen[0])


class Dies:
    """It takes its process with it."""

    name = "dies"

    def decide(self, observation, mask) -> Decision:
        os._exit(3)


class Meddles(Stops):
    """It changes the judge that plays it."""

    def decide(self, observation, mask) -> Decision:
        Lanes.judge = lambda self: self.success.fill(1)
        return super().decide(observation, mask)


class Forks(Stops):
    """Once, it forks a child that comes back as if it were the process that was asked."""

    forked = False

    def decide(self, observation, mask) -> Decision:
        if not Forks.forked:
            Forks.forked = True
            os.fork()
        return super().decide(observation, mask)


class SpeaksOfLevels(Stops):
    def decide(self, observation, mask) -> Decision:
        raise LevelError("I am no level")


def test_what_a_policy_does_to_its_process_nobody_else_meets() -> None:
    setting = Setting(split="validation", tiers=(16, 20), episodes=16)
    names = [Meddles, Forks, SpeaksOfLevels, Stops]
    policies = {c.__name__: f"{c.__module__}:{c.__name__}" for c in names} | {"retry": "retry"}
    result = evaluate(policies, setting, 2)["policies"]
    alone = evaluate({"retry": "retry"}, setting)["policies"]["retry"]
    assert result["Meddles"]["success_rate"] == 1.0  # its own figures are its own affair
    assert result["Forks"]["success_rate"] == result["Stops"]["success_rate"] == 0.0
    assert "I am no level" in result["SpeaksOfLevels"]["error"]
    assert result["retry"]["success_rate"] == alone["success_rate"]


class DiesEarly(Dies):
    def __init__(self) -> None:
        os._exit(3)


class Planner:
    """It stops at once, and says how long it was to think."""

    name = "planner"

    def __init__(self, simulations: int = 5):
        self.simulations = simulations

    def plan(self, seen) -> Decision:
        assert self.simulations == 7
        return certain(np.ones(seen.n, np.int64), seen.masks.shape[1], self.name)


class Timed(CallsOnce):
    """It is told with every decision."""

    def plan(self, seen, seconds: float = 1.0) -> Decision:
        assert seconds == 0.25
        return super().plan(seen)


def test_planners_are_told_how_long_to_think_and_others_play_as_they_are() -> None:
    setting, planner = Setting(episodes=2), f"{__name__}:Planner"
    told = evaluate({"p": planner, "index": "index"}, setting, thinking=Thinking(simulations=7))[
        "policies"
    ]
    assert told["p"]["simulations"] == 7 and told["p"]["return_mean"] == 0.0
    assert "simulations" not in told["index"]
    timed = evaluate({"t": f"{__name__}:Timed"}, setting, thinking=Thinking(seconds=0.25))
    assert timed["policies"]["t"]["seconds"] == 0.25
    assert "AssertionError" in evaluate({"p": planner}, setting)["policies"]["p"]["error"]


def test_where_nobody_plans_there_is_nothing_to_limit() -> None:
    with pytest.raises(PolicyError, match="--simulations is for policies that plan"):
        evaluate({"index": "index"}, Setting(episodes=1), thinking=Thinking(simulations=7))


class Wild:
    """It answers what is no action, or no whole number."""

    name = "wild"
    answer: object = 999

    def decide(self, observation, mask) -> Decision:
        return Decision(np.full(len(mask), self.answer), mask, np.full(len(mask), self.name))


class Vague(Wild):
    answer = 0.5


def test_an_illegal_action_is_reported_by_name_and_costs_only_its_policy() -> None:
    names = {"wild": f"{__name__}:Wild", "vague": f"{__name__}:Vague", "index": "index"}
    told = evaluate(names, Setting(episodes=4))["policies"]
    assert told["wild"]["illegal_actions"] > 4 and told["wild"]["success_rate"] == 0.0
    assert "not whole numbers" in told["vague"]["error"]
    assert told["index"]["illegal_actions"] == 0


class Boom(Wild):
    """It has a bug."""

    def decide(self, observation, mask) -> Decision:
        return self.wrong()

    def wrong(self) -> Decision:
        raise ValueError("my bug")  # here


class TooFar(Wild):
    def decide(self, observation, mask) -> Decision:
        return certain(np.full(len(mask), mask.shape[1]), mask.shape[1], self.name)  # there


class Bare(Wild):
    answer: object = None

    def decide(self, observation, mask):
        return self.answer


class BareArray(Bare):
    answer = np.ones(2, np.int64)


class BarePlanner:
    def plan(self, seen) -> int:
        return 1


class OneSource(Wild):
    def decide(self, observation, mask) -> Decision:
        return certain(np.ones(len(mask), np.int64), mask.shape[1], "x")._replace(source="x")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failure_is_told_before_the_others_have_played_and_ends_the_policy(workers: int) -> None:
    setting = Setting(episodes=1100)  # three chunks, and more under other lucks
    policies = {"index": "index", "stops": "own_policies:Stops", "boom": f"{__name__}:Boom"}
    told: dict[str, int] = {}
    when: list[tuple[str, str, int]] = []

    def tell(label: str, n: int) -> None:
        told[label] = told.get(label, 0) + n

    def failed(label: str, why: str) -> None:
        when.append((label, why, sum(told.values())))

    judged = judge(Question(policies, setting, workers), tell, failed).result
    ((label, why, done),) = when
    assert label == "boom" and why == judged["policies"]["boom"]["error"]
    assert done <= 2 * 512  # no more than the first chunks of the others
    assert told == dict.fromkeys(policies, episodes_to_play(setting))
    assert "error" not in judged["policies"]["index"] and "error" not in judged["policies"]["stops"]


def test_the_command_says_at_once_who_failed_and_judges_the_others() -> None:
    names = f"index,{__name__}:Boom"
    asked = ["evaluate", "--policies", names, "--episodes", "600", "--no-cache", "--json"]
    result = CliRunner().invoke(fqg, asked)
    assert result.exit_code == 0
    assert set(json.loads(result.stdout)["policies"]["index"]) > {"return_mean"}
    said = result.stderr.splitlines()
    failed = next(i for i, line in enumerate(said) if "failed, and is left out" in line)
    assert f"fqg: {__name__}:Boom failed, and is left out: ValueError: my bug" in said[failed]
    assert any("50%" in line for line in said[failed:]), "the others have not played on yet"


def line_with(words: str) -> int:
    """The first line of this file that ends in these words."""
    lines = Path(__file__).read_text("utf-8").splitlines()
    return next(i for i, line in enumerate(lines, 1) if line.endswith(words))


def test_a_bug_in_ones_own_policy_is_told_with_its_place_and_what_was_expected() -> None:
    kinds = (Boom, TooFar, Bare, BareArray, BarePlanner, OneSource)
    names = {kind.__name__: f"{__name__}:{kind.__name__}" for kind in kinds}
    told = evaluate(names, Setting(episodes=2))["policies"]
    errors = {name: p["error"] for name, p in told.items()}
    file = Path(__file__).name
    assert errors["Boom"] == f"ValueError: my bug ({file}, line {line_with('# here')})"
    assert re.fullmatch(
        rf"ValueError: action (\d+) is out of range; they run from 0 to \d+ "
        rf"\({file}, line {line_with('# there')}\)",
        errors["TooFar"],
    )
    expected = (
        "must return a Decision: action [N], probabilities, source; `certain` of "
        "policies.recovery.base makes one; it returned"
    )
    assert errors["Bare"] == f"decide {expected} None"
    assert errors["BareArray"] == f"decide {expected} a value of type ndarray"
    assert errors["BarePlanner"] == f"plan {expected} a value of type int"
    assert errors["OneSource"] == "it answered sources of shape (), not (2,)"


def test_certain_refuses_an_action_that_is_not_there() -> None:
    for action in (-1, 5):
        with pytest.raises(ValueError, match=f"action {action} is out of range; .* 0 to 4"):
            certain(np.array([2, action]), 5, "x")
    assert certain(np.zeros(0, np.int64), 5, "x").probabilities.shape == (0, 5)


def test_a_bug_while_a_policy_is_made_has_a_place_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "class Unmade:\n    def __init__(self):\n        raise ValueError('no')\n"
    (tmp_path / "unmade_policy.py").write_text(code)
    (tmp_path / "torn_policy.py").write_text("\n1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(PolicyError, match=r"ValueError: no \(unmade_policy\.py, line 3\)$"):
        policy_named("unmade_policy:Unmade")
    with pytest.raises(PolicyError, match=r"division by zero \(torn_policy\.py, line 2\)$"):
        policy_named("torn_policy:Torn")


def test_a_folder_of_another_version_costs_only_itself(tmp_path: Path) -> None:
    manifest = {"observation_version": 0}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "policy.onnx").write_bytes(b"")
    told = evaluate({"old": str(tmp_path), "index": "index"}, Setting(episodes=2))["policies"]
    assert "it reads observation version 0" in told["old"]["error"]
    assert "success_rate" in told["index"]
    with pytest.raises(PolicyError, match="observation version"):
        evaluate({"old": str(tmp_path)}, Setting(episodes=2))
    with pytest.raises(PolicyError, match="check the path"):
        evaluate({"none": str(tmp_path / "none"), "index": "index"}, Setting(episodes=2))


def test_a_policy_that_kills_its_process_costs_only_itself() -> None:
    """The others are played again in fresh processes, and their figures are those of one process."""
    setting = Setting(split="validation", episodes=520, tiers=(10, 20))  # two chunks
    dies = f"{__name__}:Dies"
    told: dict[str, int] = {}

    def tell(label: str, n: int) -> None:
        told[label] = told.get(label, 0) + n

    result = evaluate({"a": "cascade", "dies": dies, "b": "code_aware"}, setting, 2, tell)
    assert result["policies"]["dies"] == {"error": NoAnswer.DIED.value}
    alone = evaluate({"a": "cascade", "b": "code_aware"}, setting)
    for label in ("a", "b"):
        for figure in ("success_rate", "return_mean", "return_ci95", "cost_per_success"):
            assert result["policies"][label][figure] == alone["policies"][label][figure]
    assert result["paired"] == alone["paired"]
    assert told == dict.fromkeys(("a", "dies", "b"), episodes_to_play(setting))


def test_it_does_so_with_one_worker_too_and_while_it_is_made() -> None:
    setting = Setting(episodes=2)
    result = evaluate({"a": "cascade", "dies": f"{__name__}:Dies"}, setting)
    assert result["policies"]["dies"] == {"error": NoAnswer.DIED.value}
    assert "success_rate" in result["policies"]["a"]
    with pytest.raises(PolicyError, match="ended the process that it was made in"):
        evaluate({"a": "cascade", "made": f"{__name__}:DiesEarly"}, setting)
