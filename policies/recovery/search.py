"""Search: try every action in imagined worlds, go on by the index rule, and leave it only for a sure gain.

One step of policy improvement on the index rule, by rollouts under the posterior (Tesauro and Galperin 1996;
worlds drawn from the posterior as in Guez, Silver and Dayan 2012). Each world is played by all candidates,
so that gains over the rule are paired. Candidates that are surely worse drop out as the worlds add up
(successive elimination, Even-Dar, Mannor and Mansour 2006): the time goes to those that are close. The gate:
an action is chosen over the rule's only if its mean gain exceeds its standard error by a factor, since the
best of many noisy means is mostly a lucky one.
"""

from __future__ import annotations

import math
import time
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fqg_env import arrays, believed, fields, observation, reading, rules, world
from fqg_env import belief as posterior
from fqg_env.arrays import FLIGHTS, MAX_STEPS, Size
from fqg_env.blocks import copy_all
from fqg_env.chance import mix
from fqg_env.compiled import kernel
from fqg_env.rules import FIRST_CALL, STOP
from policies.recovery.base import Decision, certain
from policies.recovery.imagine import imagine
from policies.recovery.index import Numbers, View, choose_by
from policies.recovery.tuned import tuned_numbers
from policies.recovery.ways import ways_dtype

if TYPE_CHECKING:
    from fqg_env.lanes import Lanes

SIMULATIONS = 256
FIRST_ROUND = 16
MOST_WORLDS = 4096
"""However much time there is: more change next to nothing."""
GATE = 1.0
"""Standard errors by which a gain has to exceed 0."""
DROP = 2.0
"""Standard errors by which a candidate has to fall short to be played no more."""
_SEED = np.uint64(0x5EA6C4)


class Scratch(NamedTuple):
    """Working space of one search: records [2] each, the second for the rollouts from the first."""

    levels: Any
    boards: Any
    beliefs: Any
    hidden: Any
    truths: Any
    rows: Any
    """[2, M]"""
    masks: Any
    """[2, 2 + C]"""
    views: Any
    """[2] observations"""
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
def scratch_of(size: Size) -> Scratch:
    """Working space for levels of a size."""
    return Scratch(
        arrays.new(arrays.level_dtype(size), 2),
        arrays.new(arrays.board_dtype(size), 2),
        arrays.new(posterior.belief_dtype(size), 2),
        arrays.new(arrays.hidden_dtype(size), 2),
        arrays.new(arrays.truth_dtype(size), 2),
        arrays.new(arrays.row_dtype(size), (2, FLIGHTS)),
        np.zeros((2, FIRST_CALL + size.calls), np.uint8),
        arrays.new(fields.observation_dtype(size, True), 2),
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
    view = View(
        out.calls,
        out.artifacts,
        out.needs,
        out.makes,
        out.probes,
        out.belief,
        out.doubt,
        out.run,
        mask,
    )
    return choose_by(view, s.numbers, s.ways[0], out.same_function)


@kernel
def prepare(level: Any, board: Any, belief: Any, s: Any, tally: Any) -> int:
    """Copy a lane to the first records of the scratch and name the candidates; returns the rule's choice."""
    s.levels[0], s.boards[0], s.beliefs[0] = level, board, belief
    out = s.views[0]
    observation.observe_static(s.levels[0], out)
    believed.observe_belief_static(s.levels[0], out)
    choice = by_rule(s.levels[0], s.boards[0], s.beliefs[0], out, s.masks[0], s)
    copy_all(out.needs, s.views[1].needs)
    copy_all(out.makes, s.views[1].makes)
    copy_all(out.probes, s.views[1].probes)
    copy_all(out.same_function, s.views[1].same_function)
    for a in range(len(tally.playing)):
        tally.playing[a] = s.masks[0, a] if a < FIRST_CALL + level.calls else 0
        tally.gain[a], tally.square[a], tally.worlds[a] = 0.0, 0.0, 0
    return choice


@kernel
def rollout(s: Any, action: int) -> float:
    """The return from now on of an action and then the rule, in the world of the first records."""
    s.boards[1], s.beliefs[1], s.truths[1] = s.boards[0], s.beliefs[0], s.truths[0]
    for m in range(FLIGHTS):
        if s.boards[0].flight_attempt[m] >= 0:
            s.rows[1, m] = s.rows[0, m]
    copy_all(s.views[0].calls, s.views[1].calls)
    copy_all(s.views[0].artifacts, s.views[1].artifacts)
    copy_all(s.views[0].belief, s.views[1].belief)
    copy_all(s.views[0].doubt, s.views[1].doubt)
    copy_all(s.masks[0], s.masks[1])
    level, hidden, board, belief = s.levels[0], s.hidden[0], s.boards[1], s.beliefs[1]
    for _ in range(MAX_STEPS):
        world.step(level, hidden, board, belief, s.truths[1], s.rows[1], s.masks[1], action)
        if board.stopped:
            break
        action = by_rule(level, board, belief, s.views[1], s.masks[1], s)
    return s.truths[1].episode_return


@kernel
def play_worlds(s: Any, tally: Any, choice: int, first: int, last: int) -> None:
    """Let every candidate play worlds `first` to `last` - 1, and add up what it gains over the rule."""
    board = s.boards[0]
    seed = mix(mix(_SEED, np.uint64(board.steps)), np.uint64(board.begun))
    seed = mix(seed, np.uint64(1e6 * s.levels[0].time_budget_s))  # each level its own luck
    for k in range(first, last):
        s.levels[0].key = mix(seed, np.uint64(k))
        imagine(s.levels[0], board, s.beliefs[0], s.hidden[0], s.truths[0], s.rows[0])
        base = rollout(s, choice)
        for a in range(len(tally.playing)):
            if tally.playing[a] and a != choice:
                gain = rollout(s, a) - base
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


class Search:
    """The planner.

    Args:
        simulations: worlds per decision, at most.
        seconds: time per decision; then `simulations` does not count.
        gate: standard errors by which a gain has to exceed 0.
        drop: standard errors by which a candidate has to fall short to be played no more.
    """

    name = "search"

    def __init__(
        self,
        simulations: int = SIMULATIONS,
        seconds: float | None = None,
        gate: float = GATE,
        drop: float = DROP,
    ):
        self.simulations, self.seconds, self.gate, self.drop = simulations, seconds, gate, drop

    def plan(self, lanes: Lanes) -> Decision:
        """Choose for each lane; it needs lanes that keep beliefs.

        Raises:
            ValueError: they keep none.
        """
        if lanes.beliefs is None:
            raise ValueError("`search` needs lanes that keep beliefs")
        actions = lanes.masks.shape[1]
        s, tally = scratch_of(lanes.size), new_tally(actions)
        action = np.full(lanes.n, STOP, np.int64)
        for n in np.flatnonzero(lanes.boards["stopped"] == 0):
            choice = prepare(lanes.levels[n], lanes.boards[n], lanes.beliefs[n], s, tally)
            if self.seconds is None:
                race(s, tally, choice, self.simulations, self.drop)
            else:
                self._race_until(s, tally, choice, time.perf_counter() + self.seconds)
            action[n] = gated(tally, choice, self.gate)
        return certain(action, actions, self.name)

    def _race_until(self, s: Scratch, tally: Tally, choice: int, until: float) -> None:
        """Play small rounds until the time is up, or nothing is left to compare."""
        first = 0
        while first < MOST_WORLDS and time.perf_counter() < until:
            play_worlds(s, tally, choice, first, first + 4)
            first += 4
            if first % FIRST_ROUND == 0 and drop(tally, choice, self.drop) == 0:
                return
