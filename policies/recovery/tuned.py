"""The numbers of the rules: one file holds them all, each rule declares what it takes and in what range."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from policies.recovery.base import Decision, Observation, certain, fields
from policies.recovery.walk import FIELDS, Sight

FILE = Path(__file__).parent / "tuned.toml"
"""Made by `fqg tune`; its first lines say with which command and budget."""


class Range(NamedTuple):
    """Where a number of a rule is looked for."""

    low: float
    high: float
    whole: bool = False
    """Whole numbers only."""


@cache
def tuned() -> dict[str, dict[str, float]]:
    """The numbers of every rule by name, from the file; read once."""
    return tomllib.loads(FILE.read_text("utf-8"))


def tuned_numbers(name: str, kind: Any) -> Any:
    """The tuned numbers of a rule as its NamedTuple, all floats, so that kernels see one type.

    Raises:
        ValueError: the file does not name exactly the numbers that the rule takes.
    """
    table = tuned().get(name, {})
    wrong = sorted(set(table) ^ set(kind._fields))
    if wrong:
        raise ValueError(
            f"{FILE.name}: [{name}] lacks, or does not take, {', '.join(wrong)}; make it with `fqg tune`"
        )
    return kind(**{key: float(value) for key, value in table.items()})


class HandTuned:
    """A hand rule as a policy: a kernel, its numbers, and the ranges that they are looked for in.

    Args:
        numbers: of the rule's own kind; those of the file where there are none.
    """

    name: str
    table: str
    """Of its numbers in the file; somebody's subclass may have another name."""
    kind: Any
    """The NamedTuple of its numbers."""
    space: Mapping[str, Range]
    """Which of them are tuned, and where."""
    choose_all: Any
    """Kernel (sight, numbers, out [N]). Each rule writes this loop itself: one kernel that is handed another,
    or that closes over it, Numba compiles anew in every process."""

    def __init__(self, numbers: Any = None):
        self.numbers = tuned_numbers(self.table, self.kind) if numbers is None else numbers

    def actions(self, observation: Observation, mask: np.ndarray) -> np.ndarray:
        """[N] the chosen actions."""
        out = np.zeros(len(mask), np.int64)
        mask = np.ascontiguousarray(mask, np.uint8)
        sight = Sight._make((*fields(observation, *FIELDS), mask))
        self.choose_all(sight, self.numbers, out)
        return out

    def decide(self, observation: Observation, mask: np.ndarray) -> Decision:
        """Choose as the rule says."""
        return certain(self.actions(observation, mask), mask.shape[1], self.name)
