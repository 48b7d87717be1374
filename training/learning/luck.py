"""Luck: what chance added to a last reward by how delivered goals turned out, and how it is taken away."""

from __future__ import annotations

from typing import Any

from fqg_env.compiled import kernel
from policies.recovery.rollouts import luck_of_goals


@kernel
def forget_luck(
    levels: Any, boards: Any, truths: Any, beliefs: Any, rewards: Any, done: Any
) -> None:
    """Take the luck of what was delivered from the last reward of each episode that is over."""
    for n in range(len(levels)):
        if done[n]:
            rewards[n] -= luck_of_goals(levels[n], boards[n], truths[n], beliefs[n])
