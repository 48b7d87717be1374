"""What a trained network reads besides the observation: the index rule's choice, made by our own code."""

from __future__ import annotations

import numpy as np

from policies.recovery.base import Observation
from policies.recovery.index import Index

_INDEX = Index()


def index_choice(observation: Observation, mask: np.ndarray) -> np.ndarray:
    """[N, 2 + C] float32 one-hot of the index rule's action."""
    out = np.zeros(mask.shape, np.float32)
    out[np.arange(len(mask)), _INDEX.actions(observation, mask)] = 1.0
    return out
