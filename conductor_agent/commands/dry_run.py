"""`conductor run --dry-run`: each extension is loaded, none is asked, and what would be done is shown."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from conductor_agent.files.workflow import Workflow, WorkflowError
from conductor_agent.hosting.supervisor import Supervisor
from conductor_agent.hosting.walls.enforcement import enforcement
from conductor_agent.plain import clean, print_json
from fqg_env.outcome import StandardError

MOST_TOLD = 3
"""Extensions whose fault is told; of more only how many there are."""


def show_dry_run(workflow: Workflow, policy: str, *, as_json: bool) -> None:
    """Load every extension, then show the plan.

    Raises:
        WorkflowError: extensions do not load; which, and why.
    """
    profile = asyncio.run(_loaded(workflow))
    found = enforcement(profile)
    if as_json:
        print_json(_as_json(workflow, policy, profile, found))
        return
    from conductor_agent.commands.show import Terminal, show_plan

    show_plan(Terminal(), workflow, profile, found)


async def _loaded(workflow: Workflow) -> str:
    """Start a worker for each extension, let it load, end it; the name of what walls them in.

    One after the other: side by side, models that are large would take each other's time and memory.
    """
    faults: dict[str, list[str]] = {}
    for name, bound in workflow.extensions.items():
        async with Supervisor() as host:
            answer = await host.start(bound.source, bound.limits)
            profile = host.profile
        if isinstance(answer, StandardError):
            faults.setdefault(_fault(answer), []).append(name)
    if faults:
        raise WorkflowError(_told(workflow.path, faults))
    return profile


def _fault(failure: StandardError) -> str:
    """Why an extension did not load, with what its message leaves open."""
    from conductor_agent.commands.show import beyond

    more = beyond(failure.message, failure.detail)
    return clean(failure.message.rstrip(".") + (f" ({more})" if more else ""))


def _told(path: Path, faults: dict[str, list[str]]) -> str:
    """One sentence; functions with the same fault share it."""
    told = [f"extensions.{', '.join(names)}: {fault}" for fault, names in faults.items()]
    more = len(told) - MOST_TOLD
    rest = f"; and {more} more" if more > 0 else ""
    return f"{path}: {'; '.join(told[:MOST_TOLD])}{rest}"


def _as_json(
    workflow: Workflow, policy: str, profile: str, found: dict[str, dict[str, str]]
) -> dict[str, Any]:
    """The keys of `conductor run --dry-run --json`."""
    level = workflow.level
    return {
        "dry_run": True,
        "name": level.name,
        "policy": policy,
        "goals": list(level.goals),
        "plan": [level.call_names[c] for c in level.default_plan],
        "calls": list(level.call_names),
        "notes": list(workflow.notes),
        "functions": {
            name: {"class": bound.kind, "limits": bound.limits.model_dump()}
            for name, bound in workflow.extensions.items()
        },
        "profile": profile,
        "limits": found,
    }
