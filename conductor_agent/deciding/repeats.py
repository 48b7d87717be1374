"""Repeats that are known to be in vain: asked with the very same values, a call has answered the very same.

In the game a repeat may come out otherwise, and a policy learns to hope for that. A real function often
answers alike for ever; the journal has the hash of every value, so that this can be seen.
"""

from __future__ import annotations

from collections.abc import Container, Mapping

from conductor_agent.live_world import reads
from conductor_agent.record.events import CodeChanged, Event, Finished, Lost, Started
from conductor_agent.record.fold import Fold
from fqg_env.level import Level
from fqg_env.outcome import Category, Outcome, Success
from fqg_env.rules import FIRST_CALL

OF_THE_CALLER = frozenset({Category.CANCELLED, Category.UNAUTHORIZED, Category.FORBIDDEN})
"""These say nothing of the values that were read: the next attempt may come with other rights."""
Question = tuple[str, frozenset[tuple[str, str]]]
"""A call, and the SHA-256 of each value that it reads."""

REFUSED = "refused these very values and said that a repeat is in vain"
ALIKE = "made the very same of these very values twice in a row"
"""Why a call is not asked again, as it goes on after `which`."""


def question(call: str, inputs: Mapping[str, str]) -> Question:
    """What is asked of a call; `inputs` is artifact -> SHA-256."""
    return call, frozenset(inputs.items())


class Repeats:
    """What the events of a run say of repeats, one after the other."""

    def __init__(self, level: Level) -> None:
        self._level = level
        self._begun: dict[int, Question] = {}
        """Attempt in flight -> what it was asked."""
        self._made: dict[Question, Mapping[str, str]] = {}
        """What it made of that when it last made anything: artifact -> SHA-256."""
        self._alike: set[Question] = set()
        """Made the same twice in a row."""
        self._refused: set[Question] = set()
        """Said that a repeat does not help."""
        self._latest: dict[str, str] = {}
        """Artifact that was read or made -> SHA-256 of its current version."""

    def apply(self, event: Event) -> None:
        """Take one event into account."""
        match event:
            case Started():
                self._begun[event.attempt] = question(event.call, event.inputs)
                self._latest.update(event.inputs)
            case Lost():
                self._begun.pop(event.attempt, None)
            case Finished():
                self._finish(self._begun.pop(event.attempt, None), event)
                self._latest.update(event.values)
            case CodeChanged():
                self._forget({self._level.call_names[call] for call in event.calls(self._level)})
            case _:
                pass

    def _finish(self, what: Question | None, event: Finished) -> None:
        if what is None:
            return
        if event.values:
            if self._made.get(what) == event.values and not self._goes_off(event.values):
                self._alike.add(what)
            else:
                self._alike.discard(what)
            self._made[what] = event.values
        elif refuses(event.outcome):
            self._refused.add(what)

    def _forget(self, calls: Container[str]) -> None:
        """What other code has answered says nothing of these any more."""
        self._refused = {what for what in self._refused if what[0] not in calls}
        self._alike = {what for what in self._alike if what[0] not in calls}
        self._made = {what: made for what, made in self._made.items() if what[0] not in calls}

    def _goes_off(self, values: Mapping[str, str]) -> bool:
        """One of these is made anew because it gets old."""
        artifacts = self._level.artifacts
        return any(artifacts[name].time_to_live_s is not None for name in values)

    def bar(self, fold: Fold) -> dict[str, str]:
        """Take calls of which nothing new can come out of the mask, where the shield forbids those.

        Args:
            fold: the run after the same events, looked at.

        Returns:
            The names of these calls, with why.
        """
        level, board = self._level, fold.board
        if level.shield.final_repeats == "allowed":
            return {}
        there = dict(zip(level.artifact_names, board["present"], strict=False))  # one may be padded
        held = {name: sha for name, sha in self._latest.items() if there[name]}
        barred = {}
        for call, name in enumerate(level.call_names):
            if not board["tries"][call]:
                continue
            inputs = {one: self._latest[one] for one in reads(level, call) if one in self._latest}
            if why := self.why(name, inputs, held):
                fold.mask[0, FIRST_CALL + call] = 0
                barred[name] = why
        return barred

    def why(self, call: str, inputs: Mapping[str, str], held: Mapping[str, str]) -> str:
        """Why nothing new can come of this call: it refused these very values for good, or made the same of
        them twice in a row and that is what is held. Empty where something may.

        Args:
            call: its name.
            inputs: artifact that it reads -> SHA-256.
            held: artifact that is there -> SHA-256 of the value.
        """
        what = question(call, inputs)
        if what in self._refused:
            return REFUSED
        return ALIKE if what in self._alike and self._made[what].items() <= held.items() else ""


def refuses(outcome: Outcome) -> bool:
    """It says of what it read that a repeat does not help."""
    if isinstance(outcome, Success) or outcome.category in OF_THE_CALLER:
        return False
    return outcome.retryable is False
