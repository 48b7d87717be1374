"""The second ply: what candidates are worth if the next decision, too, is better than the index rule's.

Every candidate is played in the same worlds. Where it leads to boards that look alike, those worlds are a
sample of what is believed there, and every next action is rolled out in all of them: the best that passes a
gate is what would be played (sparse sampling, Kearns, Mansour and Ng 2002). It is picked on one half of the
worlds and valued on the other, both ways, so that luck in the picking does not count as a gain.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from fqg_env.arrays import Size
from fqg_env.chance import mix
from fqg_env.compiled import kernel
from fqg_env.rules import FIRST_CALL
from policies.recovery.rollouts import act, copy_on, enter, rollout


class Next(NamedTuple):
    """What comes after one candidate, in W worlds."""

    board: Any
    """[W] u8 names of the boards that it leads to; 0: the episode is over."""
    rule: Any
    """[W] what the rule plays there"""
    returns: Any
    """[W, 2 + C] of each next action and then the rule; NaN: illegal. In place 0 where it is over."""
    value: Any
    """[2 + C, W] of each candidate"""


@cache
def next_of(size: Size, worlds: int) -> Next:
    """Working space for so many worlds."""
    actions = FIRST_CALL + size.calls
    return Next(
        np.zeros(worlds, np.uint64),
        np.zeros(worlds, np.int64),
        np.zeros((worlds, actions)),
        np.zeros((actions, worlds)),
    )


@kernel
def name_of(level: Any, board: Any) -> np.uint64:
    """A name for what a board shows; boards that differ in milliseconds alone have one name."""
    name = mix(np.uint64(board.waits_in_a_row), np.uint64(board.in_flight))
    for c in range(level.calls):
        name = mix(name, np.uint64(board.last_category[c] + 1))
        later = max(0.0, board.retry_at_s[c] - board.at_s) / level.time_budget_s
        name = mix(name, np.uint64(1000.0 * later + 0.5))
        name = mix(name, np.uint64(2 * (board.hint[c] > 0.0) + (board.not_examined[c] > 0)))
    for a in range(level.artifacts):
        name = mix(name, np.uint64(2 * board.present[a] + board.rejected[a]))
        name = mix(name, np.uint64(64 * board.checks_passed[a] + board.times_rejected[a]))
    for p in range(level.providers):
        name = mix(name, np.uint64(board.down_until_s[p] > board.at_s))
    return name | np.uint64(1)


@kernel
def play_next(s: Any, n: Any, candidate: int, worlds: int) -> None:
    """Play a candidate in every world, and from where it leads every next action."""
    for k in range(worlds):
        enter(s, k)
        copy_on(s, 0)
        n.rule[k] = act(s, 1, candidate)
        n.board[k] = 0
        if n.rule[k] < 0:
            n.returns[k, 0] = s.truths[1].episode_return
            continue
        n.board[k] = name_of(s.levels[0], s.boards[1])
        for a in range(n.returns.shape[1]):
            n.returns[k, a] = rollout(s, 1, a) if s.masks[1, a] else math.nan


@kernel
def pick(n: Any, board: np.uint64, rule: int, worlds: int, half: int, gate: float) -> int:
    """The next action on boards of a name whose gain over the rule's passes the gate, by half the worlds."""
    best, most = rule, 0.0
    for a in range(n.returns.shape[1]):
        count, total, square = 0, 0.0, 0.0
        for k in range(half, worlds, 2):
            if n.board[k] == board and a != rule:
                gain = n.returns[k, a] - n.returns[k, rule]
                count, total, square = count + 1, total + gain, square + gain * gain
        if count > 2:
            mean = total / count
            error = math.sqrt(max(0.0, square / count - mean * mean) / (count - 1))
            if mean - gate * error > most:  # never where it is NaN
                best, most = a, mean - gate * error
    return best


@kernel
def value_next(n: Any, candidate: int, worlds: int, gate: float) -> None:
    """Fill what a candidate is worth in every world, if the next decision is picked on the other half."""
    for k in range(worlds):
        n.value[candidate, k] = math.nan
    for first in range(worlds):
        board = n.board[first]
        if board == 0:
            n.value[candidate, first] = n.returns[first, 0]
        elif math.isnan(n.value[candidate, first]):
            for half in range(2):
                chosen = pick(n, board, n.rule[first], worlds, 1 - half, gate)
                for k in range(half, worlds, 2):
                    if n.board[k] == board:
                        n.value[candidate, k] = n.returns[k, chosen]


@kernel
def look_further(s: Any, n: Any, tally: Any, choice: int, worlds: int, gate: float) -> None:
    """Let the candidates that are left be tallied anew, two plies deep."""
    play_next(s, n, choice, worlds)
    value_next(n, choice, worlds, gate)
    for a in range(len(tally.playing)):
        if tally.playing[a] and a != choice:
            play_next(s, n, a, worlds)
            value_next(n, a, worlds, gate)
            tally.gain[a], tally.square[a], tally.worlds[a] = 0.0, 0.0, worlds
            for k in range(worlds):
                gain = n.value[a, k] - n.value[choice, k]
                tally.gain[a] += gain
                tally.square[a] += gain * gain
