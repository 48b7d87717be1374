"""A generated record as a level with names: to read, to play by hand, to write to a file."""

from __future__ import annotations

import math
from typing import Any

from fqg_env.arrays import GoalClass, Kind, Mode
from fqg_env.level import (
    Artifact,
    Budget,
    CallKind,
    Function,
    Goal,
    GoalKind,
    Level,
    Recent,
    Reputation,
    Responsibility,
    Scoring,
    Shield,
    Variant,
    call_names,
)

_MAKERS = ("cut", "forge", "weave", "brew", "carve", "print", "cast", "knit")
_PARTS = ("bridge", "lantern", "ledger", "engine", "garden", "mirror", "wheel", "song")
_HOUSES = ("north", "south", "east", "west", "upper", "lower", "old", "new")


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def artifact_name(level: Any, a: int) -> str:
    """A name for an artifact of a generated level."""
    if level["given"][a]:
        return "material" if a == 0 else f"material_{a + 1}"
    stem = _PARTS[(a - 1) % len(_PARTS)]
    return stem if a <= len(_PARTS) else f"{stem}_{(a - 1) // len(_PARTS) + 1}"


def _artifacts(level: Any) -> dict[str, Artifact]:
    out = {}
    for a in range(level["artifacts"]):
        goal = GoalClass(int(level["goal_class"][a]))
        out[artifact_name(level, a)] = Artifact(
            given=bool(level["given"][a]),
            gate=bool(level["gate"][a]),
            time_to_live_s=_known(level["time_to_live_s"][a]),
            goal=Goal(kind=GoalKind[goal.name], weight=float(level["goal_weight"][a]))
            if goal
            else None,
        )
    return out


def _functions(level: Any) -> dict[str, Function]:
    names = [artifact_name(level, a) for a in range(level["artifacts"])]

    def listed(field: str, c: int) -> tuple[str, ...]:
        return tuple(names[a] for a in range(level["artifacts"]) if level[field][c, a])

    out: dict[str, Function] = {}
    made: dict[str, int] = {}
    for f in range(level["functions"]):
        calls = [c for c in range(level["calls"]) if level["function"][c] == f]
        c = calls[0]
        kind = CallKind[Kind(int(level["kind"][c])).name]
        object_ = (listed("makes", c) or listed("probes", c))[0]
        if kind in (CallKind.VERIFY, CallKind.INSPECT):
            name = f"{kind.value}_{object_}"
        elif kind is CallKind.REPAIR:
            name = f"mend_{object_}"
        else:
            made[object_] = made.get(object_, -1) + 1
            name = f"{_MAKERS[made[object_] % len(_MAKERS)]}_{object_}"
        mean = _known(level["reputation_mean"][c])
        out[name] = Function(
            provider=_HOUSES[level["provider"][c]],
            kind=kind,
            inputs=listed("needs", c),
            outputs=listed("makes", c),
            consumes=listed("consumes", c),
            probes=listed("probes", c),
            idempotent=bool(level["idempotent"][c]),
            reputation=None
            if mean is None
            else Reputation(mean=mean, strength=float(level["reputation_strength"][c])),
            fidelity=_known(level["fidelity"][c]),
            variants={
                ("default" if len(calls) == 1 else "abcdef"[level["variant"][i]]): Variant(
                    latency_s=_known(level["latency_s"][i]),
                    p95_s=_known(level["p95_s"][i]),
                    cost=_known(level["cost"][i]),
                    memory_bytes=_known(level["memory_bytes"][i]),
                    quality=_known(level["quality"][i]),
                )
                for i in calls
            },
        )
    return out


def describe(level: Any, name: str) -> Level:
    """A generated record as a `Level` with names, to read, to print and to write to a file."""
    functions = _functions(level)
    names = call_names(functions)
    return Level(
        name=name,
        story="A workshop has orders to fill. Some hands fail, and nobody says why.",
        artifacts=_artifacts(level),
        functions=functions,
        plan=tuple(names[c] for c in level["plan"] if c >= 0),
        recent={
            name: Recent(success=float(good), failure=float(failed))
            for name, good, failed in zip(
                names, level["recent_success"], level["recent_failure"], strict=False
            )
            if good + failed > 0
        },
        budget=Budget(
            time_s=float(level["time_budget_s"]),
            cost=float(level["cost_budget"]),
            attempts=int(level["attempt_budget"]),
        ),
        shield=Shield(
            retries_per_function=int(level["shield_retries"]),
            retry_share=float(level["shield_retry_share"]),
            unsafe_repeats="allowed" if level["unsafe_repeats_allowed"] else "forbidden",
            final_repeats="allowed" if level["final_repeats_allowed"] else "forbidden",
        ),
        scoring=Scoring(
            wrong=float(level["wrong_weight"]),
            cost=float(level["cost_weight"]),
            time=float(level["time_weight"]),
            unsafe=float(level["unsafe_weight"]),
        ),
        responsibility=Responsibility[Mode(int(level["mode"])).name],
        max_in_flight=int(level["max_in_flight"]),
        memory_limit_bytes=float(level["memory_limit_bytes"]),
        wait_base=float(level["wait_base"]),
        sealed=bool(level["sealed"]),
        key=int(level["key"]),
    )
