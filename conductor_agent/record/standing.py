"""What the ledger says of one extension, as `conductor extension list` shows it."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from conductor_agent.record.ledger import Ledger
from conductor_agent.record.reputation import reputation_of
from policies.resource.health import State


@dataclass(frozen=True)
class Standing:
    """One extension in a line; the field names are the keys of the JSON."""

    extension: str
    """Its id: what `pardon` takes."""
    place: str
    """Its file, module or command."""
    kind: str
    """Its class."""
    digest: str
    """SHA-256 of its file; empty where that is not known."""
    calls: int
    """Attempts that ended, whatever became of them."""
    successes: int
    failures: dict[str, int]
    """Category -> failures that speak against it."""
    excused: int
    """Failures that do not speak against it."""
    success_rate: float | None
    """successes / (successes + failures)."""
    reputation_mean: float | None
    reputation_strength: float
    """Outcomes that the mean rests on."""
    violations: dict[str, int]
    """Limit -> how often it broke it."""
    last_violation: dict[str, Any] | None
    health: str
    left_out: bool
    """Workflows do without it until it is pardoned."""
    probation_calls: int
    """In its next so many calls one failure takes it down."""
    pardons: int

    @property
    def on_trial(self) -> bool:
        """It was pardoned and has yet to show that it behaves."""
        return self.health == State.QUARANTINED.name.lower() and not self.left_out

    def as_json(self) -> dict[str, Any]:
        """The keys of one entry of `conductor extension list --json`."""
        fields = asdict(self)
        return {"extension": fields.pop("extension"), "class": fields.pop("kind"), **fields}


def standing(ledger: Ledger, extension: str) -> Standing:
    """How an extension stands now."""
    version, tally = ledger.versions(extension)[-1], ledger.tally(extension)
    beta, health = reputation_of(ledger, extension), ledger.health(extension)
    violations = ledger.violations(extension)
    return Standing(
        extension=extension,
        place=version.place,
        kind=version.kind,
        digest=version.digest,
        calls=tally.successes + tally.failed + tally.excused,
        successes=tally.successes,
        failures=tally.failures,
        excused=tally.excused,
        success_rate=tally.success_rate,
        reputation_mean=beta.mean if beta else None,
        reputation_strength=beta.strength if beta else 0.0,
        violations=dict(Counter(violation["limit"] for violation in violations)),
        last_violation=violations[-1] if violations else None,
        health=health.state.name.lower(),
        left_out=health.left_out,
        probation_calls=health.probation_calls,
        pardons=len(ledger.pardons(extension)),
    )


def standings(ledger: Ledger) -> list[Standing]:
    """Every extension that a journal knows of."""
    return [standing(ledger, extension) for extension in ledger.extensions()]
