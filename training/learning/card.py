"""A model card: what a policy file is, how it was made and what was measured, for people, beside the data."""

from __future__ import annotations

import json
from typing import Any

from policies.recovery.policy_file import ATTENTION, OUTPUTS, Manifest

CARD_FILE = "CARD.md"
CARD = """\
# {name}

A recovery policy: after each event of a workflow it chooses what to try next, to wait, or to stop. It reads
version {version} of the observation, with the posterior ({inputs}), and answers {outputs}.

**For** workflows as Function Quest describes them: calls that make artifacts others need. **Not for** saying
whether content is true or safe: it sees outcomes, never data. Limits are enforced outside it.

**Hands over** to the index rule {hands_over}.

## How it was made

{recipe}

## What was measured while it was made

{results}
{held_out}
SHA-256 of the graph: `{sha256}`
"""


def told(value: Any) -> str:
    """A value of a recipe or a result, in a table; a dash where there is none."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"`{json.dumps(value)}`" if isinstance(value, dict | list | tuple) else str(value)


def table(figures: dict[str, Any]) -> str:
    """Names and values as a table."""
    return "\n".join(["| | |", "|---|---|", *(f"| {k} | {told(v)} |" for k, v in figures.items())])


def held_out(levels: dict[str, dict[str, Any]]) -> str:
    """What was measured on held-out levels, a row each; nothing where nothing was."""
    if not levels:
        return ""
    head = list(next(iter(levels.values())))
    lines = ["", "## On held-out levels", "", "| | " + " | ".join(head) + " |"]
    lines.append("|" + "---|" * (1 + len(head)))
    for caption, figures in levels.items():
        lines.append(f"| {caption} | " + " | ".join(told(x) for x in figures.values()) + " |")
    return "\n".join([*lines, ""])


def card(manifest: Manifest) -> str:
    """The card in Markdown."""
    where = [f"on levels of more than {manifest.max_calls} calls"]
    if manifest.strange_above is not None:
        where.append(f"on boards stranger than {manifest.strange_above:.3g}")
    hands_over = ", ".join(where) + " and where its numbers are not finite"
    heeds = (ATTENTION,) if "history" in manifest.inputs else ()
    return CARD.format(
        name=manifest.name,
        version=manifest.observation_version,
        inputs=", ".join(manifest.inputs),
        outputs=", ".join(OUTPUTS + heeds),
        hands_over=hands_over,
        recipe=table(manifest.recipe),
        results=table({k: v for k, v in manifest.results.items() if k != "held_out"}),
        held_out=held_out(manifest.results.get("held_out", {})),
        sha256=manifest.sha256,
    )
