"""Train a conductor: from the index rule upwards, by the teacher and then by MaskablePPO; resumable."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sb3_contrib import MaskablePPO
from stable_baselines3.common.callbacks import BaseCallback

from fqg_env.arrays import SIZES
from fqg_env.errors import LevelError
from training.disk import NotWritten, writing
from training.learning.checkpoint import (
    Point,
    Snapshot,
    curve_json,
    find_checkpoint,
    load_checkpoint,
    save_checkpoint,
    snapshot,
)
from training.learning.confidence import fit_confidence
from training.learning.export import export
from training.learning.kept_memory import keep_freed_memory
from training.learning.out_folder import (
    BOARD,
    CURVE,
    POLICY,
    RESULT,
    check_writable,
    clear_earlier,
)
from training.learning.recipe import Recipe
from training.learning.sb3_policy import PointerPolicy
from training.learning.teacher import Teacher, teacher_of
from training.learning.uninterrupted import uninterrupted
from training.learning.vec_env import ConductorVecEnv

GENERALISES = 2
"""Levels of up to so many times the calls of training are trusted to the network, see docs/results.md."""

TAUGHT_ON = 2**32
"""Beyond every seed."""


class Interrupted(Exception):
    """Training was stopped by the user."""


class TrainingCallback(BaseCallback):
    """Keeps the curve, reports progress, writes checkpoints."""

    kept: Snapshot
    """The training as it was when it last began a rollout: what a cut goes back to."""

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
        self.keep()

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

    def keep(self) -> None:
        """Copy the training as it is, and write a checkpoint of it where the last one is old."""
        self.kept = snapshot(self.model, self.teacher, self.curve)
        if time.monotonic() - self._saved > self.every_s:
            self.save()
            self._saved = time.monotonic()

    def save(self) -> None:
        """Write a checkpoint of what was kept.

        Raises:
            OSError: it cannot be written; it names the file.
        """
        save_checkpoint(self.out, self.begun_with, self.kept)


def new_model(
    recipe: Recipe, env: ConductorVecEnv, seed: int, device: str, board: str | None
) -> Any:
    """A fresh MaskablePPO."""
    return MaskablePPO(
        PointerPolicy,
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
            "network": recipe.network,
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


def threads_for(recipe: Recipe) -> int:
    """How many threads torch gets: every core that there is for a sequence.

    A set network is so small that a second one gains nothing, and on a busy machine threads wait for each
    other.
    """
    return 1 if recipe.network == "set" else len(os.sched_getaffinity(0))


def train(
    recipe: Recipe,
    seed: int,
    out: Path,
    resume: bool = False,
    device: str = "auto",
    on_point: Callable[[Point], None] = lambda point: None,
    force: bool = False,
    on_fitting: Callable[[int], None] = lambda ended: None,
) -> dict[str, Any]:
    """Train, export to `out/policy`, and return what was measured.

    A training that is cut loses what it did since it last began a rollout, or a round of the teacher, and
    with `resume` does it again: on a CPU it ends with the very policy of an uncut one. `on_point` is told how
    it goes, and then `on_fitting` how many of the `fresh_episodes` have ended that confidence is fitted on.

    Raises:
        Interrupted: Ctrl-C; `resume=True` goes on from the checkpoint.
        NotWritten: a full disk, or one that fails; `resume=True` goes on from the last checkpoint, if any.
        LevelError: `out` holds an earlier training and neither `resume` nor `force` is on; or `resume`, and
            `out` has no checkpoint or one of another recipe or seed; or there is no such device.
    """
    device = device_named(device)
    torch.set_num_threads(threads_for(recipe))
    if recipe.network == "sequence" and device == "cpu":
        keep_freed_memory()
    callback = TrainingCallback(out, {"seed": seed, **recipe.model_dump()}, on_point)
    try:
        model = ready(recipe, seed, out, resume, force, device, callback)
        try:
            learn(model, recipe, callback)
            return finish(recipe, seed, out, model, callback, device, on_fitting)
        except KeyboardInterrupt:
            with suppress(KeyboardInterrupt):  # it was heard already
                callback.save()
            raise Interrupted(str(out)) from None
    except OSError as error:
        raise NotWritten(error, out) from None


def learn(model: Any, recipe: Recipe, callback: TrainingCallback) -> None:
    """Let the teacher's rounds come first, then PPO on other levels; write a checkpoint of the whole."""
    teacher = callback.teacher
    while teacher is not None and not teacher.done:
        teacher.round()
        callback.note(teacher.env)
        callback.keep()
    left = recipe.steps - model.num_timesteps
    if left > 0:
        with writing(callback.out / BOARD), told_once():
            model.learn(left, callback=callback, reset_num_timesteps=model.num_timesteps == 0)
        callback.keep()
    callback.save()


@contextmanager
def told_once() -> Iterator[None]:
    """Print no error of a disk in a thread: TensorBoard's raises it in ours as well."""
    before = threading.excepthook

    def hook(told: threading.ExceptHookArgs) -> None:
        if not isinstance(told.exc_value, OSError):
            before(told)

    threading.excepthook = hook
    try:
        yield
    finally:
        threading.excepthook = before


def ready(
    recipe: Recipe,
    seed: int,
    out: Path,
    resume: bool,
    force: bool,
    device: str,
    callback: TrainingCallback,
) -> Any:
    """The model to train: fresh, or that of the checkpoint with its teacher and its curve.

    Raises:
        LevelError: the folder or its checkpoint will not do.
    """
    check_writable(out)
    if resume:
        checkpoint = find_checkpoint(out, recipe, seed)
        loaded = load_checkpoint(checkpoint, recipe, ConductorVecEnv(recipe, seed), device)
        model, callback.teacher, callback.curve = loaded.model, loaded.teacher, loaded.curve
        callback.before_s = loaded.curve[-1].elapsed_s if loaded.curve else 0.0
    else:
        clear_earlier(out, force)
        env = ConductorVecEnv(recipe, seed)
        board = str(out / BOARD) if _has_tensorboard() else None
        model = new_model(recipe, env, seed, device, board)
        # where the teacher plays, and no PPO of any seed: SB3 deals anew when it begins
        env.lanes.deal(env.start_seed + TAUGHT_ON * recipe.lanes)
        callback.teacher = teacher_of(recipe, model.policy.network, env)
    callback.model = model  # so that it can be copied before SB3 hands it over
    callback.keep()
    return model


def finish(
    recipe: Recipe,
    seed: int,
    out: Path,
    model: Any,
    callback: TrainingCallback,
    device: str,
    on_fitting: Callable[[int], None],
) -> dict[str, Any]:
    """Fit the success head, export, and sum up."""
    curve, taught = callback.curve, callback.teacher
    network = model.policy.network.cpu().eval()
    conductor, confidence = fit_confidence(network, recipe, on_fitting)
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
        "success_brier_skill": confidence.success_brier_skill,
        "policy": str(out / POLICY),
    }
    with uninterrupted():
        with writing(out / POLICY):
            export(
                conductor,
                out / POLICY,
                recipe.name,
                {"seed": seed, **recipe.model_dump()},
                {k: v for k, v in result.items() if k != "policy"},
                max_calls=GENERALISES * max(SIZES[one.size].calls for one in recipe.draws),
                strange_above=confidence.strange_above,
            )
        for file, text in ((CURVE, curve_json(curve)), (RESULT, json.dumps(result, indent=2))):
            with writing(out / file):
                (out / file).write_text(text, "utf-8")
    return result


def _has_tensorboard() -> bool:
    try:
        import tensorboard  # noqa: F401
    except ImportError:
        return False
    return True
