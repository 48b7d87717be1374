"""Sequences with a known fold as cases: the workflow that folds them in each mode, judged by the pairs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from conductor_agent.by_mode.cases import Case, require, workflow_in
from conductor_agent.rna_folding.gate import pairs_of
from conductor_agent.rna_folding.sequences import Kind, make_sequence

WORKFLOW = Path(__file__).with_name("workflow.yaml")
"""The expert's extension, one call."""
METHODS = Path(__file__).with_name("methods.yaml")
"""Each method is a call."""
GIVEN, GOAL = "sequence", "folding"
EXPERT, NAIVE = "conductor_agent.rna_folding.expert_fold", "conductor_agent.rna_folding.naive_fold"
ENOUGH = 0.75
"""Least F1 of the pairs that is a success."""


def cases(n: int) -> list[Case]:
    """The first `n` sequences of each kind, folded by the expert's extension as it thinks best.

    Raises:
        WorkflowError: ViennaRNA is not installed.
    """
    return _cases(n, WORKFLOW, EXPERT)


def naive(n: int) -> list[Case]:
    """The same by the naive extension, each method a call; errors as of `cases`."""
    return _cases(n, METHODS, NAIVE)


def by_method(n: int) -> list[Case]:
    """The same by the expert's extension, each method a call; errors as of `cases`."""
    return _cases(n, METHODS, EXPERT)


def _cases(n: int, path: Path, source: str) -> list[Case]:
    require("rna_folding", "RNA")
    return [case(kind, seed, path, source) for kind in Kind for seed in range(n)]


def case(kind: Kind, seed: int, path: Path = WORKFLOW, source: str = EXPERT) -> Case:
    """One sequence, folded by the extension in `source`. Quality is the F1 of the delivered pairs."""
    designed = make_sequence(kind, seed)

    def bind(data: dict[str, Any]) -> None:
        data["extensions"]["fold"]["source"] = source

    return Case(
        f"{kind.value} {seed}",
        partial(workflow_in, path=path, inputs={GIVEN: designed.text}, change=bind),
        lambda delivered: f1_of(delivered, designed.structure),
        ENOUGH,
    )


def f1_of(delivered: Mapping[str, Any], truth: str) -> float:
    """F1 of the pairs delivered against the true ones; 0 where there are none, or the lengths differ."""
    structure = (delivered.get(GOAL) or {}).get("structure", "")
    found, true = pairs_of(structure), pairs_of(truth)
    if not found or not true or len(structure) != len(truth):
        return 0.0
    right = len(found.items() & true.items())
    return 2 * right / (len(found) + len(true))
