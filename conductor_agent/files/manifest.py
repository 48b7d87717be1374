"""`extension.toml`: what an extension says of itself: the documented Symphony tables, and one of ours.

    [extension]
    source = "count_words.py"            # or command = ["python3", "./count_words.py"]
    class = "operator"
    inputs = {text = "text"}
    outputs = {words = "number"}

    [runtime.resources]
    memory_limit = 128                   # MB
    execution_timeout = 5                # seconds

A manifest asks; what it gets is under the ceiling of its class (`conductor_agent/files/bindings.py`). Workers
never import this file.
"""

from __future__ import annotations

import tomllib
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from conductor_agent.files.checks import ValueType
from conductor_agent.files.folders import no_manifest
from fqg_env.level import Variant
from fqg_env.level_file import explain
from policies.resource.limits import ExtensionClass
from policies.resource.outsized import outsized
from policies.resource.wrong_key import wrong_key

FILE = "extension.toml"
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=1000)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Flag = Annotated[bool, Field(strict=True)]
"""TOML has `true` and `false`: a text that looks like one is a mistake."""
Kept = dict[str, Any]
"""Read, kept and not acted upon."""


class ManifestError(ValueError):
    """A manifest that cannot be used; the message is one sentence for the person who wrote it."""


class Table(BaseModel):
    """Base of the tables: immutable, and a wrong key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Slot(Table):
    """An input or output: its type, for people what it is, and whether it may be left out."""

    type: ValueType
    """`text`, `bytes`, `json`, `number` or `list`."""
    description: str = ""
    """For people."""
    optional: Flag = False
    """It may be left out."""


def _slots(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {k: {"type": v} if isinstance(v, str) else v for k, v in value.items()}


class Ours(Table):
    """`[extension]`: where it is, and what it takes and makes."""

    source: str | None = None
    """A `.py` file beside the manifest, or an importable module."""
    command: tuple[str, ...] = ()
    """A program and its arguments instead; `./` begins a file beside the manifest."""
    function: str = ""
    """Its name in the source; empty: the only one there."""
    kind: ExtensionClass = Field(alias="class")
    """How heavy it is: its default limits and their ceiling."""
    python: str | None = None
    """Python of its own environment."""
    environment: dict[str, str] = {}
    """Variables of its own."""
    inputs: dict[str, Slot] = {}
    """Name -> type, or a table of it."""
    outputs: dict[str, Slot] = {}
    """The same of what it makes."""
    idempotent: Flag = True
    """Whether the same call twice is the same as once."""
    variants: dict[str, Variant] = Field(default_factory=lambda: {"default": Variant()})
    """Name -> parameters, and what it is declared to take."""
    limits: dict[str, Any] = {}
    """Further fields of `ResourceLimits`."""

    _inputs = field_validator(
        "inputs", "outputs", mode="before", json_schema_input_type=dict[str, ValueType | Slot]
    )(_slots)

    @model_validator(mode="after")
    def _one_of_both(self) -> Ours:
        if (self.source is None) == (not self.command):
            raise ValueError("give exactly one of `source` and `command`")
        if self.command and (self.python or self.function):
            raise ValueError("`python` and `function` go with `source`, not with `command`")
        if not self.variants:
            raise ValueError("variants: name at least one, or leave the table out")
        return self


class Info(Table):
    """`[extension_info]`: for people."""

    name: str = ""
    """What people call it."""
    display_name: str = ""
    """The same, prettier."""
    version: str = ""
    """Its own."""
    description: str = ""
    """What it does."""
    author: str = ""
    """Who wrote it."""
    publisher: str = ""
    """Who hands it out."""
    license: str = ""
    """Under which it may be used."""
    homepage: str = ""
    """Where to read about it."""
    repository: str = ""
    """Where its source is."""


class Difficulty(str, Enum):
    """How hard it is to play with."""

    BEGINNER = "beginner"
    INTERMEDIATE = "intermediate"
    ADVANCED = "advanced"
    EXPERT = "expert"


class Gameplay(Table):
    """`[function_quest.gameplay]`."""

    function_name: str = ""
    """Its name in the game."""
    input_types: tuple[str, ...] = ()
    """For people; `[extension.inputs]` is what counts."""
    output_types: tuple[str, ...] = ()
    """Likewise."""
    side_effects: tuple[str, ...] = ()
    """What it changes outside, for people."""
    deterministic: Flag = False
    """The same input always gives the same output: `conductor extension check` tries it."""


class FunctionQuest(Table):
    """`[function_quest]`."""

    trainable: Flag = True
    """It may be part of training; kept."""
    function_signature: str = ""
    """For people."""
    test_scenarios: tuple[str, ...] = ()
    """Paths of JSON files with inputs that have to work: `conductor extension check` runs them."""
    difficulty_level: Difficulty | None = None
    """How hard it is to play with; kept."""
    gameplay: Gameplay = Gameplay()
    """How it appears in the game."""


class FailurePolicies(Table):
    """`[failure_policies]`: what the extension does about its own failures."""

    max_retries: Count | None = None
    """Repeats of its own within one call: the limit `own_retries`."""
    timeout_seconds: Positive | None = None
    """Seconds of a call; of this and `execution_timeout` the shorter one holds."""
    graceful_degradation: Flag = False
    """Short of time or memory it answers with less: `conductor extension check` tries it."""
    required_exceptions: tuple[str, ...] = ()
    """Kept."""


class ReliabilityContract(Table):
    """`[reliability_contract]`: what its author promises."""

    expected_success_rate: Share | None = None
    """Kept, for people: how often it succeeds is measured."""
    """In [0, 1]."""
    failure_escalation: str = ""
    supports_fallback: Flag = False


class Resources(Table):
    """`[runtime.resources]`."""

    memory_limit: Positive | None = None
    """MB, of 1,048,576 bytes."""
    cpu_limit: Annotated[float, Field(gt=0, le=100_000)] | None = None
    """Percent of one core, over the whole of a call's time."""
    execution_timeout: Positive | None = None
    """Seconds of a call."""
    network_required: Flag = False
    """It needs destinations: those of `security.network_access`, or any."""
    gpu_acceleration: Flag = False
    """It works through the machine's GPU, where there is one and somebody grants its device files."""


class Runtime(Table):
    """`[runtime]`."""

    execution_type: str = ""
    """Kept."""
    sandbox_level: str = ""
    """Kept: the strongest profile of the machine holds."""
    resources: Resources = Resources()
    """What it needs."""
    environment: Kept = {}
    """`required_env_vars`: names that the operator has to allow; the rest is kept."""


class Manifest(Table):
    """The whole file. Tables of the Symphony schema that say nothing of failures are kept as they are."""

    extension: Ours
    """Where it is, and what it takes and makes."""
    extension_info: Info = Info()
    """For people."""
    function_quest: FunctionQuest = FunctionQuest()
    """How it appears in the game, and what it is checked by."""
    failure_policies: FailurePolicies = FailurePolicies()
    """What it does about its own failures."""
    reliability_contract: ReliabilityContract = ReliabilityContract()
    """What its author promises."""
    runtime: Runtime = Runtime()
    """What it needs to run."""
    policies: dict[str, Kept] = {}
    package: Kept = {}
    engine: Kept = {}
    extension_type: Kept = {}
    conductor: Kept = {}
    artifacts: Kept = {}
    model: Kept = {}
    ui: Kept = {}
    workflow: Kept = {}
    harmony_board: Kept = {}
    dependencies: Kept = {}
    configuration: Kept = {}
    security: Kept = {}
    testing: Kept = {}
    monitoring: Kept = {}
    marketplace: Kept = {}
    versioning: Kept = {}

    @property
    def name(self) -> str:
        """What people call it."""
        named = self.extension_info.name or str(self.package.get("name", ""))
        return named or self.extension.function or self.function_quest.gameplay.function_name


def find_manifest(path: Path) -> Path:
    """The manifest that a folder holds, or the file itself.

    Raises:
        ManifestError: there is none.
    """
    file = path / FILE if path.is_dir() else path
    if not file.is_file():
        raise ManifestError(no_manifest(path, FILE))
    return file


def read_manifest(path: Path) -> Manifest:
    """Read and check a manifest.

    Args:
        path: the file, or the folder that it lies in.

    Raises:
        ManifestError: with one sentence that names the file, the key, and what to do.
    """
    file = find_manifest(path)
    try:
        data = tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        line = " ".join(str(problem).split())
        raise ManifestError(f"{file}: it cannot be read as TOML ({line}); mend it") from None
    except (ValueError, RecursionError):
        raise ManifestError(f"{file}: a value in it cannot be read; mend it") from None
    if wrong := outsized(data):
        raise ManifestError(f"{file}: {wrong}")
    try:
        return Manifest.model_validate(data)
    except ValidationError as problem:
        wrong = wrong_key(data, Manifest)
        raise ManifestError(f"{file}: {wrong}" if wrong else explain(problem, str(file))) from None
