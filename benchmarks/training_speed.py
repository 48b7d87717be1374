"""How fast training is on each device at hand, where its time goes, and how soon it is nearly done.

    python benchmarks/training_speed.py [--recipe NAME_OR_FILE] [--device cpu|cuda|all] [--quick] [--json]

Trains the recipe as `fqg train` does, on one thread of the CPU and on the GPU where there is one. `env_share`
is the time in the game; `network_share` what the same passes of the networks take by themselves on data that
lies ready; the rest is stable-baselines3's own loop: buffers, batches, copies to the device.
`minutes_to_95` is when the return of training, which begins at the rule's, has 95% of what it gains; with
`--quick`, which trains for a few rollouts only, it says nothing. `wide` has four times the lanes and the
batch, which a GPU takes in nearly the same time, for a few rollouts. `labels_per_s` is the teacher's rate,
learning included, with the rollouts on all cores. Wall times: leave the machine to it.

Example:  python benchmarks/training_speed.py --quick --json
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from to_its_end import to_its_end

from fqg_env.errors import LevelError
from training.learning.checkpoint import Point
from training.learning.ppo import new_model, train
from training.learning.recipe import Recipe, Teaching, read_recipe
from training.learning.teacher import Teacher
from training.learning.vec_env import ConductorVecEnv

WIDER = 4
SHORT = 8
"""Rollouts where the speed alone is looked at."""


def now(device: str) -> float:
    """Wall seconds, with all that was asked of the device done."""
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def short(recipe: Recipe, wider: int = 1) -> Recipe:
    """The recipe for a few rollouts, with so many times the lanes, and without its teacher."""
    lanes = wider * recipe.lanes
    changed = {
        "lanes": lanes,
        "batch": wider * recipe.batch,
        "steps": SHORT * lanes * recipe.rollout,
        "success_episodes": 256,
        "teacher": None,
    }
    return recipe.model_copy(update=changed)


def passes_s(recipe: Recipe, device: str, repeats: int = 5) -> float:
    """Seconds a step of training that the networks alone take."""
    env = ConductorVecEnv(recipe, 0)
    env.reset()
    policy = new_model(recipe, env, 0, device, None).policy
    seen = policy.network.tensors(env.lanes.inputs())

    def ready(n: int) -> list[torch.Tensor]:
        return [x.repeat(-(-n // len(x)), *[1] * (x.dim() - 1))[:n].to(device) for x in seen]

    acting, learning = ready(recipe.lanes), ready(recipe.batch)
    of_critic = slice(len(policy.critic.inputs))

    def act() -> None:
        with torch.no_grad():
            policy.network(*acting)
            policy.critic(*acting[of_critic])

    def learn() -> None:
        policy.optimizer.zero_grad()
        loss = (
            policy.network(*learning).square().mean() + policy.critic(*learning[of_critic]).mean()
        )
        loss.backward()
        policy.optimizer.step()

    seconds = 0.0
    for one, a_step in ((act, 1 / recipe.lanes), (learn, recipe.epochs / recipe.batch)):
        one()
        began = now(device)
        for _ in range(repeats):
            one()
        seconds += (now(device) - began) / repeats * a_step
    return seconds


def minutes_to(share: float, curve: list[Point]) -> float:
    """Minutes until the return, averaged over a tenth of the curve, has that share of all that it gains."""
    n = max(1, len(curve) // 10)
    returns = np.convolve([p.return_mean for p in curve], np.ones(n) / n, "valid")
    gained = returns - returns[0]
    reached = int(np.argmax(gained >= share * gained[-1]))
    return curve[reached + n - 1].elapsed_s / 60


def trained(recipe: Recipe, device: str) -> dict[str, float]:
    """What a training reaches on a device."""
    curve: list[Point] = []
    with tempfile.TemporaryDirectory() as folder:
        train(recipe, 0, Path(folder), device=device, on_point=curve.append)
    first, last = curve[-SHORT + 1], curve[-1]  # the very first rollout waits for the kernels
    took_s = last.elapsed_s - first.elapsed_s
    rate = (last.steps - first.steps) / took_s
    in_game_s = last.env_share * last.elapsed_s - first.env_share * first.elapsed_s
    return {
        "lanes": recipe.lanes,
        "steps_per_s": round(rate),
        "env_share": round(in_game_s / took_s, 3),
        "network_share": round(rate * passes_s(recipe, device), 3),
        "minutes_to_95": round(minutes_to(0.95, curve), 2),
    }


def teacher(recipe: Recipe, rounds: int) -> dict[str, float]:
    """What the teacher reaches on the cores of this machine."""
    cores = len(os.sched_getaffinity(0))
    env = ConductorVecEnv(recipe, 0)
    env.reset()
    teaching = recipe.teacher or Teaching()
    one = Teacher(new_model(recipe, env, 0, "cpu", None).policy.network, env, teaching, cores)
    one.round()  # kernels are loaded, and episodes of all ages
    began = time.perf_counter()
    for _ in range(rounds):
        one.round()
    rate = rounds * teaching.steps * recipe.lanes / (time.perf_counter() - began)
    return {"cores": cores, "labels_per_s": round(rate)}


def measure(recipe: Recipe, devices: list[str], quick: bool) -> dict[str, Any]:
    """All figures, in the form that --json prints; those of the first device stand on top."""
    by_device = {}
    for device in devices:
        print(f"{recipe.name} on {device} ...", file=sys.stderr)
        by_device[device] = {
            "device": torch.cuda.get_device_name() if device == "cuda" else device,
            **trained(short(recipe) if quick else recipe, device),
            "wide": trained(short(recipe, WIDER), device),
        }
    print("teacher ...", file=sys.stderr)
    first = by_device[devices[0]]
    top = {key: first[key] for key in ("env_share", "steps_per_s", "minutes_to_95")}
    labels = teacher(recipe, 1 if quick else 4)
    told = {"recipe": recipe.name, "torch": torch.__version__, "teacher": labels}
    return {**top, **told, "devices": by_device}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipe", default="quick", help="a name or a file; default: quick")
    parser.add_argument(
        "--device", choices=("cpu", "cuda", "all"), default="all", help="where to train"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--quick", action="store_true", help="a few rollouts")
    arguments = parser.parse_args()
    gpu = torch.cuda.is_available()
    if arguments.device == "cuda" and not gpu:
        print("training_speed: torch finds no GPU here; leave out --device", file=sys.stderr)
        return 2
    try:
        recipe = read_recipe(arguments.recipe)
    except LevelError as error:
        print(f"training_speed: {error}", file=sys.stderr)
        return 2
    if recipe.steps < SHORT * recipe.lanes * recipe.rollout:
        print(f"training_speed: {recipe.name} has less than {SHORT} rollouts", file=sys.stderr)
        return 2
    both = ["cpu", "cuda"] if gpu else ["cpu"]
    devices = both if arguments.device == "all" else [arguments.device]
    result = measure(recipe, devices, arguments.quick)
    if arguments.json:
        print(json.dumps(result))
        return 0
    for figures in result["devices"].values():
        for one in (figures, figures["wide"]):
            told = "   ".join(f"{k} {v:,}" for k, v in one.items() if k not in ("device", "wide"))
            print(f"{figures['device']:24}{told}")
    print("teacher".ljust(24) + "   ".join(f"{k} {v:,}" for k, v in result["teacher"].items()))
    return 0


if __name__ == "__main__":
    to_its_end(main)
