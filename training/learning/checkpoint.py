"""Checkpoint: everything that a cut training needs to go on, in one folder that is swapped in whole."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import TypeAdapter, ValidationError
from sb3_contrib import MaskablePPO

from fqg_env.errors import LevelError
from policies.said import one_line
from training.disk import writing
from training.learning.out_folder import CHECKPOINT, CURVE, NEW, OLD, last_checkpoint
from training.learning.recipe import Recipe, differences
from training.learning.teacher import Teacher, teacher_of
from training.learning.uninterrupted import uninterrupted
from training.learning.vec_env import ConductorVecEnv

MODEL, LANES, TEACHER, BEGUN_WITH = "model.zip", "lanes.npz", "teacher.pt", "recipe.json"
"""Files in a checkpoint, beside the curve; `recipe.json` is the recipe and the seed it was begun with."""


@dataclass(frozen=True)
class Point:
    """One point of the training curve: episodes that ended in one rollout, played by the sampling policy."""

    steps: int
    elapsed_s: float
    return_mean: float
    success_rate: float
    env_share: float
    """Share of the time so far that went into the environment, masks and rule included."""


POINTS = TypeAdapter(list[Point])


@dataclass(frozen=True)
class Snapshot:
    """A copy of a training between two rollouts, or two rounds of the teacher; it stays as it is."""

    model: bytes
    teacher: bytes | None
    arrays: dict[str, np.ndarray]
    """Lanes and random states."""
    curve: tuple[Point, ...]

    def files(self) -> Iterator[tuple[str, bytes]]:
        """The files of a checkpoint, by name."""
        arrays = io.BytesIO()
        np.savez(arrays, **self.arrays)  # type: ignore[arg-type]  # names are no options of it
        yield LANES, arrays.getvalue()
        yield MODEL, self.model
        yield CURVE, curve_json(self.curve).encode()
        if self.teacher is not None:
            yield TEACHER, self.teacher


def curve_json(curve: Sequence[Point]) -> str:
    """The points of a training curve as a file has them."""
    return json.dumps([asdict(p) for p in curve])


def snapshot(model: Any, teacher: Teacher | None, curve: Sequence[Point]) -> Snapshot:
    """Copy what a training goes on from; it draws no random number."""
    saved, taught = io.BytesIO(), io.BytesIO()
    model.save(saved, exclude=["_last_obs"])  # lanes show it again
    if teacher is not None:
        torch.save(teacher.state_dict(), taught)
    _, keys, position, *_ = np.random.get_state()  # noqa: NPY002 (SB3 draws its minibatches from it)
    arrays = {name: array.copy() for name, array in model.get_env().lanes.state().items()}
    arrays |= {
        "torch_state": torch.get_rng_state().numpy(),
        "numpy_keys": np.asarray(keys).copy(),
        "numpy_position": np.asarray(position),
    }
    return Snapshot(
        saved.getvalue(), taught.getvalue() if teacher is not None else None, arrays, tuple(curve)
    )


def save_checkpoint(out: Path, begun_with: dict[str, Any], kept: Snapshot) -> None:
    """Write a snapshot into a new folder and swap it in; Ctrl-C is heard when that is done.

    A cut at any moment leaves the last whole checkpoint, in its place or as `checkpoint.old`. A training that
    goes on from it ends, on a CPU, with the policy of an uncut one bit for bit (tested).

    Raises:
        OSError: it cannot be written; it names the file, and the last checkpoint is as it was.
    """
    new = out / NEW
    with uninterrupted():
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        try:
            for name, data in [
                (BEGUN_WITH, json.dumps(begun_with, indent=2).encode()),
                *kept.files(),
            ]:
                with writing(new / name):
                    (new / name).write_bytes(data)
        except OSError:
            shutil.rmtree(new, ignore_errors=True)  # a full disk needs the room
            raise
        swap_in(out)


def swap_in(out: Path) -> None:
    """Put the new checkpoint in the place of the last one, which goes only when the new one is there."""
    last = out / CHECKPOINT
    if last.exists():
        shutil.rmtree(out / OLD, ignore_errors=True)
        last.replace(out / OLD)
    (out / NEW).replace(last)
    shutil.rmtree(out / OLD, ignore_errors=True)


def find_checkpoint(out: Path, recipe: Recipe, seed: int) -> Path:
    """The checkpoint in a folder; the one before where a swap was cut.

    Raises:
        LevelError: there is none, or it is of another recipe or seed; another number of steps is none.
    """
    found = last_checkpoint(out)
    if found is None:
        raise LevelError(f"{out}: there is no checkpoint to go on from; leave out --resume")
    file = found / BEGUN_WITH
    try:
        data = json.loads(file.read_text("utf-8"))
        began_seed, began = data.pop("seed"), Recipe.model_validate(data)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise LevelError(f"{file}: it cannot be read; train anew with --force") from None
    told = differences(began.model_copy(update={"steps": recipe.steps}), recipe)
    if began_seed != seed:
        told.insert(0, f"seed: {began_seed} then, {seed} now")
    if told:
        raise LevelError(
            f"{found}: it was begun with recipe {began.name!r} and seed {began_seed!r}, as they were "
            f"then ({'; '.join(told)}); name those, or another folder with --out"
        )
    return found


@dataclass(frozen=True)
class Loaded:
    """What a checkpoint holds, besides lanes and random states, which are put back."""

    model: Any
    teacher: Teacher | None
    curve: list[Point]


def load_checkpoint(checkpoint: Path, recipe: Recipe, env: ConductorVecEnv, device: str) -> Loaded:
    """Make the training of a checkpoint again, in lanes of its recipe.

    Raises:
        LevelError: a file is missing or damaged, or more steps are done than the recipe asks for.
    """
    try:
        curve = read_curve(checkpoint / CURVE)
        model = MaskablePPO.load(checkpoint / MODEL, env=env, device=device)
        teacher = teacher_of(recipe, model.policy.network, env)
        if teacher is not None:
            teacher.load_state_dict(
                torch.load(checkpoint / TEACHER, map_location="cpu", weights_only=True)
            )
        env.reset()
        load_lanes(checkpoint / LANES, env)
    except Exception as problem:  # noqa: BLE001 (a damaged pickle may raise anything)
        raise LevelError(
            f"{checkpoint}: it is damaged ({one_line(problem)}); train anew with --force"
        ) from None
    if model.num_timesteps >= recipe.steps + recipe.lanes * recipe.rollout:
        raise LevelError(
            f"{checkpoint}: {model.num_timesteps:,} steps are done and the recipe asks for "
            f"{recipe.steps:,}; ask for as many or more, or name another folder with --out"
        )
    model._last_obs = env.lanes.inputs()  # noqa: SLF001
    return Loaded(model, teacher, curve)


def read_curve(file: Path) -> list[Point]:
    """The points of a training curve.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not a list of points.
    """
    try:
        return POINTS.validate_json(file.read_bytes())
    except ValidationError:
        raise ValueError(f"{file.name} is not a list of points") from None


def load_lanes(file: Path, env: ConductorVecEnv) -> None:
    """Put lanes and random states back."""
    with np.load(file) as data:
        env.lanes.put_back(data)
        torch.set_rng_state(torch.from_numpy(data["torch_state"].copy()))
        state = ("MT19937", data["numpy_keys"], int(data["numpy_position"]), 0, 0.0)
        np.random.set_state(state)  # noqa: NPY002
