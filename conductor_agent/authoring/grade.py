"""What `conductor extension check` comes to: findings, a number, a letter, a prior for the reputation.

The number is the mean of the points that could be seen, by weight. The letter is F where the extension
does not do its work. The points are those of the guideline (docs/guidelines.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from conductor_agent.authoring.attacks import examine
from conductor_agent.authoring.scenarios import scenarios_of
from conductor_agent.authoring.trial import Finding
from conductor_agent.files.bindings import limits_of, source_of
from conductor_agent.files.manifest import Manifest, find_manifest, read_manifest
from conductor_agent.hosting.supervisor import Supervisor
from policies.resource.limits import Settings

LETTERS = ((0.9, "A"), (0.8, "B"), (0.65, "C"), (0.5, "D"))
"""From which number on a letter is given; below them F."""
MOST_SEEN = 10
"""Scenarios that count for the reputation: those an author chose himself prove no more."""


@dataclass(frozen=True)
class Report:
    """What was found about one extension."""

    name: str
    kind: str
    profile: str
    """What enforced the limits meanwhile."""
    number: float
    """In [0, 1]; also its prior `fidelity` as a reporter of failures."""
    letter: str
    mean: float
    """Prior of the reputation: share of good outcomes, with one success and one failure added."""
    strength: float
    """Outcomes that the mean rests on, those two included."""
    calls: int
    findings: tuple[Finding, ...]

    def as_json(self) -> dict[str, Any]:
        """The keys that are documented."""
        return {
            "name": self.name,
            "class": self.kind,
            "profile": self.profile,
            "letter": self.letter,
            "number": self.number,
            "fidelity": self.number,
            "reputation": {"mean": self.mean, "strength": self.strength},
            "calls": self.calls,
            "findings": [asdict(finding) for finding in self.findings],
        }


def grade(path: Path, *, ceiling: Settings | None = None) -> Report:
    """Run an extension under attack and grade how it reports its failures. Takes seconds to minutes.

    Args:
        path: the manifest or its folder.
        ceiling: the operator's limits, by class.

    Raises:
        ManifestError: the manifest, a scenario, or what it names cannot be used.
    """
    file = find_manifest(path)
    manifest = read_manifest(file)
    source, limits = source_of(manifest, file), limits_of(manifest, file, None, ceiling)
    scenarios = scenarios_of(manifest, file)

    async def run() -> Report:
        async with Supervisor() as host:
            seen = await examine(host, source, manifest, limits, scenarios)
            return report(manifest, file, host.profile, seen.findings, seen.good, seen.calls)

    return asyncio.run(run())


def report(
    manifest: Manifest,
    file: Path,
    profile: str,
    findings: Sequence[Finding],
    good: Sequence[bool],
    calls: int,
) -> Report:
    """The report on what was found.

    Args:
        manifest: of the extension.
        file: its path, whose folder is a name where the manifest has none.
        profile: what enforced the limits.
        findings: of all points.
        good: of each scenario whether it came out as it has to.
        calls: made in all.
    """
    number = round(_mean(findings), 3)
    works = next((one.score for one in findings if one.point == "works"), None)
    letter = "F" if works == 0 else letter_of(number)
    counted = list(good)[:MOST_SEEN]
    return Report(
        name=manifest.name or file.resolve().parent.name,
        kind=manifest.extension.kind.value,
        profile=profile,
        number=number,
        letter=letter,
        mean=round((1 + sum(counted)) / (2 + len(counted)), 3),
        strength=float(2 + len(counted)),
        calls=calls,
        findings=tuple(findings),
    )


def letter_of(number: float) -> str:
    """A to F."""
    return next((letter for least, letter in LETTERS if number >= least), "F")


def _mean(findings: Sequence[Finding]) -> float:
    graded = [(one.score, one.weight) for one in findings if one.score is not None]
    weights = sum(weight for _, weight in graded)
    return sum(score * weight for score, weight in graded) / weights if weights else 0.0
