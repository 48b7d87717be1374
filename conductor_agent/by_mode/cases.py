"""A case: one input of a real workflow, the workflow in each mode, and a judge who knows the truth."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import inspect
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from conductor_agent.files.workflow import Workflow, WorkflowError, parse_workflow
from conductor_agent.hosting.raised import MODELS
from fqg_env.errors import suggest
from fqg_env.level import Responsibility

WORKFLOWS = {
    "scenario_1": "scenario_1.cases:cases",
    "rna_folding": "rna_folding.cases:cases",
    "rna_folding_naive": "rna_folding.cases:naive",
    "rna_folding_methods": "rna_folding.cases:by_method",
    "scanned_page": "scanned_page.cases:cases",
}
"""Name -> which module and function in `conductor_agent` makes its cases, `n` of each kind."""


MODES = tuple(reversed(Responsibility))
"""In the order in which they are played and shown: the extension owns failures alone, the conductor, both."""


@dataclass(frozen=True)
class Case:
    """One input of a workflow."""

    name: str
    """The kind of input and a number: `plain 0`."""
    workflow: Callable[[Responsibility], Workflow]
    """The workflow with this input, in a mode."""
    good: Callable[[Mapping[str, Any]], float]
    """True quality, in [0, 1], of what was delivered (goal -> value), by what no conductor knows."""
    enough: float = 1.0
    """Least quality that is a success."""

    @property
    def kind(self) -> str:
        """The kind of input."""
        return self.name.partition(" ")[0]


def workflow_in(
    mode: Responsibility,
    path: Path,
    inputs: Mapping[str, Any],
    change: Callable[[dict[str, Any]], None] = lambda data: None,
) -> Workflow:
    """A workflow file in a mode, with inputs.

    Args:
        mode: who owns failures.
        path: of the file.
        inputs: given artifact -> its value.
        change: changes what was read from the file, in place.

    Raises:
        WorkflowError: what is changed does not fit.
    """
    data = yaml.safe_load(path.read_text("utf-8"))
    data["responsibility"] = mode.value
    data.pop("inputs", None)
    change(data)
    written = yaml.safe_dump(data, sort_keys=False)
    workflow = parse_workflow(data, written, path, ceiling=None, has_program=shutil.which)
    return dataclasses.replace(workflow, inputs=dict(inputs))


def cases_of(workflow: str, n: int, scale: float | None = None) -> list[Case]:
    """The cases of a workflow by its name in `WORKFLOWS`.

    Args:
        workflow: its name.
        n: inputs of each kind.
        scale: multiplies its seconds, where it has a scale.

    Raises:
        WorkflowError: there is no such workflow, it has no scale, or what it needs is not installed.
    """
    if workflow not in WORKFLOWS:
        raise WorkflowError(f"there is no workflow {workflow!r}." + suggest(workflow, WORKFLOWS))
    module, _, function = WORKFLOWS[workflow].partition(":")
    make = getattr(importlib.import_module(f"conductor_agent.{module}"), function)
    if scale is None:
        return list(make(n))
    if "scale" not in inspect.signature(make).parameters:
        raise WorkflowError(f"the seconds of {workflow} have no scale; leave --scale out")
    return list(make(n, scale=scale))


def require(workflow: str, *modules: str) -> None:
    """See that what a workflow's models need is installed.

    Raises:
        WorkflowError: it is not; what to install.
    """
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise WorkflowError(
            f"{workflow} needs {', '.join(missing)}, not installed here; install with: {MODELS}"
        )
