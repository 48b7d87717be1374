"""A witness is a sequence that solves the level when it is played."""

from __future__ import annotations

import numpy as np
from hand_drawn import SMALL, level, maker, one_move, preset

from fqg_env.lanes import Lanes
from fqg_env.level import Artifact, Budget, Goal
from fqg_env.puzzle import Faults, Puzzle
from fqg_env.rules import STOP, WAIT
from fqg_env.splits import level_key
from fqg_env.witness import solves, witness


def puzzle(drawn: object, **hidden: object) -> Puzzle:
    return Puzzle(level=drawn, faults=Faults(**hidden))


def test_it_plays_to_success_and_to_nothing_else() -> None:
    n = 60
    lanes = Lanes(n, SMALL, belief=False)
    lanes.keys[:] = [level_key("test", i) for i in range(n)]
    lanes.draw_levels()
    found = [witness(lanes, i) for i in range(n)]
    assert sum(w is not None for w in found) > n / 2
    lanes.begin()  # each witness played as an episode of its lane
    for step in range(max(len(w) for w in found if w)):
        lanes.step(np.array([w[step] if w and step < len(w) else STOP for w in found]))
    lanes.judge()
    assert [bool(s) for s in lanes.success] == [w is not None for w in found]
    assert (lanes.boards["refused"] == 0).all()


def test_it_leaves_the_lanes_as_they_are() -> None:
    lanes = Lanes(1, SMALL, belief=False)
    lanes.keys[0] = level_key("test", 3)
    lanes.draw_levels()
    lanes.begin()
    before = [a.tobytes() for a in (lanes.levels, lanes.hidden, lanes.boards, lanes.truths)]
    witness(lanes)
    assert before == [a.tobytes() for a in (lanes.levels, lanes.hidden, lanes.boards, lanes.truths)]


def test_it_waits_out_an_outage() -> None:
    found = witness(puzzle(one_move(), providers={"local": 1}))  # down for 6 % of the time
    assert found is not None and found[0] == WAIT and found[-1] == STOP


def test_it_goes_around_a_silently_bad_maker() -> None:
    artifacts = {"page": Artifact(given=True), "draft": Artifact(), "text": Artifact(goal=Goal())}
    drawn = level(
        {
            "cheap": maker("draft"),
            "dear": maker("draft", variants={"default": preset(cost=9.0)}),
            "read": maker("text", inputs=("draft",)),
        },
        artifacts,
    )
    found = witness(puzzle(drawn, functions={"cheap": "silent"}))
    assert found == [3, 4, STOP]


def test_it_tries_what_is_flaky_again() -> None:
    drawn = one_move()
    tries = []
    for key in range(8):
        found = witness(
            puzzle(drawn.model_copy(update={"key": key}), functions={"read": "very_flaky"})
        )
        if found is not None:
            assert set(found[:-1]) == {2}
            tries.append(len(found) - 1)
    assert min(tries) == 1 and max(tries) > 1


def test_none_where_there_is_none() -> None:
    assert witness(puzzle(one_move(), functions={"read": "broken"})) is None
    assert witness(puzzle(one_move(), functions={"read": "silent"})) is None
    tight = one_move(budget=Budget(time_s=10.0, cost=100.0, attempts=5))
    assert witness(puzzle(tight, providers={"local": 4})) is None  # down for the whole run


def test_the_last_attempt_of_the_budget_may_be_the_one() -> None:
    drawn = one_move(budget=Budget(time_s=320.0, cost=100.0, attempts=1))
    found = witness(puzzle(drawn))
    assert found == [2] and solves(puzzle(drawn), found)


def test_solves_judges_any_sequence() -> None:
    drawn = puzzle(one_move())
    assert solves(drawn, [2, STOP]) and solves(drawn, [WAIT, 2, STOP])
    assert not solves(drawn, [STOP]) and not solves(drawn, [2])  # the run has not ended
