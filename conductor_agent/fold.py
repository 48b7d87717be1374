"""The fold of a run's events: level, board, belief and what a policy sees, moved on one event at a time.

The loop, resume, explanations and replay all use this class, so they cannot differ.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, assert_never

import numpy as np

from conductor_agent.events import (
    Decided,
    Ended,
    Event,
    Finished,
    Lost,
    Refused,
    Signal,
    Started,
    Waited,
)
from fqg_env import arrays, observation, rules
from fqg_env import belief as posterior
from fqg_env.arrays import FLIGHTS, Stopped
from fqg_env.compiled import kernel
from fqg_env.level import Level
from fqg_env.observation import observation_dtype
from fqg_env.row import row
from fqg_env.rules import FIRST_CALL, STOP, WAIT

REASONS = {reason.name.lower(): reason for reason in Stopped}


# Arrays of one instead of a record: a compiled function is called 20 times faster so.


@kernel
def begin_one(levels: Any, boards: Any, call: int, at_s: float) -> None:
    """`rules.begin`."""
    rules.begin(levels[0], boards[0], call, at_s)


@kernel
def finish_one(
    levels: Any, boards: Any, beliefs: Any, attempt: int, rows: Any, at_s: float
) -> None:
    """Belief, then board, as world.complete does."""
    slot = rules.slot_of(boards[0], attempt)
    if slot >= 0:
        posterior.update(levels[0], boards[0], beliefs[0], slot, rows[0])
        rules.finish(levels[0], boards[0], attempt, rows[0], at_s)


@kernel
def look_one(levels: Any, boards: Any, beliefs: Any, masks: Any, out: Any) -> None:
    """Mask and observation."""
    rules.legal(levels[0], boards[0], masks[0])
    observation.observe(levels[0], boards[0], out[0])
    observation.observe_belief(levels[0], boards[0], beliefs[0], out[0])


@kernel
def exhausted_one(levels: Any, boards: Any) -> int:
    """`rules.exhausted`."""
    return rules.exhausted(levels[0], boards[0])


class Fold:
    """One run as arrays of a batch of one. Never reads a clock."""

    def __init__(self, level: Level) -> None:
        self.plan = level
        size = level.size
        self.levels = level.record(size)  # [1]
        self.boards = arrays.new(arrays.board_dtype(size), 1)  # [1]
        self.beliefs = arrays.new(posterior.belief_dtype(size), 1)  # [1]
        self.seen = arrays.new(observation_dtype(size, belief=True), 1)  # [1]
        self.mask = np.zeros((1, FIRST_CALL + size.calls), np.uint8)  # [1, 2 + C]
        self.level, self.board, self.belief = self.levels[0], self.boards[0], self.beliefs[0]
        self._calls = {name: i for i, name in enumerate(level.call_names)}
        self._repeats: set[int] = set()
        self._repeated_s: dict[str, float] = {}
        rules.reset(self.level, self.board)
        posterior.reset(self.level, self.belief)
        observation.observe_static(self.level, self.seen[0])
        observation.clear_belief(self.seen[0])

    def observation(self) -> dict[str, np.ndarray]:
        """The fields of what a policy sees, each [1, ...], as of the last `look`; the policy's own."""
        return {name: self.seen[name].copy() for name in self.seen.dtype.names or ()}

    def look(self) -> None:
        """Write observation and mask as of the last event."""
        look_one(self.levels, self.boards, self.beliefs, self.mask, self.seen)

    def digest(self) -> str:
        """SHA-256 of the observation's bytes."""
        return hashlib.sha256(self.seen.tobytes()).hexdigest()

    def apply(self, event: Event) -> None:
        """Fold one event."""
        level, board, at_s = self.level, self.board, event.at_s
        match event:
            case Decided():
                board["steps"] += 1
            case Started():
                call = self.call(event.call)
                if self.repeated_s(call) is not None:
                    self._repeats.add(event.attempt)
                begin_one(self.levels, self.boards, call, at_s)
            case Finished():
                self._finish(event)
            case Refused():
                rules.refuse(level, board, at_s)
            case Waited():
                rules.waited(level, board, at_s)
            case Signal():
                provider = self.plan.providers.index(event.provider)
                posterior.hear_signal(level, self.belief, provider, int(event.up), at_s)
                rules.signal(level, board, provider, int(event.up), event.until_s, at_s)
            case Lost():
                rules.lose(level, board, event.attempt, at_s)
            case Ended():
                rules.stop(level, board, int(REASONS[event.reason]), at_s)
            case _:
                assert_never(event)

    def _finish(self, event: Finished) -> None:
        call = self.call(event.call)
        repeated_s = event.outcome.own_recovery.elapsed_s
        if event.attempt in self._repeats:
            repeated_s = event.elapsed_s
        function = self.plan.calls[call].function
        self._repeated_s[function] = self._repeated_s.get(function, 0.0) + repeated_s
        rows = row(self.plan, call, event.outcome, event.elapsed_s, event.made)
        finish_one(self.levels, self.boards, self.beliefs, event.attempt, rows, event.at_s)

    def repeated_s(self, call: int) -> float | None:
        """Time that the function of a call has spent on repeats, its own included; None: never tried."""
        if not self.board["function_tries"][self.level["function"][call]]:
            return None
        return self._repeated_s.get(self.plan.calls[call].function, 0.0)

    def redundant(self, made: Iterable[str]) -> list[int]:
        """Attempts in flight that could only make what was just made, and are safe to cancel."""
        flights = self.flights()
        if not flights:
            return []
        flags = np.zeros(self.plan.size.artifacts, np.uint8)
        for name in made:
            flags[self.plan.artifact_names.index(name)] = 1
        slots = range(FLIGHTS)
        found = [m for m in slots if rules.redundant(self.level, self.board, m, flags)]
        return [int(self.board["flight_attempt"][m]) for m in found]

    def call(self, name: str) -> int:
        """Index of a call by its name."""
        return self._calls[name]

    def action_name(self, action: int) -> str:
        """`WAIT`, `STOP` or the name of a call."""
        names = {WAIT: "WAIT", STOP: "STOP"}
        return names.get(action) or self.plan.call_names[action - FIRST_CALL]

    def action(self, name: str) -> int:
        """The number of an action by its name."""
        numbers = {"WAIT": WAIT, "STOP": STOP}
        return numbers[name] if name in numbers else FIRST_CALL + self.call(name)

    def flights(self) -> dict[int, int]:
        """Attempt -> call of what is in flight."""
        slots = zip(self.board["flight_attempt"], self.board["flight_call"], strict=True)
        return {int(attempt): int(call) for attempt, call in slots if attempt >= 0}

    def usable(self, artifact: str) -> bool:
        """There, not rejected by its gate, not past its time to live."""
        a = self.plan.artifact_names.index(artifact)
        return bool(rules.usable(self.level, self.board, a))

    def stopped(self) -> Stopped:
        """Why the run is over, or NO."""
        return Stopped(int(self.board["stopped"]))

    def exhausted(self) -> Stopped:
        """Why the run is over although nobody stopped it, or NO."""
        return Stopped(int(exhausted_one(self.levels, self.boards)))

    def wait_until(self) -> float:
        """When a WAIT ends if nothing finishes before."""
        return float(rules.wait_until(self.level, self.board))

    def number(self, field: str) -> Any:
        """A single number of the board as a plain one."""
        return self.board[field].item()


def fold(level: Level, events: Iterable[Event]) -> Fold:
    """The run that these events tell of."""
    run = Fold(level)
    for event in events:
        run.apply(event)
    return run


def replay(level: Level, events: Iterable[Event]) -> list[str]:
    """Digests of the observations at each decision, seen again."""
    run, digests = Fold(level), []
    for event in events:
        if isinstance(event, Decided):
            run.look()
            digests.append(run.digest())
        run.apply(event)
    return digests
