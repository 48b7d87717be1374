"""Tuning: every rule gets the same budget to find its numbers, on paired levels of validation alone.

Successive halving, then refinement by coordinates: half of the trials are drawn at random and played on a
quarter of the levels; the best eighth is played on all of them; from the best of those, one number at a time
is moved while that helps. What was found replaces the numbers before only if it is better, with 95%
certainty, on fresh levels.

The objective is the mean return on levels of standard size, half of them of tiers 1 to 20 and half of tiers
16 to 20. It is never looked at on `test` or `exact`.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fqg_env.arrays import SIZES
from fqg_env.errors import LevelError, suggest
from fqg_env.lanes import STATE, Lanes
from fqg_env.splits import source_of
from policies.recovery import tuned
from policies.recovery.registry import BY_POSTERIOR, TUNABLE, tunable
from policies.recovery.tuned import Range
from training.judging.episodes import play
from training.judging.stats import mean_ci95

SPLIT, SIZE, BANDS = "validation", "standard", ((1, 20), (16, 20))
OBJECTIVE = "mean return, validation, standard size: half tiers 1-20, half tiers 16-20"
FIRST_FRESH = 1_000_000
"""Number of the first level that decides whether what was found is kept; no search has seen it."""
Numbers = Any
"""The NamedTuple of a rule's numbers."""


class Budget(NamedTuple):
    """What each rule may spend."""

    trials: int = 120
    episodes: int = 2000
    """Levels that a whole trial plays."""
    seed: int = 0
    """Of the search, and number of the first level."""


class Found(NamedTuple):
    """What tuning a rule came to; figures on fresh levels."""

    numbers: Numbers
    before: float
    after: float
    gain: float
    gain_ci95: tuple[float, float]


class Board:
    """Levels dealt once and played again by every trial.

    Args:
        first: number of the first level.
        episodes: how many; half of each band of tiers.
        belief: the rule reads it.
    """

    def __init__(self, first: int, episodes: int, belief: bool):
        self.parts = []
        for tiers in BANDS:
            lanes = Lanes(max(1, episodes // 2), SIZES[SIZE], belief, source_of(SPLIT, tiers))
            lanes.deal(SPLIT, first)
            self.parts.append(
                (
                    lanes,
                    {
                        name: np.copy(getattr(lanes, name))
                        for name in STATE
                        if getattr(lanes, name) is not None
                    },
                )
            )

    def returns(self, rule: Any) -> np.ndarray:
        """[episodes] returns of a rule."""
        out = []
        for lanes, start in self.parts:
            for name, value in start.items():
                np.copyto(getattr(lanes, name), value)
            play(rule, lanes)
            out.append(lanes.truths["episode_return"].copy())
        return np.concatenate(out)


def drawn(space: Mapping[str, Range], numbers: Numbers, random: np.random.Generator) -> Numbers:
    """Numbers drawn uniformly from a space; those that are not in it stay."""
    values = {}
    for name, each in space.items():
        whole = random.integers(int(each.low), int(each.high) + 1)
        values[name] = float(whole) if each.whole else rounded(random.uniform(each.low, each.high))
    return numbers._replace(**values)


def moved(each: Range, value: float, share: float, random: np.random.Generator) -> float:
    """A value of a range near another one: at most a share of the range away."""
    if each.whole:
        others = [v for v in range(int(each.low), int(each.high) + 1) if v != value]
        return float(others[random.integers(len(others))])
    step = random.uniform(-share, share) * (each.high - each.low)
    return rounded(min(each.high, max(each.low, value + step)))


def rounded(value: float) -> float:
    """Three significant digits: more would be noise."""
    return float(f"{value:.3g}")


def search(
    name: str, start: Numbers, budget: Budget, tell: Callable[[float], None] = lambda score: None
) -> Numbers:
    """The best numbers that a budget finds for a rule.

    Args:
        name: of the rule.
        start: its numbers before; the first trial.
        budget: trials, levels, seed.
        tell: called after each trial with the best objective so far.
    """
    rule = tunable(name, start)
    space, random = rule.space, np.random.default_rng(budget.seed)
    few, many = (
        Board(budget.seed, episodes, name in BY_POSTERIOR)
        for episodes in (max(2, budget.episodes // 4), budget.episodes)
    )

    def score(board: Board, numbers: Numbers) -> float:
        return float(board.returns(tunable(name, numbers)).mean())

    best, best_score = start, score(many, start)
    tell(best_score)
    rough = [drawn(space, start, random) for _ in range(budget.trials // 2)]
    ranked = []
    for numbers in rough:
        ranked.append((score(few, numbers), numbers))
        tell(best_score)
    ranked.sort(key=lambda pair: -pair[0])
    for _, numbers in ranked[: max(1, budget.trials // 8)]:
        now = score(many, numbers)
        if now > best_score:
            best, best_score = numbers, now
        tell(best_score)
    left = budget.trials - 1 - len(rough) - min(len(ranked), max(1, budget.trials // 8))
    names, share = list(space), 0.25
    for i in range(max(0, left)):
        if i % len(names) == 0:
            random.shuffle(names)
            share = max(0.05, share * (0.7 if i else 1.0))
        each = names[i % len(names)]
        value = moved(space[each], getattr(best, each), share, random)
        numbers = best._replace(**{each: value})
        now = score(many, numbers)
        if now > best_score:
            best, best_score = numbers, now
        tell(best_score)
    return best


def tune(
    name: str, start: Numbers, budget: Budget, tell: Callable[[float], None] = lambda score: None
) -> Found:
    """Tune one rule and judge what was found on fresh levels.

    The numbers before stay unless the others gain there with 95% certainty.
    """
    found = search(name, start, budget, tell)
    fresh = Board(FIRST_FRESH + budget.seed, 2 * budget.episodes, name in BY_POSTERIOR)
    before = fresh.returns(tunable(name, start))
    after = fresh.returns(tunable(name, found))
    if mean_ci95(after - before)[0] <= 0.0:
        found, after = start, before
    gain = after - before
    return Found(
        found, float(before.mean()), float(after.mean()), float(gain.mean()), mean_ci95(gain)
    )


def check_names(names: Sequence[str]) -> None:
    """Every name is that of a rule with numbers.

    Raises:
        LevelError: one is not.
    """
    for name in names:
        if name not in TUNABLE:
            raise LevelError(f"there is no rule {name!r} to tune." + suggest(name, TUNABLE))


# --- the file -----------------------------------------------------------------------------------------


def read_tables(path: Path) -> dict[str, Any]:
    """What an earlier tuning wrote to a file; where there is none, what is shipped.

    Raises:
        LevelError: it cannot be read, or holds something else.
    """
    source = path if path.exists() else tuned.FILE
    try:
        tables = tomllib.loads(source.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as problem:
        raise LevelError(f"{source}: cannot be read ({problem}); name another file") from None
    for name, table in tables.items():
        if name not in (*TUNABLE, "made") or not isinstance(table, dict):
            raise LevelError(f"{source}: {name!r} is no rule that is tuned; name another file")
    return tables


def in_toml(value: Any) -> str:
    """A number or a text in TOML."""
    if isinstance(value, str):
        return f'"{value}"'
    return repr(int(value)) if float(value).is_integer() else repr(value)


def write_tables(path: Path, tables: Mapping[str, Any]) -> None:
    """Write numbers of rules, and how they were made; the file is there whole or as it was.

    Raises:
        LevelError: the file cannot be written.
    """
    lines = [
        "# Numbers of the rules, made by `fqg tune`.",
        "# [made.RULE] has the command, and the figures on fresh levels: mean returns, 95% interval.",
        f"# Objective: {OBJECTIVE}.",
    ]
    sections = {name: table for name, table in tables.items() if name != "made"}
    sections |= {f"made.{name}": table for name, table in tables.get("made", {}).items()}
    for name, table in sections.items():
        lines += ["", f"[{name}]"]
        lines += [f"{key} = {in_toml(value)}" for key, value in table.items()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            scratch.write_text("\n".join(lines) + "\n", "utf-8")
            scratch.replace(path)
        finally:
            scratch.unlink(missing_ok=True)
    except OSError as problem:
        raise LevelError(
            f"{path}: cannot be written ({problem.strerror}); name another file"
        ) from None


def tune_into(
    tables: dict[str, Any],
    name: str,
    budget: Budget,
    tell: Callable[[float], None] = lambda score: None,
) -> Found:
    """Tune one rule from its numbers in the tables, and put what was found, and how, into them."""
    kind = tunable(name).kind
    try:
        start = kind(**{key: float(value) for key, value in tables[name].items()})
    except (KeyError, TypeError, ValueError):
        start = tunable(name).numbers
    found = tune(name, start, budget, tell)
    tables[name] = found.numbers._asdict()
    made = tables.setdefault("made", {})
    made[name] = {
        "command": f"fqg tune --policies {name} --trials {budget.trials} "
        f"--episodes {budget.episodes} --seed {budget.seed}",
        "before": round(found.before, 4),
        "after": round(found.after, 4),
        "gain": round(found.gain, 4),
        "gain_low": round(found.gain_ci95[0], 4),
        "gain_high": round(found.gain_ci95[1], 4),
    }
    return found


def as_data(budget: Budget, out: Path, found: Mapping[str, Found]) -> dict[str, Any]:
    """What `fqg tune --json` prints."""
    return {
        **budget._asdict(),
        "objective": OBJECTIVE,
        "file": str(out),
        "policies": {
            name: {**f._asdict(), "numbers": f.numbers._asdict(), "gain_ci95": list(f.gain_ci95)}
            for name, f in found.items()
        },
    }
