"""An extension under attack: what it is made to meet, and how well its answers report that.

Each attack gives one `Finding`, a point of the guideline (docs/guidelines.md). They run through a real
supervisor: what an extension does in a workflow it does here.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Sequence

from conductor_agent.authoring import bad_conduct as conduct
from conductor_agent.authoring import bad_inputs
from conductor_agent.authoring.reporting import Judgement, said
from conductor_agent.authoring.scenarios import SUCCESS, Scenario, plain_scenario
from conductor_agent.authoring.trial import Trial
from conductor_agent.files.manifest import Manifest
from conductor_agent.hosting.contract import ExtensionSource, Reply
from conductor_agent.hosting.supervisor import Supervisor
from conductor_agent.hosting.walls.enforcement import Enforced
from fqg_env.outcome import Category, StandardError
from policies.resource.limits import ResourceLimits

ERRNO = re.compile(r"\[Errno (\d{1,4})\]")
WALLS = frozenset({errno.EPERM, errno.EACCES, errno.EROFS, errno.ENETUNREACH, errno.EAFNOSUPPORT})
"""Errors that a process meets which is walled in."""


async def examine(
    host: Supervisor,
    source: ExtensionSource,
    manifest: Manifest,
    limits: ResourceLimits,
    scenarios: Sequence[Scenario],
) -> Trial:
    """Every attack, one after the other.

    Args:
        host: runs the calls.
        source: of the extension.
        manifest: what it says of itself.
        limits: what it may use.
        scenarios: what has to work; none: something of each type is tried.
    """
    successes = [one for one in scenarios if one.expect == SUCCESS]
    valid = successes[0] if successes else plain_scenario(manifest)
    trial = Trial(host, source, manifest, limits, scenarios, valid)
    await _works(trial)
    await bad_inputs.wrong_type(trial)
    await bad_inputs.missing(trial)
    await bad_inputs.unknown_parameter(trial)
    await bad_inputs.empty(trial)
    await bad_inputs.huge(trial)
    await conduct.repeated(trial)
    await conduct.short_deadline(trial)
    await conduct.cancelled(trial)
    await conduct.same_key(trial)
    await conduct.recover_off(trial)
    await conduct.tiny_memory(trial)
    _own_recovery(trial)
    _degradation(trial)
    _surroundings(trial)
    return trial


async def _works(trial: Trial) -> None:
    variants = trial.manifest.extension.variants.values()
    wrong: list[str] = []
    for scenario in trial.scenarios or [trial.valid]:
        for variant in variants:
            parameters = {**variant.parameters, **scenario.parameters}
            reply = await trial.ask(scenario.inputs, parameters)
            fault = _fault(reply, scenario.expect)
            trial.good.append(fault is None)
            wrong += [f"{scenario.name or 'a scenario'}: {fault}"] if fault else []
    share = sum(trial.good) / len(trial.good)
    seen = f"{sum(trial.good)} of {len(trial.good)} calls came out as they have to"
    advice = "mend this first: " + "; ".join(wrong[:2]) if wrong else ""
    if not trial.scenarios:
        outcome = trial.replies[0].outcome
        if isinstance(outcome, StandardError) and outcome.category in {
            Category.INVALID_INPUT, Category.UNABLE, Category.UNSUPPORTED, Category.LOW_QUALITY,
        }:  # fmt: skip
            trial.good.clear()
            share, seen = 0.5, f"no scenario is given, and plain values do not do: {said(outcome)}"
        advice = advice or "name files with inputs that work in function_quest.test_scenarios"
    trial.found("works", 4, Judgement(share, seen, advice))


def _fault(reply: Reply, expect: str) -> str | None:
    """Why a call did not come out as it has to, or None."""
    outcome = reply.outcome
    if isinstance(outcome, StandardError):
        return None if outcome.category.value == expect else said(outcome)
    if expect != SUCCESS:
        return f"it succeeded, {expect} was expected"
    return None


def _own_recovery(trial: Trial) -> None:
    most = max(reply.outcome.own_recovery.attempts for reply in trial.replies)
    allowed = trial.limits.own_retries
    if not most:
        judged = Judgement(None, "it had nothing to recover from")
    elif most > allowed:
        judged = Judgement(
            0.0, f"it repeated {most} times within a call, {allowed} are allowed",
            trial.advice(
                "keep to failure_policies.max_retries (context.retry and context.degrade do)",
                "keep to failure_policies.max_retries, which is context.own_retries of the request",
            ),
        )  # fmt: skip
    else:
        judged = Judgement(1.0, f"it reported up to {most} repeats of its own")
    trial.found("own recovery", 1, judged)


def _degradation(trial: Trial) -> None:
    """Whether it answers with less where there is too little time or memory, as it promises."""
    outcomes = [reply.outcome for reply in trial.replies]
    lighter = [
        one for one in outcomes if any(t.startswith("degrade:") for t in one.own_recovery.tried)
    ]
    wants = {Category.TIMEOUT, Category.OUT_OF_RESOURCES}
    short = [one for one in outcomes if isinstance(one, StandardError) and one.category in wants]
    if not trial.manifest.failure_policies.graceful_degradation:
        judged = Judgement(None, "it promises no lighter answer")
    elif lighter:
        judged = Judgement(1.0, f"it took a lighter way in {len(lighter)} calls")
    elif short:
        judged = Judgement(
            0.0, f"it promises a lighter answer and gave none: {said(short[0])}",
            trial.advice(
                "offer lighter presets to context.degrade",
                "answer with less, and name `degrade:...` under `tried` of own_recovery",
            )
            + ", or leave failure_policies.graceful_degradation out",
        )  # fmt: skip
    else:
        judged = Judgement(None, "it was never short of time or memory")
    trial.found("degradation", 1, judged)


def _surroundings(trial: Trial) -> None:
    """Whether it reached for what it did not declare, where that is refused."""
    rows = trial.host.enforcement()
    closed = [
        name for name in ("network", "filesystem") if rows[name]["level"] != Enforced.NONE.value
    ]
    if not closed:
        trial.found("surroundings", 2, Judgement(None, "network and files are open here: not seen"))
        return
    for reply in trial.replies:
        outcome = reply.outcome
        if isinstance(outcome, StandardError) and _met_a_wall(outcome):
            judged = Judgement(
                0.0, f"it reached for what it did not declare: {said(outcome)}",
                "declare network and paths (runtime.resources, extension.limits), or do without",
            )  # fmt: skip
            break
    else:
        judged = Judgement(1.0, f"nothing undeclared was met ({' and '.join(closed)} closed)")
    trial.found("surroundings", 2, judged)


def _met_a_wall(failure: StandardError) -> bool:
    """Whether it, or an exception below it, says that something is not permitted or not there to reach."""
    if failure.category is Category.FORBIDDEN:
        return True
    cause = failure.cause
    while cause is not None:
        found = ERRNO.match(cause.message)
        if found and int(found[1]) in WALLS:
            return True
        cause = cause.cause
    return False
