"""Health: how far an extension is trusted, as a pure function of how its calls went; thresholds are data.

    healthy > stable > unstable > critical > quarantined

A failure takes it down by one where there are too many among its last calls, a good call up by one where
there are enough good ones *and* the failures that would take it down again are no longer among its last
calls. (The documented counts overlap: three failures in 15 take it down to unstable, and 15 good calls of 18
with the same three failures take it up.) So more failures, or worse ones, never make it healthier.
"""

from __future__ import annotations

import tomllib
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum, IntEnum
from functools import cache
from importlib import resources
from typing import Any

from fqg_env.outcome import Blame, Category, StandardError


class Conduct(IntEnum):
    """How an extension behaved in one call, from good to worst."""

    GOOD = 0
    FAILED = 1
    SLOW = 2
    EXCESS = 3
    ESCAPE = 4


class State(IntEnum):
    """How far it is trusted, best first."""

    HEALTHY = 0
    STABLE = 1
    UNSTABLE = 2
    CRITICAL = 3
    QUARANTINED = 4


class Consequence(str, Enum):
    """What follows a breach."""

    WARN = "warn"
    LOWER = "lower"
    QUARANTINE = "quarantine"


@dataclass(frozen=True)
class Rung:
    """So many calls of a kind within the last ones."""

    count: int
    within: int


@dataclass(frozen=True)
class Health:
    """What is thought of an extension now."""

    state: State = State.HEALTHY
    left_out: bool = False
    """Nobody calls it. A quarantined extension that was pardoned is on trial: it is called."""
    probation_calls: int = 0
    """In its next so many calls one failure takes it down."""
    breaches: int = 0
    """Limits broken within its last calls."""


@dataclass(frozen=True)
class Rules:
    """The thresholds, as `health.toml` has them."""

    down: dict[State, Rung]
    up: dict[State, Rung]
    probation_calls: int
    excused: frozenset[Category]
    misconduct: frozenset[Category]
    breaches_within: int
    kinds: dict[str, Conduct]
    """Name of a limit -> kind of breach; EXCESS where it is not named."""
    then: dict[Conduct, tuple[Consequence, ...]]

    @property
    def longest(self) -> int:
        """Calls that anything looks back on."""
        rungs = (*self.down.values(), *self.up.values())
        return max(self.breaches_within, *(rung.within for rung in rungs))


def blames(failure: StandardError, rules: Rules | None = None) -> bool:
    """Whether a failure speaks against the extension: who says nothing of blame blames itself, unless the
    category names something outside it.
    """
    rules = rules or shipped()
    told = failure.blame in (Blame.EXTENSION, Blame.UNKNOWN)
    return told and failure.category not in rules.excused


def conduct(
    category: Category | None, *, blamed: bool, limit: str | None, rules: Rules | None = None
) -> Conduct | None:
    """How it behaved in a call, or None: the call says nothing of its behaviour.

    Args:
        category: of the failure; None: it succeeded.
        blamed: the failure speaks against the extension.
        limit: what it broke in this call, seen from outside and its own fault.
        rules: the thresholds; the shipped ones where they are not given.
    """
    rules = rules or shipped()
    if limit is not None:
        return rules.kinds.get(limit, Conduct.EXCESS)
    if category is None:
        return Conduct.GOOD
    return Conduct.FAILED if blamed and category in rules.misconduct else None


def health(stretches: Iterable[Iterable[Conduct]], rules: Rules | None = None) -> Health:
    """The health after these calls, the oldest first.

    Args:
        stretches: the calls before the first pardon, those up to the second, and so on. A pardon lets an
            extension be called again, and what was before it is counted no more.
        rules: the thresholds; the shipped ones where they are not given.
    """
    rules, now = rules or shipped(), Health()
    for nth, stretch in enumerate(stretches):
        now = replace(now, left_out=False, breaches=0) if nth else now
        past: deque[Conduct] = deque(maxlen=rules.longest)
        for one in stretch:
            past.append(one)
            now = _after(now, past, rules)
    return now


def _after(now: Health, past: deque[Conduct], rules: Rules) -> Health:
    """The health after the last call of `past`."""
    good = past[-1] is Conduct.GOOD
    if now.breaches or not good:
        now = replace(now, breaches=_count(past, rules.breaches_within, Conduct.SLOW))
    return _risen(now, past, rules) if good else _fallen(now, past, rules)


def _risen(now: Health, past: deque[Conduct], rules: Rules) -> Health:
    """After a good call."""
    if now.left_out:  # somebody called it all the same; only a pardon lets it back in
        return now
    if now.state is State.HEALTHY:
        left = now.probation_calls
        return replace(now, probation_calls=left - 1) if left else now
    rung, better = rules.up[now.state], State(now.state - 1)
    last = list(past)[-rung.within :]
    if last.count(Conduct.GOOD) < rung.count or _holds(rules.down[better], past):
        return now
    probation = rules.probation_calls if better is State.HEALTHY else 0
    return replace(now, state=better, probation_calls=probation)


def _fallen(now: Health, past: deque[Conduct], rules: Rules) -> Health:
    """After a failure or a breach."""
    consequence = follows(past, rules)
    if consequence is Consequence.QUARANTINE:
        return _quarantined(now)
    if _holds(rules.down[now.state], past) or now.probation_calls:
        now = _lowered(now)
    return _lowered(now) if consequence is Consequence.LOWER else now


def follows(past: Sequence[Conduct], rules: Rules | None = None) -> Consequence | None:
    """What follows the last of these calls, if it was a breach."""
    rules = rules or shipped()
    kind = past[-1]
    if kind not in rules.then:
        return None
    nth = _count(past, rules.breaches_within, kind)
    then = rules.then[kind]
    return then[min(nth, len(then)) - 1]


def _lowered(now: Health) -> Health:
    if now.state >= State.CRITICAL:
        return _quarantined(now)
    return replace(now, state=State(now.state + 1), probation_calls=0)


def _quarantined(now: Health) -> Health:
    return replace(now, state=State.QUARANTINED, left_out=True, probation_calls=0)


def _holds(rung: Rung, past: Sequence[Conduct]) -> bool:
    return _count(past, rung.within, Conduct.FAILED) >= rung.count


def _count(past: Sequence[Conduct], within: int, least: Conduct) -> int:
    """How many of the last calls were as bad as this, or worse."""
    return sum(one >= least for one in list(past)[-within:])


@cache
def shipped() -> Rules:
    """The thresholds of `health.toml`."""
    text = resources.files("policies.resource").joinpath("health.toml").read_text("utf-8")
    return read_rules(tomllib.loads(text))


def read_rules(data: dict[str, Any]) -> Rules:
    """Thresholds from plain data.

    Raises:
        KeyError: something is missing, or names what there is not.
    """
    kinds = {kind: data["breaches"][kind.name.lower()] for kind in Conduct if kind >= Conduct.SLOW}
    return Rules(
        down={State[name.upper()]: Rung(**rung) for name, rung in data["down"].items()},
        up={State[name.upper()]: Rung(**rung) for name, rung in data["up"].items()},
        probation_calls=data["probation"]["calls"],
        excused=frozenset(map(Category, data["failures"]["excused"])),
        misconduct=frozenset(map(Category, data["failures"]["misconduct"])),
        breaches_within=data["breaches"]["within"],
        kinds={limit: kind for kind, entry in kinds.items() for limit in entry["limits"]},
        then={kind: tuple(map(Consequence, entry["then"])) for kind, entry in kinds.items()},
    )
