"""Answers what it was given."""

from typing import Any

from conductor_agent.hosting.extension import Context, extension


@extension
def echo(inputs: dict[str, Any], parameters: dict[str, Any], context: Context) -> dict[str, Any]:
    """Inputs become outputs."""
    return inputs
