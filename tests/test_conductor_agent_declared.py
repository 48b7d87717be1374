"""Outputs that are not what their manifest declares: refused, with what the extension reported kept."""

from __future__ import annotations

from typing import Any

import pytest

from conductor_agent.files.declared import as_declared, failed
from conductor_agent.files.manifest import Slot
from fqg_env.outcome import (
    Blame,
    Category,
    Hint,
    OwnRecovery,
    Phase,
    SideEffects,
    StandardError,
    Success,
    error,
)

TRUE: dict[str, tuple[Any, ...]] = {
    "text": ("", "a"),
    "bytes": (b"", b"\0"),
    "json": ({}, [], {"a": [None]}),
    "number": (0, -1, 0.5, 2**64 - 1),
    "list": ([], [[]]),
}
LIES: dict[str, tuple[Any, ...]] = {
    "text": (b"a", 1, ["a"], {}),
    "bytes": ("a", [0], 0),
    "json": ("{}", b"{}", 1, True),
    "number": (True, "1", [1], {}),
    "list": ({}, "[]", b"", 0),
}


def declared(kind: str, *, optional: bool = False) -> dict[str, Slot]:
    return {"made": Slot(type=kind, optional=optional)}


@pytest.mark.parametrize("kind", TRUE)
def test_a_value_is_taken_where_it_is_of_its_type_and_nowhere_else(kind: str) -> None:
    for value in TRUE[kind]:
        success = Success(outputs={"made": value, "beside": object()})
        assert as_declared(success, declared(kind)) is success
    for value in LIES[kind]:
        refused = as_declared(Success(outputs={"made": value}), declared(kind))
        assert isinstance(refused, StandardError), value
        assert refused.category is Category.INVALID_OUTPUT
        assert refused.message.startswith("The output made is not usable: it is ")
        assert refused.message.endswith(f", its manifest declares {kind}.")
        assert (refused.blame, refused.phase) == (Blame.EXTENSION, Phase.OUTPUT)


@pytest.mark.parametrize("outputs", [{}, {"made": None}, {"Made": "a"}])
def test_only_what_is_optional_may_be_left_out(outputs: dict[str, Any]) -> None:
    success = Success(outputs=outputs)
    refused = as_declared(success, declared("text"))
    assert isinstance(refused, StandardError)
    assert refused.message == "The output made is not usable: it is missing."
    assert as_declared(success, declared("text", optional=True)) is success


def test_a_failure_stays_as_it_is() -> None:
    failure = error(Category.UNABLE, "no")
    assert as_declared(failure, declared("text")) is failure


def test_what_a_success_reported_of_itself_outlives_it() -> None:
    success = Success(
        message="done",
        side_effects=SideEffects.COMMITTED,
        own_recovery=OwnRecovery(attempts=2, tried=("retry",)),
        cost=3.0,
        hints=(Hint(0.5, call="clean"),),
        not_examined=("crop",),
    )
    refused = failed(success, Category.LOW_QUALITY, "too dark", Phase.QUALITY)
    kept = ("side_effects", "own_recovery", "cost", "hints", "not_examined")
    assert [getattr(refused, name) for name in kept] == [getattr(success, name) for name in kept]
    assert (refused.message, refused.detail) == ("too dark", "done")
    assert (refused.phase, refused.blame) == (Phase.QUALITY, Blame.EXTENSION)
