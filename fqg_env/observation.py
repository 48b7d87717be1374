"""What a policy sees of level and board: `observe` writes it in place; fields.py says what it means."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fqg_env import reading
from fqg_env.arrays import (
    CATEGORIES,
    FLIGHTS,
    GROUP,
    GROUPS,
    HISTORY,
    HISTORY_FIELDS,
    SUCCESS,
    Effect,
    GoalClass,
    Kind,
)
from fqg_env.blocks import copy_all
from fqg_env.chance import ONE, ZERO
from fqg_env.compiled import kernel
from fqg_env.fields import (
    ARTIFACT_FIELDS,
    ATTEMPTS_UNIT,
    CALL_FIELDS,
    COUNT_UNIT,
    GROUP_UNIT,
    Artifact,
    Call,
    Run,
)
from fqg_env.history import is_attempt


@kernel
def root_share(value: float, budget: float) -> float:
    """sqrt(value / budget) in [0, 1]; 0 where the value is unknown."""
    if math.isnan(value):
        return 0.0
    return math.sqrt(min(1.0, max(0.0, value / budget)))


@kernel
def ahead(at_s: float, now: float, budget: float) -> float:
    """How far ahead a time is, as a share of the budget; 0 where it has passed."""
    return min(1.0, (at_s - now) / budget) if at_s > now else 0.0


@kernel
def saturating(count: float, half: float) -> float:
    """The share count / (count + half)."""
    return 0.0 if count == 0.0 else count / (count + half)


@kernel
def known(value: float) -> float:
    """The value in [0, 1], 0 where it is unknown."""
    return 0.0 if math.isnan(value) else min(1.0, max(0.0, value))


@kernel
def unknown(value: float) -> float:
    """1 where the value is unknown."""
    return 1.0 if math.isnan(value) else 0.0


@kernel
def goal_distances(level: Any, makes: Any, needs: Any, distance: Any) -> None:
    """Fill distance [A]: calls between an artifact and the nearest goal; -1 where it leads to none.

    makes [C] and needs [C] are bits of artifacts; from the goals backwards, one call further each time.
    """
    newest = ZERO
    for a in range(level.artifacts):
        distance[a] = 0 if level.goal_class[a] > 0 else -1
        newest |= np.uint64(level.goal_class[a] > 0) << np.uint64(a)
    reached = newest
    away = 0
    while newest != ZERO:
        before = ZERO
        for c in range(level.calls):
            if (makes[c] & newest) != ZERO:
                before |= needs[c]
        newest = before & ~reached
        reached |= newest
        away += 1
        for a in range(level.artifacts):
            if (newest >> np.uint64(a)) & ONE:
                distance[a] = away


@kernel
def as_bits(relation: Any, level: Any, bits: Any) -> None:
    """Fill bits [C]: the artifacts of each call in a relation [C, A] of the level."""
    calls, artifacts = level.calls, level.artifacts
    for c in range(calls):
        found = ZERO
        for a in range(artifacts):
            found |= np.uint64(relation[c, a] != 0) << np.uint64(a)
        bits[c] = found


@kernel
def count_alternatives(level: Any, out: Any, makes: Any, verifies: Any, inspects: Any) -> None:
    """Write how many other calls make, verify or inspect the same, and how many of them are dearer."""
    calls = level.calls
    for c in range(calls):
        made, verified, inspected, cost = makes[c], verifies[c], inspects[c], level.cost[c]
        alternatives, dearer = -1, 0  # a call is none of its own
        for d in range(calls):
            common = (made & makes[d]) | (verified & verifies[d]) | (inspected & inspects[d])
            same = int(common != ZERO)
            alternatives += same
            dearer += same & int(level.cost[d] > cost)
        x = out.calls[c]
        x[Call.ALTERNATIVES] = min(1.0, max(0, alternatives) / COUNT_UNIT)
        x[Call.COST_RANK] = dearer / alternatives if alternatives > 0 else 1.0


@kernel
def observe_static_call(level: Any, out: Any, c: int, distance: Any, reaches: int) -> None:
    """Write what is known of one call before the first move. `reaches`: what it makes or probes, as bits."""
    x = out.calls[c]
    x[Call.EXISTS] = 1.0
    x[Call.LATENCY] = root_share(level.latency_s[c], level.time_budget_s)
    x[Call.LATENCY_UNKNOWN] = unknown(level.latency_s[c])
    x[Call.P95] = root_share(level.p95_s[c], level.time_budget_s)
    x[Call.COST] = root_share(level.cost[c], level.cost_budget)
    x[Call.COST_UNKNOWN] = unknown(level.cost[c])
    x[Call.MEMORY] = root_share(level.memory_bytes[c], level.memory_limit_bytes)
    x[Call.MEMORY_UNKNOWN] = unknown(level.memory_bytes[c])
    x[Call.QUALITY] = known(level.quality[c])
    x[Call.QUALITY_UNKNOWN] = unknown(level.quality[c])
    for k in range(4):
        x[Call.WORK + k] = 1.0 if level.kind[c] == k else 0.0
    x[Call.IDEMPOTENT] = level.idempotent[c]
    x[Call.REPUTATION] = known(level.reputation_mean[c])
    strength = 0.0 if math.isnan(level.reputation_mean[c]) else level.reputation_strength[c]
    x[Call.REPUTATION_STRENGTH] = saturating(strength, 10.0)
    x[Call.RECENT_SUCCESS] = saturating(level.recent_success[c], 4.0)
    x[Call.RECENT_FAILURE] = saturating(level.recent_failure[c], 4.0)
    x[Call.FIDELITY] = known(level.fidelity[c])
    nearest = -1
    for a in range(level.artifacts):
        if (reaches >> np.uint64(a)) & ONE and distance[a] >= 0:
            if nearest < 0 or distance[a] < nearest:
                nearest = distance[a]
    x[Call.GOAL_DISTANCE] = 0.0 if nearest < 0 else 1.0 / (1.0 + nearest)
    x[Call.PLAN_POSITION] = 0.0
    for i in range(Call.READABLE, CALL_FIELDS):
        x[i] = 0.0
    x[Call.LAST_RETRYABLE] = 0.5
    x[Call.SINCE_LAST] = 1.0


@kernel
def observe_relations(level: Any, out: Any) -> None:
    """Write which call reads, makes, consumes and probes what, and which calls belong together."""
    copy_all(level.needs, out.needs)
    copy_all(level.makes, out.makes)
    copy_all(level.consumes, out.consumes)
    copy_all(level.probes, out.probes)
    cs, calls = out.needs.shape[0], level.calls
    for c in range(cs):
        function, provider = level.function[c], level.provider[c]
        for d in range(cs):
            both = (c < calls) & (d < calls)
            out.same_function[c, d] = both & (level.function[d] == function)
            out.same_provider[c, d] = both & (level.provider[d] == provider)


@kernel
def clear_padding(level: Any, out: Any) -> None:
    """Zero the calls and artifacts that only the level before had."""
    for c in range(level.calls, out.calls.shape[0]):
        if out.calls[c, Call.EXISTS] == 0.0:
            break
        for i in range(CALL_FIELDS):
            out.calls[c, i] = 0.0
    for a in range(level.artifacts, out.artifacts.shape[0]):
        if out.artifacts[a, Artifact.EXISTS] == 0.0:
            break
        for i in range(ARTIFACT_FIELDS):
            out.artifacts[a, i] = 0.0


@kernel
def observe_static_artifact(level: Any, out: Any, a: int, makes: Any, needs: Any) -> None:
    """Write what is known of one artifact before the first move."""
    y = out.artifacts[a]
    y[Artifact.EXISTS] = 1.0
    y[Artifact.GIVEN] = level.given[a]
    y[Artifact.GATE] = level.gate[a]
    y[Artifact.GOAL_WEIGHT] = level.goal_weight[a]
    y[Artifact.ESSENTIAL] = 1.0 if level.goal_class[a] == GoalClass.ESSENTIAL else 0.0
    y[Artifact.RECOMMENDED] = 1.0 if level.goal_class[a] == GoalClass.RECOMMENDED else 0.0
    y[Artifact.OPTIONAL] = 1.0 if level.goal_class[a] == GoalClass.OPTIONAL else 0.0
    readers, makers = ZERO, ZERO
    for c in range(level.calls):
        readers += (needs[c] >> np.uint64(a)) & ONE
        makers += (makes[c] >> np.uint64(a)) & ONE
    y[Artifact.CONSUMERS] = min(1.0, readers / COUNT_UNIT)
    y[Artifact.MAKERS] = min(1.0, makers / COUNT_UNIT)


@kernel
def observe_static(level: Any, out: Any) -> None:
    """Write the parts that do not change during an episode, and the others as they are before it."""
    cs, az = out.needs.shape
    distance = np.empty(az, np.int64)
    makes, needs = np.empty(cs, np.uint64), np.empty(cs, np.uint64)
    verifies, inspects = np.empty(cs, np.uint64), np.empty(cs, np.uint64)
    as_bits(level.makes, level, makes)
    as_bits(level.needs, level, needs)
    as_bits(level.probes, level, verifies)
    for c in range(level.calls):
        inspects[c] = verifies[c] if level.kind[c] == Kind.INSPECT else ZERO
        verifies[c] ^= inspects[c]
    goal_distances(level, makes, needs, distance)
    clear_padding(level, out)
    observe_relations(level, out)
    for c in range(level.calls):
        reaches = makes[c] | verifies[c] | inspects[c]
        observe_static_call(level, out, c, distance, reaches)
    count_alternatives(level, out, makes, verifies, inspects)
    for i in range(level.calls - 1, -1, -1):  # the first place of a call is written last
        if level.plan[i] >= 0:
            out.calls[level.plan[i], Call.PLAN_POSITION] = 1.0 - i / level.calls
    for a in range(level.artifacts):
        observe_static_artifact(level, out, a, makes, needs)


@kernel
def observe_call(level: Any, board: Any, out: Any, c: int, usables: int, presents: int) -> None:
    """Write what has changed for a call, tried or not."""
    now, budget = board.at_s, level.time_budget_s
    x = out.calls[c]
    x[Call.READABLE] = 1.0 if reading.readable(level, board, c, usables, presents) else 0.0
    left = level.shield_retries + 1 - board.function_tries[level.function[c]]
    x[Call.ATTEMPTS_LEFT] = min(1.0, max(0, left) / COUNT_UNIT)
    effect = board.effect[level.function[c]]
    x[Call.EFFECT_POSSIBLE] = 1.0 if effect == Effect.POSSIBLE else 0.0
    x[Call.EFFECT_COMMITTED] = 1.0 if effect == Effect.COMMITTED else 0.0
    x[Call.HINT] = min(1.0, board.hint[c])
    giver = board.hint_giver[c]
    x[Call.HINT_RELIABILITY] = known(level.reputation_mean[giver]) if giver >= 0 else 0.0
    x[Call.NOT_EXAMINED] = board.not_examined[c]
    p = level.provider[c]
    x[Call.PROVIDER_SUCCESS] = saturating(board.provider_success[p], 2.0)
    x[Call.PROVIDER_FAILURE] = saturating(board.provider_failure[p], 2.0)
    x[Call.PROVIDER_DOWN] = ahead(board.down_until_s[p], now, budget)
    if board.tries[c] > 0:
        observe_tried(level, board, x, c)


@kernel
def observe_tried(level: Any, board: Any, x: Any, c: int) -> None:
    """Write what its own attempts have shown of a call."""
    now, budget = board.at_s, level.time_budget_s
    x[Call.TRIES] = min(1.0, board.tries[c] / COUNT_UNIT)
    retryable = board.last_retryable[c]
    x[Call.LAST_RETRYABLE] = 0.5 if retryable == 2 else float(retryable)
    last = board.last_category[c]
    x[Call.LAST_CATEGORY] = max(SUCCESS, last) / (CATEGORIES - 1.0)
    x[Call.RETRY_AFTER] = ahead(board.retry_at_s[c], now, budget)
    finished = last >= 0 or board.lost[c] > 0
    x[Call.SINCE_LAST] = root_share(now - board.last_at_s[c], budget) if finished else 1.0
    x[Call.IN_FLIGHT] = 0.0
    x[Call.IN_FLIGHT_SHARE] = 0.0
    for m in range(FLIGHTS if board.in_flight > 0 else 0):
        if board.flight_attempt[m] >= 0 and board.flight_call[m] == c:
            ran = now - board.flight_since_s[m]
            x[Call.IN_FLIGHT] = 1.0
            x[Call.IN_FLIGHT_SHARE] = ran / max(1e-9, ran + reading.typical_s(level, c))
    x[Call.OWN_RECOVERY] = min(1.0, board.own_recovery[c] / COUNT_UNIT)
    x[Call.BLAMED] = min(1.0, board.blamed[c] / GROUP_UNIT)
    x[Call.LOST] = min(1.0, board.lost[c] / GROUP_UNIT)
    x[Call.REPEATS] = 1.0 if reading.repeats(level, board, c) else 0.0
    if last >= 0:
        for g in range(GROUPS):
            x[Call.LAST_GROUP + g] = 1.0 if g == GROUP[last] else 0.0
            x[Call.GROUP_COUNT + g] = min(1.0, board.group_count[c, g] / GROUP_UNIT)


@kernel
def observe_artifact(level: Any, board: Any, out: Any, a: int) -> None:
    """Write the state of one artifact."""
    y = out.artifacts[a]
    here = board.present[a] == 1
    y[Artifact.PRESENT] = board.present[a]
    y[Artifact.REJECTED] = board.rejected[a]
    age = board.at_s - board.made_at_s[a]
    y[Artifact.AGE] = min(1.0, age / level.time_to_live_s[a]) if here else 0.0
    claimed = board.claimed[a]
    y[Artifact.CLAIMED] = known(claimed)
    y[Artifact.CLAIMED_UNKNOWN] = unknown(claimed)
    change = claimed - board.claimed_before[a]
    y[Artifact.CLAIMED_CHANGE] = 0.5 if math.isnan(change) else known(0.5 + 0.5 * change)
    y[Artifact.CHECKS_PASSED] = min(1.0, board.checks_passed[a] / GROUP_UNIT)
    y[Artifact.TIMES_REJECTED] = min(1.0, board.times_rejected[a] / GROUP_UNIT)
    y[Artifact.VERSION] = min(1.0, board.version[a] / COUNT_UNIT)


@kernel
def observe_run(level: Any, board: Any, out: Any) -> None:
    """Write budgets, flights, mode and scoring."""
    r = out.run
    r[Run.TIME_LEFT] = max(0.0, 1.0 - board.at_s / level.time_budget_s)
    r[Run.COST_LEFT] = max(0.0, 1.0 - board.cost / level.cost_budget)
    r[Run.ATTEMPTS_LEFT] = max(0.0, 1.0 - board.attempts / level.attempt_budget)
    r[Run.ATTEMPT_BUDGET] = min(1.0, level.attempt_budget / ATTEMPTS_UNIT)
    r[Run.IN_FLIGHT] = board.in_flight / FLIGHTS
    r[Run.SLOTS_FREE] = max(0, level.max_in_flight - board.in_flight) / FLIGHTS
    r[Run.WAITS] = min(1.0, board.waits_in_a_row / COUNT_UNIT)
    r[Run.WAIT_QUANTUM] = root_share(reading.wait_quantum(level, board), level.time_budget_s)
    for m in range(3):
        r[Run.HYBRID + m] = 1.0 if level.mode == m else 0.0
    r[Run.REFUSED] = min(1.0, board.refused / COUNT_UNIT)
    allowed = level.shield_retry_share * level.attempt_budget
    r[Run.RETRIES_LEFT] = max(0.0, 1.0 - board.retries / allowed) if allowed > 0.0 else 0.0
    r[Run.UNSAFE_ALLOWED] = level.unsafe_repeats_allowed
    r[Run.WRONG_WEIGHT] = level.wrong_weight
    r[Run.COST_WEIGHT] = level.cost_weight
    r[Run.TIME_WEIGHT] = level.time_weight


@kernel
def observe_history(board: Any, out: Any) -> None:
    """Write the last attempts, the newest first; `CALL` is above 0 where there was one."""
    slot = board.history_next
    h = 0
    while h < HISTORY:
        slot = slot - 1 if slot > 0 else HISTORY - 1
        if not is_attempt(board.history[slot]):
            break
        for i in range(HISTORY_FIELDS):
            out.history[h, i] = board.history[slot, i]
        h += 1
    while h < HISTORY and is_attempt(out.history[h]):  # left by a longer episode
        for i in range(HISTORY_FIELDS):
            out.history[h, i] = 0.0
        h += 1


@kernel
def observe(level: Any, board: Any, out: Any) -> None:
    """Write the parts that a step may change; `observe_static` has written the others."""
    usables, presents = reading.held(level, board)
    for c in range(level.calls):
        observe_call(level, board, out, c, usables, presents)
    for a in range(level.artifacts):
        observe_artifact(level, board, out, a)
    observe_history(board, out)
    observe_run(level, board, out)
