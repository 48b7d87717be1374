"""Whether an attack was contained: a pure function of how its call ended and what the host looks like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sandbox.case import Case

from fqg_env.outcome import Outcome, StandardError

GROWTH_BYTES = 16 << 20
"""A conductor may grow by so much over one attack."""


@dataclass(frozen=True)
class Seen:
    """What was seen of one attack, from inside and from the host."""

    outcome: Outcome
    harm: tuple[str, ...] = ()
    """What was not as before on the host."""
    survivors: int = 0
    """Processes of it that were alive a second after it should have ended."""
    works_again: bool = True
    """Whether the same extension could be called again, and its neighbour was as before."""
    grown_bytes: int = 0
    """Of the conductor's resident memory."""
    leaked: tuple[str, ...] = ()
    """Secrets in its answer or log."""


def judge(case: Case, seen: Seen) -> list[str]:
    """Why the attack was not contained, one sentence each; empty: it was."""
    reasons = [*_ended(case, seen.outcome), *seen.harm]
    reasons += [f"it told the {name}" for name in seen.leaked]
    if seen.survivors:
        reasons.append(f"{seen.survivors} of its processes lived on")
    if not seen.works_again:
        reasons.append("the next call did not work")
    if seen.grown_bytes > GROWTH_BYTES:
        reasons.append(f"the conductor grew by {seen.grown_bytes >> 20} MiB")
    return reasons


def _ended(case: Case, outcome: Outcome) -> list[str]:
    """How it ended, if that is none of the ends it may have."""
    if isinstance(outcome, StandardError):
        limit = outcome.policy.name if outcome.policy else ""
        known = (
            limit in case.limits
            or outcome.code in case.codes
            or outcome.category.value in case.categories
        )
        return [] if known else [f"it ended in {outcome.category.value} ({outcome.code})"]
    return _answered(case, outcome.outputs)


def _answered(case: Case, outputs: dict[str, Any]) -> list[str]:
    if case.at_most is not None and "count" in outputs:
        count = outputs["count"]
        return [] if count <= case.at_most else [f"it got {count} of {case.at_most}"]
    if case.probe and "managed" in outputs:
        managed = outputs["managed"]
        if not managed and not outputs.get("refused") and not outputs.get("tried"):
            return ["it tried nothing"]  # an attack that does not attack proves nothing
        return [f"it managed {way}: {result}" for way, result in managed.items()]
    return ["it answered instead of being ended"]
