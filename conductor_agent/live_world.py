"""LiveWorld: attempt -> outcome, for real. An extension does the work; what it answers is not taken on trust.

refuse     an input is missing or rejected                        DEPENDENCY_FAILED, nothing is started
call       the extension, in its limited process                  its own failures pass through as they are
examine    output missing, of the wrong type, against its schema  INVALID_OUTPUT, nothing is made
measure    the quality, by our own function                       LOW_QUALITY, made but rejected
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from msgspec.structs import replace

from conductor_agent.files.checks import measured_within
from conductor_agent.files.declared import as_declared, failed, unusable
from conductor_agent.files.patterns import fault_within
from conductor_agent.files.workflow import Workflow
from conductor_agent.hosting.contract import BEFORE_EFFECTS, CallRequest, Host
from conductor_agent.hosting.sdk.signature import PARAMETER
from fqg_env.level import Call, CallKind, Level, Responsibility
from fqg_env.outcome import (
    Blame,
    BlamedInput,
    Category,
    Outcome,
    Phase,
    SideEffects,
    StandardError,
    Success,
    error,
)
from fqg_env.row import Made, claimed
from policies.resource.enforcers import CONDUCTOR
from policies.resource.violations import Limit, evidence, violation

AMBIGUOUS = frozenset({Category.TIMEOUT, Category.CRASHED, Category.UNKNOWN})
"""Failures that leave open how far an attempt came; keep in sync with `effect_of` in fqg_env/draw.py."""


def reads(level: Level, call: int) -> tuple[str, ...]:
    """Artifacts that a call reads or looks at, each once."""
    one = level.calls[call]
    return tuple(dict.fromkeys((*level.inputs_of(one), *level.functions[one.function].probes)))


@dataclass(frozen=True)
class Held:
    """A version of an artifact as the conductor holds it."""

    sha256: str
    value: Any
    rejected: bool = False


@dataclass(frozen=True)
class Attempt:
    """One attempt to be made."""

    run_id: str
    call: int
    nth: int
    """Of this call in this run, from 1."""
    key: str
    """The idempotency key: attempts that ask for the same have the same."""
    inputs: Mapping[str, Held]
    """What it reads, as far as it is held."""
    left_s: float
    """Time left of the run."""
    repeated_s: float | None = None
    """Time that its function has spent on repeats so far; None: this is its first attempt."""


@dataclass(frozen=True)
class Answer:
    """What an attempt came to."""

    outcome: Outcome
    elapsed_s: float = 0.0
    made: dict[str, Made] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    """Artifact -> value, of what was made."""
    usage: dict[str, Any] = field(default_factory=dict)


class World(Protocol):
    """Where attempts are made: for real, or as a test tells."""

    async def attempt(self, attempt: Attempt) -> Answer:
        """Make one attempt. Failures are in the answer; cancelled, nothing of it runs on."""
        ...


class LiveWorld:
    """Makes attempts by the extensions of a workflow."""

    def __init__(self, workflow: Workflow, host: Host) -> None:
        self.workflow = workflow
        self.level = workflow.level
        self._host = host
        self._recover = workflow.level.responsibility is not Responsibility.CONDUCTOR

    async def attempt(self, attempt: Attempt) -> Answer:
        """Refuse, call, examine, measure."""
        refusal = self.refuse(attempt)
        if refusal is not None:
            return Answer(refusal)
        call = self.level.calls[attempt.call]
        function = self.level.functions[call.function]
        bound = self.workflow.extensions[call.function]
        left_s = attempt.left_s
        if attempt.repeated_s is not None:
            left_s = min(left_s, bound.limits.total_retry_s - attempt.repeated_s)
        request = CallRequest(
            inputs={name: held.value for name, held in attempt.inputs.items()},
            parameters=function.variants[call.variant].parameters,
            run_id=attempt.run_id,
            call=call.name,
            attempt=attempt.nth,
            idempotency_key=attempt.key,
            effects=SideEffects.NONE if function.idempotent else SideEffects.POSSIBLE,
            recover=self._recover,
            deadline_s=left_s,
        )
        reply = await self._host.call(bound.source, request, bound.limits)
        usage = dataclasses.asdict(reply.usage)
        if isinstance(reply.outcome, StandardError):
            outcome = cautious(reply.outcome, request.effects)
            return Answer(self.placed(call, outcome), reply.usage.wall_s, usage=usage)
        judged = await self.judge(attempt.call, reply.outcome, left_s - reply.usage.wall_s)
        return dataclasses.replace(judged, elapsed_s=reply.usage.wall_s, usage=usage)

    def placed(self, call: Call, failure: StandardError) -> StandardError:
        """A refusal of a parameter, with where the workflow sets it."""
        name = failure.ext.get(PARAMETER)
        variant = self.level.functions[call.function].variants[call.variant]
        if not isinstance(name, str) or name not in variant.parameters:
            return failure
        where = f"functions.{call.function}.variants.{call.variant}.parameters"
        text = f"{failure.message} It is set in {self.workflow.path.name}: {where}."
        return replace(failure, message=text)

    def refuse(self, attempt: Attempt) -> StandardError | None:
        """Why the attempt cannot even begin: an input is missing or rejected, or its repeats are used up."""
        call = self.level.calls[attempt.call]
        function = self.level.functions[call.function]
        lenient = function.kind is not CallKind.WORK
        for name in reads(self.level, attempt.call):
            held = attempt.inputs.get(name)
            if held is None or (held.rejected and not lenient):
                state = "is missing" if held is None else "was rejected by its gate"
                return error(
                    Category.DEPENDENCY_FAILED,
                    f"The input {name} {state}.",
                    blame=Blame.UPSTREAM,
                    blamed_inputs=(BlamedInput(name, state),),
                    phase=Phase.INPUT,
                    cost=0.0,
                )
        allowed_s = self.workflow.extensions[call.function].limits.total_retry_s
        if attempt.repeated_s is not None and attempt.repeated_s >= allowed_s:
            proof = evidence(
                Limit.TOTAL_RETRY,
                allowed_s,
                attempt.repeated_s,
                enforcer=CONDUCTOR,
                action="refused",
            )
            return violation(Limit.TOTAL_RETRY, proof, phase=Phase.ADMISSION, cost=0.0)
        return None

    async def judge(self, call: int, success: Success, left_s: float) -> Answer:
        """What a success comes to when it is looked at, with so much time left for gates."""
        function_name = self.level.calls[call].function
        function = self.level.functions[function_name]
        if not function.idempotent:
            success = replace(success, side_effects=SideEffects.COMMITTED)
        for name in function.outputs:
            wrong = await self.examine(name, success.outputs, left_s)
            if wrong is not None:
                return Answer(unusable(success, name, wrong))
        kept = as_declared(success, self.workflow.extensions[function_name].outputs)
        if isinstance(kept, StandardError):
            return Answer(kept)
        versions = claimed(self.level, call, success)
        made, complaint = await self.measure(versions, success.outputs, left_s)
        values = {name: success.outputs[name] for name in made}
        if complaint is None:
            return Answer(success, made=made, values=values)
        failure = failed(success, Category.LOW_QUALITY, complaint, Phase.QUALITY)
        return Answer(failure, made=made, values=values)

    async def examine(self, name: str, outputs: Mapping[str, Any], left_s: float) -> str | None:
        """Why an output is no such artifact, or None; in the time that is left of the run."""
        if outputs.get(name) is None:
            return "it is missing"
        check = self.workflow.checks.get(name)
        wrong = None if check is None else check.mistaken(outputs[name])
        if wrong or check is None or check.rules is None:
            return wrong
        return await fault_within(left_s, outputs[name], check.rules, "it")

    async def measure(
        self, made: dict[str, Made], outputs: Mapping[str, Any], left_s: float
    ) -> tuple[dict[str, Made], str | None]:
        """The versions with what their gates say, and the first complaint. Claims count for nothing here."""
        complaint = None
        for name, version in made.items():
            measure = self.workflow.measures.get(name)
            if measure is None:
                continue
            quality, why = await measured_within(left_s, measure, outputs[name])
            least = self.workflow.checks[name].minimum
            passed = quality >= least and not why
            made = {**made, name: Made(version.quality, passed, None if why else quality)}
            if not passed and complaint is None:
                found = why or f"its quality is {quality:.3g}, {least:g} is needed"
                complaint = f"The gate of {name} rejects it: {found}."
        return made, complaint


def cautious(failure: StandardError, untold: SideEffects) -> StandardError:
    """A failure that leaves open whether it did anything may have: NONE is what nobody wrote there.
    One that came before the work began says so by its phase.
    """
    silent = failure.side_effects is SideEffects.NONE and failure.category in AMBIGUOUS
    if not silent or failure.phase in BEFORE_EFFECTS:
        return failure
    return replace(failure, side_effects=untold)
