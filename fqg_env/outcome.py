"""What an attempt answers: `Success` or `StandardError`, as values with a JSON form.

Standard library and msgspec alone, because every extension imports this file in its own process.

    Outcome
    ├── Success            outputs, claimed quality, verdicts and hints
    └── StandardError      category, blame, what was tried, hints; never an exception
"""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any

import msgspec

MOST = 1e12
"""The largest amount and number of seconds; sums of them stay finite."""
MOST_COUNTED = 10**6
Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
Seconds = Annotated[float, msgspec.Meta(ge=0.0, le=MOST)]
Amount = Annotated[float, msgspec.Meta(ge=0.0, le=MOST)]
Count = Annotated[int, msgspec.Meta(ge=0, le=MOST_COUNTED)]
Code = Annotated[str, msgspec.Meta(pattern=r"^[A-Z][A-Z0-9_]{0,62}$")]


class Category(str, Enum):
    """The closed set of reasons a call can fail for. The value is what logs and metrics show."""

    INVALID_INPUT = "INVALID_INPUT"
    INPUT_TOO_LARGE = "INPUT_TOO_LARGE"
    UNSUPPORTED = "UNSUPPORTED"
    DEPENDENCY_FAILED = "DEPENDENCY_FAILED"
    UNAUTHORIZED = "UNAUTHORIZED"
    FORBIDDEN = "FORBIDDEN"
    REFUSED = "REFUSED"
    RATE_LIMITED = "RATE_LIMITED"
    UNAVAILABLE = "UNAVAILABLE"
    TIMEOUT = "TIMEOUT"
    OUT_OF_RESOURCES = "OUT_OF_RESOURCES"
    POLICY_VIOLATION = "POLICY_VIOLATION"
    CRASHED = "CRASHED"
    INVALID_OUTPUT = "INVALID_OUTPUT"
    LOW_QUALITY = "LOW_QUALITY"
    CONFLICT = "CONFLICT"
    CANCELLED = "CANCELLED"
    UNABLE = "UNABLE"
    UNKNOWN = "UNKNOWN"


class Wire(msgspec.Struct, frozen=True):
    """How a category appears on other wires, and whether a repeat may help (None: not known)."""

    http: int
    grpc: int
    retryable: bool | None


WIRE: dict[Category, Wire] = {
    Category.INVALID_INPUT: Wire(422, 3, False),
    Category.INPUT_TOO_LARGE: Wire(413, 11, False),
    Category.UNSUPPORTED: Wire(501, 12, False),
    Category.DEPENDENCY_FAILED: Wire(424, 9, False),
    Category.UNAUTHORIZED: Wire(401, 16, False),
    Category.FORBIDDEN: Wire(403, 7, False),
    Category.REFUSED: Wire(451, 7, False),
    Category.RATE_LIMITED: Wire(429, 8, True),
    Category.UNAVAILABLE: Wire(503, 14, True),
    Category.TIMEOUT: Wire(504, 4, True),
    Category.OUT_OF_RESOURCES: Wire(507, 8, None),
    Category.POLICY_VIOLATION: Wire(429, 8, False),
    Category.CRASHED: Wire(502, 13, None),
    Category.INVALID_OUTPUT: Wire(502, 15, None),
    Category.LOW_QUALITY: Wire(422, 9, None),
    Category.CONFLICT: Wire(409, 10, True),
    Category.CANCELLED: Wire(499, 1, False),
    Category.UNABLE: Wire(422, 9, False),
    Category.UNKNOWN: Wire(500, 2, None),
}


class Blame(str, Enum):
    """Who is at fault: decides whom a failure should cool down."""

    CALLER = "caller"
    EXTENSION = "extension"
    UPSTREAM = "upstream"
    PLATFORM = "platform"
    POLICY = "policy"
    UNKNOWN = "unknown"


class Phase(str, Enum):
    """Where in the life of a call it failed."""

    ADMISSION = "admission"
    INPUT = "input"
    EXECUTE = "execute"
    OUTPUT = "output"
    QUALITY = "quality"
    POLICY = "policy"
    TRANSPORT = "transport"


class SideEffects(str, Enum):
    """What an attempt may have changed in the world outside."""

    NONE = "none"
    POSSIBLE = "possible"
    COMMITTED = "committed"


class Hint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Advice on what to try: a call (`function` or `function/variant`) or a strategy by its name."""

    p: Share
    """How sure the giver is."""
    call: str | None = None
    strategy: str | None = None
    args: dict[str, Any] = {}
    reason: str = ""


class OwnRecovery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the extension already tried by itself, so that nobody multiplies it."""

    attempts: Count = 0
    elapsed_s: Seconds = 0.0
    cost: Amount = 0.0
    tried: tuple[str, ...] = ()


class BlamedInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An input that made the call fail: the artifact to rebuild upstream."""

    artifact: str
    reason: str = ""
    field: str | None = None


class Partial(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the answer that was there before the failure."""

    artifact: str
    fraction: Share
    usable: bool
    media_type: str | None = None


class PolicyEvidence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which limit was broken, what was seen, and what enforced it."""

    name: str
    limit: float
    observed: float
    unit: str
    action: str
    enforcer: str
    signal: str | None = None
    evidence: str = ""


class Cause(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The technical cause below the error; `cause` chains further down."""

    type: str
    message: str = ""
    trace: str | None = None
    cause: Cause | None = None


class Success(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="schema", tag="success/1"
):
    """The call did what it says. `quality` is a claim, not a truth."""

    outputs: dict[str, Any] = {}
    """Value of each artifact it made, by the artifact's name in the manifest of the function."""
    quality: dict[str, Share] = {}
    """Claimed quality of an output in [0, 1]; an absent name means unknown."""
    verdicts: dict[str, bool] = {}
    """A probe's answer: artifact name -> is it good?"""
    hints: tuple[Hint, ...] = ()
    not_examined: tuple[str, ...] = ()
    """Calls or strategies that the giver of the hints did not look into."""
    cost: Amount | None = None
    """Cost incurred, own recovery included; None: the declared cost is charged."""
    own_recovery: OwnRecovery = OwnRecovery()
    side_effects: SideEffects = SideEffects.NONE
    message: str = ""


class StandardError(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    tag_field="schema",
    tag="standard-error/1",
):
    """A failure as a value: it carries what the next decision needs, not only text.

    The identifying fields (`id` to `traceparent`) are filled in by whoever runs the attempt.
    """

    category: Category
    message: str
    """Safe to show to users."""
    detail: str = ""
    """For operators."""
    code: Code | None = None
    domain: str | None = None
    """Id of the extension that `code` belongs to."""
    retryable: bool | None = None
    """None: not known. `error()` fills in the category's default."""
    retry_after_s: Seconds | None = None
    blame: Blame = Blame.UNKNOWN
    blamed_inputs: tuple[BlamedInput, ...] = ()
    phase: Phase = Phase.EXECUTE
    side_effects: SideEffects = SideEffects.NONE
    idempotency_key: str | None = None
    own_recovery: OwnRecovery = OwnRecovery()
    cost: Amount | None = None
    partial: Partial | None = None
    policy: PolicyEvidence | None = None
    hints: tuple[Hint, ...] = ()
    not_examined: tuple[str, ...] = ()
    cause: Cause | None = None
    ext: dict[str, Any] = {}
    id: str = ""
    time: str = ""
    """RFC 3339."""
    run_id: str = ""
    step_id: str = ""
    attempt: Count = 0
    traceparent: str | None = None


Outcome = Success | StandardError


def error(category: Category, message: str, **fields: Any) -> StandardError:
    """A `StandardError` whose `retryable` is the category's default unless given."""
    fields.setdefault("retryable", WIRE[category].retryable)
    return StandardError(category=category, message=message, **fields)


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Outcome)


def to_json(outcome: Outcome) -> bytes:
    """The JSON form; `from_json` gives an equal outcome back.

    Raises:
        TypeError: an output or an `ext` value is not plain data.
    """
    return _ENCODER.encode(outcome)


def from_json(data: bytes | str) -> Outcome:
    """Read an outcome back.

    Raises:
        msgspec.ValidationError: unknown fields, wrong types or values out of range.
        msgspec.DecodeError: not JSON.
    """
    return _DECODER.decode(data)
