"""What a real run does not ask for although the game would: repeats in vain, second ways to do what may have
been done, and a WAIT of which nothing can come.
"""

from __future__ import annotations

from conductor_agent.deciding.repeats import Repeats
from conductor_agent.deciding.second_ways import bar_second_ways
from conductor_agent.record.events import Event
from conductor_agent.record.fold import Fold
from fqg_env.level import Level
from fqg_env.rules import FIRST_CALL, WAIT


class Mask:
    """Follows a run's events and narrows its mask; the loop and explanations both use it."""

    def __init__(self, level: Level) -> None:
        self._in_vain = Repeats(level)

    def apply(self, event: Event) -> None:
        """Take one event into account."""
        self._in_vain.apply(event)

    def look(self, fold: Fold) -> dict[str, str]:
        """See what a policy sees, and take out of the mask what is not asked for.

        Args:
            fold: the run after the same events.

        Returns:
            The names of calls that were taken out, with why, as it goes on after `which`.
        """
        fold.look()
        barred = self._in_vain.bar(fold) | bar_second_ways(fold)
        if not fold.flights() and not fold.mask[0, FIRST_CALL:].any():
            fold.mask[0, WAIT] = 0
        return barred
