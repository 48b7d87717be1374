"""What a dataset says of itself: how it was played, beside what Minari keeps of it, read back and checked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from minari.dataset.minari_storage import MinariStorage
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fqg_env.errors import LevelError
from training.judging.setting import Setting, mixes_of

DATA = "data"
"""Folder in OUT: the dataset."""
OURS = "function_quest"
"""What Minari's metadata calls the part that is ours."""
Count = Annotated[int, Field(strict=True, ge=1)]


class About(BaseModel):
    """How a dataset was played."""

    model_config = ConfigDict(frozen=True)
    policy: str
    split: str
    seed: Annotated[int, Field(strict=True, ge=0)]
    tiers: tuple[Count, Count] | None
    """None: the levels are templates."""
    size: str
    mix: str
    mode: str
    return_mean: float
    success_rate: float
    observation_version: Annotated[int, Field(strict=True)]
    fqg_version: str


class Metadata(BaseModel):
    """What is read of Minari's metadata."""

    dataset_id: str
    total_episodes: Count
    total_steps: Count
    dataset_size: float
    """In megabytes."""
    minari_version: str
    function_quest: About


def levels_of(setting: Setting) -> dict[str, Any]:
    """Which levels were played, as the metadata says it."""
    return {
        "split": setting.split,
        "seed": setting.seed,
        "tiers": list(setting.tiers) if setting.drawn else None,
        "size": setting.size,
        "mix": ",".join(mixes_of(setting)),
        "mode": setting.mode,
    }


def read_metadata(out: Path) -> Metadata:
    """The metadata of the dataset in a folder.

    Raises:
        LevelError: there is none, or it is none of this game, or it is damaged.
    """
    raw: Any = None
    try:
        raw = MinariStorage.read_raw_metadata(out / DATA)
        return Metadata.model_validate(raw)
    except ValidationError as error:
        if isinstance(raw, dict) and OURS in raw:
            where = ".".join(str(part) for part in error.errors()[0]["loc"])
            raise LevelError(
                f"{out / DATA / 'metadata.json'}: {where} is not what `fqg dataset make` writes; make the "
                "dataset again, in another folder"
            ) from None
    except (ValueError, OSError, RecursionError):
        pass
    raise LevelError(
        f"{out}: there is no dataset of Function Quest here; make one with "
        f"`fqg dataset make --policy index --out {out}`"
    )


def describe_dataset(out: Path) -> dict[str, Any]:
    """What a dataset is and holds, as `fqg dataset show --json` prints it.

    Raises:
        LevelError: as `read_metadata`.
    """
    found = read_metadata(out)
    return {
        "dataset": str(out),
        "id": found.dataset_id,
        **found.function_quest.model_dump(mode="json"),
        "episodes": found.total_episodes,
        "decisions": found.total_steps,
        "megabytes": found.dataset_size,
        "minari_version": found.minari_version,
    }
