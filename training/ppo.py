"""Train a conductor: MaskablePPO on the native lanes, from the index rule upwards; resumable."""

from __future__ import annotations

import json
import shutil
import time
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sb3_contrib import MaskablePPO
from stable_baselines3.common.callbacks import BaseCallback

from fqg_env.arrays import SIZES
from fqg_env.level import LevelError
from training.export import export
from training.recipe import Recipe
from training.sb3_policy import SetPolicy
from training.success import fit_success
from training.vec_env import ConductorVecEnv

CHECKPOINT = "checkpoint"
"""Folder in OUT with model.zip, lanes.npz and curve.json, swapped in whole."""
CURVE = "curve.json"
GENERALISES = 2
"""Levels of up to so many times the calls of training are trusted to the network, see docs/results.md."""
_STATE = (
    "levels",
    "hidden",
    "boards",
    "beliefs",
    "truths",
    "rows",
    "masks",
    "observations",
    "keys",
)


@dataclass(frozen=True)
class Point:
    """One point of the training curve: episodes that ended in one rollout, played by the sampling policy."""

    steps: int
    elapsed_s: float
    return_mean: float
    success_rate: float
    env_share: float
    """Share of the time so far that went into the environment, masks and rule included."""


class Interrupted(Exception):
    """Training was stopped by the user; a checkpoint has been written."""


class Watch(BaseCallback):
    """Keeps the curve, reports progress, writes checkpoints."""

    def __init__(self, out: Path, on_point: Callable[[Point], None], every_s: float = 60.0):
        super().__init__()
        self.out, self.on_point, self.every_s = out, on_point, every_s
        self.curve: list[Point] = []
        self.before_s = 0.0
        self._began = self._saved = time.monotonic()

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        env: Any = self.training_env
        now = time.monotonic()
        elapsed_s = self.before_s + now - self._began
        if env.finished:
            ended = np.asarray(env.finished, float)
            env.finished.clear()
            point = Point(
                steps=self.num_timesteps,
                elapsed_s=elapsed_s,
                return_mean=float(ended[:, 0].mean()),
                success_rate=float(ended[:, 1].mean()),
                env_share=env.spent_s / max(1e-9, now - self._began),
            )
            self.curve.append(point)
            self.on_point(point)

    def _on_rollout_start(self) -> None:
        # here the last rollout has been learnt from, so that nothing counts that was not
        if time.monotonic() - self._saved > self.every_s:
            save_checkpoint(self.out, self.model, self.curve)
            self._saved = time.monotonic()


def save_checkpoint(out: Path, model: Any, curve: list[Point]) -> None:
    """Write model, lanes, curve and random states into a new folder and swap it in: a cut leaves the old one.

    Written between rollouts nothing counts that was not learnt from; after Ctrl-C the steps of the rollout
    that was cut do. That a resumed training equals an uncut one bit for bit is not tested.
    """
    new, old = out / f"{CHECKPOINT}.new", out / f"{CHECKPOINT}.old"
    for folder in (new, old):
        shutil.rmtree(folder, ignore_errors=True)
    new.mkdir(parents=True)
    lanes = model.get_env().lanes
    _, keys, position, *_ = np.random.get_state()  # noqa: NPY002 (SB3 draws its minibatches from it)
    np.savez(
        new / "lanes.npz",
        **{name: getattr(lanes, name) for name in _STATE},
        torch_state=torch.get_rng_state().numpy(),
        numpy_keys=keys,
        numpy_position=position,
    )
    (new / CURVE).write_text(json.dumps([asdict(p) for p in curve]), "utf-8")
    model.save(new / "model.zip")
    if (out / CHECKPOINT).exists():
        (out / CHECKPOINT).replace(old)
    new.replace(out / CHECKPOINT)
    shutil.rmtree(old, ignore_errors=True)


def find_checkpoint(out: Path, recipe: Recipe, seed: int) -> Path:
    """The checkpoint in a folder.

    Raises:
        LevelError: there is none, or it is of another recipe or seed.
    """
    found = [out / name for name in (CHECKPOINT, f"{CHECKPOINT}.old") if (out / name).is_dir()]
    if not found:
        raise LevelError(f"{out}: there is no checkpoint to go on from; leave out --resume")
    try:
        data = json.loads((out / "recipe.json").read_text("utf-8"))
        began_seed, began = data.pop("seed"), Recipe.model_validate(data)
    except (OSError, ValueError, KeyError):
        raise LevelError(
            f"{out}: recipe.json cannot be read; train anew without --resume"
        ) from None
    if began.model_copy(update={"steps": recipe.steps}) != recipe or began_seed != seed:
        raise LevelError(
            f"{out}: it was begun with recipe {began.name!r} and seed {began_seed}; name those"
        )
    return found[0]


def load_lanes(checkpoint: Path, env: ConductorVecEnv) -> None:
    """Put the lanes and random states of a checkpoint back."""
    with np.load(checkpoint / "lanes.npz") as data:
        for name in _STATE:
            getattr(env.lanes, name)[...] = data[name]
        torch.set_rng_state(torch.from_numpy(data["torch_state"].copy()))
        state = ("MT19937", data["numpy_keys"], int(data["numpy_position"]), 0, 0.0)
        np.random.set_state(state)  # noqa: NPY002


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
            "trust": recipe.trust,
        },
        seed=seed,
        device=device,
        tensorboard_log=board,
    )


def train(
    recipe: Recipe,
    seed: int,
    out: Path,
    resume: bool = False,
    device: str = "auto",
    on_point: Callable[[Point], None] = lambda point: None,
) -> dict[str, Any]:
    """Train, export to `out/policy`, and return what was measured.

    Raises:
        Interrupted: Ctrl-C; `resume=True` goes on from the checkpoint.
        LevelError: `resume`, and `out` has no checkpoint or one of another recipe.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / ".writable").touch()
    except OSError as error:
        raise LevelError(
            f"{out}: it cannot be written to ({error.strerror}); name another"
        ) from None
    # at this size a second thread gains nothing, and on a busy machine threads wait for each other
    torch.set_num_threads(1)
    device = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    env = ConductorVecEnv(recipe.lanes, recipe.size, recipe.tiers, seed)
    watch = Watch(out, on_point)
    if resume:
        checkpoint = find_checkpoint(out, recipe, seed)
        try:
            model = MaskablePPO.load(checkpoint / "model.zip", env=env, device=device)
            env.reset()
            load_lanes(checkpoint, env)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            raise LevelError(f"{checkpoint}: it is damaged; train anew without --resume") from None
        model._last_obs = env.observe()  # noqa: SLF001
        watch.curve = [Point(**p) for p in json.loads((checkpoint / CURVE).read_text("utf-8"))]
        watch.before_s = watch.curve[-1].elapsed_s if watch.curve else 0.0
    else:
        began_with = {"seed": seed, **recipe.model_dump()}
        (out / "recipe.json").write_text(json.dumps(began_with, indent=2), "utf-8")
        board = str(out / "tensorboard") if _has_tensorboard() else None
        model = new_model(recipe, env, seed, device, board)
    left = recipe.steps - model.num_timesteps
    try:
        if left > 0:
            model.learn(left, callback=watch, reset_num_timesteps=not resume)
    except KeyboardInterrupt:
        save_checkpoint(out, model, watch.curve)
        raise Interrupted(str(out)) from None
    save_checkpoint(out, model, watch.curve)
    return finish(recipe, seed, out, model, watch.curve, device)


def finish(
    recipe: Recipe, seed: int, out: Path, model: Any, curve: list[Point], device: str
) -> dict[str, Any]:
    """Fit the success head, export, and sum up."""
    network = model.policy.network.cpu().eval()
    calibration = fit_success(network, recipe)
    elapsed_s = curve[-1].elapsed_s if curve else 0.0
    last = curve[-max(1, len(curve) // 10) :]
    result = {
        "recipe": recipe.name,
        "seed": seed,
        "device": device,
        "steps": model.num_timesteps,
        "elapsed_s": elapsed_s,
        "steps_per_s": model.num_timesteps / max(1e-9, elapsed_s),
        "env_share": last[-1].env_share if last else None,
        "return_mean": float(np.mean([p.return_mean for p in last])) if last else None,
        "success_rate": float(np.mean([p.success_rate for p in last])) if last else None,
        "success_ece": calibration,
        "policy": str(out / "policy"),
    }
    export(
        network,
        out / "policy",
        "trained",
        {"seed": seed, **recipe.model_dump()},
        {k: v for k, v in result.items() if k != "policy"},
        max_calls=GENERALISES * SIZES[recipe.size].calls,
    )
    (out / CURVE).write_text(json.dumps([asdict(p) for p in curve]), "utf-8")
    (out / "result.json").write_text(json.dumps(result, indent=2), "utf-8")
    return result


def _has_tensorboard() -> bool:
    try:
        import tensorboard  # noqa: F401
    except ImportError:
        return False
    return True
