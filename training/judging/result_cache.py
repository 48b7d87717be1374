"""Results on disk, by content: a chunk of episodes that was played before is not played again.

An entry is named by all that its figures depend on: the policy (its name, or what is in its files), how long
it may think, the setting, the episodes, and every file of the game and of the judge that plays. Somebody's
own `module:Class` may read anything, so it is never kept. An entry begins with the SHA-256 of the rest; what
does not fit it, or is not of the expected form, is played again.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
import zipfile
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from fqg_env.arrays import CATEGORIES
from training.judging.behaviour import REACTIONS
from training.judging.contestants import Contestant
from training.judging.episodes import EPISODE, Played
from training.judging.setting import Setting

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("fqg_env", "policies")
"""All that is in them counts: which policy is loaded is not known before it is named."""
OURS = ("behaviour", "contestants", "episodes", "setting")
"""Modules of the judge that play; a test holds them against what is imported."""
LIBRARIES = ("numba", "numpy", "onnxruntime")
DIGEST = 64


def default_folder() -> Path:
    """Where results lie: FQG_CACHE_DIR, else the user's cache folder; `fqg/evaluations` in it."""
    home = os.environ.get("FQG_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "fqg" / "evaluations"


def code_files() -> list[Path]:
    """Every file that a figure can depend on."""
    packaged = [
        file
        for package in PACKAGES
        for file in sorted((ROOT / package).rglob("*"))
        if file.is_file() and "__pycache__" not in file.parts
    ]
    ours = [ROOT / "training" / "judging" / f"{name}.py" for name in OURS]
    return [*packaged, *ours, ROOT / "training" / "level_reader.py"]


@cache
def code_digest() -> str:
    """Of every file that a figure can depend on, and of the libraries that compute it."""
    digest = hashlib.sha256(" ".join(version(name) for name in LIBRARIES).encode())
    for file in code_files():
        digest.update(f"\0{file.relative_to(ROOT)}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def packed(played: Played) -> bytes:
    """What was played as bytes, with their digest before them."""
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        episodes=played.episodes,
        reactions=played.reactions,
        counts=np.array([played.decisions, played.floor]),
        spent_s=np.array(played.spent_s),
        decision_ms=played.decision_ms,
    )
    body = buffer.getvalue()
    return hashlib.sha256(body).hexdigest().encode() + body


def unpacked(data: bytes, n: int) -> Played | None:
    """What was played, n episodes; None where the bytes are not what was written."""
    digest, body = data[:DIGEST], data[DIGEST:]
    if hashlib.sha256(body).hexdigest().encode() != digest:
        return None
    try:
        with np.load(io.BytesIO(body), allow_pickle=False) as file:
            read = {name: file[name] for name in file.files}
        played = Played(
            episodes=read["episodes"],
            reactions=read["reactions"],
            decisions=int(read["counts"][0]),
            floor=int(read["counts"][1]),
            spent_s=float(read["spent_s"]),
            decision_ms=read["decision_ms"],
        )
    except (KeyError, IndexError, TypeError, ValueError, OSError, EOFError, zipfile.BadZipFile):
        return None
    whole = played.episodes.dtype == EPISODE and played.episodes.shape == (n,)
    return played if whole and played.reactions.shape == (CATEGORIES, REACTIONS) else None


class ResultCache:
    """Chunks of episodes that were played, in a folder. A folder that cannot be written keeps nothing.

    Args:
        folder: where they lie.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.hits = 0
        self._failed = False
        self._contents: dict[Contestant, Any] = {}

    def file(
        self, contestant: Contestant, setting: Setting, first: int, n: int, luck: int
    ) -> Path | None:
        """The file of a chunk; None where it may not be kept."""
        if contestant.foreign:
            return None
        if contestant not in self._contents:
            self._contents[contestant] = contestant.content()
        key = {
            "policy": self._contents[contestant],
            "setting": setting.content(),
            "chunk": (first, n, luck),
            "code": code_digest(),
        }
        name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
        return self.folder / name[:2] / f"{name}.played"

    def get(self, file: Path | None, n: int) -> Played | None:
        """What is in the file of a chunk of n episodes, if it can be trusted."""
        try:
            played = None if file is None else unpacked(file.read_bytes(), n)
        except OSError:
            return None
        self.hits += played is not None
        return played

    def keeps(self) -> bool:
        """What is played is kept: its folder is there or can be made, may be written, and took all so far."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            return False
        return os.access(self.folder, os.W_OK) and not self._failed

    def put(self, file: Path | None, played: Played) -> None:
        """Keep what was played; it lies there whole or not at all."""
        if file is None:
            return
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            handle, new = tempfile.mkstemp(dir=file.parent)
        except OSError:
            self._failed = True
            return
        try:
            with os.fdopen(handle, "wb") as out:
                out.write(packed(played))
            Path(new).replace(file)
        except OSError:
            self._failed = True
            Path(new).unlink(missing_ok=True)
