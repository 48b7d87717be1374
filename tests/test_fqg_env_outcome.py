"""The outcome contract: what it holds survives JSON and msgpack, and nothing else gets in."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fqg_env.outcome import (
    WIRE,
    Blame,
    BlamedInput,
    Category,
    Cause,
    Hint,
    Outcome,
    OwnRecovery,
    Partial,
    Phase,
    PolicyEvidence,
    SideEffects,
    StandardError,
    Success,
    error,
    from_json,
    to_json,
)

TEXT = st.text(max_size=20)
SHARE = st.floats(0, 1)
AMOUNT = st.floats(0, 1e12)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
OPEN = st.dictionaries(TEXT, PLAIN, max_size=3)


def optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


def some(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(strategy, max_size=3).map(tuple)


HINTS = some(st.builds(Hint, SHARE, optional(TEXT), optional(TEXT), OPEN, TEXT))
OWN = st.builds(OwnRecovery, st.integers(0, 100), AMOUNT, AMOUNT, some(TEXT))
CAUSE: st.SearchStrategy[Any] = st.deferred(
    lambda: st.builds(Cause, TEXT, TEXT, optional(TEXT), optional(CAUSE))
)
SUCCESS = st.builds(
    Success,
    outputs=OPEN,
    quality=st.dictionaries(TEXT, SHARE, max_size=3),
    verdicts=st.dictionaries(TEXT, st.booleans(), max_size=3),
    hints=HINTS,
    not_examined=some(TEXT),
    cost=optional(AMOUNT),
    own_recovery=OWN,
    side_effects=st.sampled_from(SideEffects),
    message=TEXT,
)
ERROR = st.builds(
    StandardError,
    category=st.sampled_from(Category),
    message=TEXT,
    detail=TEXT,
    code=optional(st.from_regex(r"\A[A-Z][A-Z0-9_]{0,62}\Z")),
    domain=optional(TEXT),
    retryable=optional(st.booleans()),
    retry_after_s=optional(AMOUNT),
    blame=st.sampled_from(Blame),
    blamed_inputs=some(st.builds(BlamedInput, TEXT, TEXT, optional(TEXT))),
    phase=st.sampled_from(Phase),
    side_effects=st.sampled_from(SideEffects),
    idempotency_key=optional(TEXT),
    own_recovery=OWN,
    cost=optional(AMOUNT),
    partial=optional(st.builds(Partial, TEXT, SHARE, st.booleans(), optional(TEXT))),
    policy=optional(
        st.builds(PolicyEvidence, TEXT, NUMBER, NUMBER, TEXT, TEXT, TEXT, optional(TEXT), TEXT)
    ),
    hints=HINTS,
    not_examined=some(TEXT),
    cause=optional(CAUSE),
    ext=OPEN,
    id=TEXT,
    time=TEXT,
    run_id=TEXT,
    step_id=TEXT,
    attempt=st.integers(0, 1000),
    traceparent=optional(TEXT),
)


@given(SUCCESS | ERROR)
def test_an_outcome_survives_json(outcome: Outcome) -> None:
    assert from_json(to_json(outcome)) == outcome


@given(SUCCESS | ERROR)
def test_an_outcome_survives_msgpack(outcome: Outcome) -> None:
    body = msgspec.msgpack.encode(outcome)
    assert msgspec.msgpack.decode(body, type=Outcome) == outcome


def test_bytes_survive_msgpack() -> None:
    outcome = Success(outputs={"page": b"\x89PNG"})
    body = msgspec.msgpack.encode(outcome)
    assert msgspec.msgpack.decode(body, type=Outcome) == outcome


@pytest.mark.parametrize(
    "document",
    [
        b'{"schema":"success/2"}',
        b'{"schema":"success/1","surprise":1}',
        b'{"schema":"success/1","quality":{"a":1.5}}',
        b'{"schema":"success/1","cost":-1}',
        b'{"schema":"success/1","cost":NaN}',
        b'{"schema":"standard-error/1","category":"TIMEOUT"}',
        b'{"schema":"standard-error/1","category":"LATE","message":""}',
        b'{"schema":"standard-error/1","category":"TIMEOUT","message":"","code":"lower"}',
        b"[]",
        b"",
    ],
)
def test_other_documents_are_refused(document: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        from_json(document)


@pytest.mark.parametrize("category", Category)
def test_every_category_has_its_wire_form(category: Category) -> None:
    wire = WIRE[category]
    assert 400 <= wire.http < 600
    assert 0 < wire.grpc <= 16
    assert error(category, "x").retryable is wire.retryable
    assert error(category, "x", retryable=True).retryable is True


def test_outcomes_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Success().message = "x"  # type: ignore[misc]
