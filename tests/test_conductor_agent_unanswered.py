"""What an attempt comes to that has no usable answer of its own."""

from __future__ import annotations

import pytest
from hand_written import work, workflow

from conductor_agent.live_world import Answer
from conductor_agent.record.fold import Fold
from conductor_agent.unanswered import cancelled, unfit
from fqg_env.outcome import SideEffects, Success


@pytest.mark.parametrize(
    ("idempotent", "effects"), [(True, SideEffects.NONE), (False, SideEffects.POSSIBLE)]
)
def test_who_cannot_say_so_may_have_acted_where_that_matters(
    idempotent: bool, effects: SideEffects
) -> None:
    run = Fold(workflow({"echo": work(idempotent=idempotent)}).level)
    assert cancelled(run, 0, 0.1, "nobody waits").side_effects is effects
    answer = unfit(run, 0, Answer(Success()), ValueError("no number"))
    assert answer.outcome.side_effects is effects


def test_what_is_cancelled_costs_its_share_and_never_more_than_all() -> None:
    run = Fold(workflow({"echo": work(latency_s=0.5)}).level)
    costs = [cancelled(run, 0, ran_s, "nobody waits").cost for ran_s in (0.0, 0.25, 50.0)]
    assert costs == [0.0, 0.5, 1.0]
