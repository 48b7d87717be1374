"""What is proven unsolvable is never solved, and what plainly cannot be solved is proven to be."""

from __future__ import annotations

import hand_drawn
import numpy as np
import pytest

from fqg_env.lanes import Lanes
from fqg_env.level import Artifact, CallKind, Goal, Level
from fqg_env.puzzle import Faults, Puzzle
from fqg_env.unsolvable import find_unsolvable
from fqg_env.witness import witness
from policies.recovery.oracle import Oracle
from training.judging.episodes import play
from training.judging.setting import Setting, deal


def proven(level: Level, key: int = 1, **faults) -> bool:
    lanes = Lanes(1, hand_drawn.SMALL)
    Puzzle(level=level, faults=Faults(**faults)).load(lanes, key)
    out = np.zeros(1, np.uint8)
    find_unsolvable(lanes.levels, lanes.hidden, out)
    return bool(out[0])


TWO_STEPS = {
    "artifacts": {
        "page": Artifact(given=True),
        "clean": Artifact(),
        "text": Artifact(goal=Goal()),
    },
    "functions": {
        "tidy": hand_drawn.maker("clean"),
        "read": hand_drawn.maker("text", inputs=("clean",)),
    },
}
TUNED = hand_drawn.level(
    {
        "read": hand_drawn.maker(
            "text", variants={"a": hand_drawn.preset(), "b": hand_drawn.preset()}
        )
    }
)


@pytest.mark.parametrize(
    ("level", "faults", "expected"),
    [
        (hand_drawn.one_move(), {}, False),
        (hand_drawn.one_move(), {"functions": {"read": "broken"}}, True),
        (hand_drawn.one_move(), {"functions": {"read": "silent"}}, True),
        (hand_drawn.one_move(), {"functions": {"read": "quota_1"}}, False),
        (TUNED, {"functions": {"read": "wrong:b"}}, False),
        (TUNED, {"functions": {"read": "silent:b"}}, False),
        (hand_drawn.level(**TWO_STEPS), {"functions": {"tidy": "broken"}}, True),
        (hand_drawn.level(**TWO_STEPS), {"clashes": {"read": "tidy"}}, True),
        (hand_drawn.level(**TWO_STEPS), {}, False),
    ],
)
def test_what_plainly_cannot_be_solved_is_proven_to_be(level, faults, expected) -> None:
    assert proven(level, **faults) is expected


def test_a_bad_given_artifact_is_lost_only_where_nothing_mends_it() -> None:
    mend = hand_drawn.maker("page", inputs=("page",), kind=CallKind.REPAIR)
    level = hand_drawn.level({"read": hand_drawn.maker("text"), "mend": mend})
    assert not proven(level, defects=("page",))
    assert proven(level, defects=("page",), functions={"mend": "broken"})


def test_luck_decides_under_an_outage_without_end() -> None:
    """One attempt in twenty slips through; with seven attempts most keys have none."""
    level = hand_drawn.one_move()
    verdicts = [proven(level, key, providers={"local": 4}) for key in range(60)]
    assert 30 < sum(verdicts) < 60


def test_nobody_solves_what_is_proven_unsolvable() -> None:
    """Neither the oracle, under any luck, nor the search for a solution, over all kinds of levels."""
    found = 0
    drawn, templates = Setting(split="validation", tiers=(8, 20)), Setting(split="exact_train")
    for setting, levels in ((drawn, 200), (templates, 32)):  # the oracle solves each template
        lanes = deal(setting, 0, levels)
        out = np.zeros(lanes.n, np.uint8)
        find_unsolvable(lanes.levels, lanes.hidden, out)
        played = play(Oracle(), deal(setting, 0, levels))
        assert not (played.episodes["success"] & out).any()
        for lane in np.flatnonzero(out)[:10]:
            assert witness(lanes, lane) is None
        found += int(out.sum())
    assert found > 20  # else this shows nothing
