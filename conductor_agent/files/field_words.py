"""What each field of a file means: the text below it in its model, or here where the model has none.

The models of the game say only what is not plain; a person who writes a file wants a word on each.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

UNSAID: dict[str, dict[str, str]] = {
    "Level": {
        "level": "Version of the form of the file.",
        "name": "What people call it.",
        "story": "What it is about, for people.",
        "artifacts": "Name -> something that is given, made or wanted.",
        "functions": "Name -> something that can be called.",
        "budget": "What a run may use.",
        "shield": "Hard rules on recovery.",
        "scoring": "Weights of the return.",
        "responsibility": "Who owns failures: `hybrid`, both; `conductor`, extensions do not recover "
        "by themselves; `community`, only they recover.",
        "max_in_flight": "Attempts at once.",
        "memory_limit_bytes": "What declared memory is seen against.",
        "recent": "Call -> how it went in the last runs of the same workflow.",
    },
    "Artifact": {
        "description": "For people.",
        "given": "It is there from the start.",
        "gate": "It is judged when it is made.",
        "time_to_live_s": "Seconds until it is stale; none: it never is.",
        "goal": "That it is wanted, and how much.",
    },
    "Goal": {
        "kind": "How much it matters: a run succeeds when every essential one is delivered and good.",
        "weight": "Its share of the return; those of all goals sum to 1.",
    },
    "Variant": {
        "parameters": "Handed to the extension as they are.",
        "latency_s": "Seconds that it typically takes.",
        "p95_s": "Seconds within which 95 of 100 calls end.",
        "cost": "In the level's own unit.",
        "memory_bytes": "What it needs.",
        "quality": "Of what it makes, in [0, 1].",
    },
    "Reputation": {
        "mean": "Share of good outcomes.",
        "strength": "Number of outcomes that it rests on.",
    },
    "Recent": {
        "success": "Good outcomes, decayed: those of the run before count more.",
        "failure": "Failures, likewise.",
    },
    "Function": {
        "description": "For people.",
        "kind": "`work` and `repair` make artifacts, `verify` and `inspect` look at them.",
        "inputs": "Artifacts that it reads.",
        "outputs": "Artifacts that it makes.",
        "consumes": "Artifacts of its inputs that are used up.",
        "probes": "Artifacts that a verify or inspect looks at.",
        "idempotent": "The same call twice is the same as once.",
        "reputation": "How it did in the long run.",
        "fidelity": "How well its reports fit their causes.",
        "variants": "Name -> a preset of parameters; each is a call of its own.",
    },
    "Budget": {
        "time_s": "Seconds of a run.",
        "cost": "In the level's own unit.",
        "attempts": "Attempts of a run.",
    },
    "Shield": {
        "retries_per_function": "Repeats that one function may have.",
        "unsafe_repeats": "Whether a function that is not idempotent may be repeated once it may have acted; "
        "in a real workflow also whether another such one may then make the same.",
    },
    "Scoring": {
        "cost": "What the whole budget of cost loses.",
        "time": "What the whole budget of time loses.",
        "unsafe": "What unsafe repeats lose at most.",
    },
    "Faults": {
        "providers": "Provider -> number of its outage window; 0: none.",
        "defects": "Given artifacts that are bad from the start.",
        "cost": "What a call really costs, where that differs from what it declares.",
    },
    "LevelFile": {
        "faults": "What is really wrong; drawn from the prior where it is left out.",
        "says": "Call or function -> what it says when it fails, with `!` behind the name when it works.",
        "points": "Function -> what it is worth the first time that it works.",
    },
    "ReliabilityContract": {
        "failure_escalation": "Kept, for people.",
        "supports_fallback": "Kept, for people.",
    },
    "Manifest": dict.fromkeys(
        (
            "policies",
            "package",
            "engine",
            "extension_type",
            "conductor",
            "artifacts",
            "model",
            "ui",
            "workflow",
            "harmony_board",
            "dependencies",
            "configuration",
            "security",
            "testing",
            "monitoring",
            "marketplace",
            "versioning",
        ),
        "Of the Symphony schema: read and kept.",
    ),
    "WorkflowFile": {
        "workflow": "Version of the form of the file.",
        "extensions": "Function -> what it is bound to; each function is.",
        "inputs": "Given artifact -> where its value comes from.",
        "give_up": "When an essential goal may be given up: once all that could still make it has been "
        "`tried`, or whenever the `policy` stops.",
        "require": "Limit -> how hard it has to be enforced on this machine, or the run is refused.",
    },
    "WorkflowArtifact": {"check": "What it has to be, and its gate."},
    "InputEntry": {
        "file": "Path of a file that holds it.",
        "text": "The value itself, a text.",
        "json": "The value itself, plain data.",
    },
}


def words_of(model: type[BaseModel]) -> dict[str, str]:
    """Key in a file -> what it means, of one model and those it extends; a key without words is left out."""
    said: dict[str, str] = {}
    for kind in reversed(model.__mro__):
        if isinstance(kind, type) and issubclass(kind, BaseModel) and kind is not BaseModel:
            said |= UNSAID.get(kind.__name__, {}) | dict(_below_fields(kind))
    keys = {name: field.alias or name for name, field in model.model_fields.items()}
    return {key: said[n] for name, key in keys.items() for n in (key, name) if n in said}


def _below_fields(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    """(field, the text below it) in the source of a model."""
    try:
        source = textwrap.dedent(inspect.getsource(model))
    except (OSError, TypeError):  # it was put together while running
        return
    whole: Any = ast.parse(source).body[0]
    for one, below in zip(whole.body, whole.body[1:], strict=False):
        if isinstance(one, ast.AnnAssign) and isinstance(below, ast.Expr):
            text = getattr(below.value, "value", None)
            if isinstance(text, str) and isinstance(one.target, ast.Name):
                yield one.target.id, " ".join(text.split())


def models_in(model: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """Name -> model, of a model and all that its fields hold."""
    found: dict[str, type[BaseModel]] = {}
    open_: list[Any] = [model]
    while open_:
        kind = open_.pop()
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            if kind.__name__ not in found:
                found[kind.__name__] = kind
                open_ += [field.annotation for field in kind.model_fields.values()]
        else:
            open_ += getattr(kind, "__args__", ())
    return found
