"""How well a failure is reported: category, artifact to blame, whether a repeat helps; and the advice."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from conductor_agent.hosting.classify import TOLD
from fqg_env.outcome import Category, Outcome, StandardError, Success

CATEGORY_SHARE, ARTIFACT_SHARE, RETRYABLE_SHARE = 0.5, 0.3, 0.2
"""What each part of a report on bad input is worth."""
HONEST = frozenset(
    {
        Category.INVALID_INPUT,
        Category.INPUT_TOO_LARGE,
        Category.UNSUPPORTED,
        Category.UNABLE,
        Category.REFUSED,
        Category.LOW_QUALITY,
    }
)
"""Categories that say: it is the input, not me."""
OUT_OF_MEANS = frozenset({Category.TIMEOUT, Category.OUT_OF_RESOURCES})


class Judgement(NamedTuple):
    """A score in [0, 1] (None: nothing was seen), what was seen, and what to do."""

    score: float | None
    seen: str
    advice: str = ""

    @staticmethod
    def mean(judged: Sequence[Judgement], nothing: str) -> Judgement:
        """The mean score of several, with the words of the worst; `nothing` where there are none."""
        scores = [one.score for one in judged if one.score is not None]
        if not scores:
            return Judgement(None, nothing)
        lowest = min(judged, key=lambda one: 2.0 if one.score is None else one.score)
        return Judgement(sum(scores) / len(scores), lowest.seen, lowest.advice)


def said(outcome: Outcome) -> str:
    """An outcome in a few words."""
    if isinstance(outcome, Success):
        return "it succeeded"
    detail = " ".join(outcome.detail.split())
    more = "" if detail in outcome.message else f" {detail[:120]}"
    return f"{outcome.category.value} ({outcome.message}{more})"


def of_bad_input(
    outcome: Outcome, artifact: str | None, what: str, *, program: bool = False
) -> Judgement:
    """How an input that cannot be used was answered.

    Args:
        outcome: the answer.
        artifact: which input it was; None: a parameter, for which there is no artifact to blame.
        what: the attack, for the words.
        program: advise on what a program prints and how it ends, not on what a function raises.
    """
    if isinstance(outcome, Success):
        return Judgement(0.0, f"{what}: it succeeded", _advice(artifact, program=program))
    if ended_from_outside(outcome) or outcome.category not in HONEST:
        return Judgement(0.0, f"{what}: {said(outcome)}", _advice(artifact, program=program))
    score = CATEGORY_SHARE if outcome.category is Category.INVALID_INPUT else CATEGORY_SHARE / 2
    blamed = artifact is None or any(one.artifact == artifact for one in outcome.blamed_inputs)
    score += ARTIFACT_SHARE if blamed else 0.0
    score += RETRYABLE_SHARE if outcome.retryable is False else 0.0
    advice = ""
    if not blamed:
        advice = f"name the artifact: {_refusal(artifact, program=program)}"
    elif score < 1:
        advice = "answer INVALID_INPUT, which no repeat helps"
        advice += f": {_refusal(artifact, program=program)}" if program else ""
    return Judgement(score, f"{what}: {outcome.category.value}", advice)


def _advice(artifact: str | None, *, program: bool) -> str:
    if artifact is None:
        advice = "answer INVALID_INPUT where a parameter cannot be used"
        return f"{advice}: {_refusal(None, program=True)}" if program else advice
    verb = "" if program else "raise "
    return f"look at the input first: {verb}{_refusal(artifact, program=program)}"


def _refusal(artifact: str | None, *, program: bool) -> str:
    """How an input is refused: what a function raises, or what a program prints before it ends."""
    if not program:
        return f'InvalidInput("...", artifact={artifact!r})'
    refusal: dict[str, object] = {
        "schema": "standard-error/1",
        "category": "INVALID_INPUT",
        "message": "...",
    }
    if artifact is None:
        return f"print {json.dumps(refusal | {'blame': 'caller'})} and end with code 64"
    refusal |= {"blame": "upstream", "blamed_inputs": [{"artifact": artifact, "reason": "..."}]}
    return f"print {json.dumps(refusal)} and end with code 65"


def of_hard_input(outcome: Outcome, what: str) -> Judgement:
    """How an input was answered that an extension may manage or not: any honest answer is good."""
    if isinstance(outcome, Success):
        return Judgement(1.0, f"{what}: it succeeded")
    if ended_from_outside(outcome):
        advice = "look at the size first, and answer INPUT_TOO_LARGE where it is too much"
        return Judgement(0.0, f"{what}: it had to be ended: {said(outcome)}", advice)
    if outcome.category in HONEST:
        return Judgement(1.0, f"{what}: {outcome.category.value}")
    if outcome.category in OUT_OF_MEANS:
        advice = "look at the size first, and answer INPUT_TOO_LARGE"
        return Judgement(0.7, f"{what}: {outcome.category.value}", advice)
    advice = "answer INVALID_INPUT or UNABLE, with the artifact's name"
    return Judgement(0.0, f"{what}: {said(outcome)}", advice)


def ended_from_outside(outcome: Outcome) -> bool:
    """Whether a limit ended it, and not itself."""
    policy = outcome.policy if isinstance(outcome, StandardError) else None
    return policy is not None and not policy.enforcer.startswith(TOLD)
