"""What a breached limit is called: one table from a limit to its category and sentence.

Standard library and `fqg_env.outcome` alone, because workers import this file too.

Every breach is POLICY_VIOLATION, with two exceptions that say more about what helps next:
the clock (TIMEOUT: how long a call takes varies with load and with the far side, so the same
call may pass when repeated, while 3 GB stay 3 GB) and the request (INPUT_TOO_LARGE: refused
before the extension saw it, so the extension is not to blame).
"""

from __future__ import annotations

from enum import Enum
from typing import Any, NamedTuple

from fqg_env.outcome import Blame, Category, Phase, PolicyEvidence, StandardError, error


class Limit(str, Enum):
    """The limits a call can break. The value is the field of `ResourceLimits`; `deadline_s` is the run's."""

    START_WALL = "start_wall_s"
    WALL = "wall_s"
    DEADLINE = "deadline_s"
    CPU = "cpu_s"
    MEMORY = "memory_bytes"
    TASKS = "tasks"
    OPEN_FILES = "open_files"
    FILE = "file_bytes"
    WRITTEN = "written_bytes"
    SCRATCH_FILES = "scratch_files"
    NETWORK = "network"
    REQUEST = "request_bytes"
    REPLY = "reply_bytes"
    LOG = "log_bytes"
    TOTAL_RETRY = "total_retry_s"


class Breach(NamedTuple):
    """How the breach of one limit appears in a `StandardError`."""

    category: Category
    blame: Blame
    phase: Phase
    unit: str
    message: str


_VIOLATION = Category.POLICY_VIOLATION

BREACHES: dict[Limit, Breach] = {
    Limit.START_WALL: Breach(
        Category.TIMEOUT, Blame.EXTENSION, Phase.ADMISSION, "s", "The extension started too slowly."
    ),
    Limit.WALL: Breach(
        Category.TIMEOUT, Blame.EXTENSION, Phase.EXECUTE, "s", "The call took too long."
    ),
    # The run's own deadline is tighter than the limit: nobody should think worse of the extension.
    Limit.DEADLINE: Breach(
        Category.TIMEOUT, Blame.POLICY, Phase.EXECUTE, "s", "The run's deadline ended the call."
    ),
    Limit.CPU: Breach(
        _VIOLATION, Blame.EXTENSION, Phase.POLICY, "s", "The call used too much processor time."
    ),
    Limit.MEMORY: Breach(
        _VIOLATION, Blame.EXTENSION, Phase.POLICY, "bytes", "The call used too much memory."
    ),
    Limit.TASKS: Breach(
        _VIOLATION, Blame.EXTENSION, Phase.POLICY, "tasks", "The call ran too many processes."
    ),
    Limit.OPEN_FILES: Breach(
        _VIOLATION, Blame.EXTENSION, Phase.POLICY, "files", "The call opened too many files."
    ),
    Limit.FILE: Breach(
        _VIOLATION, Blame.EXTENSION, Phase.POLICY, "bytes", "The call wrote too large a file."
    ),
    Limit.WRITTEN: Breach(
        _VIOLATION, Blame.EXTENSION, Phase.POLICY, "bytes", "The call filled its scratch space."
    ),
    Limit.SCRATCH_FILES: Breach(
        _VIOLATION, Blame.EXTENSION, Phase.POLICY, "files", "The call made too many files."
    ),
    Limit.NETWORK: Breach(
        _VIOLATION,
        Blame.EXTENSION,
        Phase.POLICY,
        "destinations",
        "The call wanted to reach a destination that it may not.",
    ),
    Limit.REQUEST: Breach(
        Category.INPUT_TOO_LARGE, Blame.CALLER, Phase.ADMISSION, "bytes", "The input is too large."
    ),
    Limit.REPLY: Breach(
        _VIOLATION, Blame.EXTENSION, Phase.OUTPUT, "bytes", "The answer is too large."
    ),
    Limit.LOG: Breach(
        _VIOLATION, Blame.EXTENSION, Phase.POLICY, "bytes", "The call wrote too much to its log."
    ),
    Limit.TOTAL_RETRY: Breach(
        _VIOLATION, Blame.POLICY, Phase.POLICY, "s", "The time for retries is used up."
    ),
}


_BYTES = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def amount(value: float, unit: str) -> str:
    """A figure as people read it: `73.7 MB` (of 1,000,000 bytes), `5 s`, `64 tasks`."""
    if unit == "bytes":
        for size, name in _BYTES:
            if value >= size:
                return f"{value / size:.1f}".removesuffix(".0") + f" {name}"
    return f"{value:g} {unit}" if abs(value) < 1e6 else f"{value:,.0f} {unit}"


def evidence(
    limit: Limit,
    allowed: float,
    observed: float,
    *,
    enforcer: str,
    action: str = "killed",
    signal: str | None = None,
    log: str = "",
) -> PolicyEvidence:
    """What was allowed, what was seen (both in the unit of the limit) and who enforced it."""
    return PolicyEvidence(
        name=limit.value,
        limit=float(allowed),
        observed=float(observed),
        unit=BREACHES[limit].unit,
        action=action,
        enforcer=enforcer,
        signal=signal,
        evidence=log,
    )


def violation(limit: Limit, proof: PolicyEvidence, **fields: Any) -> StandardError:
    """The `StandardError` for a breach of `limit`, with `proof` in its `policy` field.

    `fields` are further fields of the error; they win over those of the table.
    """
    breach = BREACHES[limit]
    fields.setdefault("phase", breach.phase)
    return error(
        breach.category,
        breach.message,
        detail=f"{proof.name}: {amount(proof.observed, proof.unit)} seen, "
        f"{amount(proof.limit, proof.unit)} allowed",
        code=f"LIMIT_{limit.name}",
        domain="hosting",
        blame=breach.blame,
        policy=proof,
        **fields,
    )
