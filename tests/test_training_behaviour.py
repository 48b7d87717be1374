"""What the judge notes of an episode, on hand-drawn levels played by a script."""

from __future__ import annotations

import hand_drawn
import numpy as np
import pytest

from fqg_env.arrays import CODES
from fqg_env.cells import FaultKind
from fqg_env.lanes import Lanes
from fqg_env.level import Artifact, Budget, CallKind, Goal, Level
from fqg_env.outcome import Category
from fqg_env.puzzle import Faults, Puzzle
from policies.recovery.base import certain
from training.judging.behaviour import Reaction
from training.judging.episodes import Played, play

WAIT, STOP = "wait", "stop"


class Script:
    """It names its actions one after the other."""

    name = "script"

    def __init__(self, level: Level, actions: list[str]):
        names = {WAIT: 0, STOP: 1} | {name: 2 + i for i, name in enumerate(level.call_names)}
        self.actions = [names[action] for action in actions]

    def decide(self, observation, mask):
        return certain(np.array([self.actions.pop(0)]), mask.shape[1], self.name)


def played(level: Level, actions: list[str], key: int = 1, **faults) -> Played:
    lanes = Lanes(1, hand_drawn.SMALL)
    Puzzle(level=level, faults=Faults(**faults)).load(lanes, key)
    lanes.begin()
    return play(Script(level, actions), lanes)


def episode(level: Level, actions: list[str], **faults) -> np.void:
    return played(level, actions, **faults).episodes[0]


def kinds(bits: int) -> set[str]:
    return {kind.name for kind in FaultKind if bits >> kind & 1}


TWO_MAKERS = hand_drawn.level({"read": hand_drawn.maker("text"), "scan": hand_drawn.maker("text")})
STAGES = hand_drawn.level(
    artifacts={
        "page": Artifact(given=True),
        "clean": Artifact(),
        "text": Artifact(goal=Goal()),
    },
    functions={
        "tidy": hand_drawn.maker("clean"),
        "read": hand_drawn.maker("text", inputs=("clean",)),
        "mend": hand_drawn.maker("page", inputs=("page",), kind=CallKind.REPAIR),
        "check": hand_drawn.probe(CallKind.VERIFY, "text"),
    },
)


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        ({}, set()),
        ({"functions": {"read": "broken"}}, {"BROKEN"}),
        ({"functions": {"read": "silent"}}, {"SILENT"}),
        ({"providers": {"local": 4}}, {"LASTING_OUTAGE"}),
    ],
)
def test_what_an_attempt_meets_is_noted(faults, expected) -> None:
    for name in ("met", "in_the_way"):
        assert kinds(episode(hand_drawn.one_move(), ["read", STOP], **faults)[name]) == expected


def test_a_fault_that_nobody_met_is_in_the_way_and_not_met() -> None:
    broken = {"functions": {"read": "broken"}}
    e = episode(TWO_MAKERS, ["scan", STOP], **broken)
    assert kinds(e["in_the_way"]) == {"BROKEN"}  # the first maker is in the default order
    assert kinds(e["met"]) == set()
    assert (e["success"], e["gave_up"], e["recoveries"]) == (1, 0, 0)


def test_a_quota_is_in_the_way_from_the_start_and_met_when_it_is_used_up() -> None:
    quota = {"functions": {"read": "quota_1"}}
    once = episode(hand_drawn.one_move(), ["read", STOP], **quota)
    assert (kinds(once["in_the_way"]), kinds(once["met"])) == ({"QUOTA_1"}, set())
    assert kinds(episode(hand_drawn.one_move(), ["read", "read", STOP], **quota)["met"]) == {
        "QUOTA_1"
    }


def test_a_defect_is_met_by_who_reads_it_and_a_clash_by_who_cannot() -> None:
    e = episode(STAGES, ["tidy", STOP], defects=("page",))
    assert kinds(e["met"]) == kinds(e["in_the_way"]) == {"DEFECT"}
    assert kinds(episode(STAGES, ["mend", "tidy", STOP], defects=("page",))["met"]) == set()
    e = episode(STAGES, ["tidy", "read", STOP], clashes={"read": "tidy"})
    assert kinds(e["met"]) == kinds(e["in_the_way"]) == {"CLASH"}


def test_attempts_at_what_was_attempted_before_are_recoveries() -> None:
    broken = {"functions": {"read": "broken"}}
    assert episode(TWO_MAKERS, ["read", "scan", STOP], **broken)["recoveries"] == 1
    assert episode(TWO_MAKERS, ["read", "read", "scan", STOP], **broken)["recoveries"] == 2
    assert episode(STAGES, ["tidy", "read", STOP])["recoveries"] == 0  # two steps of one way
    assert episode(STAGES, ["mend", "tidy", "read", STOP])["recoveries"] == 1  # a repair


def test_a_repeat_of_what_is_final_is_counted_unless_something_is_new() -> None:
    again = ["tidy", "tidy", "read", STOP]
    assert episode(STAGES, again)["repeats"] == 1  # it had answered, and that is still there
    anew = ["tidy", "mend", "tidy", "read", STOP]
    assert episode(STAGES, anew)["repeats"] == 0  # the page was new


def test_the_time_to_the_goal_is_a_share_of_the_budget() -> None:
    level = hand_drawn.one_move(budget=Budget(time_s=100.0, cost=100.0, attempts=16))
    e = episode(level, ["read", WAIT, STOP])
    assert 0.05 < e["goal_at"] < 0.6 and e["goal_at"] < e["time"]
    missing = episode(level, [STOP])
    assert np.isnan(missing["goal_at"]) and missing["gave_up"] == 1


def reactions(actions: list[str], **faults) -> set[str]:
    counts = played(STAGES, actions, **faults).reactions
    assert counts[0].sum() == counts[CODES[Category.CANCELLED]].sum() == 0
    return {Reaction(r).name for r in np.flatnonzero(counts.sum(0))}


@pytest.mark.parametrize(
    ("then", "expected"),
    [
        ("read", "RETRY"),
        (WAIT, "WAIT"),
        ("tidy", "REBUILD_UPSTREAM"),
        ("mend", "REPAIR"),
        (STOP, "STOP"),
    ],
)
def test_the_first_decision_after_an_error_is_counted(then: str, expected: str) -> None:
    broken = {"functions": {"read": "broken"}}
    rest = [] if then == STOP else [STOP]
    last = {"RETRY": {"STOP"}}.get(expected, set())  # the second failure is answered, too
    assert reactions(["tidy", "read", then, *rest], **broken) == {expected} | last


def test_another_maker_is_a_fallback_and_another_variant_is_not() -> None:
    broken = {"functions": {"read": "broken"}}
    counts = played(TWO_MAKERS, ["read", "scan", STOP], **broken).reactions.sum(0)
    assert np.flatnonzero(counts).tolist() == [Reaction.FALLBACK]
    variants = {"a": hand_drawn.preset(), "b": hand_drawn.preset()}
    level = hand_drawn.level({"read": hand_drawn.maker("text", variants=variants)})
    wrong = {"functions": {"read": "wrong:b"}}
    counts = played(level, ["read/a", "read/b", STOP], **wrong).reactions.sum(0)
    assert np.flatnonzero(counts).tolist() == [Reaction.OTHER_PARAMETERS]


def test_an_illegal_action_is_counted_and_is_no_attempt_of_a_call() -> None:
    e = episode(STAGES, ["read", "tidy", "read", STOP])  # at first there is nothing to read
    assert (e["refused"], e["attempts"], e["success"]) == (1, 3, 1)
    assert e["recoveries"] == 0


AGES = hand_drawn.level(
    artifacts={
        "page": Artifact(given=True),
        "clean": Artifact(time_to_live_s=100.0),
        "text": Artifact(goal=Goal()),
    },
    functions={
        "tidy": hand_drawn.maker("clean"),
        "read": hand_drawn.maker("text", inputs=("clean",)),
    },
)


def test_what_goes_bad_with_age_is_in_the_way_where_it_would_and_met_by_who_waits() -> None:
    told = [episode(AGES, ["tidy", WAIT, WAIT, WAIT, "read", STOP], key=key) for key in range(40)]
    stale = ["STALE" in kinds(e["met"]) for e in told]
    assert 3 < sum(stale) < 25  # a quarter goes bad
    assert stale == ["STALE" in kinds(e["in_the_way"]) for e in told]
    at_once = [episode(AGES, ["tidy", "read", STOP], key=key) for key in range(40)]
    assert not any("STALE" in kinds(e["met"]) for e in at_once)


def test_a_lost_answer_is_met_by_the_attempt_that_it_is_lost_of() -> None:
    told = [episode(hand_drawn.one_move(), ["read", STOP], key=key) for key in range(400)]
    lost = ["LOST" in kinds(e["met"]) for e in told]
    assert any(lost)
    assert lost == ["LOST" in kinds(e["in_the_way"]) for e in told]
    assert [e["success"] == 0 for e in told] == lost


def test_who_waits_until_the_time_is_used_up_has_not_given_up() -> None:
    e = episode(hand_drawn.one_move(), [WAIT] * 20)
    assert (e["gave_up"], e["success"], e["time"]) == (0, 0, 1.0)
