"""Train a conductor: from the index rule upwards, by the teacher and then by MaskablePPO; resumable."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sb3_contrib import MaskablePPO
from stable_baselines3.common.callbacks import BaseCallback

from fqg_env.arrays import SIZES
from fqg_env.errors import LevelError
from training.checkpoint import (
    CURVE,
    POLICY,
    RESULT,
    Point,
    check_writable,
    clear_earlier,
    find_checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from training.confidence import fit_confidence
from training.export import export
from training.recipe import Recipe
from training.sb3_policy import SetPolicy
from training.teacher import Teacher
from training.vec_env import ConductorVecEnv

GENERALISES = 2
"""Levels of up to so many times the calls of training are trusted to the network, see docs/results.md."""

TAUGHT_ON = 2**32
"""Beyond every seed."""


class Interrupted(Exception):
    """Training was stopped by the user; there is a checkpoint to go on from."""


class Watch(BaseCallback):
    """Keeps the curve, reports progress, writes checkpoints."""

    def __init__(
        self,
        out: Path,
        begun_with: dict[str, Any],
        on_point: Callable[[Point], None],
        every_s: float = 60.0,
    ):
        super().__init__()
        self.out, self.begun_with, self.on_point, self.every_s = out, begun_with, on_point, every_s
        self.curve: list[Point] = []
        self.teacher: Teacher | None = None
        self.before_s = 0.0
        self._began = self._saved = time.monotonic()

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        self.note(self.training_env)

    def _on_rollout_start(self) -> None:
        # here the last rollout has been learnt from, so that nothing counts that was not
        self.save_now_and_then()

    def note(self, env: Any) -> None:
        """Add a point to the curve, of the episodes that have ended since the last one."""
        now = time.monotonic()
        if not env.finished:
            return
        ended = np.asarray(env.finished, float)
        env.finished.clear()
        point = Point(
            steps=self.num_timesteps + (self.teacher.labels if self.teacher else 0),
            elapsed_s=self.before_s + now - self._began,
            return_mean=float(ended[:, 0].mean()),
            success_rate=float(ended[:, 1].mean()),
            env_share=env.spent_s / max(1e-9, now - self._began),
        )
        self.curve.append(point)
        self.on_point(point)

    def save_now_and_then(self) -> None:
        """Write a checkpoint where the last one is old."""
        if time.monotonic() - self._saved > self.every_s:
            self.save()
            self._saved = time.monotonic()

    def save(self) -> None:
        """Write a checkpoint."""
        save_checkpoint(self.out, self.begun_with, self.model, self.curve, self.teacher)


def new_model(
    recipe: Recipe, env: ConductorVecEnv, seed: int, device: str, board: str | None
) -> Any:
    """A fresh MaskablePPO."""
    return MaskablePPO(
        SetPolicy,
        env,
        learning_rate=lambda left: recipe.learning_rate * left,
        n_steps=recipe.rollout,
        batch_size=recipe.batch,
        n_epochs=recipe.epochs,
        gamma=1.0,
        gae_lambda=recipe.gae_lambda,
        clip_range=recipe.clip,
        ent_coef=recipe.entropy,
        policy_kwargs={
            "hidden": recipe.hidden,
            "value_hidden": recipe.value_hidden,
            "rounds": recipe.rounds,
            "trust": recipe.trust,
            "without": recipe.without,
        },
        seed=seed,
        device=device,
        tensorboard_log=board,
    )


def device_named(name: str) -> str:
    """`auto` as the device it stands for.

    Raises:
        LevelError: `cuda` is asked for and there is none.
    """
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise LevelError("--device cuda: torch finds no GPU here; leave it out or write cpu")
    return ("cuda" if there else "cpu") if name == "auto" else name


def train(
    recipe: Recipe,
    seed: int,
    out: Path,
    resume: bool = False,
    device: str = "auto",
    on_point: Callable[[Point], None] = lambda point: None,
    force: bool = False,
) -> dict[str, Any]:
    """Train, export to `out/policy`, and return what was measured.

    Raises:
        Interrupted: Ctrl-C; `resume=True` goes on from the checkpoint.
        LevelError: `out` holds an earlier training and neither `resume` nor `force` is on; or `resume`, and
            `out` has no checkpoint or one of another recipe or seed; or there is no such device.
    """
    device = device_named(device)
    # at this size a second thread gains nothing, and on a busy machine threads wait for each other
    torch.set_num_threads(1)
    watch = Watch(out, {"seed": seed, **recipe.model_dump()}, on_point)
    model = ready(recipe, seed, out, resume, force, device, watch)
    left = recipe.steps - model.num_timesteps
    try:
        if watch.teacher is not None:
            teach(watch.teacher, watch)
        if left > 0:
            model.learn(left, callback=watch, reset_num_timesteps=model.num_timesteps == 0)
    except KeyboardInterrupt:
        watch.save()
        raise Interrupted(str(out)) from None
    watch.save()
    try:
        return finish(recipe, seed, out, model, watch, device)
    except KeyboardInterrupt:
        raise Interrupted(str(out)) from None


def teach(teacher: Teacher, watch: Watch) -> None:
    """Let the teacher's rounds come first; PPO then begins on other levels."""
    while not teacher.done:
        teacher.round()
        watch.note(teacher.env)
        watch.save_now_and_then()


def ready(
    recipe: Recipe, seed: int, out: Path, resume: bool, force: bool, device: str, watch: Watch
) -> Any:
    """The model to train: fresh, or that of the checkpoint with its curve.

    Raises:
        LevelError: the folder or its checkpoint will not do.
    """
    check_writable(out)
    taught = None
    if resume:
        checkpoint = find_checkpoint(out, recipe, seed)
        env = ConductorVecEnv(recipe, seed)
        model, watch.curve, taught = load_checkpoint(checkpoint, env, device)
        watch.before_s = watch.curve[-1].elapsed_s if watch.curve else 0.0
    else:
        clear_earlier(out, force)
        env = ConductorVecEnv(recipe, seed)
        board = str(out / "tensorboard") if _has_tensorboard() else None
        model = new_model(recipe, env, seed, device, board)
        # where the teacher plays, and no PPO of any seed: SB3 deals anew when it begins
        env.lanes.deal(env.start_seed + TAUGHT_ON * recipe.lanes)
    watch.model = model  # so that it can be saved before SB3 hands it over
    if recipe.teacher is not None:
        cores = len(os.sched_getaffinity(0))
        watch.teacher = Teacher(model.policy.network, env, recipe.teacher, cores)
        if taught is not None:
            watch.teacher.load_state_dict(taught)
    return model


def finish(
    recipe: Recipe, seed: int, out: Path, model: Any, watch: Watch, device: str
) -> dict[str, Any]:
    """Fit the success head, export, and sum up."""
    curve, taught = watch.curve, watch.teacher
    network = model.policy.network.cpu().eval()
    conductor, confidence = fit_confidence(network, recipe)
    elapsed_s = curve[-1].elapsed_s if curve else 0.0
    labels = taught.labels if taught else 0
    taught_s = max((p.elapsed_s for p in curve if p.steps <= labels), default=0.0)
    last = curve[-max(1, len(curve) // 10) :]
    result = {
        "recipe": recipe.name,
        "seed": seed,
        "device": device,
        "labels": labels,
        "steps": model.num_timesteps,
        "elapsed_s": elapsed_s,
        "steps_per_s": model.num_timesteps / max(1e-9, elapsed_s - taught_s),
        "env_share": last[-1].env_share if last else None,
        "return_mean": float(np.mean([p.return_mean for p in last])) if last else None,
        "success_rate": float(np.mean([p.success_rate for p in last])) if last else None,
        "success_ece": confidence.success_ece,
        "policy": str(out / POLICY),
    }
    export(
        conductor,
        out / POLICY,
        recipe.name,
        {"seed": seed, **recipe.model_dump()},
        {k: v for k, v in result.items() if k != "policy"},
        max_calls=GENERALISES * max(SIZES[one.size].calls for one in recipe.draws),
        strange_above=confidence.strange_above,
    )
    (out / CURVE).write_text(json.dumps([asdict(p) for p in curve]), "utf-8")
    (out / RESULT).write_text(json.dumps(result, indent=2), "utf-8")
    return result


def _has_tensorboard() -> bool:
    try:
        import tensorboard  # noqa: F401
    except ImportError:
        return False
    return True
