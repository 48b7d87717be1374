"""Workflows written by hand, for tests: `page` is given, `text` is the goal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from conductor_agent.files.workflow import Workflow, parse_workflow

FOLDER = Path(__file__).parent / "workflows"


def workflow(
    functions: dict[str, Any],
    extensions: dict[str, Any] | None = None,
    artifacts: dict[str, Any] | None = None,
    **level: Any,
) -> Workflow:
    """A workflow from parts; a function that is bound to nothing is bound to small.py."""
    data = {
        "workflow": "conductor-workflow/1",
        "name": "test",
        "artifacts": {
            "page": {"given": True},
            "text": {"goal": {"weight": 1}},
            **(artifacts or {}),
        },
        "functions": functions,
        "extensions": {
            name: {"source": "small.py", "class": "operator", **(extensions or {}).get(name, {})}
            for name in functions
        },
        "budget": {"time_s": 30, "cost": 50, "attempts": 8},
        **level,
    }
    path = FOLDER / "test.yaml"
    read = parse_workflow(
        data, yaml.safe_dump(data), path, ceiling=None, has_program=lambda _: True
    )
    read.inputs["page"] = "a page"
    return read


def work(latency_s: float = 0.5, **more: Any) -> dict[str, Any]:
    """A function from page to text; `parameters` of its one variant."""
    parameters = more.pop("parameters", {})
    return {
        "inputs": ["page"],
        "outputs": ["text"],
        "variants": {"default": {"latency_s": latency_s, "cost": 1, "parameters": parameters}},
        **more,
    }
