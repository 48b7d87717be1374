"""An extension on trial: how it is called, and what was found so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from conductor_agent.authoring.reporting import Judgement
from conductor_agent.authoring.scenarios import SUCCESS, Scenario
from conductor_agent.files.declared import as_declared
from conductor_agent.files.manifest import Manifest
from conductor_agent.hosting.contract import CallRequest, ExtensionSource, Reply
from conductor_agent.hosting.supervisor import Supervisor
from fqg_env.outcome import StandardError
from policies.resource.limits import ResourceLimits


@dataclass(frozen=True)
class Finding:
    """One point of the guideline: what was seen, and what to do about it."""

    point: str
    score: float | None
    """In [0, 1]; None: it could not be seen, and does not count."""
    weight: float
    seen: str
    advice: str = ""


@dataclass
class Trial:
    """An extension on trial, and everything it has answered so far."""

    host: Supervisor
    source: ExtensionSource
    manifest: Manifest
    limits: ResourceLimits
    scenarios: Sequence[Scenario]
    valid: Scenario
    """The one that the attacks change."""
    findings: list[Finding] = field(default_factory=list)
    good: list[bool] = field(default_factory=list)
    """Of each scenario and variant."""
    replies: list[Reply] = field(default_factory=list)
    typical_s: float = 0.0
    """Median of the repeated calls, without the start of a worker."""
    quickest_s: float = 0.0
    """The least of them."""

    @property
    def calls(self) -> int:
        """Made so far."""
        return len(self.replies)

    async def ask(
        self,
        inputs: dict[str, Any] | None = None,
        parameters: dict[str, Any] | None = None,
        *,
        limits: ResourceLimits | None = None,
        **options: Any,
    ) -> Reply:
        """One call: the valid one, where nothing else is said."""
        options.setdefault("idempotency_key", f"check/{self.calls}")
        request = CallRequest(
            inputs=self.valid.inputs if inputs is None else inputs,
            parameters=self.parameters() if parameters is None else parameters,
            run_id="check",
            call=self.manifest.name,
            attempt=1,
            **options,
        )
        reply = await self.host.call(self.source, request, limits or self.limits)
        reply = replace(reply, outcome=as_declared(reply.outcome, self.manifest.extension.outputs))
        self.replies.append(reply)
        return reply

    @property
    def is_program(self) -> bool:
        """It is a command, and a process of its own for each call; else a function of Python."""
        return bool(self.manifest.extension.command)

    def advice(self, function: str, program: str) -> str:
        """What to do, as it is said to authors of functions and to those of programs."""
        return program if self.is_program else function

    def parameters(self) -> dict[str, Any]:
        """Of the first variant, as the valid scenario changes them."""
        first = next(iter(self.manifest.extension.variants.values()))
        return {**first.parameters, **self.valid.parameters}

    def found(self, point: str, weight: float, judged: Judgement) -> None:
        """Take a finding down."""
        self.findings.append(Finding(point, judged.score, weight, judged.seen, judged.advice))

    def expected(self) -> str:
        """What the valid call came to at first."""
        return category(self.replies[0])


def category(reply: Reply) -> str:
    """The category of a failure, or `success`."""
    outcome = reply.outcome
    return outcome.category.value if isinstance(outcome, StandardError) else SUCCESS
