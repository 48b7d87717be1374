"""One case: which attack, who has to claim to contain it, and how it may end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from policies.resource.limits import ResourceLimits

ATTACKS = Path(__file__).resolve().parents[1] / "attacks"
LIMITS = ResourceLimits(
    start_wall_s=10,
    wall_s=3,
    cpu_s=1,
    memory_bytes=512_000_000,
    tasks=64,
    open_files=256,
    file_bytes=64_000_000,
    written_bytes=64_000_000,
    scratch_files=1000,
    request_bytes=1_000_000,
    reply_bytes=1_000_000,
    log_bytes=1_000_000,
    calls_per_worker=1,
)
"""Of somebody's own attack."""
PATIENT = {"start_wall_s": 60.0, "wall_s": 20.0, "cpu_s": None}
"""Of cases that are not about time: a busy machine must not end them for being slow."""
UNCLAIMED = ("NONE", "COUNTED")
"""Levels of enforcement that stop nothing."""


@dataclass(frozen=True)
class Case:
    """One attack and its possible ends; several may be named, and each counts as contained."""

    name: str
    source: str
    """Stem of the file in `attacks/`."""
    extension: str
    needs: tuple[str, ...] = ()
    """Rows of the enforcement report that have to stop something, or the case is not claimed."""
    limits: tuple[str, ...] = ()
    """Limits, one of which ends it."""
    codes: tuple[str, ...] = ()
    """Codes of errors, one of which it ends in."""
    categories: tuple[str, ...] = ()
    """Categories of errors, likewise."""
    at_most: int | None = None
    """Or it answers a `count` of at most this."""
    probe: bool = False
    """Or it answers that it managed nothing."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Limits unlike those of the other cases."""
    environment: tuple[tuple[str, str], ...] = ()
    again: Mapping[str, Any] | None = None
    """Parameters of a second call, in a new worker unless this one is kept; then its answer is judged."""
    loads: bool = False
    """It attacks while it is loaded, before any call."""
    asks: str = ""
    """Tables of a manifest that asks for more than anybody granted; names in braces are the bait's."""
    planted: bool = False
    """It brings a Python of its own, whose settings and links lead to the bait."""
    linked: bool = False
    """In place of a folder that it is granted another has put a link to the bait, so that it never starts."""
    deadly: bool = False
    """It would end everything, so it runs in a process namespace of the suite's own alone."""

    @property
    def allowed(self) -> ResourceLimits:
        """The limits it runs under."""
        return LIMITS.model_copy(update={**PATIENT, **self.settings})

    def unclaimed(self, report: Mapping[str, Mapping[str, str]]) -> tuple[str, str] | None:
        """The first row that this profile does not enforce, with its level; None: it claims all."""
        for row in self.needs:
            level = report.get(row, {}).get("level", "NONE")
            if level in UNCLAIMED:
                return row, level
        return None

    def named(self, name: str, **changes: Any) -> Case:
        """The same with another name."""
        return replace(self, name=name, **changes)
