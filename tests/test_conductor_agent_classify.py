"""Every way to fail has one row: exceptions, signals, faults of the protocol, limits."""

from __future__ import annotations

import signal

import pytest

from conductor_agent.hosting import classify, raised
from conductor_agent.hosting.classify import Fault, InvalidInput, Unable
from fqg_env.outcome import Blame, Category, Phase
from policies.resource.violations import BREACHES, Limit, evidence, violation


class OutOfMemoryError(RuntimeError):
    """As torch names it."""


@pytest.mark.parametrize(
    ("problem", "category", "blame"),
    [
        *((kind("x"), row.category, row.blame) for kind, row in classify.EXCEPTIONS),
        *(
            (type(name, (Exception,), {})("x"), row.category, row.blame)
            for name, row in classify.NAMED.items()
        ),
        *(
            (OSError(number, "x"), row.category, row.blame)
            for number, row in classify.ERRNO.items()
        ),
        *(
            (OSError(number, "x"), Category.POLICY_VIOLATION, Blame.EXTENSION)
            for number in classify.ERRNO_LIMITS
        ),
        (OutOfMemoryError("x"), Category.OUT_OF_RESOURCES, Blame.EXTENSION),
        (ConnectionRefusedError("x"), Category.UNAVAILABLE, Blame.EXTENSION),
        (ModuleNotFoundError("x", name="torch"), Category.UNSUPPORTED, Blame.PLATFORM),
        (FileNotFoundError(2, "x", "data.txt"), Category.CRASHED, Blame.EXTENSION),
        (ValueError("x"), Category.CRASHED, Blame.EXTENSION),
        (KeyError("x"), Category.CRASHED, Blame.EXTENSION),
        (RecursionError("x"), Category.CRASHED, Blame.EXTENSION),
        (SystemExit(3), Category.CRASHED, Blame.EXTENSION),
        (InvalidInput("x"), Category.INVALID_INPUT, Blame.CALLER),
        (InvalidInput("x", artifact="page"), Category.INVALID_INPUT, Blame.UPSTREAM),
        (Unable("x"), Category.UNABLE, Blame.EXTENSION),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_every_exception_row(problem: BaseException, category: Category, blame: Blame) -> None:
    found = classify.from_exception(problem)
    assert (found.category, found.blame) == (category, blame)
    assert found.cause is not None and found.cause.type == type(problem).__name__
    assert found.message


@pytest.mark.parametrize("number", sorted(signal.valid_signals()))
def test_every_signal_row(number: int) -> None:
    found = classify.from_exit(-number, log="log")
    limit = classify.SIGNAL_LIMITS.get(number)
    assert found.category is (Category.POLICY_VIOLATION if limit else Category.CRASHED)
    assert (found.policy is not None) is (limit is not None)


@pytest.mark.parametrize("fault", Fault)
def test_every_fault_row(fault: Fault) -> None:
    found = classify.from_protocol(fault)
    assert (found.category, found.phase) == (Category.INVALID_OUTPUT, Phase.TRANSPORT)
    assert found.message == classify.FAULTS[fault]


@pytest.mark.parametrize("limit", Limit)
def test_every_breach_row(limit: Limit) -> None:
    found = violation(limit, evidence(limit, 1, 2, enforcer="test"))
    assert found.policy is not None
    assert (found.category, found.code) == (BREACHES[limit].category, f"LIMIT_{limit.name}")


def test_missing_msgspec_and_spawn_failures() -> None:
    starting = classify.from_exit(classify.EXIT_NO_MSGSPEC, starting=True)
    assert starting.category is Category.UNSUPPORTED
    assert classify.from_exit(classify.EXIT_NO_MSGSPEC).category is Category.CRASHED
    spawn = classify.from_spawn(OSError(11, "again"), "python")
    assert spawn.category is Category.OUT_OF_RESOURCES


def test_causes_are_chained_and_cut() -> None:
    problem: BaseException = ValueError("x" * 10_000)
    for _ in range(20):
        above = RuntimeError("above")
        above.__cause__ = problem
        problem = above
    cause, depth = classify.from_exception(problem).cause, 0
    while cause is not None:
        cause, depth = cause.cause, depth + 1
    assert depth == raised.MAX_CAUSES

    class Awkward(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert "no text" in classify.from_exception(Awkward()).detail
