"""Repeats that are known to be in vain: asked with the very same values, a call has answered the very same.

In the game a repeat may come out otherwise, and a policy learns to hope for that. A real function often
answers alike for ever; the journal has the hash of every value, so that this can be seen.
"""

from __future__ import annotations

from collections.abc import Mapping

from conductor_agent.record.events import Event, Finished, Lost, Started
from fqg_env.level import Level
from fqg_env.outcome import Success

Asked = tuple[str, frozenset[tuple[str, str]]]
"""A call, and the SHA-256 of each value that it reads."""


def asked(call: str, inputs: Mapping[str, str]) -> Asked:
    """What is asked of a call; `inputs` is artifact -> SHA-256."""
    return call, frozenset(inputs.items())


class InVain:
    """What the events of a run say of repeats, one after the other."""

    def __init__(self, level: Level) -> None:
        self._level = level
        self._begun: dict[int, Asked] = {}
        """Attempt in flight -> what it was asked."""
        self._made: dict[Asked, Mapping[str, str]] = {}
        """What it made of that when it last made anything: artifact -> SHA-256."""
        self._alike: set[Asked] = set()
        """Made the same twice in a row."""
        self._refused: set[Asked] = set()
        """Said that a repeat does not help."""

    def apply(self, event: Event) -> None:
        """Take one event into account."""
        match event:
            case Started():
                self._begun[event.attempt] = asked(event.call, event.inputs)
            case Lost():
                self._begun.pop(event.attempt, None)
            case Finished():
                self._finish(self._begun.pop(event.attempt, None), event)
            case _:
                pass

    def _finish(self, what: Asked | None, event: Finished) -> None:
        if what is None:
            return
        if event.values:
            if self._made.get(what) == event.values and not self._goes_off(event.values):
                self._alike.add(what)
            else:
                self._alike.discard(what)
            self._made[what] = event.values
        elif not isinstance(event.outcome, Success) and event.outcome.retryable is False:
            self._refused.add(what)

    def _goes_off(self, values: Mapping[str, str]) -> bool:
        """One of these is made anew because it gets old."""
        artifacts = self._level.artifacts
        return any(artifacts[name].time_to_live_s is not None for name in values)

    def holds(self, call: str, inputs: Mapping[str, str], held: Mapping[str, str]) -> bool:
        """Nothing new can come of this call: it refused these very values for good, or made the same of them
        twice in a row and that is what is held.

        Args:
            call: its name.
            inputs: artifact that it reads -> SHA-256.
            held: artifact that is there -> SHA-256 of the value.
        """
        what = asked(call, inputs)
        if what in self._refused:
            return True
        return what in self._alike and self._made[what].items() <= held.items()
