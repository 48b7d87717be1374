"""Deploy policies on the scanned page: the same pages for each, real models in limited processes, judged by
the truth that the pages were made from.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from conductor_agent.files.workflow import Workflow, read_workflow
from conductor_agent.hosting.supervisor import Supervisor
from conductor_agent.record.journal import Journal
from conductor_agent.results import Result
from conductor_agent.runs import begin
from conductor_agent.scanned_page.judge import judge
from conductor_agent.scanned_page.pages import Page, make_page
from fqg_env.level import GoalKind
from policies.recovery.registry import policy_named

JOURNAL = "journal.sqlite"
WORKFLOW = Path(__file__).parent.parent / "conductor_agent" / "scanned_page" / "workflow.yaml"


def write_pages(pages: Sequence[Page], folder: Path) -> list[Path]:
    """Write the pages where a person can look at them."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"page-{i:02d}.png" for i in range(len(pages))]
    for page, file in zip(pages, files, strict=True):
        file.write_bytes(page.png)
    return files


@dataclass(frozen=True)
class PageRun:
    """One page under one policy."""

    run_id: str
    defects: tuple[str, ...]
    status: str
    good: dict[str, bool]
    """Delivered goal -> is it truly good?"""
    success: bool
    """Every essential goal is delivered and truly good."""
    attempts: int
    cost: float
    elapsed_s: float
    decision_ms_p50: float | None


async def warm(workflow: Workflow, host: Supervisor) -> None:
    """Start every extension, one after another, so that no run pays for loading models."""
    for bound in workflow.extensions.values():
        await host.start(bound.source, bound.limits)


def judged(page: Page, pages: Sequence[Page], workflow: Workflow, result: Result) -> PageRun:
    """A run with its delivered goals held against the truth."""
    good = judge(page, result.values, list(pages))
    essential = [n for n, g in workflow.level.goals.items() if g.kind is GoalKind.ESSENTIAL]
    return PageRun(
        run_id=result.run_id,
        defects=page.defects,
        status=result.status,
        good=good,
        success=all(good.get(name, False) for name in essential),
        attempts=result.attempts,
        cost=result.cost,
        elapsed_s=result.elapsed_s,
        decision_ms_p50=result.decision_ms_p50,
    )


async def deploy_all(
    policies: dict[str, str],
    pages: Sequence[Page],
    folder: Path,
    on_page: Callable[[str, PageRun], None],
) -> dict[str, list[PageRun]]:
    """Run every page under every policy, page by page, so that a busy machine is busy for all alike."""
    files = write_pages(pages, folder / "pages")
    workflow = read_workflow(WORKFLOW, inputs={"page": files[0]})
    out: dict[str, list[PageRun]] = {label: [] for label in policies}
    chosen = {label: policy_named(name) for label, name in policies.items()}
    async with Supervisor() as host:
        await warm(workflow, host)
        for page in pages:
            for label, policy in chosen.items():
                result = await begin(
                    replace(workflow, inputs={"page": page.png}),
                    policy,
                    folder / JOURNAL,
                    host=host,
                    policy_name=policies[label],
                    memory=False,  # what one policy met would change what the next one sees
                )
                run = judged(page, pages, workflow, result)
                out[label].append(run)
                on_page(label, run)
    return out


def deploy(
    policies: dict[str, str],
    count: int,
    seed: int,
    folder: Path,
    on_page: Callable[[str, PageRun], None] = lambda label, run: None,
) -> dict[str, list[PageRun]]:
    """Run `count` pages made from `seed` under each policy (label -> name or folder).

    `folder` gets the pages as PNG files and the journal of all runs.

    Raises:
        JournalError: the journal cannot be written.
    """
    pages = [make_page(seed * 1000 + i) for i in range(count)]
    return asyncio.run(deploy_all(policies, pages, folder, on_page))


def totals(runs: Sequence[PageRun]) -> dict[str, Any]:
    """The figures of one policy over its pages."""
    n = max(1, len(runs))
    statuses = [run.status for run in runs]
    wrong = sum(any(not ok for ok in run.good.values()) for run in runs)
    goals = {
        name: sum(run.good.get(name, False) for run in runs)
        for name in ("text", "language", "search")
    }
    return {
        "status": "succeeded"
        if all(s == "succeeded" for s in statuses)
        else ("failed" if all(s == "failed" for s in statuses) else "partial"),
        "goals": goals,
        "pages": len(runs),
        "success_rate": sum(run.success for run in runs) / n,
        "wrong_delivered_rate": wrong / n,
        "attempts": sum(run.attempts for run in runs),
        "cost": sum(run.cost for run in runs),
        "elapsed_s": sum(run.elapsed_s for run in runs),
    }


def replayed(journal: Path, run_ids: Sequence[str]) -> dict[str, int]:
    """Fold runs of a journal again: observations logged, and those that came out bit for bit."""
    from conductor_agent.record.events import Decided
    from conductor_agent.record.fold import replay

    logged = same = 0
    with Journal.read(journal) as opened:
        for run_id in run_ids:
            events = opened.events(run_id)
            digests = [event.observation for event in events if isinstance(event, Decided)]
            again = replay(opened.level(run_id), events)
            logged += len(digests)
            same += sum(a == b for a, b in zip(digests, again, strict=True))
    return {"observations": logged, "identical": same}
