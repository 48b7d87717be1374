"""What the environments answer, bit for bit: making a step faster must not change any of it.

A change of the rules, the prior, the generator or the observation changes these digests, and says so.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest

from fqg_env.vector_env import VectorFunctionQuest

LANES, STEPS = 64, 200

GOLDEN = {
    ("small", False): "eed7e533ca0bf780f2c30555b5477949",
    ("small", True): "bd44072a51f60317f1dbc8f3c0f20ca8",
    ("standard", False): "660abfd74f24971073971d4c17528480",
    ("standard", True): "a9bcf8f41d6d0a14e78f9c808d845d3e",
}


def feed(digest: Any, observation: dict[str, np.ndarray]) -> None:
    """Fold an observation into a digest, field by field: padding between fields means nothing."""
    for name in sorted(observation):
        digest.update(np.ascontiguousarray(observation[name]).tobytes())


def actions_of(mask: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """[N] random legal actions; STOP seldom, so that episodes grow old; at times an illegal one."""
    weight = mask * np.where(np.arange(mask.shape[1]) == 1, 0.1, 1.0)
    action = (weight * random.random(mask.shape)).argmax(1)
    wild = random.random(len(mask)) < 0.01
    action[wild] = random.integers(0, mask.shape[1], int(wild.sum()))
    return action


def digest_of(size: str, belief: bool, mode: str = "SameStep") -> str:
    """A digest of observations, masks, rewards and ends of random play."""
    vec = VectorFunctionQuest(LANES, size=size, belief=belief, copy=False, autoreset_mode=mode)
    digest = hashlib.blake2b(digest_size=16)
    random = np.random.default_rng(7)
    observation, info = vec.reset(seed=11)
    ended = 0
    for _ in range(STEPS):
        feed(digest, observation)
        digest.update(info["action_mask"].tobytes())
        observation, rewards, terminated, _, info = vec.step(
            actions_of(info["action_mask"], random)
        )
        digest.update(rewards.tobytes())
        digest.update(terminated.tobytes())
        ended += int(terminated.sum())
        for i in np.flatnonzero(terminated):
            feed(digest, info["final_obs"][i])
    assert ended > LANES
    return digest.hexdigest()


@pytest.mark.parametrize(("size", "belief"), GOLDEN)
def test_random_play_is_what_it_was(size: str, belief: bool) -> None:
    assert digest_of(size, belief) == GOLDEN[size, belief]
