"""What the conductor and a host of extensions say to each other: request, reply and usage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from fqg_env.outcome import Outcome, Phase, SideEffects, StandardError

if TYPE_CHECKING:
    from policies.resource.limits import ResourceLimits

BEFORE_EFFECTS = frozenset({Phase.ADMISSION, Phase.INPUT})
"""A failure in one of these came before the work began: it has changed nothing."""


@dataclass(frozen=True, slots=True)
class ExtensionSource:
    """Where an extension's code is and which Python runs it. Equal sources share warm workers."""

    source: str
    """Importable module, or path of a `.py` file."""
    name: str = ""
    """Name of the extension in it; empty: the only one."""
    python: str | None = None
    """Python of the extension's own environment; None: the supervisor's."""
    environment: tuple[tuple[str, str], ...] = ()
    """Environment variables beside the allow-list, as pairs."""
    import_paths: tuple[str, ...] = ()
    """Directories to import from, beside the project's own."""
    command: tuple[str, ...] = ()
    """A program and its arguments that do the work, spoken to in JSON; then `source` is the adapter."""
    manifest: str = ""
    """Path of the manifest that says all this, by which the extension is known; empty: there is none."""


@dataclass(frozen=True, slots=True)
class CallRequest:
    """One attempt of one call. Inputs and parameters are plain data, see `values.py`."""

    inputs: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    run_id: str = ""
    call: str = ""
    """The call's name in the level; it becomes `step_id` of an error."""
    attempt: int = 0
    idempotency_key: str = ""
    effects: SideEffects = SideEffects.NONE
    """What an attempt that ends without saying so may have changed: POSSIBLE for functions that
    are not idempotent."""
    recover: bool = True
    """False: the extension's own recovery is switched off."""
    deadline_s: float | None = None
    """Seconds the run has left; the tighter of this and `wall_s` ends the call."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What one call used, seen from outside the extension."""

    wall_s: float = 0.0
    """From entering `call` to the answer, the start of a worker included."""
    start_s: float = 0.0
    """The part of `wall_s` spent on starting a worker; 0 when it was warm."""
    cpu_s: float = 0.0
    """Processor time: the worker's exactly, its children's as seen every 20 ms."""
    peak_memory_bytes: int = 0
    """Most memory of the tree: of its control group, or resident as seen every 20 ms and at the answer."""
    peak_tasks: int = 0
    """Most processes and threads of the tree that were seen."""
    written_bytes: int = 0
    """What lay in the scratch space when last seen, where that is a space of its own."""
    request_bytes: int = 0
    reply_bytes: int = 0
    log_bytes: int = 0
    worker_generation: int = 0
    """1 for the first worker of this source and limits; 0: none was needed."""
    profile: str = ""
    """What enforced the limits; `enforcement` says how each of these figures comes about there."""
    kill_s: float = 0.0
    """From the decision to end the worker until nothing of it was left; 0: it lives on."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer of one call with what it used."""

    outcome: Outcome
    usage: Usage


class Host(Protocol):
    """Runs extensions. `Supervisor` does it with processes, `testing.FakeHost` with functions."""

    async def start(
        self, source: ExtensionSource, limits: ResourceLimits
    ) -> tuple[str, ...] | StandardError:
        """Have one warm worker ready; the names of its extensions, or why it did not start."""
        ...

    async def call(
        self, source: ExtensionSource, request: CallRequest, limits: ResourceLimits
    ) -> Reply:
        """Run one call. Failures are in the reply; only cancellation is raised."""
        ...

    async def close(self) -> None:
        """End every worker; none is left when this returns."""
        ...
