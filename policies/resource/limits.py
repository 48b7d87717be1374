"""What one extension may use and reach: `ResourceLimits`, from class default to workflow to operator.

    class default  <=  what the workflow asks for  <=  ceiling (class, replaced by the operator's)

A workflow may move inside its ceiling. Asking for more is an error, never a silent cut.
"""

from __future__ import annotations

import reprlib
import tomllib
from collections.abc import Mapping
from enum import Enum
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from fqg_env.errors import near
from fqg_env.level_file import OnceLoader
from policies.resource.freedoms import FREEDOMS, Network, check_network, check_paths
from policies.resource.outsized import outsized
from policies.resource.violations import amount
from policies.resource.wrong_key import wrong_key

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Amount = Annotated[int, Field(gt=0)]
Paths = Annotated[tuple[str, ...], AfterValidator(check_paths)]
SHOWN = 80
"""Letters of a wrong value that a message shows."""
Settings = Mapping[str, Mapping[str, Any]]
"""Class name -> some fields of `ResourceLimits`: the form of the operator's file."""


class LimitError(ValueError):
    """A limit that was asked for is not allowed or not readable. The text is one sentence."""


class ExtensionClass(str, Enum):
    """The three classes of extension, from heavy to light."""

    INSTRUMENT = "instrument"
    OPERATOR = "operator"
    MOTIF = "motif"


class ResourceLimits(BaseModel):
    """Hard limits around one extension; a larger number is looser, and so is a longer list.

    Seconds are wall-clock unless named otherwise; bytes are bytes. Limits named "per call" count
    from the moment the request is sent.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)

    start_wall_s: Seconds = 20.0
    """From spawning a worker until it is ready to be called."""
    wall_s: Seconds = 20.0
    """Per call, until the last byte of the answer."""
    cpu_s: Seconds | None = None
    """Per call, processor time of the whole process tree; None: not limited."""
    memory_bytes: Amount = 201_326_592
    """Memory of the whole process tree, scratch space in memory included."""
    tasks: Amount = 128
    """Processes and threads of the whole tree."""
    open_files: Amount = 256
    """Open file descriptors, per process."""
    file_bytes: Amount = 268_435_456
    """Size of one written file."""
    written_bytes: Amount = 268_435_456
    """All that lies in its scratch space at a time."""
    scratch_files: Amount = 4096
    """Files and folders in its scratch space."""
    request_bytes: Amount = 16_777_216
    """Encoded inputs and parameters of one call."""
    reply_bytes: Amount = 16_777_216
    """Encoded answer of one call."""
    log_bytes: Amount = 1_048_576
    """Standard output and error of one call together."""
    calls_per_worker: Amount = 1000
    """A worker is replaced after so many calls."""
    idle_s: Seconds = 120.0
    """A warm worker is let go after so long without a call."""
    total_retry_s: Seconds = 300.0
    """Time that one function may spend on repeats within a run, whoever repeats it."""
    own_retries: Annotated[int, Field(ge=0)] = 3
    """Repeats of its own within one call, lighter presets after a failure included."""
    cpu_cores: Amount | None = None
    """Cores it may run on; None: all."""
    network: Annotated[Network, BeforeValidator(check_network)] = "none"
    """"none", "host", or the destinations it may reach: `host:port`, `*.host:port`."""
    read_paths: Paths = ()
    """Absolute paths it may read, besides its own code and Python."""
    write_paths: Paths = ()
    """Absolute paths it may write, besides its scratch space."""
    environment: tuple[str, ...] = ()
    """Names of the conductor's environment variables that are handed on, secrets above all."""
    devices: Paths = ()
    """Device files it may use, `/dev/nvidia0` for example."""


def limits_for(
    class_name: str,
    workflow_overrides: Mapping[str, Any] | None = None,
    operator_ceiling: Settings | None = None,
) -> ResourceLimits:
    """Limits of one extension: its class default, changed by the workflow, under the ceiling.

    Args:
        class_name: "instrument", "operator" or "motif", in any case.
        workflow_overrides: fields of `ResourceLimits` that the workflow sets.
        operator_ceiling: class name -> fields; they replace the class ceiling, up or down.

    Raises:
        LimitError: unknown class or field, an unusable value, or one that is over the ceiling.
    """
    name = _class(class_name)
    overrides = dict(workflow_overrides or {})
    ceiling = ceiling_for(name, operator_ceiling)
    defaults = {
        key: _tighter(key, value, ceiling.get(key)) for key, value in _default(name).items()
    }
    asked = {key: value for key, value in ceiling.items() if key not in FREEDOMS}
    limits = _validated({**asked, **defaults, **overrides}, f"limits of class {name}")
    for field in overrides:
        _refuse_looser(name, field, getattr(limits, field), ceiling.get(field))
    return limits


def ceiling_for(class_name: str, operator_ceiling: Settings | None = None) -> dict[str, Any]:
    """The most a workflow may ask for in this class; an absent or None field is unlimited.

    Raises:
        LimitError: unknown class or field, or an unusable value.
    """
    name = _class(class_name)
    own = {_class(key): dict(value) for key, value in (operator_ceiling or {}).items()}
    ceiling = {**classes()[name]["ceiling"], **own.get(name, {})}
    checked = _validated(ceiling, f"ceiling of class {name}")
    return {field: getattr(checked, field) for field in ceiling}


@cache
def classes() -> dict[str, dict[str, dict[str, Any]]]:
    """The shipped classes: name -> {"default": fields, "ceiling": fields}."""
    text = resources.files("policies.resource").joinpath("classes.toml").read_text("utf-8")
    return tomllib.loads(text)


def load_ceiling(path: str | Path) -> dict[str, dict[str, Any]]:
    """Read an operator's file (YAML, or TOML by its ending): class name -> fields.

    Raises:
        LimitError: the file is missing, not readable, or holds a class or field we do not know.
    """
    content = _read(Path(path))
    if wrong := outsized(content):
        raise LimitError(f"{path}: {wrong}.")
    if not isinstance(content, dict):
        raise LimitError(f"{path}: expected class names with their limits, found {short(content)}.")
    for name, fields in content.items():
        if not isinstance(fields, dict):
            raise LimitError(
                f"{path}: class {short(name)} needs a table of limits, found {short(fields)}."
            )
        try:
            ceiling_for(str(name), {str(name): fields})
        except LimitError as problem:
            raise LimitError(f"{path}: {problem}") from None
    return {_class(str(name)): dict(fields) for name, fields in content.items()}


def _read(path: Path) -> Any:
    try:
        text = path.read_text("utf-8")
        return (
            tomllib.loads(text) if path.suffix == ".toml" else yaml.load(text, OnceLoader)  # noqa: S506  (a SafeLoader)
        )
    except OSError as problem:
        raise LimitError(
            f"{path}: it cannot be read ({problem.strerror or problem}); name a file of limits"
        ) from None
    except (tomllib.TOMLDecodeError, yaml.YAMLError, UnicodeDecodeError) as problem:
        line = " ".join(str(problem).split()) + of_a_tab(problem)
        raise LimitError(f"{path}: not readable as {path.suffix or 'YAML'}: {line}.") from None
    except (ValueError, RecursionError):
        raise LimitError(f"{path}: a value in it cannot be read; mend it.") from None


def of_a_tab(problem: Exception) -> str:
    """What to do about a tab that YAML stumbles over; empty where it is something else."""
    found = repr("\t") in (getattr(problem, "problem", None) or "")
    return "; use spaces where the tab is" if found else ""


def short(value: Any) -> str:
    """A value as it is written, cut: an alias or a long text may stand for very much."""
    return cut(reprlib.repr(value))


def cut(text: str) -> str:
    """A text no longer than a message can bear."""
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _class(name: str) -> str:
    try:
        return ExtensionClass(name.lower()).value
    except ValueError:
        known = ", ".join(member.value for member in ExtensionClass)
        raise LimitError(
            f"Unknown class {short(name)}; known are {known}.{near(name, known.split(', '))}"
        ) from None


def _default(name: str) -> dict[str, Any]:
    return classes()[name]["default"]


def _tighter(field: str, value: Any, ceiling: Any) -> Any:
    """An operator who lowers a ceiling lowers the default with it."""
    if ceiling is None or field in FREEDOMS:
        return value
    return min(value, ceiling)


def _validated(fields: Mapping[str, Any], what: str) -> ResourceLimits:
    try:
        return ResourceLimits.model_validate(dict(fields))
    except ValidationError as problem:
        if wrong := wrong_key(dict(fields), ResourceLimits):
            raise LimitError(f"{what}: {wrong}") from None
        first = problem.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise LimitError(
            f"{what}: {where}: {first['msg']} (got {short(first['input'])})."
        ) from None


def _refuse_looser(name: str, field: str, asked: Any, ceiling: Any) -> None:
    if field in FREEDOMS:
        beyond = FREEDOMS[field](asked, ceiling)
        if beyond:
            asked_for = ", ".join(map(repr, [beyond] if isinstance(beyond, str) else beyond))
            raise LimitError(
                f"Limit {field} of class {name}: asked for {cut(asked_for)}, which the operator does "
                "not allow; ask for less, or let the operator allow it (--limits)."
            )
        return
    if ceiling is None or (asked is not None and asked <= ceiling):
        return
    wish = "no limit" if asked is None else _figure(field, asked)
    raise LimitError(
        f"Limit {field} of class {name}: asked for {wish}, the ceiling is {_figure(field, ceiling)}; "
        "ask for less, or let the operator raise it (--limits)."
    )


def _figure(field: str, value: float) -> str:
    """A value of a limit for people; the unit of the others stands in their names."""
    return amount(value, "bytes") if field.endswith("_bytes") else f"{value:g}"
