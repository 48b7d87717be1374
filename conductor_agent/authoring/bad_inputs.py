"""Attacks by input: of the wrong type, missing, unknown, empty, huge. What is judged is the answer."""

from __future__ import annotations

from typing import Any

from conductor_agent.authoring.reporting import Judgement, of_bad_input, of_hard_input
from conductor_agent.authoring.trial import Trial
from conductor_agent.files.checks import ValueType
from fqg_env.outcome import Success

HUGE_SHARE = 0.9
HUGE_ITEMS = 100_000
WRONG: dict[ValueType, Any] = {
    ValueType.TEXT: 7,
    ValueType.BYTES: "no bytes",
    ValueType.JSON: 7,
    ValueType.NUMBER: "seven",
    ValueType.LIST: "no list",
}
EMPTY: dict[ValueType, Any] = {
    ValueType.TEXT: "",
    ValueType.BYTES: b"",
    ValueType.JSON: {},
    ValueType.NUMBER: 0,
    ValueType.LIST: [],
}


async def wrong_type(trial: Trial) -> None:
    """Each input once of another type."""
    judged = []
    for name, slot in trial.manifest.extension.inputs.items():
        reply = await trial.ask({**trial.valid.inputs, name: WRONG[slot.type]})
        what = f"{name} of the wrong type"
        judged.append(of_bad_input(reply.outcome, name, what, program=trial.is_program))
    trial.found("wrong type", 3, Judgement.mean(judged, "it has no inputs"))


async def missing(trial: Trial) -> None:
    """Each needed input once left out."""
    judged = []
    for name, slot in trial.manifest.extension.inputs.items():
        if not slot.optional:
            inputs = {k: v for k, v in trial.valid.inputs.items() if k != name}
            reply = await trial.ask(inputs)
            what = f"{name} missing"
            judged.append(of_bad_input(reply.outcome, name, what, program=trial.is_program))
    trial.found("missing input", 2, Judgement.mean(judged, "it needs no input"))


async def unknown_parameter(trial: Trial) -> None:
    """A parameter that nobody knows."""
    reply = await trial.ask(parameters={**trial.parameters(), "no_such_parameter": 1})
    outcome = reply.outcome
    if isinstance(outcome, Success):
        judged = Judgement(
            0.5,
            "an unknown parameter was passed over",
            trial.advice(
                "refuse parameters that you do not know",
                "refuse parameters that you do not know: end with code 64",
            ),
        )
    else:
        judged = of_bad_input(outcome, None, "an unknown parameter", program=trial.is_program)
    trial.found("unknown parameter", 1, judged)


async def empty(trial: Trial) -> None:
    """Each input once empty: it may work, or be refused honestly."""
    judged = []
    for name, slot in trial.manifest.extension.inputs.items():
        reply = await trial.ask({**trial.valid.inputs, name: EMPTY[slot.type]})
        judged.append(of_hard_input(reply.outcome, f"an empty {name}"))
    trial.found("empty input", 1, Judgement.mean(judged, "it has no inputs"))


async def huge(trial: Trial) -> None:
    """Each input once as large as a request may be."""
    slots = trial.manifest.extension.inputs
    judged = []
    for name, slot in slots.items():
        value = _huge_value(slot.type, int(trial.limits.request_bytes * HUGE_SHARE))
        if value is not None:
            reply = await trial.ask({**trial.valid.inputs, name: value})
            judged.append(of_hard_input(reply.outcome, f"a huge {name}"))
    trial.found("huge input", 2, Judgement.mean(judged, "no input can be huge"))


def _huge_value(kind: ValueType, size_bytes: int) -> Any:
    match kind:
        case ValueType.TEXT:
            return "word " * (size_bytes // 5)
        case ValueType.BYTES:
            return b"\0" * size_bytes
        case ValueType.LIST:
            return [0.0] * min(HUGE_ITEMS, size_bytes // 9)
        case ValueType.JSON:
            return {"items": [0.0] * min(HUGE_ITEMS, size_bytes // 9)}
        case ValueType.NUMBER:
            return None
