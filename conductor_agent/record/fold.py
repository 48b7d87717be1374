"""The fold of a run's events: level, board, belief and what a policy sees, moved on one event at a time.

The loop, resume, explanations and replay all use this class, so they cannot differ.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, assert_never

import numpy as np

from conductor_agent.record.events import (
    CodeChanged,
    Decided,
    Ended,
    Event,
    Finished,
    Lost,
    Signal,
    Started,
    Waited,
)
from fqg_env import arrays, believed, filtering, hearing, observation, reading, rules
from fqg_env import belief as posterior
from fqg_env.arrays import FLIGHTS, Stopped
from fqg_env.compiled import kernel
from fqg_env.fields import observation_dtype
from fqg_env.level import Level
from fqg_env.row import row
from fqg_env.rules import FIRST_CALL, STOP, WAIT

REASONS = {reason.name.lower(): reason for reason in Stopped}


class FoldError(ValueError):
    """An event that does not fit the level it is folded into; the message is one sentence."""


# Arrays of one instead of a record: a compiled function is called much faster so.


@kernel
def begin_one(levels: Any, boards: Any, beliefs: Any, call: int, at_s: float) -> None:
    """Board, then belief, as world.attempt does."""
    number = rules.begin(levels[0], boards[0], call, at_s)
    slot = reading.slot_of(boards[0], number)
    if slot >= 0:
        filtering.begin(levels[0], boards[0], beliefs[0], slot)


@kernel
def finish_one(
    levels: Any, boards: Any, beliefs: Any, attempt: int, rows: Any, at_s: float
) -> None:
    """Belief, then board, as world.complete does."""
    slot = reading.slot_of(boards[0], attempt)
    if slot >= 0:
        filtering.update(levels[0], boards[0], beliefs[0], slot, rows[0])
        rules.finish(levels[0], boards[0], attempt, rows[0], at_s)


@kernel
def look_one(levels: Any, boards: Any, beliefs: Any, masks: Any, out: Any) -> None:
    """Mask and observation."""
    rules.legal(levels[0], boards[0], masks[0])
    observation.observe(levels[0], boards[0], out[0])
    believed.observe_belief(levels[0], boards[0], beliefs[0], out[0])


@kernel
def exhausted_one(levels: Any, boards: Any) -> int:
    """`reading.exhausted`."""
    return reading.exhausted(levels[0], boards[0])


class Fold:
    """One run as arrays of a batch of one. Never reads a clock."""

    def __init__(self, level: Level) -> None:
        self.level = level
        size = level.size
        self.records = level.record(size)  # [1]
        self.boards = arrays.new(arrays.board_dtype(size), 1)  # [1]
        self.beliefs = arrays.new(posterior.belief_dtype(size), 1)  # [1]
        self.seen = arrays.new(observation_dtype(size, belief=True), 1)  # [1]
        self.mask = np.zeros((1, FIRST_CALL + size.calls), np.uint8)  # [1, 2 + C]
        self.record, self.board, self.belief = self.records[0], self.boards[0], self.beliefs[0]
        self.new_at_s: dict[str, float] = {}
        """Artifact -> when it was last made otherwise than it was."""
        self._values: dict[str, str] = {}
        self.changed: set[int] = set()
        """Calls whose code is another one since they were asked last."""
        self._calls = _numbered(level.call_names)
        self._artifacts = _numbered(level.artifact_names)
        self._providers = _numbered(level.providers)
        self._repeats: set[int] = set()
        self._repeated_s: dict[str, float] = {}
        rules.reset(self.record, self.board)
        posterior.reset(self.record, self.belief)
        observation.observe_static(self.record, self.seen[0])
        believed.observe_belief_static(self.record, self.seen[0])

    def observation(self) -> dict[str, np.ndarray]:
        """The fields of what a policy sees, each [1, ...], as of the last `look`; the policy's own."""
        return {name: self.seen[name].copy() for name in self.seen.dtype.names or ()}

    def look(self) -> None:
        """Write observation and mask as of the last event."""
        look_one(self.records, self.boards, self.beliefs, self.mask, self.seen)

    def digest(self) -> str:
        """SHA-256 of the observation's bytes."""
        return hashlib.sha256(self.seen.tobytes()).hexdigest()

    def apply(self, event: Event) -> None:
        """Fold one event.

        Raises:
            FoldError: it names what the level does not have.
        """
        level, board, at_s = self.record, self.board, event.at_s
        match event:
            case Decided():
                self.action(event.action)  # there is one of this name
                board["steps"] += 1
            case Started():
                call = self.call(event.call)
                self.changed.discard(call)
                if self.repeated_s(call) is not None:
                    self._repeats.add(event.attempt)
                begin_one(self.records, self.boards, self.beliefs, call, at_s)
            case Finished():
                self._finish(event)
            case Waited():
                rules.waited(level, board, at_s)
            case Signal():
                provider = self.provider(event.provider)
                hearing.hear_signal(
                    level, self.belief, provider, int(event.up), event.until_s, at_s
                )
                rules.signal(level, board, provider, int(event.up), event.until_s, at_s)
            case Lost():
                rules.lose(level, board, event.attempt, at_s)
            case CodeChanged():
                self._ask_anew(event.calls(self.level))
            case Ended():
                rules.stop(level, board, _number("reason", event.reason, REASONS), at_s)
            case _:
                assert_never(event)

    def _ask_anew(self, calls: list[int]) -> None:
        """What the former code of these said of repeats does not count any more."""
        self.board["final_with"][calls] = 0
        self.changed.update(calls)

    def row(self, event: Finished) -> Any:
        """The numeric face of what an attempt came to, [1].

        Raises:
            FoldError: it names what the level does not have.
            OverflowError, TypeError, ValueError: it has none.
        """
        for name in event.made:
            _number("artifact", name, self._artifacts)
        for name in event.values:
            _number("value", name, dict.fromkeys(event.made, 0))
        call = self.call(event.call)
        return row(self.level, call, event.outcome, event.elapsed_s, event.made)

    def _finish(self, event: Finished) -> None:
        call, rows = self.call(event.call), self.row(event)
        repeated_s = event.outcome.own_recovery.elapsed_s
        if event.attempt in self._repeats:
            repeated_s = event.elapsed_s
        function = self.level.calls[call].function
        self._repeated_s[function] = self._repeated_s.get(function, 0.0) + repeated_s
        finish_one(self.records, self.boards, self.beliefs, event.attempt, rows, event.at_s)
        for name in event.made:
            sha = event.values.get(name, "")
            if not sha or sha != self._values.get(name):
                self.new_at_s[name] = event.at_s
            self._values[name] = sha

    def repeated_s(self, call: int) -> float | None:
        """Time that the function of a call has spent on repeats, its own included; None: never tried."""
        if not self.board["function_tries"][self.record["function"][call]]:
            return None
        return self._repeated_s.get(self.level.calls[call].function, 0.0)

    def redundant(self, made: Iterable[str]) -> list[int]:
        """Attempts in flight that could only make what was just made, and are safe to cancel."""
        flights = self.flights()
        if not flights:
            return []
        flags = np.zeros(self.level.size.artifacts, np.uint8)
        for name in made:
            flags[self._artifacts[name]] = 1
        slots = range(FLIGHTS)
        found = [m for m in slots if rules.redundant(self.record, self.board, m, flags)]
        return [int(self.board["flight_attempt"][m]) for m in found]

    def call(self, name: str) -> int:
        """Index of a call by its name.

        Raises:
            FoldError: there is none.
        """
        return _number("call", name, self._calls)

    def provider(self, name: str) -> int:
        """Index of a provider by its name.

        Raises:
            FoldError: there is none.
        """
        return _number("provider", name, self._providers)

    def action_name(self, action: int) -> str:
        """`WAIT`, `STOP` or the name of a call."""
        names = {WAIT: "WAIT", STOP: "STOP"}
        return names.get(action) or self.level.call_names[action - FIRST_CALL]

    def action(self, name: str) -> int:
        """The number of an action by its name.

        Raises:
            FoldError: there is none.
        """
        numbers = {"WAIT": WAIT, "STOP": STOP}
        return numbers[name] if name in numbers else FIRST_CALL + self.call(name)

    def flights(self) -> dict[int, int]:
        """Attempt -> call of what is in flight."""
        slots = zip(self.board["flight_attempt"], self.board["flight_call"], strict=True)
        return {int(attempt): int(call) for attempt, call in slots if attempt >= 0}

    def usable(self, artifact: str) -> bool:
        """There, not rejected by its gate, not past its time to live."""
        a = self.level.artifact_names.index(artifact)
        return bool(reading.usable(self.record, self.board, a))

    def stopped(self) -> Stopped:
        """Why the run is over, or NO."""
        return Stopped(int(self.board["stopped"]))

    def exhausted(self) -> Stopped:
        """Why the run is over although nobody stopped it, or NO."""
        return Stopped(int(exhausted_one(self.records, self.boards)))

    def wait_until(self) -> float:
        """When a WAIT ends if nothing finishes before."""
        return float(reading.wait_until(self.record, self.board))

    def number(self, field: str) -> Any:
        """A single number of the board as a plain one."""
        return self.board[field].item()


def _numbered(names: Iterable[str]) -> dict[str, int]:
    return {name: i for i, name in enumerate(names)}


def _number(what: str, name: str, numbers: Mapping[str, int]) -> int:
    """The number of something that an event names.

    Raises:
        FoldError: there is none of this name.
    """
    if name not in numbers:
        raise FoldError(f"an event names the {what} {name!r}, its level has none")
    return int(numbers[name])


def fold(level: Level, events: Iterable[Event]) -> Fold:
    """The run that these events tell of.

    Raises:
        FoldError: one of them does not fit the level.
    """
    run = Fold(level)
    for number, event in enumerate(events):
        try:
            run.apply(event)
        except (LookupError, TypeError, ValueError, ArithmeticError) as problem:
            raise FoldError(f"event {number} does not fit its level: {problem}") from problem
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
