"""What a trained network reads besides the observation: what the index rule chooses, and what it thinks.

The rule's choice is where an untrained network stands; how it values each call and artifact is what a network
would otherwise have to work out along the graph anew.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np

from fqg_env.arrays import History
from fqg_env.compiled import kernel
from fqg_env.fields import Artifact, Run
from policies.recovery.base import Observation, fields
from policies.recovery.index import FIELDS, Batch, Index, choose_by, gain_of, view_of
from policies.recovery.ways import Numbers, View, attempts_left, ways_dtype


class Way(IntEnum):
    """Fields of `ways` [C, W]: an open call, with the inputs that have to be made first. Else 0."""

    OPEN = 0  # it makes something, and nothing that lasts forbids it
    OWN = 1  # chance that it makes something good of good inputs, after waiting where that pays
    CHANCE = 2  # the same with its inputs to be made first
    PRICE = 3  # of all that, in return; ends at 1
    SCORE = 4  # its score / the best score of those that make the same
    WAITS = 5  # waiting for its provider pays
    TIME = 6  # share of the time budget that an attempt takes, waiting included; ends at 1


WAY_FIELDS = len(Way)  # W


class Reach(IntEnum):
    """Fields of `reach` [A, V]: an artifact that is held and kept, or could be made. Else 0."""

    HAVE = 0  # what is held is kept
    CHANCE = 1  # of having it, good
    PRICE = 2  # of its way, in return; ends at 1
    STEPS = 3  # attempts of its way / attempts left; ends at 1
    SPAN = 4  # time of its way / time left; ends at 1
    GAIN = 5  # of a goal: what going on is worth over delivering what is held; -1 to 1


REACH_FIELDS = len(Reach)  # V
_INDEX = Index()


@kernel
def write_thoughts(v: View, n: Numbers, w: Any, ways: Any, reach: Any) -> None:
    """Fill `ways` and `reach` (zeros before) with what the rule thought when it chose."""
    attempts, time = max(1.0, attempts_left(v)), max(1e-3, v.run[Run.TIME_LEFT])
    for a in range(v.artifacts.shape[0]):
        if v.artifacts[a, Artifact.EXISTS] < 0.5:
            continue
        best = 0.0
        for i in range(0 if w.have[a] else w.n_makers[a]):
            best = max(best, w.score[w.makers[a, i]])
        for i in range(w.n_makers[a]):
            c = w.makers[a, i]
            ways[c, Way.OPEN], ways[c, Way.OWN] = 1.0, w.own[c]
            ways[c, Way.WAITS] = w.waits[c]
            ways[c, Way.TIME] = min(1.0, w.time[c])
            if not w.have[a]:  # of what is kept, no way was weighed
                ways[c, Way.CHANCE] = w.way_chance[c]
                ways[c, Way.PRICE] = min(1.0, w.way_price[c])
                ways[c, Way.SCORE] = w.score[c] / best if best > 0.0 else 0.0
        reach[a, Reach.HAVE], reach[a, Reach.CHANCE] = w.have[a], w.chance[a]
        reach[a, Reach.PRICE] = min(1.0, w.price[a])
        reach[a, Reach.STEPS] = min(1.0, w.steps[a] / attempts)
        reach[a, Reach.SPAN] = min(1.0, w.span[a] / time)
        if v.artifacts[a, Artifact.GOAL_WEIGHT] > 0.0 and not w.have[a]:
            reach[a, Reach.GAIN] = min(1.0, max(-1.0, gain_of(v, n, w, a)))


@kernel
def think_all(batch: Batch, scratch: Any, n: Numbers, index: Any, ways: Any, reach: Any) -> None:
    """Fill the rule's choice as one-hot, `ways` and `reach` for N observations (zeros before)."""
    for i in range(len(index)):
        v = view_of(batch.views, i)
        index[i, choose_by(v, n, scratch[0], batch.same_function[i])] = 1.0
        write_thoughts(v, n, scratch[0], ways[i], reach[i])


def rule_fields(observation: Observation, mask: np.ndarray) -> dict[str, np.ndarray]:
    """float32 `index` [N, 2 + C], one-hot of the rule's action, `ways` [N, C, W] and `reach` [N, A, V]."""
    mask = np.ascontiguousarray(mask, np.uint8)
    (same_function,) = fields(observation, "same_function")
    view = View(*(*fields(observation, *FIELDS), mask))
    n, calls, artifacts = view.needs.shape
    out = {
        "index": np.zeros(mask.shape, np.float32),
        "ways": np.zeros((n, calls, WAY_FIELDS), np.float32),
        "reach": np.zeros((n, artifacts, REACH_FIELDS), np.float32),
    }
    scratch = np.zeros(1, ways_dtype(calls, artifacts))
    think_all(Batch(view, same_function), scratch, _INDEX.numbers, *out.values())
    return out


def network_inputs(
    observation: Observation, mask: np.ndarray, names: tuple[str, ...]
) -> dict[str, np.ndarray]:
    """The named inputs of a network, in that order, as they lie in the observation or as float32.

    Raises:
        KeyError: a field is missing; the message says how to get it.
    """
    thoughts = rule_fields(observation, mask)
    out = {}
    for name in names:
        (out[name],) = (thoughts[name],) if name in thoughts else fields(observation, name)
    return out


def trimmed(history: Any) -> Any:
    """The attempts of a batch of histories [N, T, fields] that there were: what follows is empty in all."""
    longest = int((history[:, :, History.CALL] > 0.0).sum(1).max())
    return history[:, : max(1, longest)]


def index_choice(observation: Observation, mask: np.ndarray) -> np.ndarray:
    """[N, 2 + C] float32 one-hot of the index rule's action."""
    out = np.zeros(mask.shape, np.float32)
    out[np.arange(len(mask)), _INDEX.actions(observation, mask)] = 1.0
    return out
