"""The folder of a training: what lies in it, the last checkpoint, and room for a fresh one."""

from __future__ import annotations

import shutil
from pathlib import Path

from fqg_env.errors import LevelError
from policies.recovery.policy_file import MANIFEST_FILE, MODEL_FILE
from training.disk import why_not
from training.learning.card import CARD_FILE

CHECKPOINT, NEW, OLD = "checkpoint", "checkpoint.new", "checkpoint.old"
"""Folders in OUT: the checkpoint, one being written, and the one before while the two are swapped."""
RESULT, CURVE, POLICY, BOARD = "result.json", "curve.json", "policy", "tensorboard"
MADE_BY_TRAINING = (
    CHECKPOINT,
    OLD,
    NEW,
    RESULT,
    CURVE,
    f"{POLICY}/{MODEL_FILE}",
    f"{POLICY}/{MANIFEST_FILE}",
    f"{POLICY}/{CARD_FILE}",
)
"""What a training leaves in OUT and a fresh one replaces; the logs for TensorBoard may stay."""
ROOM_BYTES = 1 << 20
"""A disk with less room than this is full: nothing of use fits."""


def is_there(path: Path) -> bool:
    """There is such a file or folder.

    Raises:
        LevelError: nobody can say: its name is too long, or it may not be looked at.
    """
    try:
        return path.exists()
    except OSError as error:
        raise LevelError(
            f"{path.parent}: it cannot be looked into ({error.strerror}); name another folder with --out"
        ) from None


def last_checkpoint(out: Path) -> Path | None:
    """The checkpoint in a folder; the one before where a swap was cut; None where there is none.

    Raises:
        LevelError: the folder cannot be looked into.
    """
    found = [out / name for name in (CHECKPOINT, OLD) if is_there(out / name)]
    return found[0] if found else None


def check_writable(out: Path) -> None:
    """Make a folder where it is missing, and see that it can be written to and that the disk is not full,
    before the work for it.

    Raises:
        LevelError: it cannot, or there is no room.
    """
    mark = out / ".writable"
    try:
        out.mkdir(parents=True, exist_ok=True)
        mark.touch()
        mark.unlink()
        free_bytes = shutil.disk_usage(out).free
    except OSError as error:
        raise LevelError(f"{out}: {why_not(error, 'name another folder with --out')}") from None
    if free_bytes < ROOM_BYTES:
        raise LevelError(f"{out}: the disk is full; make room, or name another folder with --out")


def clear_earlier(out: Path, force: bool) -> None:
    """Remove an earlier training, so that nothing of it is taken for the fresh one.

    Raises:
        LevelError: there is one and `force` is off, or it cannot be removed.
    """
    earlier = [out / name for name in MADE_BY_TRAINING if is_there(out / name)]
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
