"""How many steps a second the environments play on one core, against writing the bytes alone.

    python benchmarks/env_speed.py [--quick] [--json] [--peers PYTHON]

Standard size, 256 lanes, which fit the caches of one core; random legal actions. Choosing them takes no
part in the time; observations, masks and new episodes do (next-step, as Gymnasium resets by itself): an
episode lasts about five actions, so every sixth step draws a level and begins anew. `vector` is the vector
environment as a trainer drives it (views, no copies), `same_step` the same with final observations,
`rule` the rulebook and the mask without an observation, `batch1` one environment by itself, `bound`
filling the observations with a constant. CPU time of this process, the best of several rounds. The peers
(benchmarks/peers.py) are measured in the same run, by this Python or by the one that is named.

Example:  python benchmarks/env_speed.py --quick --json
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from to_its_end import to_its_end

from fqg_env import rules, world
from fqg_env.chance import mix, pick
from fqg_env.compiled import kernel
from fqg_env.env import FunctionQuest
from fqg_env.vector_env import VectorFunctionQuest

LANES = 256
SIZE = "standard"


@kernel
def random_legal(masks: Any, state: Any, out: Any) -> None:
    """One legal action for each lane, all equally likely."""
    for n in range(len(masks)):
        state[n] = mix(state[n], np.uint64(n))
        legal = 0
        for i in range(masks.shape[1]):
            legal += masks[n, i]
        left = pick((state[n] >> np.uint64(11)) / 9007199254740992.0, legal)
        for i in range(masks.shape[1]):
            if masks[n, i]:
                if left == 0:
                    out[n] = i
                    break
                left -= 1


@kernel
def play_by_rule(
    levels: Any, hidden: Any, boards: Any, truths: Any, rows: Any, masks: Any, actions: Any
) -> None:
    """Play one action in every lane without observing; an ended episode begins again on its level."""
    for n in range(len(levels)):
        world.step(levels[n], hidden[n], boards[n], None, truths[n], rows[n], masks[n], actions[n])
        if boards[n].stopped:
            world.begin_episode(levels[n], hidden[n], boards[n], None, truths[n])
        rules.legal(levels[n], boards[n], masks[n])


class Actions:
    """Random legal actions [N] of masks [N, 2 + C]."""

    def __init__(self, n: int) -> None:
        self.state = np.arange(n, dtype=np.uint64) + np.uint64(1)
        self.out = np.zeros(n, np.int64)

    def of(self, masks: np.ndarray) -> np.ndarray:
        """The next ones."""
        random_legal(masks.view(np.uint8), self.state, self.out)
        return self.out


def best_rate(rounds: int, per_round: int, play: Callable[[], tuple[float, int]]) -> float:
    """Most steps a second over rounds of `per_round` plays, each (seconds, steps)."""
    play()
    best = 0.0
    for _ in range(rounds):
        seconds, steps = 0.0, 0
        for _ in range(per_round):
            took, played = play()
            seconds += took
            steps += played
        best = max(best, steps / seconds)
    return best


def vector(
    belief: bool, autoreset_mode: str = "NextStep"
) -> tuple[VectorFunctionQuest, Callable[[], tuple[float, int]]]:
    """The vector environment and one step of it."""
    vec = VectorFunctionQuest(
        LANES, size=SIZE, belief=belief, copy=False, autoreset_mode=autoreset_mode
    )
    vec.reset(seed=0)
    actions = Actions(LANES)

    def play() -> tuple[float, int]:
        chosen = actions.of(vec.action_masks())
        began = time.process_time()
        vec.step(chosen)
        return time.process_time() - began, LANES

    for _ in range(50):  # episodes of all ages
        play()
    return vec, play


def rule_alone(vec: VectorFunctionQuest) -> Callable[[], tuple[float, int]]:
    """One step of the rulebook in every lane."""
    lanes = vec.lanes
    lanes.begin()
    actions = Actions(LANES)

    def play() -> tuple[float, int]:
        chosen = actions.of(lanes.masks)
        began = time.process_time()
        play_by_rule(
            lanes.levels, lanes.hidden, lanes.boards, lanes.truths, lanes.rows, lanes.masks, chosen
        )
        return time.process_time() - began, LANES

    return play


def single() -> Callable[[], tuple[float, int]]:
    """One step of a single environment."""
    env = FunctionQuest(size=SIZE)
    env.reset(seed=0)
    actions = Actions(1)

    def play() -> tuple[float, int]:
        chosen = int(actions.of(env.lanes.masks)[0])
        began = time.process_time()
        _, _, over, _, _ = env.step(chosen)
        if over:
            env.reset()
        return time.process_time() - began, 1

    return play


def writing(vec: VectorFunctionQuest) -> Callable[[], tuple[float, int]]:
    """Writing every byte of the observations once."""
    memory = np.zeros((LANES, vec.lanes.observations.itemsize), np.uint8)

    def play() -> tuple[float, int]:
        began = time.process_time()
        memory.fill(1)
        return time.process_time() - began, LANES

    return play


def peers(python: str, quick: bool) -> dict[str, Any]:
    """What the peers reach; each that is not there says so."""
    print("peers ...", file=sys.stderr)
    script = Path(__file__).with_name("peers.py")
    command = [python, str(script), *(["--quick"] if quick else [])]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    found: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return found


def measure(quick: bool, python: str) -> dict[str, Any]:
    """All figures, in the form that --json prints."""
    rounds, steps = (3, 100) if quick else (7, 500)

    def rate(name: str, play: Callable[[], tuple[float, int]], per_round: int) -> float:
        print(f"{name} ...", file=sys.stderr)
        return best_rate(rounds, per_round, play)

    vec, plain = vector(False)
    _, believing = vector(True)
    _, same_step = vector(False, "SameStep")
    ours: dict[str, Any] = {
        "vector_steps_per_s": round(rate("vector", plain, steps)),
        "vector_steps_per_s_with_belief": round(rate("vector with belief", believing, steps)),
        "vector_steps_per_s_same_step": round(rate("vector, same-step", same_step, steps)),
    }
    bound = round(rate("bound", writing(vec), 2 * steps))
    ours["rule_steps_per_s"] = round(rate("rule", rule_alone(vec), steps))
    ours["batch1_us_per_step"] = round(1e6 / rate("batch of one", single(), 4 * steps), 2)
    ours["obs_bytes"] = vec.lanes.observations.itemsize
    bound_ = {"write_steps_per_s": bound}
    return {"ours": ours, "peers": peers(python, quick), "bound": bound_}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--quick", action="store_true", help="fewer steps")
    parser.add_argument("--peers", default=sys.executable, help="the Python that has the peers")
    arguments = parser.parse_args()
    result = measure(arguments.quick, arguments.peers)
    if arguments.json:
        print(json.dumps(result))
        return
    for key, value in {**result["ours"], **result["bound"]}.items():
        print(f"{key:44} {value:>14,}")
    for name, figures in result["peers"].items():
        if "skipped" in figures:
            print(f"{name:44} skipped: {figures['skipped']}")
            continue
        rate, size = figures["steps_per_s"], figures["obs_bytes"]
        print(f"{name:44} {rate:>14,} of {size} bytes: {rate * size / 1e6:,.0f} MB/s")
    ours = result["ours"]
    print(f"ours: {ours['vector_steps_per_s'] * ours['obs_bytes'] / 1e6:,.0f} MB/s of observation")


if __name__ == "__main__":
    to_its_end(main)
