"""Functions that wait for each other: each reads what only another one of them makes, round in a circle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from fqg_env.level import Artifact, Function

UNREACHED = "the goal cannot be reached"
"""What `fqg_env/level_checks.py` says of a goal that no order of calls makes."""


def circle_in(level: Mapping[str, Any]) -> str:
    """The circle before the first goal that cannot be reached, as `a reads y, which b makes, and b reads x,
    which a makes`; empty where none is in the way, or where the parts of the level cannot be read.

    Args:
        level: plain data, as in a level file.
    """
    try:
        artifacts = TypeAdapter(dict[str, Artifact]).validate_python(level.get("artifacts"))
        functions = TypeAdapter(dict[str, Function]).validate_python(level.get("functions"))
    except ValidationError:
        return ""
    have = _reached(functions, {name for name, one in artifacts.items() if one.given})
    goals = [name for name, one in artifacts.items() if one.goal and name not in have]
    found = _circle(functions, have, goals[0], []) if goals else []
    return ", and ".join(f"{who} reads {what}, which {maker} makes" for who, what, maker in found)


def _reads(function: Function) -> list[Sequence[str]]:
    """What each variant reads."""
    own = [variant.inputs for variant in function.variants.values()]
    return [function.inputs if inputs is None else inputs for inputs in own]


def _reached(functions: Mapping[str, Function], given: set[str]) -> set[str]:
    """Artifacts that some order of calls makes, and those that are given."""
    have, before = set(given), -1
    while len(have) > before:
        before = len(have)
        for function in functions.values():
            if any(have.issuperset(inputs) for inputs in _reads(function)):
                have.update(function.outputs)
    return have


Step = tuple[str, str, str]
"""A function, what it lacks, and who makes that."""


def _circle(
    functions: Mapping[str, Function], have: set[str], lacks: str, way: list[Step]
) -> list[Step]:
    """The first circle on the way back from an artifact that is not reached.

    Args:
        functions: by name.
        have: artifacts that are reached.
        lacks: the artifact.
        way: steps from the goal to the function that lacks it, its maker in the last one left open.
    """
    for maker in (name for name, function in functions.items() if lacks in function.outputs):
        here = [*way[:-1], (*way[-1][:2], maker)] if way else []
        names = [who for who, *_ in here]
        if maker in names:
            return here[names.index(maker) :]
        for need in dict.fromkeys(one for inputs in _reads(functions[maker]) for one in inputs):
            if need not in have:
                if found := _circle(functions, have, need, [*here, (maker, need, "")]):
                    return found
    return []
