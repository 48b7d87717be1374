"""Checkpoint: everything that a cut training needs to go on, in one folder that is swapped in whole."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import TypeAdapter, ValidationError
from sb3_contrib import MaskablePPO

from fqg_env.errors import LevelError
from policies.recovery.policy_file import MANIFEST_FILE, MODEL_FILE
from policies.recovery.registry import one_line
from training.card import CARD_FILE
from training.recipe import Recipe
from training.teacher import Teacher
from training.vec_env import ConductorVecEnv

CHECKPOINT, NEW, OLD = "checkpoint", "checkpoint.new", "checkpoint.old"
"""Folders in OUT: the checkpoint, one being written, and the one before while the two are swapped."""
MODEL, LANES, CURVE, BEGUN_WITH = "model.zip", "lanes.npz", "curve.json", "recipe.json"
TEACHER = "teacher.pt"
"""Files in a checkpoint; `recipe.json` is the recipe and the seed it was begun with."""
RESULT, POLICY = "result.json", "policy"
OUTPUTS = (
    CHECKPOINT,
    OLD,
    NEW,
    RESULT,
    CURVE,
    f"{POLICY}/{MODEL_FILE}",
    f"{POLICY}/{MANIFEST_FILE}",
    f"{POLICY}/{CARD_FILE}",
)
"""What a training leaves in OUT."""


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


def save_checkpoint(
    out: Path,
    begun_with: dict[str, Any],
    model: Any,
    curve: Sequence[Point],
    teacher: Teacher | None = None,
) -> None:
    """Write recipe, model, teacher, lanes, curve and random states into a new folder and swap it in.

    A cut at any moment leaves the last whole checkpoint, in its place or as `checkpoint.old`.
    Written between rollouts nothing counts that was not learnt from; after Ctrl-C the steps of the rollout
    that was cut do. Cut between two rounds of the teacher, a resumed training equals an uncut one bit for bit
    (tested).
    """
    new = out / NEW
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    lanes = model.get_env().lanes
    _, keys, position, *_ = np.random.get_state()  # noqa: NPY002 (SB3 draws its minibatches from it)
    np.savez(
        new / LANES,
        **lanes.state(),
        torch_state=torch.get_rng_state().numpy(),
        numpy_keys=keys,
        numpy_position=position,
    )
    (new / CURVE).write_text(json.dumps([asdict(p) for p in curve]), "utf-8")
    (new / BEGUN_WITH).write_text(json.dumps(begun_with, indent=2), "utf-8")
    model.save(new / MODEL)
    if teacher is not None:
        torch.save(teacher.state_dict(), new / TEACHER)
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
        LevelError: there is none, or it is of another recipe or seed.
    """
    found = [out / name for name in (CHECKPOINT, OLD) if (out / name).is_dir()]
    if not found:
        raise LevelError(f"{out}: there is no checkpoint to go on from; leave out --resume")
    file = found[0] / BEGUN_WITH
    try:
        data = json.loads(file.read_text("utf-8"))
        began_seed, began = data.pop("seed"), Recipe.model_validate(data)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise LevelError(f"{file}: it cannot be read; train anew with --force") from None
    if began.model_copy(update={"steps": recipe.steps}) != recipe or began_seed != seed:
        raise LevelError(
            f"{found[0]}: it was begun with recipe {began.name!r} and seed {began_seed!r}, as they were "
            "then; name those, or another folder with --out"
        )
    return found[0]


def load_checkpoint(
    checkpoint: Path, env: ConductorVecEnv, device: str
) -> tuple[Any, list[Point], dict[str, Any] | None]:
    """Model, curve and the teacher's state of a checkpoint; lanes and random states are put back.

    Raises:
        LevelError: a file is missing or damaged.
    """
    try:
        curve = read_curve(checkpoint / CURVE)
        model = MaskablePPO.load(checkpoint / MODEL, env=env, device=device)
        taught = None
        if env.recipe.teacher is not None:
            taught = torch.load(checkpoint / TEACHER, map_location="cpu", weights_only=True)
        env.reset()
        load_lanes(checkpoint / LANES, env)
    except Exception as problem:  # noqa: BLE001 (a damaged pickle may raise anything)
        raise LevelError(
            f"{checkpoint}: it is damaged ({one_line(problem)}); train anew with --force"
        ) from None
    model._last_obs = env.lanes.inputs()  # noqa: SLF001
    return model, curve, taught


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


def check_writable(out: Path) -> None:
    """Make a folder where it is missing, and see that it can be written to.

    Raises:
        LevelError: it cannot.
    """
    mark = out / ".writable"
    try:
        out.mkdir(parents=True, exist_ok=True)
        mark.touch()
        mark.unlink()
    except OSError as error:
        raise LevelError(
            f"{out}: it cannot be written to ({error.strerror}); name another folder with --out"
        ) from None


def clear_earlier(out: Path, force: bool) -> None:
    """Remove an earlier training, so that nothing of it is taken for the fresh one.

    Raises:
        LevelError: there is one and `force` is off, or it cannot be removed.
    """
    earlier = [out / name for name in OUTPUTS if (out / name).exists()]
    kept = [path for path in earlier if path.name != NEW]  # that was cut while it was written
    if kept and not force:
        raise LevelError(
            f"{out}: there is an earlier training here; name another folder with --out, go on with it "
            "with --resume, or replace it with --force"
        )
    try:
        for path in earlier:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
    except OSError as error:
        raise LevelError(
            f"{out}: the earlier training cannot be removed ({error.strerror}); name another with --out"
        ) from None
