"""Rollouts: every candidate action played in the same imagined worlds, and then the index rule.

A tally adds up what each gains over the rule's own choice in the same world: gains are paired. Candidates
that are surely worse drop out as the worlds add up (successive elimination, Even-Dar, Mannor and Mansour
2006), and the time goes to those that are close.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from fqg_env import arrays, believed, fields, observation, reading, rules, world
from fqg_env import belief as posterior
from fqg_env.arrays import FLIGHTS, MAX_STEPS, Size
from fqg_env.blocks import copy_all
from fqg_env.chance import mix
from fqg_env.compiled import kernel
from fqg_env.faults import truly_bad
from fqg_env.rules import FIRST_CALL
from policies.recovery.imagine import imagine
from policies.recovery.index import Numbers, choose_by
from policies.recovery.tuned import tuned_numbers
from policies.recovery.ways import view_in, ways_dtype

FIRST_ROUND = 16
_SEED = np.uint64(0x5EA6C4)


class Scratch(NamedTuple):
    """Working space of one search: where it begins, and two to go on from it."""

    levels: Any
    """[1]"""
    boards: Any
    """[3], as `beliefs` and `truths`"""
    beliefs: Any
    hidden: Any
    """[1]"""
    truths: Any
    rows: Any
    """[3, M]"""
    masks: Any
    """[3, 2 + C]"""
    views: Any
    """[3] observations"""
    ways: Any
    """[1] what the rule thinks, see ways.py"""
    numbers: Numbers
    """Those of the tuned index rule."""


class Tally(NamedTuple):
    """What the rollouts came to, [2 + C] each; gains are over the rule's choice in the same world."""

    playing: Any
    """1 where an action is still a candidate."""
    gain: Any
    """Sum of gains."""
    square: Any
    """Sum of their squares."""
    worlds: Any
    """How many worlds an action has been played in."""


@cache
def scratch_of(size: Size, thread: int = 0) -> Scratch:
    """Working space for levels of a size; one for each thread."""
    return Scratch(
        arrays.new(arrays.level_dtype(size), 1),
        arrays.new(arrays.board_dtype(size), 3),
        arrays.new(posterior.belief_dtype(size), 3),
        arrays.new(arrays.hidden_dtype(size), 1),
        arrays.new(arrays.truth_dtype(size), 3),
        arrays.new(arrays.row_dtype(size), (3, FLIGHTS)),
        np.zeros((3, FIRST_CALL + size.calls), np.uint8),
        arrays.new(fields.observation_dtype(size, True), 3),
        arrays.new(ways_dtype(size.calls, size.artifacts), 1),
        tuned_numbers("index", Numbers),
    )


def new_tally(actions: int) -> Tally:
    """An empty tally for so many actions."""
    return Tally(
        np.zeros(actions, np.uint8),
        np.zeros(actions),
        np.zeros(actions),
        np.zeros(actions, np.int64),
    )


@kernel
def by_rule(level: Any, board: Any, belief: Any, out: Any, mask: Any, s: Any) -> int:
    """The index rule's action; `out` holds an observation of an earlier board of the episode."""
    rules.legal(level, board, mask)
    usables, presents = reading.held(level, board)
    for c in range(level.calls):
        observation.observe_call(level, board, out, c, usables, presents)
    for a in range(level.artifacts):
        observation.observe_artifact(level, board, out, a)
    observation.observe_run(level, board, out)
    believed.observe_belief(level, board, belief, out)
    return choose_by(view_in(out, mask), s.numbers, s.ways[0], out.same_function)


@kernel
def prepare(level: Any, board: Any, belief: Any, s: Any, tally: Any) -> int:
    """Copy a lane to the first records of the scratch and name the candidates; returns the rule's choice."""
    s.levels[0], s.boards[0], s.beliefs[0] = level, board, belief
    out = s.views[0]
    observation.observe_static(s.levels[0], out)
    believed.observe_belief_static(s.levels[0], out)
    choice = by_rule(s.levels[0], s.boards[0], s.beliefs[0], out, s.masks[0], s)
    for i in range(1, len(s.views)):
        copy_all(out.needs, s.views[i].needs)
        copy_all(out.makes, s.views[i].makes)
        copy_all(out.probes, s.views[i].probes)
        copy_all(out.same_function, s.views[i].same_function)
    for a in range(len(tally.playing)):
        tally.playing[a] = s.masks[0, a] if a < FIRST_CALL + level.calls else 0
        tally.gain[a], tally.square[a], tally.worlds[a] = 0.0, 0.0, 0
    return choice


@kernel
def copy_on(s: Any, i: int) -> None:
    """Copy all that an episode goes on from, from records i to the next."""
    j = i + 1
    s.boards[j], s.beliefs[j], s.truths[j] = s.boards[i], s.beliefs[i], s.truths[i]
    for m in range(FLIGHTS):
        if s.boards[i].flight_attempt[m] >= 0:
            s.rows[j, m] = s.rows[i, m]
    copy_all(s.views[i].calls, s.views[j].calls)
    copy_all(s.views[i].artifacts, s.views[j].artifacts)
    copy_all(s.views[i].belief, s.views[j].belief)
    copy_all(s.views[i].doubt, s.views[j].doubt)
    copy_all(s.masks[i], s.masks[j])


@kernel
def act(s: Any, i: int, action: int) -> int:
    """Play an action on records i, in the world imagined; returns the rule's next one, -1: it is over."""
    level, board, belief = s.levels[0], s.boards[i], s.beliefs[i]
    world.step(level, s.hidden[0], board, belief, s.truths[i], s.rows[i], s.masks[i], action)
    if board.stopped:
        return -1
    return by_rule(level, board, belief, s.views[i], s.masks[i], s)


@kernel
def luck_of_goals(level: Any, board: Any, truth: Any, belief: Any) -> float:
    """What a return owes to luck: the worth of the goals delivered over what the posterior expects of it.

    As far as the posterior is calibrated its mean is 0, and a return without it is less noisy.
    """
    luck = 0.0
    for a in range(level.artifacts):
        if reading.delivered(level, board, a):
            bad = 1.0 if truly_bad(level, board, truth, a) else 0.0
            luck += level.goal_weight[a] * (1.0 + level.wrong_weight) * (belief.bad[a] - bad)
    return luck


@kernel
def rollout(s: Any, i: int, action: int) -> float:
    """The return of an action on records i, then of the rule, in the world imagined; goals without luck."""
    copy_on(s, i)
    for _ in range(MAX_STEPS):
        action = act(s, i + 1, action)
        if action < 0:
            break
    j = i + 1
    luck = luck_of_goals(s.levels[0], s.boards[j], s.truths[j], s.beliefs[j])
    return s.truths[j].episode_return - luck


@kernel
def enter(s: Any, k: int) -> None:
    """Imagine world k of this board; each level and step has its own."""
    level, board = s.levels[0], s.boards[0]
    seed = mix(mix(_SEED, np.uint64(board.steps)), np.uint64(board.begun))
    seed = mix(seed, np.uint64(1e6 * level.time_budget_s))
    level.key = mix(seed, np.uint64(k))
    imagine(level, board, s.beliefs[0], s.hidden[0], s.truths[0], s.rows[0])


@kernel
def play_worlds(s: Any, tally: Any, choice: int, first: int, last: int) -> None:
    """Let every candidate play worlds `first` to `last` - 1, and add up what it gains over the rule."""
    for k in range(first, last):
        enter(s, k)
        base = rollout(s, 0, choice)
        for a in range(len(tally.playing)):
            if tally.playing[a] and a != choice:
                gain = rollout(s, 0, a) - base
                tally.gain[a] += gain
                tally.square[a] += gain * gain
                tally.worlds[a] += 1


@kernel
def error_of(tally: Any, a: int) -> float:
    """Standard error of an action's mean gain."""
    n = tally.worlds[a]
    mean = tally.gain[a] / n
    return math.sqrt(max(0.0, tally.square[a] / n - mean * mean) / max(1, n - 1))


@kernel
def drop(tally: Any, choice: int, factor: float) -> int:
    """Let candidates that are surely worse than the rule or the best play no more; returns how many play."""
    best = 0.0
    for a in range(len(tally.playing)):
        if tally.playing[a] and a != choice:
            best = max(best, tally.gain[a] / tally.worlds[a] - factor * error_of(tally, a))
    left = 0
    for a in range(len(tally.playing)):
        if tally.playing[a] and a != choice:
            high = tally.gain[a] / tally.worlds[a] + factor * error_of(tally, a)
            tally.playing[a] = 1 if high > best else 0
            left += tally.playing[a]
    return left


@kernel
def gated(tally: Any, choice: int, gate: float) -> int:
    """The candidate with the best gain that passes the gate, or the rule's choice."""
    best, most = choice, 0.0
    for a in range(len(tally.playing)):
        if tally.playing[a] and a != choice and tally.worlds[a] > 1:
            sure = tally.gain[a] / tally.worlds[a] - gate * error_of(tally, a)
            if sure > most:
                best, most = a, sure
    return best


@kernel
def race(s: Any, tally: Any, choice: int, simulations: int, drop_at: float) -> None:
    """Play rounds that double, dropping candidates in between."""
    first, last = 0, min(FIRST_ROUND, simulations)
    while last > first:
        play_worlds(s, tally, choice, first, last)
        if drop(tally, choice, drop_at) == 0:
            return
        first, last = last, min(simulations, 2 * last)
