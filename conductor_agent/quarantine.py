"""Quarantine: functions of extensions that behaved too badly are left out, like those that lack a program."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from pydantic import ValidationError

from conductor_agent.files.workflow import Workflow, WorkflowError
from conductor_agent.record.identity import version_of
from conductor_agent.record.ledger import Ledger
from fqg_env.level import Level
from policies.resource.health import Health, State


def admitted(workflow: Workflow, ledger: Ledger) -> Workflow:
    """A workflow without the functions whose extension is quarantined, and a note on each.

    Raises:
        WorkflowError: what is left makes no workflow; the message names who could be pardoned.
    """
    known = extensions_of(workflow, ledger)
    quarantined = {one for one in set(known.values()) if ledger.health(one).left_out}
    out = {name: one for name, one in known.items() if one in quarantined}
    return _without(workflow, out, ledger) if out else workflow


def warnings(workflow: Workflow, ledger: Ledger) -> list[str]:
    """A sentence on each extension of a workflow that people should know about."""
    found = {e: ledger.health(e) for e in extensions_of(workflow, ledger).values()}
    return [_warning(e, health) for e, health in found.items() if _worth_a_word(health)]


def extensions_of(workflow: Workflow, ledger: Ledger) -> dict[str, str]:
    """Function -> its extension, where the ledger knows it."""
    known = {
        name: ledger.known(version_of(bound.source, bound.kind))
        for name, bound in workflow.extensions.items()
        if name in workflow.level.functions
    }
    return {name: extension for name, extension in known.items() if extension is not None}


def _worth_a_word(health: Health) -> bool:
    return not health.left_out and (health.breaches > 0 or health.state >= State.CRITICAL)


def _warning(extension: str, health: Health) -> str:
    trial = health.state is State.QUARANTINED
    state = "on trial" if trial else health.state.name.lower()
    broken = f", and broke limits in {health.breaches} of its last calls" if health.breaches else ""
    return f"the extension {extension} is {state}{broken}; see `conductor extension list`"


def _without(workflow: Workflow, out: Mapping[str, str], ledger: Ledger) -> Workflow:
    """The workflow without some functions (function -> its extension)."""
    level = workflow.level
    calls = {call.name for call in level.calls if call.function not in out}
    plan_stays = all(level.call_names[c] in calls for c in level.default_plan)
    update = {
        "functions": {n: f for n, f in level.functions.items() if n not in out},
        "plan": level.plan if plan_stays else (),  # what is left of it may lead nowhere
        "recent": {n: r for n, r in level.recent.items() if _call(level, n) in calls},
    }
    extensions = sorted(set(out.values()))
    try:
        rest = level.model_copy(update=update)
    except ValidationError as problem:
        lost = [goal for goal in level.goals if f"artifacts.{goal}:" in str(problem)]
        goals = " and ".join(lost or level.goals)
        raise WorkflowError(_nothing_left(workflow, goals, extensions, ledger)) from None
    notes = (
        f"{name}: the extension {extension} is quarantined (`conductor extension pardon {extension}`)"
        for name, extension in out.items()
    )
    return dataclasses.replace(
        workflow,
        level=rest,
        extensions={n: b for n, b in workflow.extensions.items() if n not in out},
        notes=(*workflow.notes, *notes),
    )


def _call(level: Level, name: str) -> str:
    return level.call_names[level.calls_named(name)[0]]


def _nothing_left(workflow: Workflow, goals: str, extensions: list[str], ledger: Ledger) -> str:
    names, verb = ", ".join(extensions), "is" if len(extensions) == 1 else "are"
    return (
        f"{workflow.path}: no way to {goals} is left, because {names} {verb} "
        f"quarantined; bind another extension, or let one back in with `conductor extension pardon "
        f"{extensions[0]} --journal {ledger.journal.path}`"
    )
