"""Small hand-drawn levels for the tests, and two ways to play them: by events, and in the simulated world."""

from __future__ import annotations

from typing import Any

import numpy as np

from fqg_env import arrays, rules
from fqg_env.arrays import CODES, SIZES, Effect, Gate, Verdict
from fqg_env.draw import clear_row
from fqg_env.lanes import Lanes
from fqg_env.level import (
    Artifact,
    Budget,
    CallKind,
    Function,
    Goal,
    Level,
    Variant,
)
from fqg_env.outcome import Category
from fqg_env.puzzle import Faults, Puzzle

SMALL = SIZES["small"]


def preset(latency_s: float = 10.0, cost: float = 1.0, **more: Any) -> Variant:
    """A variant with everything declared."""
    return Variant(latency_s=latency_s, cost=cost, **more)


def maker(*outputs: str, inputs: tuple[str, ...] = ("page",), **more: Any) -> Function:
    """A function that makes `outputs`, with one variant unless others are given."""
    more.setdefault("variants", {"default": preset()})
    more.setdefault("provider", "local")
    return Function(inputs=inputs, outputs=outputs, **more)


def probe(kind: CallKind, artifact: str) -> Function:
    """A function that looks at one artifact."""
    return Function(
        provider="local", kind=kind, probes=(artifact,), variants={"default": preset(1.0, 0.1)}
    )


def level(
    functions: dict[str, Function], artifacts: dict[str, Artifact] | None = None, **more: Any
) -> Level:
    """A level in which `page` is given and `text` is the goal, unless said otherwise."""
    artifacts = artifacts or {
        "page": Artifact(given=True),
        "text": Artifact(goal=Goal()),
    }
    more.setdefault("budget", Budget(time_s=320.0, cost=100.0, attempts=16))
    return Level(name="drawn", artifacts=artifacts, functions=functions, **more)


def one_move(**more: Any) -> Level:
    """One call makes the goal."""
    return level({"read": maker("text")}, **more)


def same_records(one: np.ndarray, two: np.ndarray) -> bool:
    """Equal in every field; bytes of padding do not count."""
    return all(
        np.array_equal(one[name], two[name], equal_nan=one[name].dtype.kind == "f")
        for name in one.dtype.names or ()
    )


class Events:
    """One board, driven by events alone: nothing is drawn."""

    def __init__(self, drawn: Level):
        self.drawn = drawn
        self.levels = drawn.record(SMALL)
        self.boards = arrays.new(arrays.board_dtype(SMALL), 1)
        self.level, self.board = self.levels[0], self.boards[0]
        rules.reset(self.level, self.board)

    def call(self, name: str) -> int:
        """Index of a call."""
        return self.drawn.call_names.index(name)

    def artifact(self, name: str) -> int:
        """Index of an artifact."""
        return self.drawn.artifact_names.index(name)

    def legal(self) -> list[str]:
        """Names of what may be chosen now."""
        mask = np.zeros(2 + SMALL.calls, np.uint8)
        rules.legal(self.level, self.board, mask)
        names = ("WAIT", "STOP", *self.drawn.call_names)
        return [name for name, allowed in zip(names, mask, strict=False) if allowed]

    def begin(self, name: str, at_s: float = 0.0) -> int:
        """Fold `started`."""
        return int(rules.begin(self.level, self.board, self.call(name), float(at_s)))

    def row(
        self,
        category: Category | None = None,
        made: tuple[str, ...] = (),
        gate: Gate = Gate.NONE,
        **more: Any,
    ) -> Any:
        """An outcome; `hint`, `blamed`, `verdict` take names."""
        rows = arrays.new(arrays.row_dtype(SMALL), 1)
        row = rows[0]
        clear_row(self.level, row)
        row["category"] = CODES[category] if category else 0
        for name in made:
            row["made"][self.artifact(name)] = 1
            row["gate"][self.artifact(name)] = gate
        for name, confidence in more.pop("hint", {}).items():
            row["hint"][self.call(name)] = confidence
        for name in more.pop("blamed", ()):
            row["blamed"][self.artifact(name)] = 1
        for name, verdict in more.pop("verdict", {}).items():
            row["verdict"][self.artifact(name)] = Verdict(verdict)
        for field, value in more.items():
            row[field] = value
        return row

    def finish(self, attempt: int, at_s: float, *what: Any, **more: Any) -> int:
        """Fold `finished`; what follows describes the outcome as in `row`."""
        row = self.row(*what, **more)
        return int(rules.finish(self.level, self.board, attempt, row, float(at_s)))

    def run(self, name: str, at_s: float, *what: Any, **more: Any) -> None:
        """An attempt that begins now and is finished at `at_s`."""
        self.finish(self.begin(name, float(self.board["at_s"])), at_s, *what, **more)


class Game:
    """One level in the simulated world, its faults given by name (what is not named is sound)."""

    def __init__(
        self, drawn: Level | Puzzle, seed: int | None = None, belief: bool = False, **hidden: Any
    ):
        self.puzzle = (
            drawn if isinstance(drawn, Puzzle) else Puzzle(level=drawn, faults=Faults(**hidden))
        )
        self.drawn = self.puzzle.level
        self.lanes = Lanes(1, SMALL, belief=belief)
        self.puzzle.load(self.lanes, seed)
        self.lanes.begin()
        self.total = 0.0

    @property
    def board(self) -> Any:
        """The board as a record."""
        return self.lanes.boards[0]

    def act(self, *names: str) -> float:
        """Play actions by name; returns the reward of the last."""
        for name in names:
            actions = ("WAIT", "STOP", *self.drawn.call_names)
            self.lanes.step(np.array([actions.index(name)]))
            self.total += float(self.lanes.rewards[0])
        return float(self.lanes.rewards[0])

    def last(self, name: str) -> str:
        """What a call answered last: a category, `SUCCESS`, or `never`."""
        from fqg_env.render import category_name

        return category_name(int(self.board["last_category"][self.drawn.call_names.index(name)]))

    def held(self, name: str) -> bool:
        """The artifact is there and not rejected."""
        a = self.drawn.artifact_names.index(name)
        return bool(self.board["present"][a]) and not self.board["rejected"][a]

    @property
    def legal(self) -> list[str]:
        """Names of what may be chosen now."""
        names = ("WAIT", "STOP", *self.drawn.call_names)
        return [n for n, allowed in zip(names, self.lanes.masks[0], strict=False) if allowed]

    @property
    def success(self) -> bool:
        """Every Essential goal is delivered and good."""
        self.lanes.judge()
        return bool(self.lanes.success[0])


__all__ = ["Effect", "Events", "Game", "level", "maker", "one_move", "preset", "probe"]
