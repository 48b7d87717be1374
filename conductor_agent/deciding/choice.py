"""What a policy has decided, read with care: it may be anybody's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from conductor_agent.plain import clean
from conductor_agent.record.fold import Fold
from fqg_env.rules import FIRST_CALL
from policies.recovery.base import Decision

MOST_SAID = 200
"""Letters of why a policy handed over that are kept."""


@dataclass
class Choice:
    """What was decided, before it is written down."""

    action: int
    probabilities: dict[str, float]
    source: str
    why: str
    took_ms: float
    success: float | None = None


def chance_of(decision: Decision) -> float | None:
    """The chance of success that a policy tells, where it tells one that is a chance."""
    told = getattr(decision, "success", None)
    chance = None if told is None else float(told[0])
    return chance if chance is not None and 0.0 <= chance <= 1.0 else None


def handed_over(decision: Decision) -> str:
    """Why a policy left the decision to its own floor, where it says so."""
    told = getattr(decision, "why", None)
    return "" if told is None else clean(str(told[0]))[:MOST_SAID]


def read(decision: Decision, fold: Fold) -> tuple[int, dict[str, float], str]:
    """The action, each action's probability where that is not 0, and who decided.

    Raises:
        ValueError: the probabilities are none.
    """
    shares = decision.probabilities[0]
    if not (np.isfinite(shares).all() and (shares >= 0).all()):
        raise ValueError("it answered probabilities that are none")
    named = {
        fold.action_name(i): float(share)
        for i, share in enumerate(shares[: FIRST_CALL + len(fold.level.calls)])
        if share > 0.0
    }
    return int(decision.action[0]), named, clean(str(decision.source[0]))
