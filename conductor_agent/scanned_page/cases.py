"""Pages with known text as cases: the workflow that reads them in each mode, judged by what was written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from conductor_agent.by_mode.cases import Case, require, workflow_in
from conductor_agent.scanned_page.judge import judge
from conductor_agent.scanned_page.pages import Page, make_page

WORKFLOW = Path(__file__).with_name("workflow.yaml")
KINDS: dict[str, tuple[str, ...]] = {
    "clean": (),
    "skew": ("skew",),
    "noise": ("noise",),
    "shading": ("shading",),
    "skew+salt": ("skew", "salt"),
}
"""Kind of page -> its defects."""
APART = 1000
"""Seeds between kinds: no two pages have the same text, or no search could tell them apart."""
WORTH = {"text": 0.5, "language": 0.2, "search": 0.3}
"""The workflow's goals and their weights."""
ESSENTIAL = 0.8
"""Weight of text and search, without which a run is no success."""
TIME_S = 60.0
"""A run starts every model anew, which a budget for warm ones does not allow for."""


def cases(n: int) -> list[Case]:
    """The first `n` pages of each kind; quality is the weight of the goals that are delivered and truly good.

    Raises:
        WorkflowError: the models are not installed.
    """
    require("scanned_page", "cv2", "rapidocr", "py3langid", "sklearn")
    pages = {
        f"{kind} {seed}": make_page(APART * nth + seed, defects)
        for nth, (kind, defects) in enumerate(KINDS.items())
        for seed in range(n)
    }
    others = list(pages.values())
    return [
        Case(
            name,
            partial(workflow_in, path=WORKFLOW, inputs={"page": page.png}, change=allow_starts),
            partial(worth, page, others),
            ESSENTIAL,
        )
        for name, page in pages.items()
    ]


def allow_starts(data: dict[str, Any]) -> None:
    """Give the run time to start its models."""
    data["budget"]["time_s"] = max(TIME_S, data["budget"]["time_s"])


def worth(page: Page, others: Sequence[Page], delivered: Mapping[str, Any]) -> float:
    """Weight of the goals that are truly good."""
    verdicts = judge(page, dict(delivered), list(others))
    return round(sum(WORTH[goal] for goal, good in verdicts.items() if good), 6)
