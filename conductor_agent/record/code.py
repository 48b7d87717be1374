"""The code that a run is played with, extensions and gates, by digest of their files, and what changed."""

from __future__ import annotations

from collections.abc import Iterable

from conductor_agent.files.workflow import Workflow
from conductor_agent.hosting.contract import ExtensionSource
from conductor_agent.record.events import CodeChanged, Event, gate_of
from conductor_agent.record.identity import version_of
from conductor_agent.record.journal import RunRecord


def code_of(workflow: Workflow) -> dict[str, str]:
    """Function, or `the gate of ARTIFACT`, -> digest of its code as it lies there now."""
    code = {name: version_of(one.source).digest for name, one in workflow.extensions.items()}
    for artifact, check in workflow.checks.items():
        if check.quality is not None:
            source = check.quality.partition(":")[0]
            where = str(workflow.path.parent / source) if source.endswith(".py") else source
            code[gate_of(artifact)] = version_of(ExtensionSource(where)).digest
    return code


def changed_code(record: RunRecord, events: Iterable[Event], workflow: Workflow) -> dict[str, str]:
    """As `code_of`, what is not what it was when the run was played last."""
    known = dict(record.code)
    for event in events:
        if isinstance(event, CodeChanged):
            known |= event.code
    return {name: now for name, now in code_of(workflow).items() if known.get(name, now) != now}
