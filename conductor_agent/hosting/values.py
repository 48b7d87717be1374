"""Plain data: what may travel between conductor and extension, and the check that it is.

Plain are None, bool, int (64 bit), finite float, str, bytes, and lists and string-keyed dicts of
plain data. Standard library and msgspec alone.
"""

from __future__ import annotations

import math
from typing import Any

from fqg_env.outcome import Cause, Outcome, StandardError, Success

MAX_DEPTH = 64
"""Nesting allowed in one value."""

MAX_CAUSES = 64
"""Causes below one error: deeper chains have no JSON form."""

_ATOMS = frozenset({type(None), bool, str, bytes})
_INT_MIN, _INT_MAX = -(2**63), 2**64 - 1


class NotPlainError(ValueError):
    """A value that is not plain data. The text says where and why, in one sentence."""


def check_plain(value: Any, where: str) -> None:
    """Check a value of any depth without recursion.

    Args:
        value: the value; tuples are taken as lists.
        where: its name, the beginning of the path in the message.

    Raises:
        NotPlainError: a type, key, number or depth that does not travel.
    """
    if not value and type(value) is dict:  # most parameters, hints and extras
        return
    level: list[tuple[str, Any]] = [(where, value)]
    for _ in range(MAX_DEPTH):
        if not level:
            return
        level = [child for path, item in level for child in _children(path, item)]
    if level:
        raise NotPlainError(f"{level[0][0][:80]}... is nested deeper than {MAX_DEPTH}.")


def check_outcome(outcome: Outcome) -> None:
    """Check the open parts of an outcome; its closed fields are checked by their types.

    Raises:
        NotPlainError: outputs, `ext` or the arguments of a hint are not plain data, an amount is
            infinite (the types let that pass, and JSON has no word for it), or a chain of causes
            is too long.
    """
    own = outcome.own_recovery
    amounts = [outcome.cost, own.elapsed_s, own.cost]
    match outcome:
        case Success():
            check_plain(outcome.outputs, "outputs")
        case StandardError():
            check_plain(outcome.ext, "ext")
            check_causes(outcome.cause)
            amounts.append(outcome.retry_after_s)
            if outcome.policy is not None:
                amounts += [outcome.policy.limit, outcome.policy.observed]
    if any(amount is not None and not math.isfinite(amount) for amount in amounts):
        raise NotPlainError("An amount is not finite.")
    for hint in outcome.hints:
        check_plain(hint.args, "hint")


def check_causes(cause: Cause | None) -> None:
    """Check the length of a chain of causes without recursion.

    Raises:
        NotPlainError: there are more than `MAX_CAUSES`.
    """
    for _ in range(MAX_CAUSES):
        if cause is None:
            return
        cause = cause.cause
    if cause is not None:
        raise NotPlainError(f"The error has more than {MAX_CAUSES} causes below each other.")


def _children(path: str, value: Any) -> list[tuple[str, Any]]:
    """Parts of a container that need a look themselves; checks the atoms on the way."""
    kind = type(value)
    if kind is dict:
        pairs = [(_key(path, key), item) for key, item in value.items()]
    elif kind is list or kind is tuple:
        if all(type(item) is float for item in value):  # the common large case
            return _finite(path, value)
        pairs = [(f"{path}[{index}]", item) for index, item in enumerate(value)]
    else:
        _check_atom(path, value)
        return []
    nested = []
    for where, item in pairs:
        if type(item) in (dict, list, tuple):
            nested.append((where, item))
        else:
            _check_atom(where, item)
    return nested


def _finite(path: str, numbers: Any) -> list[tuple[str, Any]]:
    if not all(map(math.isfinite, numbers)):
        raise NotPlainError(f"{path} holds a number that is not finite.")
    return []


def _key(path: str, key: Any) -> str:
    if type(key) is not str:
        raise NotPlainError(f"{path} has the key {key!r}; keys must be text.")
    return f"{path}.{key}"


def _check_atom(path: str, value: Any) -> None:
    kind = type(value)
    if kind in _ATOMS:
        return
    if kind is float:
        if not math.isfinite(value):
            raise NotPlainError(f"{path} is {value}; numbers must be finite.")
    elif kind is int:
        if not _INT_MIN <= value <= _INT_MAX:
            raise NotPlainError(f"{path} does not fit 64 bits.")
    else:
        raise NotPlainError(f"{path} is a {kind.__module__}.{kind.__qualname__}, not plain data.")
