"""What a workflow is made of: the entries of its file, and what they are bound to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from conductor_agent.files.checks import Check, Measure
from conductor_agent.files.manifest import Slot, Table
from conductor_agent.hosting.contract import ExtensionSource
from fqg_env.level import Level
from fqg_env.level_file import explain
from policies.resource.limits import ResourceLimits
from policies.resource.wrong_key import wrong_key

FOR_REAL: dict[str, Literal["forbidden"]] = {"final_repeats": "forbidden"}
"""The shield of a workflow that does not say otherwise: an author's word that a repeat is in vain counts.
In the game it does not, since what is reported there is often wrong.
"""


GiveUp = Literal["tried", "policy"]
"""When an essential goal may be given up: once all that could still make it has been tried, or whenever the
policy stops.
"""


class WorkflowError(ValueError):
    """A workflow that cannot run; the message is one sentence for the person who wrote it."""


class Requires(Table):
    """What has to be on the machine; a function that lacks it is left out."""

    program: str
    """Its name on the search path."""


class ExtensionEntry(Table):
    """What a function is bound to."""

    manifest: str | None = None
    """Path of an `extension.toml` or its folder, which says all the rest; `limits` may tighten it."""
    source: Annotated[str, Field(min_length=1)] = ""
    """Importable module, or path of a `.py` file."""
    extension: str | None = None
    """Its name in there; the function's own where it is not given."""
    kind: str = Field(default="", alias="class")
    """`instrument`, `operator` or `motif`: its default limits and their ceiling."""
    limits: dict[str, Any] = Field(default_factory=dict)
    """Fields of its limits that are set otherwise, under the ceiling."""
    requires: Requires | None = None
    """What has to be on the machine; without it the function is left out."""
    python: str | None = None
    """Python of its own environment."""
    environment: dict[str, str] = Field(default_factory=dict)
    """Variables of its own."""
    import_paths: tuple[str, ...] = ()
    """Folders that it may import from."""

    @model_validator(mode="after")
    def _one_of_both(self) -> ExtensionEntry:
        if self.manifest is None:
            for key, value in (("source", self.source), ("class", self.kind)):
                if not value:
                    raise ValueError(f"{key}: is missing; add it, or a `manifest` that says it")
        elif self.model_fields_set - {"manifest", "limits", "requires"}:
            raise ValueError("beside `manifest` only `limits` and `requires` may stand")
        return self


class InputEntry(Table):
    """Where the value of a given artifact comes from: exactly one of these."""

    file: str | None = None
    text: str | None = None
    data: Any = Field(default=None, alias="json")


@dataclass(frozen=True)
class Bound:
    """A function's extension and what it may use."""

    source: ExtensionSource
    limits: ResourceLimits
    kind: str
    outputs: Mapping[str, Slot] = field(default_factory=dict)
    """Output -> what its manifest declares of it."""


@dataclass(frozen=True)
class Workflow:
    """A level with everything that makes it real."""

    path: Path
    text: str
    level: Level
    extensions: dict[str, Bound]
    checks: dict[str, Check]
    measures: dict[str, Measure]
    """Artifact -> what its quality is measured by."""
    inputs: dict[str, Any]
    """Given artifact -> its value."""
    give_up: GiveUp = "tried"
    notes: tuple[str, ...] = ()
    """What was left out, and why."""


def part_of(kind: Any, data: Any, where: str) -> Any:
    """A part from plain data.

    Raises:
        WorkflowError: what is wrong with it, and where.
    """
    try:
        return TypeAdapter(kind).validate_python(data)
    except ValidationError as problem:
        wrong = wrong_key(data, kind)
        raise WorkflowError(f"{where}: {wrong}" if wrong else explain(problem, where)) from None
