"""Everything that can happen in a run, as a closed set of events: the journal's lines and the fold's input.

decided    what was chosen, with what was seen; changes nothing but the count of decisions
started · finished · refused · waited · signal · lost · stopped      the events of fqg_env/rules.py
code_changed    the code of an extension or a gate is another one: what it said so far says less of it
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from fqg_env.outcome import Outcome
from fqg_env.row import Made

if TYPE_CHECKING:
    from fqg_env.level import Level


def gate_of(artifact: str) -> str:
    """How the code of a gate is named among that of functions."""
    return f"the gate of {artifact}"


class Base(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """What all events have."""

    at_s: float
    """Seconds since the start of the run, counted only while it ran."""


class Decided(Base, frozen=True, kw_only=True, tag="decided"):
    """A policy chose an action as of the last event."""

    action: str
    """`WAIT`, `STOP` or the name of a call."""
    probabilities: dict[str, float]
    """Action -> how likely it was to be chosen, where that is not 0."""
    policy: str
    """Id of the policy that was asked."""
    source: str
    """Who decided: the policy's own word; `floor`; or `untried`, before an essential goal is given up."""
    strategy: str
    """What the choice amounts to, see row.Strategy."""
    observation: str
    """SHA-256 of the observation's bytes."""
    took_ms: float
    success: float | None = None
    """Chance of success if it goes on so, where the policy tells it."""
    why: str = ""
    """Why not the policy decided; empty where it did."""


class Started(Base, frozen=True, kw_only=True, tag="started"):
    """An attempt is about to be made; this is durable before anybody is asked."""

    attempt: int
    call: str
    key: str
    """The idempotency key handed to the extension."""
    inputs: dict[str, str] = {}
    """Artifact -> SHA-256 of the value handed over."""


class Finished(Base, frozen=True, kw_only=True, tag="finished"):
    """An attempt has ended, cancelled ones included; durable before the policy sees it."""

    attempt: int
    call: str
    outcome: Outcome
    """Without the values of its outputs: those are stored by their hash."""
    elapsed_s: float
    made: dict[str, Made] = {}
    values: dict[str, str] = {}
    """Artifact -> SHA-256 of the value made."""
    usage: dict[str, Any] = {}
    """What it used, as seen from outside the extension."""


class Waited(Base, frozen=True, kw_only=True, tag="waited"):
    """A WAIT is over; comes before what ended it."""


class Signal(Base, frozen=True, kw_only=True, tag="signal"):
    """News from outside about a provider."""

    provider: str
    up: bool
    until_s: float = 0.0


class Lost(Base, frozen=True, kw_only=True, tag="lost"):
    """The answer of an attempt was swallowed by a crash; what it did outside is not known."""

    attempt: int


class CodeChanged(Base, frozen=True, kw_only=True, tag="code_changed"):
    """A run is gone on with, and this code is another one than before."""

    code: dict[str, str]
    """Function, or `the gate of ARTIFACT`, -> digest of its code now."""

    def calls(self, level: Level) -> list[int]:
        """Indices of the calls whose function it is, or whose outputs it judges."""
        found = []
        for number, call in enumerate(level.calls):
            gates = map(gate_of, level.functions[call.function].outputs)
            if not self.code.keys().isdisjoint({call.function, *gates}):
                found.append(number)
        return found


class Ended(Base, frozen=True, kw_only=True, tag="stopped"):
    """The run is over: what has been made is delivered."""

    reason: str
    """Name of an `arrays.Stopped`, in lower case."""


Event = Decided | Started | Finished | Waited | Signal | Lost | CodeChanged | Ended

_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Event)


def kind_of(event: Event) -> str:
    """The event's word in the journal."""
    return str(type(event).__struct_config__.tag)


def to_json(event: Event) -> str:
    """The event as it is stored."""
    return _ENCODER.encode(event).decode()


def from_json(text: str) -> Event:
    """Read an event back.

    Raises:
        msgspec.MsgspecError: not an event as this version knows them.
    """
    event: Event = _DECODER.decode(text)
    return event
