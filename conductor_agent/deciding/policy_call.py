"""A policy as the loop asks it: whoever wrote it, it cannot hold up a run."""

from __future__ import annotations

import numpy as np

from conductor_agent.aside import TooSlowError, aside
from policies.recovery.base import Decision, Observation, Policy

DECISION_S = 10.0
"""The longest that a policy which is not ours may take for a decision."""
LEAST_S = 1.0
"""So long it may take in any case: the last moments of a run are no reason to give it up."""


class Asked:
    """A policy as the loop asks it. Ours answer at once; anybody else's is asked beside the event loop, so
    that signals and the budget are heard meanwhile, and never again once it has not answered.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._ours = type(policy).__module__.partition(".")[0] == "policies"
        self._silent = ""

    async def decide(self, observation: Observation, mask: np.ndarray, left_s: float) -> Decision:
        """The policy's decision, or what it raises.

        Raises:
            TooSlowError: it has not answered in time, now or before.
        """
        if self._ours:
            return self.policy.decide(observation, mask)
        if self._silent:
            raise TooSlowError(f"{self._silent} once; it is not asked again")
        allowed_s = min(DECISION_S, max(left_s, LEAST_S))
        try:
            return await aside(
                lambda: self.policy.decide(observation, mask), allowed_s, "fqg-policy"
            )
        except TooSlowError as problem:
            self._silent = str(problem)
            raise
