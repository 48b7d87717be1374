"""A policy on disk is data: a folder with `policy.onnx` and `manifest.json`, never a pickle.

The network gives logits; masking and choice stay in network.py, which everybody shares.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt, ValidationError

from fqg_env.fields import OBSERVATION_VERSION

MODEL_FILE = "policy.onnx"
MANIFEST_FILE = "manifest.json"
FORMAT: Final = "conductor-policy/1"
OUTPUTS = ("logits", "success", "strangeness")
"""Of the graph: [N, 2 + C], [N], and [N] how unlike its training a board is."""
ATTENTION = "attention"
"""What a sequence answers besides: [N, heads, L, L] how much each token (attempts, the newest first, calls,
artifacts) heeds each, in all its heads, a layer after the other."""
HEADS = 4
"""Of a layer."""


class PolicyFileError(ValueError):
    """A policy file that cannot be used; the message is one sentence: what, where, what to do."""


class Manifest(BaseModel):
    """What is known of a policy besides its weights."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    format: Literal["conductor-policy/1"] = FORMAT
    name: Annotated[str, Field(min_length=1, max_length=64)]
    observation_version: StrictInt
    inputs: tuple[str, ...]
    """Fields the network reads, in the order of its inputs; `index` is the index rule's choice."""
    sha256: str
    """Of policy.onnx."""
    recipe: dict[str, Any] = {}
    results: dict[str, Any] = {}
    """Measured results, as `fqg evaluate` gives them."""
    strange_above: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Boards of more strangeness are outside what it was trained on: the index rule decides."""
    max_calls: Annotated[StrictInt, Field(ge=1)] = 64
    """Levels with more calls are outside what it was trained on: the index rule decides."""


def write_policy_file(folder: Path, model: bytes, manifest: dict[str, Any]) -> Manifest:
    """Write a policy artifact. Both files lie there whole before either replaces an old one, so that a full
    disk leaves the old policy as it was; other files in the folder stay.
    """
    folder.mkdir(parents=True, exist_ok=True)
    checked = Manifest(sha256=hashlib.sha256(model).hexdigest(), **manifest)
    text = checked.model_dump_json(indent=2) + "\n"
    new = Path(tempfile.mkdtemp(prefix=".new-", dir=folder))
    try:
        (new / MODEL_FILE).write_bytes(model)
        (new / MANIFEST_FILE).write_text(text, "utf-8")
        for name in (MODEL_FILE, MANIFEST_FILE):
            (new / name).replace(folder / name)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return checked


def read_policy_file(path: str | Path) -> tuple[Manifest, bytes]:
    """The manifest and the model of a policy folder.

    Raises:
        PolicyFileError: missing, truncated, altered, of another version, or not a policy at all.
    """
    folder = Path(path)
    check_folder(folder)
    try:
        text = (folder / MANIFEST_FILE).read_text("utf-8")
        model = (folder / MODEL_FILE).read_bytes()
    except (OSError, UnicodeDecodeError) as error:
        name = Path(getattr(error, "filename", None) or MANIFEST_FILE).name
        raise PolicyFileError(f"{folder}: {name} cannot be read; export the policy again") from None
    manifest = parse_manifest(text, folder)
    if hashlib.sha256(model).hexdigest() != manifest.sha256:
        raise PolicyFileError(
            f"{folder / MODEL_FILE}: it is truncated or altered (its SHA-256 is not the manifest's); "
            "export the policy again"
        )
    return manifest, model


def check_folder(folder: Path) -> None:
    """See that a folder may hold a policy.

    Raises:
        PolicyFileError: it is none, or has no manifest.
    """
    if not folder.is_dir():
        raise PolicyFileError(
            f"{folder}: a policy is a folder with {MANIFEST_FILE} and {MODEL_FILE}; check the path"
        )
    if (folder / MANIFEST_FILE).exists():
        return
    below = folder / "policy"
    if (below / MANIFEST_FILE).is_file():
        raise PolicyFileError(f"{folder}: there is no {MANIFEST_FILE}; did you mean {below}?")
    raise PolicyFileError(
        f"{folder}: there is no {MANIFEST_FILE} in it, so it is no policy; check the path"
    )


def parse_manifest(text: str, folder: Path) -> Manifest:
    """The manifest of the policy in a folder, from its text.

    Raises:
        PolicyFileError: it is none, or of another version of the observation.
    """
    file = folder / MANIFEST_FILE
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise PolicyFileError(
            f"{file}: not JSON (line {error.lineno}); export the policy again"
        ) from None
    except (RecursionError, ValueError):
        raise PolicyFileError(f"{file}: it is no manifest; export the policy again") from None
    version = data.get("observation_version") if isinstance(data, dict) else None
    if version is not None and version != OBSERVATION_VERSION:
        raise PolicyFileError(
            f"{folder}: it reads observation version {version!r} and this is version "
            f"{OBSERVATION_VERSION}; train or export it again"
        )
    try:
        return Manifest.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "it"
        raise PolicyFileError(f"{file}: {where}: {first['msg']}; export the policy again") from None
