"""The documents of the scenario, the workflow that gets them, and whether what comes is a summary."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from conductor_agent.by_mode.cases import Case, workflow_in
from conductor_agent.files.workflow import Workflow
from conductor_agent.scenario_1.documents import Kind, is_summary, make_document
from fqg_env.level import Responsibility

WORKFLOW = Path(__file__).with_name("workflow.yaml")
GOAL, GIVEN = "summary", "document"


def cases(n: int, *, scale: float = 1.0) -> list[Case]:
    """The first `n` documents of each kind; `scale` multiplies the workflow's seconds (100: the story's)."""
    return [case(kind, seed, scale) for kind in Kind for seed in range(n)]


def case(kind: Kind, seed: int, scale: float = 1.0) -> Case:
    """One document. What is delivered is a summary of it or not: 1 or 0."""
    text = make_document(kind, seed)
    return Case(
        f"{kind.value} {seed}",
        partial(scenario, text=text, scale=scale),
        lambda delivered: float(is_summary(delivered.get(GOAL), text)),
    )


def scenario(mode: Responsibility, text: str, scale: float = 1.0) -> Workflow:
    """The workflow in a mode, with a document.

    Args:
        mode: who owns failures.
        text: the document.
        scale: multiplies the workflow's seconds. The 2 hours stay 2 hours.

    Raises:
        WorkflowError: at this scale a limit would be over its ceiling.
    """
    return workflow_in(mode, WORKFLOW, {GIVEN: text}, partial(stretch, scale=scale))


def stretch(data: dict[str, Any], scale: float) -> None:
    """Multiply the seconds of the workflow's data, but for the 2 hours."""
    data["budget"]["time_s"] *= scale
    for function in data["functions"].values():
        for variant in function["variants"].values():
            variant.update({key: variant[key] * scale for key in ("latency_s", "p95_s")})
    entry = data["extensions"]["community_model"]
    entry["limits"]["wall_s"] *= scale
    load_s = float(entry["environment"]["ENGINE_LOAD_S"]) * scale
    entry["environment"]["ENGINE_LOAD_S"] = str(load_s)
