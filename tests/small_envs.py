"""Small environments for tests, single and vectorised, and what is played and compared in both."""

from __future__ import annotations

from typing import Any

import numpy as np

from fqg_env.env import FunctionQuest
from fqg_env.rules import STOP
from fqg_env.vector_env import VectorFunctionQuest


def single(**more: Any) -> FunctionQuest:
    return FunctionQuest(size="small", **more)


def vector(n: int, **more: Any) -> VectorFunctionQuest:
    return VectorFunctionQuest(n, size="small", **more)


def pick(mask: np.ndarray, step: int) -> int:
    """A legal action, the same for the same mask and step; STOP seldom."""
    legal = np.flatnonzero(mask)
    calls = legal[legal > STOP]
    if step % 23 == 22 or len(calls) == 0:
        return STOP
    return int(calls[step * 7 % len(calls)])


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray], lane: int | None = None) -> bool:
    """Two observations are equal bit for bit; `b` may be one lane of a batch."""
    return all(np.array_equal(a[k], b[k] if lane is None else b[k][lane]) for k in a)
