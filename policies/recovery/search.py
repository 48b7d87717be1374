"""Search: try every action in imagined worlds, go on by the index rule, and leave it only for a sure gain.

One step of policy improvement on the index rule, by rollouts under the posterior (Tesauro and Galperin 1996;
worlds drawn from the posterior as in Guez, Silver and Dayan 2012), and on levels of few calls a second one
(see second_ply.py). The gate: an action is chosen over the rule's only if its mean gain exceeds its standard
error by a factor, since the best of many noisy means is mostly a lucky one.

Tried and left out, since it gained nothing: to go on in several manners of the rule and take the best.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fqg_env.rules import STOP
from policies.recovery.base import Decision, certain
from policies.recovery.rollouts import (
    FIRST_ROUND,
    Scratch,
    Tally,
    drop,
    gated,
    new_tally,
    play_worlds,
    prepare,
    race,
    scratch_of,
)
from policies.recovery.second_ply import look_further, next_of

if TYPE_CHECKING:
    from fqg_env.lanes import Lanes

SIMULATIONS = 256
MOST_WORLDS = 4096
"""However much time there is: more change next to nothing."""
FEW_CALLS = 8
"""Levels of no more calls are looked at two plies deep; with more it would take too long."""


class Care(NamedTuple):
    """How sure it has to be, in standard errors."""

    gate: float
    """By which a gain has to exceed 0."""
    drop: float
    """By which a candidate has to fall short to be played no more."""


CARE = Care(gate=1.0, drop=2.0)
FURTHER = Care(gate=0.5, drop=4.0)
"""Where it looks two plies deep; tuned on `exact_train`."""


class Search:
    """The planner.

    Args:
        simulations: worlds per decision, at most; on levels of few calls a quarter of them, and then four
            times as many two plies deep.
        seconds: time per decision; then `simulations` does not count.
        care: how sure it has to be, on levels of many calls.
    """

    name = "search"

    def __init__(
        self, simulations: int = SIMULATIONS, seconds: float | None = None, care: Care = CARE
    ):
        self.simulations, self.seconds, self.care = simulations, seconds, care

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
            until = None if self.seconds is None else time.perf_counter() + self.seconds
            choice = prepare(lanes.levels[n], lanes.boards[n], lanes.beliefs[n], s, tally)
            if lanes.levels["calls"][n] <= FEW_CALLS:
                action[n] = self._two_plies(s, tally, choice, lanes, until)
            else:
                self._one_ply(s, tally, choice, until)
                action[n] = gated(tally, choice, self.care.gate)
        return certain(action, actions, self.name)

    def _one_ply(self, s: Scratch, tally: Tally, choice: int, until: float | None) -> None:
        """Tally rollouts, as many as there is time for."""
        if until is None:
            race(s, tally, choice, self.simulations, self.care.drop)
            return
        self._race_until(s, tally, choice, MOST_WORLDS, self.care.drop, until)

    def _race_until(
        self, s: Scratch, tally: Tally, choice: int, worlds: int, drop_at: float, until: float
    ) -> None:
        """Tally rollouts in so many worlds, or as many as there is time for."""
        first = 0
        while first < worlds and time.perf_counter() < until:
            play_worlds(s, tally, choice, first, first + 4)
            first += 4
            if first % FIRST_ROUND == 0 and drop(tally, choice, drop_at) == 0:
                return

    def _two_plies(
        self, s: Scratch, tally: Tally, choice: int, lanes: Any, until: float | None
    ) -> int:
        """Drop by rollouts what is surely worse, and tally the rest two plies deep; returns the action."""
        first = max(4, self.simulations // 4)
        if until is None:
            race(s, tally, choice, first, FURTHER.drop)
        else:
            self._race_until(s, tally, choice, first, FURTHER.drop, until)
        left = int(tally.playing.sum()) - int(tally.playing[choice])
        worlds = 4 * self.simulations
        if until is not None and left > 0:
            worlds = self._worlds_until(s, tally, choice, lanes, until)
        if left > 0 and worlds > 0:
            look_further(s, next_of(lanes.size, worlds), tally, choice, worlds, FURTHER.gate)
        return int(gated(tally, choice, FURTHER.gate))

    def _worlds_until(self, s: Scratch, tally: Tally, choice: int, lanes: Any, until: float) -> int:
        """How many worlds there is time for two plies deep, by the time that a few take; a power of 2."""
        began = time.perf_counter()
        if began >= until:
            return 0
        few = FIRST_ROUND
        look_further(s, next_of(lanes.size, few), tally, choice, few, FURTHER.gate)
        took = time.perf_counter() - began
        fit = few * (until - time.perf_counter()) / took
        return 0 if fit < few else min(MOST_WORLDS // 4, 2 ** int(np.log2(fit)))
