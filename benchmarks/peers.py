"""How many steps a second other environments play on one core. Needs nothing of ours: run it by any Python.

    python benchmarks/peers.py [--quick] [--json]

One JSON object: {NAME: {"steps_per_s", "obs_bytes"} or {"skipped"}}. Random actions, automatic reset, CPU
time, the best of several rounds, as benchmarks/env_speed.py measures ours. A peer that is not installed is
skipped with the reason. `pip install -e ".[bench]"` brings them; they may live in their own environment.

Example:  python benchmarks/peers.py --quick
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from to_its_end import to_its_end

Peer = Callable[[], tuple[Callable[[], int], int]]
"""Makes an environment; returns (play some steps, bytes of one observation)."""


def bytes_of(observation: Any) -> int:
    """Bytes of one observation, nested or not."""
    if isinstance(observation, dict):
        return sum(bytes_of(value) for value in observation.values())
    if isinstance(observation, tuple):
        return sum(bytes_of(value) for value in observation)
    return 0 if isinstance(observation, str) else np.asarray(observation).nbytes


def single(name: str, module: str = "") -> Peer:
    """A single Gymnasium environment."""

    def make() -> tuple[Callable[[], int], int]:
        import gymnasium

        if module:
            __import__(module)
        env = gymnasium.make(name)
        observation, _ = env.reset(seed=0)
        actions = np.random.default_rng(0).integers(0, env.action_space.n, 512)

        def play() -> int:
            for action in actions:
                _, _, terminated, truncated, _ = env.step(action)
                if terminated or truncated:
                    env.reset()
            return len(actions)

        return play, bytes_of(observation)

    return make


def stepping(envs: Any, n: int, choices: int) -> Callable[[], int]:
    """Random actions in all of n environments, 64 times."""
    actions = np.random.default_rng(0).integers(0, choices, (64, n))

    def play() -> int:
        for action in actions:
            envs.step(action)
        return actions.size

    return play


def vector(name: str, n: int, mode: str, module: str = "") -> Peer:
    """A vectorised Gymnasium environment."""

    def make() -> tuple[Callable[[], int], int]:
        import gymnasium

        if module:
            __import__(module)
        envs = gymnasium.make_vec(name, num_envs=n, vectorization_mode=mode)
        observation, _ = envs.reset(seed=0)
        return stepping(envs, n, envs.single_action_space.n), bytes_of(observation) // n

    return make


def pooled(name: str, n: int) -> Peer:
    """An EnvPool environment on one thread."""

    def make() -> tuple[Callable[[], int], int]:
        import envpool

        envs = envpool.make_gymnasium(name, num_envs=n, num_threads=1, seed=0)
        observation, _ = envs.reset()
        return stepping(envs, n, envs.action_space.n), bytes_of(observation) // n

    return make


def puffer(n: int) -> Peer:
    """A native PufferLib environment."""

    def make() -> tuple[Callable[[], int], int]:
        from pufferlib.ocean.squared.squared import Squared

        envs = Squared(num_envs=n)
        observation, _ = envs.reset(0)
        return stepping(envs, n, 5), bytes_of(observation) // n

    return make


PEERS: dict[str, Peer] = {
    "gymnasium CartPole-v1": single("CartPole-v1"),
    "gymnasium CartPole-v1, sync 64": vector("CartPole-v1", 64, "sync"),
    "gymnasium CartPole-v1, native vector 1024": vector("CartPole-v1", 1024, "vector_entry_point"),
    "MiniGrid DoorKey-8x8": single("MiniGrid-DoorKey-8x8-v0", "minigrid"),
    "MiniGrid DoorKey-8x8, sync 64": vector("MiniGrid-DoorKey-8x8-v0", 64, "sync", "minigrid"),
    "EnvPool CartPole-v1, 1024": pooled("CartPole-v1", 1024),
    "EnvPool FrozenLake-v1, 1024": pooled("FrozenLake-v1", 1024),
    "PufferLib Squared, 1024": puffer(1024),
}


def measure(make: Peer, rounds: int, seconds: float) -> dict[str, Any]:
    """The best rate over rounds of some seconds."""
    try:
        play, obs_bytes = make()
        play()
    except Exception as problem:  # noqa: BLE001  (not installed, or of another version)
        return {"skipped": " ".join(f"{type(problem).__name__}: {problem}".split())[:120]}
    best = 0.0
    for _ in range(rounds):
        steps, began = 0, time.process_time()
        while (took := time.process_time() - began) < seconds:
            steps += play()
        best = max(best, steps / took)
    return {"steps_per_s": round(best), "obs_bytes": obs_bytes}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="shorter rounds")
    parser.add_argument("--json", action="store_true", help="what it prints in any case")
    quick = parser.parse_args().quick
    rounds, seconds = (2, 0.3) if quick else (5, 2.0)
    print(json.dumps({name: measure(make, rounds, seconds) for name, make in PEERS.items()}))


if __name__ == "__main__":
    to_its_end(main)
