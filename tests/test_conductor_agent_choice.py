"""What a policy has decided is read with care."""

from __future__ import annotations

import numpy as np
import pytest
from hand_written import work, workflow

from conductor_agent.deciding.choice import MOST_SAID, handed_over, read
from conductor_agent.record.fold import Fold
from policies.recovery.base import Decision


def decision(shares: list[float], source: str = "mine", why: str = "") -> Decision:
    told = np.array([why], object)
    return Decision(np.array([2]), np.array([shares]), np.array([source], object), None, told)


def test_shares_are_named_and_those_that_are_no_probabilities_are_refused() -> None:
    run = Fold(workflow({"echo": work()}).level)
    assert read(decision([0.25, 0.0, 0.75]), run) == (2, {"WAIT": 0.25, "echo": 0.75}, "mine")
    for wrong in ([0.5, -0.5, 1.0], [0.0, np.nan, 1.0], [0.0, np.inf, 1.0]):
        with pytest.raises(ValueError, match="probabilities that are none"):
            read(decision(wrong), run)


def test_what_it_says_cannot_move_a_terminal_or_go_on_for_ever() -> None:
    run = Fold(workflow({"echo": work()}).level)
    assert "\x1b" not in read(decision([0.0, 0.0, 1.0], "a\x1b[2J"), run)[2]
    said = handed_over(decision([0.0, 0.0, 1.0], why="\x1b[2J" + "so " * MOST_SAID))
    assert "\x1b" not in said and len(said) == MOST_SAID
