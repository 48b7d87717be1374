"""The judge: what it deals, what it lets policies see, and the figures it makes of what they did."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import hand_drawn
import numpy as np
import pytest

from fqg_env.arrays import CATEGORIES
from fqg_env.cells import FaultKind
from fqg_env.errors import LevelError
from fqg_env.lanes import Lanes
from fqg_env.level import Budget, Level, Shield
from fqg_env.puzzle import Faults, Puzzle, write_puzzle
from fqg_env.splits import SPLITS, level_key
from policies.recovery.base import Decision, certain
from policies.recovery.bayes import bayes_values
from policies.recovery.oracle import Oracle
from policies.recovery.registry import PolicyError, policy_named
from training.compare import compare
from training.contestants import Contestant, Thinking
from training.episodes import EPISODE, Played, ask, joined, observations, play_chunk
from training.evaluate import (
    episodes_to_play,
    evaluate,
    evaluation_title,
)
from training.figures import (
    basic,
    breakdown,
    figures,
    give_ups,
    pass_8,
    recovery,
    success_by_recoveries,
)
from training.levels import Generated, generated
from training.processes import Lost
from training.setting import Setting, check_setting, deal, level_files
from training.watch import REACTIONS


def episodes(n: int, **fields) -> np.ndarray:
    """Episodes of one tier in which nothing happened, but for these fields."""
    out = np.zeros(n, EPISODE)
    out["tier"], out["family"], out["template"], out["goal_at"] = 3, 0, -1, np.nan
    for name, values in fields.items():
        out[name] = values
    return out


def of(episodes: np.ndarray, **more) -> Played:
    reactions = np.zeros((CATEGORIES, REACTIONS), np.int64)
    more = {"decisions": 0, "floor": 0, "spent_s": 0.0, "decision_ms": np.zeros(0), **more}
    return Played(episodes, **{"reactions": reactions, **more})


EIGHT = episodes(
    8,
    **{"return": [0.0, 0.1, 0.2, 0.3, 0.5, 0.6, 0.7, 0.8]},
    success=[1, 1, 1, 0, 0, 0, 0, 0],
    wrong=[0, 0, 0, 1, 0, 0, 0, 0],
    attempts=[1, 2, 3, 4, 5, 6, 7, 8],
    cost=[0.1, 0.2, 0.3, 0.0, 0.0, 0.0, 0.0, 0.3],
    goal_at=[0.1, 0.2, 0.3, 0.9, np.nan, np.nan, np.nan, np.nan],
    unsafe=[1, 1, 0, 0, 0, 0, 0, 0],
    recoveries=[0, 1, 4, 0, 0, 0, 0, 0],
    unsolvable=[0, 0, 0, 0, 0, 0, 1, 1],
    gave_up=[0, 0, 0, 1, 0, 0, 1, 0],
    in_the_way=[1 << FaultKind.FLAKY, 0, 0, 1 << FaultKind.FLAKY | 1 << FaultKind.DEFECT, 0, 0,
                1 << FaultKind.FLAKY, 0],
    met=[0, 1 << FaultKind.BROKEN, 0, 0, 0, 0, 0, 0],
)  # fmt: skip


def test_the_figures_of_what_was_played() -> None:
    timed = np.array([1.0, 2.0, 3.0])
    told = basic(of(EIGHT, decisions=16, floor=1, spent_s=0.032, decision_ms=timed))
    assert told == {
        "success_rate": 0.375,
        "return_mean": pytest.approx(0.4),
        "return_iqm": pytest.approx(0.4),
        "attempts_per_success": 12.0,
        "cost_per_success": pytest.approx(0.3),
        "cost_mean": pytest.approx(0.1125),
        "time_mean": 0.0,
        "attempts_mean": 4.5,
        "time_to_goal": pytest.approx(0.2),  # where it succeeded
        "wrong_delivered_rate": 0.125,
        "unsafe_repeat_rate": 0.25,
        "repeats_without_news": 0.0,
        "illegal_actions": 0,
        "floor_share": 0.0625,
        "decision_ms_p50": 2.0,
        "decision_ms_p99": pytest.approx(2.98),
        "decision_ms_batched": pytest.approx(2.0),
    }


def test_a_figure_that_there_is_not_is_none() -> None:
    told = figures(of(episodes(2, unsolvable=1)), [np.zeros(0, int)])
    for name in (
        "attempts_per_success",
        "cost_per_success",
        "decision_ms_p50",
        "pass_8",
        "time_to_goal",
    ):
        assert told[name] is None
    assert told["give_ups"]["false_give_up_rate"] is None
    assert told["recovery"]["implicit_permanent"] == {
        "episodes": 0, "rate": None, "met": 0, "met_rate": None,
    }  # fmt: skip


def test_giving_up_is_judged_by_whether_a_level_could_be_solved() -> None:
    assert give_ups(EIGHT) == {
        "unsolvable": 2,
        "unsolvable_cost": pytest.approx(0.15),
        "unsolvable_attempts": 7.5,
        "unsolvable_given_up": 0.5,
        "false_give_up_rate": pytest.approx(1 / 6),
    }


def test_recovery_is_told_by_cell_on_the_same_levels_for_all() -> None:
    """Three levels have a passing explicit fault in the way, one of them unsolvable; one of two is solved."""
    told = recovery(EIGHT)
    assert told["explicit_transient"] == {"episodes": 2, "rate": 0.5, "met": 0, "met_rate": None}
    assert told["implicit_permanent"]["episodes"] == 1 and told["implicit_permanent"]["rate"] == 0.0
    assert told["explicit_permanent"] == {"episodes": 0, "rate": None, "met": 1, "met_rate": 1.0}


def test_success_within_a_number_of_recovery_attempts_only_grows() -> None:
    assert success_by_recoveries(EIGHT) == {"0": 0.125, "1": 0.25, "2": 0.25, "3": 0.25}


def test_all_eight_lucks_have_to_succeed() -> None:
    trials = [np.array([1, 1, 0])] * 7 + [np.array([1, 0, 1])]
    assert pass_8(trials) == {"pass_8": pytest.approx(1 / 3), "pass_8_levels": 3}
    assert pass_8(trials[:7])["pass_8"] is None


def test_groups_are_by_tier_and_by_what_is_in_the_way() -> None:
    by = breakdown(EIGHT)
    assert by["tier"] == {
        "3": {"episodes": 8, "success_rate": 0.375, "return_mean": pytest.approx(0.4)}
    }
    assert by["fault"]["flaky"]["episodes"] == 3 and by["fault"]["none"]["episodes"] == 5
    assert by["cell"]["implicit_permanent"]["episodes"] == 1
    assert by["template"] == {} and set(by["family"]) == {"chain"}


def test_chunks_are_joined_in_order() -> None:
    parts = [
        of(episodes(k, **{"return": k}), decisions=k, floor=1, decision_ms=np.full(k, 7.0))
        for k in (1, 3)
    ]
    whole = joined(parts)
    assert whole.episodes["return"].tolist() == [1.0, 3.0, 3.0, 3.0]
    assert (whole.decisions, whole.floor, len(whole.decision_ms)) == (4, 2, 4)


SHIFTED = episodes(8, **{"return": EIGHT["return"] - 0.5})
NAMES = {"a": "code_aware", "b": "random", "top": "oracle"}


def test_pairs_are_compared_level_by_level() -> None:
    """The differences are all 0.5, however far apart the levels are."""
    pairs = compare(NAMES, Setting(), {"a": of(EIGHT), "b": of(SHIFTED)}).paired
    assert set(pairs) == {"a/b", "b/a"}
    assert pairs["a/b"]["difference_mean"] == pytest.approx(0.5)
    assert pairs["a/b"]["difference_ci95"] == pytest.approx([0.5, 0.5])
    assert pairs["b/a"]["difference_mean"] == pytest.approx(-0.5)
    assert pairs["a/b"]["probability_of_improvement"] == 1.0
    assert pairs["b/a"]["probability_of_improvement_ci95"] == [0.0, 0.0]


def test_a_gap_is_closed_from_the_best_rule_towards_the_bound() -> None:
    top = episodes(8, **{"return": EIGHT["return"] + 0.5})
    played = {"a": of(EIGHT), "b": of(SHIFTED), "top": of(top)}
    beside, _, gap = compare(NAMES, Setting(), played)
    assert gap == {"rule": "a", "bound": "oracle"}
    assert beside["top"]["gap_closed"] == pytest.approx(1.0) and beside["a"]["gap_closed"] == 0.0
    assert beside["b"]["gap_closed"] == pytest.approx(-1.0)
    assert beside["b"]["gap_closed_ci95"] == pytest.approx([-1.0, -1.0])
    assert beside["a"]["fraction_of_oracle"] == pytest.approx(0.4 / 0.9)
    assert "fraction_of_bayes" not in beside["a"]


def test_a_share_of_what_is_not_positive_is_none() -> None:
    worse = episodes(8, **{"return": -0.1})
    beside = compare(NAMES, Setting(), {"a": of(EIGHT), "top": of(worse)}).beside
    assert beside["a"]["fraction_of_oracle"] is beside["a"]["gap_closed"] is None
    alone = compare(NAMES, Setting(), {"a": of(EIGHT)}).beside["a"]
    assert alone["fraction_of_oracle"] is alone["gap_closed"] is alone["gap_closed_ci95"] is None


def test_shares_of_bayes_are_told_on_templates_alone() -> None:
    """Of the exact values of the templates that were played, whoever else plays."""
    worth = bayes_values("exact")[EIGHT["template"]]
    half = {"a": of(episodes(8, **{"return": 0.5 * worth}))}
    beside, _, gap = compare({"a": "code_aware"}, Setting(split="exact"), half)
    assert gap == {"rule": "a", "bound": "bayes"}
    assert beside["a"]["fraction_of_bayes"] == pytest.approx(0.5)
    assert beside["a"]["fraction_of_bayes_ci95"] == pytest.approx([0.5, 0.5])
    alone = compare({"a": "code_aware"}, Setting(split="test"), half).beside["a"]
    assert alone.get("fraction_of_bayes") is None


@pytest.mark.parametrize("split", SPLITS)
def test_the_split_that_is_named_is_the_one_that_is_dealt(split: str) -> None:
    """Level n of a chunk is number seed + first + n of that split and of no other."""
    lanes = deal(Setting(split=split, seed=7), 3, 4)
    assert lanes.levels["key"].tolist() == [level_key(split, 10 + i) for i in range(4)]


def test_tiers_and_mode_are_those_that_are_named() -> None:
    source = deal(Setting(tiers=(4, 5), mix="stress", mode="community"), 0, 2).source
    assert (source.tiers, source.mix, source.mode) == ((4, 5), "stress", "community")
    assert deal(Setting(split="unseen"), 0, 1).source.mix == "shifted"


class CallsOnce:
    """Tries every call that it may in turn, each `tries` times, then stops; lane 0 says it was the floor."""

    name = "calls_once"
    tries = 1

    def plan(self, seen) -> Decision:
        boards, masks = seen.boards, seen.masks
        open_calls = (masks[:, 2:] > 0) & (boards["tries"] < self.tries)
        busy = boards["in_flight"] > 0
        action = np.where(open_calls.any(1), 2 + open_calls.argmax(1), np.where(busy, 0, 1))
        decision = certain(action, masks.shape[1], self.name)
        decision.source[0] = "floor"
        return decision


class CallsThrice(CallsOnce):
    tries = 3


def folder_of(tmp_path: Path, **puzzles: Puzzle) -> tuple[str, ...]:
    for name, puzzle in puzzles.items():
        write_puzzle(puzzle, tmp_path / f"{name}.yaml")
    return level_files(tmp_path)


def puzzle(drawn: Level, **functions: str) -> Puzzle:
    return Puzzle(level=drawn, faults=Faults(functions=functions))


def test_what_was_played_is_read_off_the_boards(tmp_path: Path) -> None:
    """One level is sound, in one what is delivered is bad, in one nothing comes; a call costs about 1 of 20."""
    drawn = hand_drawn.one_move(budget=Budget(time_s=320.0, cost=20.0, attempts=16))
    once = Contestant("p", f"{__name__}:CallsOnce")
    levels = folder_of(
        tmp_path,
        a_sound=puzzle(drawn),
        b_silent=puzzle(drawn, read="silent"),
        c_broken=puzzle(drawn, read="broken"),
    )
    played = play_chunk(once, Setting(levels=levels), 0, 3)
    e = played.episodes
    assert e["success"].tolist() == [1, 0, 0]
    assert e["wrong"].tolist() == [0, 1, 0]
    assert e["attempts"].tolist() == [1, 1, 1]
    assert ((e["cost"] > 0.02) & (e["cost"] < 0.1)).all()  # it varies from attempt to attempt
    assert e["unsafe"].tolist() == [0, 0, 0]
    assert e["unsolvable"].tolist() == [0, 1, 1]
    assert e["gave_up"].tolist() == [0, 0, 1]
    assert played.floor * 3 == played.decisions  # each lane decides as often as the others
    assert e["return"][0] > 0.9
    assert 0 > e["return"][2] > e["return"][1]
    assert len(played.decision_ms) == 3  # a planner is timed on one lane after the other


def test_templates_have_no_tiers_to_tell() -> None:
    result = evaluate({"retry": "retry"}, Setting(split="exact", episodes=2))
    assert result["tiers"] is result["mode"] is None
    assert evaluation_title(result) == "2 levels of exact, small"


def test_bayes_is_refused_before_anything_is_played_where_there_are_no_templates(
    tmp_path: Path,
) -> None:
    says = "the policy 'bayes' is computed for templates alone, and the split 'test' has none; leave it out"
    with pytest.raises(PolicyError, match=says):
        evaluate({"bayes": "bayes"}, Setting(episodes=2))
    told: list[str] = []
    both = {"bayes": "bayes", "retry": "retry"}
    policies = evaluate(both, Setting(episodes=2), progress=lambda label, n: told.append(label))[
        "policies"
    ]
    assert policies["bayes"]["error"].startswith(says) and "error" not in policies["retry"]
    assert told.count("bayes") <= 1  # that the first begins
    levels = folder_of(tmp_path, a=generated(Generated("exact")))
    assert "error" not in evaluate(both, Setting(levels=levels, episodes=1))["policies"]["bayes"]
    levels = folder_of(tmp_path, b=puzzle(hand_drawn.one_move()))
    with pytest.raises(PolicyError, match="b.yaml is none"):
        evaluate({"bayes": "bayes"}, Setting(levels=levels, episodes=1))


def test_levels_are_dealt_in_turn(tmp_path: Path) -> None:
    drawn = hand_drawn.one_move()
    levels = folder_of(tmp_path, a=puzzle(drawn), b=puzzle(drawn, read="silent"))
    result = evaluate({"p": f"{__name__}:CallsOnce"}, Setting(levels=levels, episodes=5))
    assert result["policies"]["p"]["success_rate"] == 0.6
    assert result["policies"]["p"]["wrong_delivered_rate"] == 0.4
    assert result["tiers"] is result["mix"] is result["mode"] is None


def test_a_repeat_that_is_not_safe_is_counted(tmp_path: Path) -> None:
    """A call that must not run twice fails, nobody knows how far it came, and it is tried again."""
    send = hand_drawn.maker("text", idempotent=False)
    allowed = Shield(unsafe_repeats="allowed")
    levels = folder_of(
        tmp_path,
        a=puzzle(hand_drawn.level({"send": send}, shield=allowed), send="broken"),
        b=puzzle(hand_drawn.one_move(shield=allowed), read="broken"),
    )
    thrice = Contestant("p", f"{__name__}:CallsThrice")
    played = play_chunk(thrice, Setting(levels=levels), 0, 2).episodes
    assert played["attempts"].tolist() == [3, 3]
    assert played["unsafe"].tolist() == [1, 0]


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


class Stops:
    """It stops at once."""

    name = "stops"

    def decide(self, observation, mask) -> Decision:
        return certain(np.ones(len(mask), np.int64), mask.shape[1], self.name)


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
    policies = {c.__name__: f"{__name__}:{c.__name__}" for c in names} | {"retry": "retry"}
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


class Planner2(Planner):
    """It stops at once."""

    def __init__(self) -> None:
        self.simulations = 7


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
    with pytest.raises(PolicyError, match=r"ValueError: no; unmade_policy\.py, line 3\)$"):
        policy_named("unmade_policy:Unmade")
    with pytest.raises(PolicyError, match=r"division by zero; torn_policy\.py, line 2\)$"):
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


def test_mixes_take_turns_and_are_told_apart() -> None:
    setting = Setting(episodes=6, mix="published,production", tiers=(10, 20))
    told = evaluate({"index": "index"}, setting)
    assert told["mix"] == "published,production"
    by = told["policies"]["index"]["by"]["mix"]
    assert {name: each["episodes"] for name, each in by.items()} == {
        "published": 3,
        "production": 3,
    }
    lanes = deal(setting, 1, 1), deal(Setting(mix="production", tiers=(10, 20)), 1, 1)
    assert lanes[0].levels.tobytes() == lanes[1].levels.tobytes()


def test_another_luck_keeps_the_level_and_its_faults() -> None:
    setting = Setting(split="validation", tiers=(15, 20))
    usual, other, again = (deal(setting, 3, 8, luck) for luck in (0, 2, 2))
    assert other.levels.tobytes() == again.levels.tobytes()
    assert not np.isin(usual.levels["key"], other.levels["key"]).any()
    for name in ("window", "fault", "defect"):
        assert (usual.hidden[name] == other.hidden[name]).all()
    usual.levels["key"] = other.levels["key"]
    assert hand_drawn.same_records(usual.levels, other.levels)


def test_who_cannot_fail_passes_under_all_lucks_and_who_does_nothing_under_none() -> None:
    levels = Setting(episodes=16)
    told = evaluate({"oracle": "oracle", "stops": f"{__name__}:Planner2"}, levels)["policies"]
    assert told["oracle"]["pass_8_levels"] == told["stops"]["pass_8_levels"] == 2
    assert told["stops"]["pass_8"] == 0.0 <= told["oracle"]["pass_8"] <= 1.0


def test_a_policy_that_kills_its_process_costs_only_itself() -> None:
    """The others are played again in fresh processes, and their figures are those of one process."""
    setting = Setting(split="validation", episodes=520, tiers=(10, 20))  # two chunks
    dies = f"{__name__}:Dies"
    told: dict[str, int] = {}

    def tell(label: str, n: int) -> None:
        told[label] = told.get(label, 0) + n

    result = evaluate({"a": "cascade", "dies": dies, "b": "code_aware"}, setting, 2, tell)
    assert result["policies"]["dies"] == {"error": Lost.DIED.value}
    alone = evaluate({"a": "cascade", "b": "code_aware"}, setting)
    for label in ("a", "b"):
        for figure in ("success_rate", "return_mean", "return_ci95", "cost_per_success"):
            assert result["policies"][label][figure] == alone["policies"][label][figure]
    assert result["paired"] == alone["paired"]
    assert told == dict.fromkeys(("a", "dies", "b"), episodes_to_play(setting))


def test_it_does_so_with_one_worker_too_and_while_it_is_made() -> None:
    setting = Setting(episodes=2)
    result = evaluate({"a": "cascade", "dies": f"{__name__}:Dies"}, setting)
    assert result["policies"]["dies"] == {"error": Lost.DIED.value}
    assert "success_rate" in result["policies"]["a"]
    with pytest.raises(PolicyError, match="ended the process that it was made in"):
        evaluate({"a": "cascade", "made": f"{__name__}:DiesEarly"}, setting)


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        (Setting(split="tset"), "Did you mean 'test'"),
        (Setting(size="huge"), "no size 'huge'"),
        (Setting(mix="stres"), "Did you mean 'stress'"),
        (Setting(mode="hybird"), "Did you mean 'hybrid'"),
        (Setting(tiers=(0, 3)), "they run from 1 to 20"),
        (Setting(seed=2**63), "the seed 9223372036854775808 is not between"),
    ],
)
def test_a_setting_is_checked_before_anything_is_played(setting: Setting, says: str) -> None:
    with pytest.raises(LevelError, match=says):
        check_setting(setting)


def test_strata_are_tiers() -> None:
    """All that varies lies between two tiers, so that the mean over both is certain."""
    apart = episodes(40, tier=np.repeat([1, 2], 20), **{"return": np.repeat([0.0, 1.0], 20)})
    beside = compare({"a": "random"}, Setting(), {"a": of(apart)}).beside["a"]
    assert beside["return_ci95"] == [0.5, 0.5]


def test_a_share_has_no_interval_where_the_way_may_be_none() -> None:
    """The bound is above the rule on the whole, but not in every resample."""
    rule = episodes(8, **{"return": 0.0})
    bound = episodes(8, **{"return": [0.9, -0.2, -0.1, -0.1, -0.1, -0.1, -0.1, -0.1]})
    beside = compare(NAMES, Setting(), {"a": of(rule), "top": of(bound)}).beside["top"]
    assert beside["gap_closed"] == pytest.approx(1.0) and beside["gap_closed_ci95"] is None


def test_only_the_first_chunk_is_timed() -> None:
    index, setting = Contestant("i", "index"), Setting()
    assert len(play_chunk(index, setting, 0, 3).decision_ms) == 3
    assert len(play_chunk(index, setting, 3, 3).decision_ms) == 0
    assert len(play_chunk(index, setting, 0, 3, luck=1).decision_ms) == 0
