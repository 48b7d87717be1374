"""What a recovery policy is: a stateless answer to a batch of observations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

import numpy as np

from fqg_env.rules import FIRST_CALL

if TYPE_CHECKING:
    from fqg_env.lanes import Lanes

FLOOR = "floor"
"""Source of a decision that the index rule took, because a policy handed over or could not decide."""
Observation = Mapping[str, np.ndarray]
"""Fields of fqg_env/fields.py by name, each with a leading batch dimension N."""


class Decision(NamedTuple):
    """What a policy answers for N observations."""

    action: np.ndarray
    """[N] int64: 0 WAIT, 1 STOP, 2 + i attempts call i."""
    probabilities: np.ndarray
    """[N, 2 + C] float32: how likely each action was to be chosen; rows sum to 1."""
    source: np.ndarray
    """[N] who decided: the policy's name, or `FLOOR` where it handed over."""
    success: np.ndarray | None = None
    """[N] chance that the run delivers every Essential goal, good, if it goes on so; None: not told."""
    why: np.ndarray | None = None
    """[N] why the floor decided, as words; empty where it did not. None: it nowhere did."""


@runtime_checkable
class Policy(Protocol):
    """A recovery policy. It keeps no state between calls and reads fields by name."""

    name: str

    def decide(self, observation: Observation, mask: np.ndarray) -> Decision:
        """Choose an action for each row; `mask` [N, 2 + C] is 1 where an action is legal."""
        ...


@runtime_checkable
class Planner(Protocol):
    """A policy that is handed levels, boards and beliefs too; the oracle alone also gets what is hidden."""

    name: str

    def plan(self, lanes: Lanes) -> Decision:
        """Choose an action for each lane."""
        ...


def certain(action: np.ndarray, actions: int, name: str) -> Decision:
    """The decision of a rule: its choice has probability 1.

    Raises:
        ValueError: an action is out of range.
    """
    n = len(action)
    outside = [a for a in (np.min(action), np.max(action)) if not 0 <= a < actions] if n else []
    if outside:
        raise ValueError(f"action {outside[0]} is out of range; they run from 0 to {actions - 1}")
    probabilities = np.zeros((n, actions), np.float32)
    probabilities[np.arange(n), action] = 1.0
    return Decision(action.astype(np.int64), probabilities, np.full(n, name, object))


def fields(observation: Observation, *names: str) -> tuple[np.ndarray, ...]:
    """The named fields as contiguous arrays, as kernels want them.

    Raises:
        KeyError: a field is missing; the message says how to get it.
    """
    for name in names:
        if name not in observation:
            raise KeyError(
                f"the observation has no field {name!r}; make the environment with belief=True"
            )
    return tuple(np.ascontiguousarray(observation[name]) for name in names)


__all__ = [
    "FIRST_CALL",
    "FLOOR",
    "Decision",
    "Observation",
    "Planner",
    "Policy",
    "certain",
    "fields",
]
