"""Which artifacts a generated level has, and how they follow from each other."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fqg_env.arrays import GoalClass
from fqg_env.chance import ONE, ZERO, pick
from fqg_env.compiled import kernel
from fqg_env.shapes import Family, Knob, between, chance


@kernel
def add_artifact(level: Any, layer: Any, feeds: Any, after: int, feed: int) -> int:
    """Add an artifact in the layer `after`, fed by `feed` (or -1), and return its index."""
    a = level.artifacts
    level.artifacts += 1
    layer[a] = after
    feeds[a] = ONE << np.uint64(feed) if feed >= 0 else ZERO
    level.given[a] = 0
    level.gate[a] = 0
    level.time_to_live_s[a] = math.inf
    level.goal_class[a] = GoalClass.NONE
    level.goal_weight[a] = 0.0
    return a


@kernel
def lay_layers(level: Any, layers: int, width: int, cursor: Any, layer: Any, feeds: Any) -> None:
    """Artifacts in layers, of random width but for the last, which has one; fed by nothing in particular."""
    most = layer.shape[0]
    for i in range(1, layers + 1):
        wide = 1 if i == layers else between(level, cursor, 1, width)
        for _ in range(wide):
            if level.artifacts < most - (layers - i):
                add_artifact(level, layer, feeds, i, -1)


@kernel
def lay_branches(
    level: Any, family: int, layers: int, width: int, layer: Any, feeds: Any, heads: Any
) -> int:
    """Artifacts in branches of their own, joined in the last one unless they lead from a hub.

    Fills heads [A] with the ends of what was laid and returns how many there are.
    """
    most = layer.shape[0]
    n = max(2, width)
    first = 1
    heads[0] = 0
    if family == Family.TREE:
        n = 2
        heads[1] = add_artifact(level, layer, feeds, 0, -1)
        level.given[heads[1]] = 1
    elif family == Family.HUB:
        heads[0] = add_artifact(level, layer, feeds, 1, 0)
        first = 2
    if family != Family.TREE:
        for b in range(1, n):
            heads[b] = heads[0]
    joined = family != Family.HUB
    last = max(
        first, (layers + 1) // 2
    )  # so that branches are about as many artifacts as layers are
    for i in range(first, last + 1):
        for b in range(n):
            if level.artifacts < most - 1:
                heads[b] = add_artifact(level, layer, feeds, i, heads[b])
    if not joined:
        return n
    end = add_artifact(level, layer, feeds, last + 1, -1)
    for b in range(n):
        feeds[end] |= ONE << np.uint64(heads[b])
    heads[0] = end
    return 1


@kernel
def lay_artifacts(level: Any, shape: Any, family: int, extra: int, sketch: Any) -> None:
    """Lay the artifacts of a family; artifact 0 is given. Fills `layer` and `feeds` of the sketch."""
    cursor, layer, feeds, heads = sketch.cursor, sketch.layer, sketch.feeds, sketch.heads
    layers = between(level, cursor, shape[Knob.LAYERS_MIN], shape[Knob.LAYERS_MAX] + extra)
    width = int(shape[Knob.WIDTH_MAX]) + extra
    level.artifacts = 0
    level.given[add_artifact(level, layer, feeds, 0, -1)] = 1
    ends = 1
    if family == Family.CHAIN:
        for i in range(1, layers + 1):
            add_artifact(level, layer, feeds, i, i - 1)
        heads[0] = level.artifacts - 1
    elif family == Family.LAYERED:
        lay_layers(level, layers, width, cursor, layer, feeds)
        heads[0] = level.artifacts - 1
    else:
        ends = lay_branches(level, family, layers, width, layer, feeds, heads)
    for a in range(level.artifacts):
        if level.given[a] == 0:
            level.gate[a] = 1 if chance(level, cursor) < shape[Knob.GATE] else 0
    set_goals(level, shape, cursor, heads, ends)


@kernel
def set_goals(level: Any, shape: Any, cursor: Any, heads: Any, ends: int) -> None:
    """The first end is essential, the others less so; perhaps something on the way counts too."""
    rest = 1.0
    for b in range(1, ends):
        if level.goal_class[heads[b]] == GoalClass.NONE and heads[b] != heads[0]:
            optional = chance(level, cursor) < 0.5
            level.goal_class[heads[b]] = GoalClass.OPTIONAL if optional else GoalClass.RECOMMENDED
            level.goal_weight[heads[b]] = 0.1 if optional else 0.2
            rest -= level.goal_weight[heads[b]]
    main = heads[0]
    extra = pick(chance(level, cursor), level.artifacts)
    wanted = chance(level, cursor) < shape[Knob.EXTRA_GOAL]
    if (
        wanted
        and rest > 0.5
        and not level.given[extra]
        and level.goal_class[extra] == 0
        and extra != main
    ):
        level.goal_class[extra] = GoalClass.RECOMMENDED
        level.goal_weight[extra] = 0.2
        rest -= 0.2
    level.goal_class[main] = GoalClass.ESSENTIAL
    level.goal_weight[main] = rest


@kernel
def goals_of(level: Any) -> np.uint64:
    """The goals, a bit each."""
    goals = ZERO
    for a in range(level.artifacts):
        goals |= np.uint64(level.goal_class[a] > 0) << np.uint64(a)
    return goals
