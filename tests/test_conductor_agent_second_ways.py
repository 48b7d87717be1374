"""What may have been done is not done a second way."""

from __future__ import annotations

from typing import Any

import pytest
from hand_written import work, workflow

from conductor_agent.deciding.mask import Mask
from conductor_agent.record.events import Finished, Started
from conductor_agent.record.fold import Fold
from fqg_env.outcome import Category, Outcome, SideEffects, Success, error
from fqg_env.rules import FIRST_CALL

ONCE = {"idempotent": False}
PAY = {"card": work(**ONCE), "transfer": work(**ONCE), "quote": work()}
POSSIBLE = error(Category.CRASHED, "it died", side_effects=SideEffects.POSSIBLE)
DONE = Success(side_effects=SideEffects.COMMITTED)
NONE = error(Category.UNAVAILABLE, "closed", side_effects=SideEffects.NONE)


def barred(functions: dict[str, Any], outcome: Outcome | None, **level: Any) -> dict[str, str]:
    """What is not asked for after `card` came to that; None: it is in flight."""
    run = Fold(workflow(functions, max_in_flight=2, **level).level)
    run.apply(Started(at_s=0.0, attempt=0, call="card", key=""))
    if outcome is not None:
        run.apply(Finished(at_s=0.5, attempt=0, call="card", outcome=outcome, elapsed_s=0.5))
    found = Mask(run.level).look(run)
    for name in found:
        assert not run.mask[0, FIRST_CALL + run.call(name)]
    return found


WHY = {"transfer": "does once more what card may have done"}


@pytest.mark.parametrize(
    ("outcome", "why"), [(POSSIBLE, WHY), (None, WHY), (NONE, {}), (DONE, WHY)]
)
def test_a_second_way_is_closed_while_the_first_may_have_acted(
    outcome: Outcome | None, why: dict[str, str]
) -> None:
    assert barred(PAY, outcome) == why


def test_the_shield_may_allow_it() -> None:
    assert barred(PAY, POSSIBLE, shield={"unsafe_repeats": "allowed"}) == {}


def test_another_thing_is_another_thing() -> None:
    other = PAY | {"transfer": work(outputs=["receipt"], **ONCE)}
    assert barred(other, POSSIBLE, artifacts={"receipt": {}}) == {}
