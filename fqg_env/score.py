"""The score that a player sees at the end: up to 200, next to the return that a policy is trained on.

    base          0-100   100 x weight of what was delivered and is good, less what was delivered bad
    efficiency     0-50   50 x (1 - mean of the shares of time and of cost that were used)
    stability      0-30   30 x (1 - share of attempts failed or refused; an unsafe repeat counts twice)
    optimisation   0-20   20 x share of attempts whose work is part of what was delivered

The last three are earned in proportion to the base: nothing delivered, nothing earned.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from fqg_env import reading, world

TITLES = ((181, "Grand Maestro"), (151, "Master"), (101, "Journeyman"), (0, "Apprentice"))


REDUNDANT = -5
"""Points of a step that fails, or that has been done before."""


def titles() -> str:
    """What players are called, from how many points on."""
    return ", ".join(f"{title} from {least}" for least, title in reversed(TITLES))


def most_points(worth: Mapping[str, int]) -> int:
    """The sum of a level that is scored in points where every function works at its first attempt."""
    return sum(max(0, value) for value in worth.values())


def points(worth: Mapping[str, int], attempts: Iterable[tuple[str, bool]]) -> int:
    """The sum of a level that is scored in points.

    Args:
        worth: function -> its points, the first time that it works; 0 where it has none.
        attempts: (function, whether it worked) in their order.
    """
    total, done = 0, set()
    for function, worked in attempts:
        total += worth.get(function, 0) if worked and function not in done else REDUNDANT
        if worked:
            done.add(function)
    return total


class Score(NamedTuple):
    """Points of one run that is over."""

    base: float
    efficiency: float
    stability: float
    optimisation: float

    @property
    def total(self) -> int:
        """All points, as a whole number from 0 to 200."""
        return round(sum(self))

    @property
    def title(self) -> str:
        """What a player with so many points is called."""
        return next(title for least, title in TITLES if self.total >= least)


def lineage(level: Any, board: Any) -> int:
    """Attempts whose work is in what was delivered: its makers, the makers of what they read, and so on."""
    waiting = [a for a in range(level["artifacts"]) if reading.delivered(level, board, a)]
    seen, attempts = set(waiting), set()
    while waiting:
        a = waiting.pop()
        if board["maker"][a] < 0:
            continue
        attempts.add((int(board["maker"][a]), float(board["made_at_s"][a])))
        for source in range(level["artifacts"]):
            version = board["source_version"][a, source]
            if version > 0 and version == board["version"][source] and source not in seen:
                seen.add(source)
                waiting.append(source)
    return len(attempts)


def score(level: Any, board: Any, truth: Any) -> Score:
    """The score of a run that is over, from its records."""
    share = max(0.0, float(world.goals(level, board, truth)))
    used_time = min(1.0, float(board["at_s"] / level["time_budget_s"]))
    used_cost = min(1.0, float(board["cost"] / level["cost_budget"]))
    attempts = max(1, int(board["attempts"]))
    slips = board["failed"] + board["refused"] + 2 * board["unsafe_repeats"]
    return Score(
        base=100.0 * share,
        efficiency=50.0 * share * (1.0 - (used_time + used_cost) / 2.0),
        stability=30.0 * share * max(0.0, 1.0 - float(slips) / attempts),
        optimisation=20.0 * share * min(1.0, lineage(level, board) / attempts),
    )
