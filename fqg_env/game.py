"""A level played in words: what a typed line means, and what has just happened."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, NamedTuple

import numpy as np

from fqg_env import reading, rules
from fqg_env.arrays import CANCELLED, FLIGHTS, SUCCESS, Gate, Kind, Verdict
from fqg_env.errors import near
from fqg_env.lanes import Lanes
from fqg_env.level import Level
from fqg_env.puzzle import Puzzle
from fqg_env.render import category_words, duration
from fqg_env.rules import FIRST_CALL, STOP, WAIT


class Word(Enum):
    """What may be typed beside actions: it plays nothing and costs nothing."""

    HELP = "help"
    BOARD = "board"
    QUIT = "quit"


WORDS = {
    **{word.value: word for word in Word},
    "h": Word.HELP,
    "?": Word.HELP,
    "look": Word.BOARD,
    "": Word.BOARD,
    "q": Word.QUIT,
    "exit": Word.QUIT,
}
"""As they may be typed."""


class Before(NamedTuple):
    """The board before an action, as far as it is told of afterwards."""

    flying: list[bool]
    """[M] slots that an attempt is in, that of the action included."""
    at_s: float
    down_until_s: np.ndarray
    lost: np.ndarray
    """[C] answers of each call that were lost."""


class Game:
    """The level in lane 0 of lanes, being played in words.

    Args:
        level: gives what is there its names.
        lanes: where the episode is, begun.
        says: what calls answer, see `Puzzle.says`.
    """

    def __init__(self, level: Level, lanes: Lanes, says: Mapping[str, str] | None = None):
        self.level, self.lanes, self.says = level, lanes, says or {}
        self.attempts: list[tuple[str, bool]] = []
        """(function, whether it worked) of what has answered, in order."""

    @classmethod
    def of(cls, puzzle: Puzzle, key: int | None = None) -> Game:
        """A puzzle at its start, under the luck of its own key or of another."""
        lanes = Lanes(1, puzzle.level.size, belief=False)
        puzzle.load(lanes, key)
        lanes.begin()
        return cls(puzzle.level, lanes, puzzle.says)

    @property
    def board(self) -> Any:
        """The board as a record."""
        return self.lanes.boards[0]

    @property
    def record(self) -> Any:
        """The level as a record."""
        return self.lanes.levels[0]

    @property
    def over(self) -> bool:
        """The run has ended."""
        return bool(self.board["stopped"])

    def legal(self, action: int) -> bool:
        """The action may be chosen now."""
        return bool(self.lanes.masks[0, action])

    def play(self, action: int) -> list[str]:
        """Play an action; returns what has happened, one sentence each."""
        before = self.before(action)
        self.lanes.step(np.array([action]))
        return self.happened(action, before)

    def before(self, action: int) -> Before:
        """What `happened` has to know of the board before an action is played."""
        flying = [bool(self.board["flight_attempt"][m] >= 0) for m in range(FLIGHTS)]
        if action >= FIRST_CALL and False in flying:
            flying[flying.index(False)] = True
        news = self.board["down_until_s"].copy()
        return Before(flying, float(self.board["at_s"]), news, self.board["lost"].copy())

    def happened(self, action: int, before: Before) -> list[str]:
        """What an action has brought about, one sentence each."""
        flying, at_s = before.flying, before.at_s
        said = self.news(before.down_until_s)
        lost = [c for c in range(len(self.level.calls)) if self.board["lost"][c] > before.lost[c]]
        said += [f"The answer of {self.level.call_names[c]} was lost on the way." for c in lost]
        for m in range(FLIGHTS):
            call = int(self.board["flight_call"][m])
            if flying[m] and self.board["flight_attempt"][m] < 0 and call not in lost:
                said += self.answer(call, self.lanes.rows[0, m])
        if not said and action >= FIRST_CALL and not self.over:
            said.append(f"{self.level.call_names[action - FIRST_CALL]} is on its way.")
        if not said and action == WAIT:
            said.append(f"{duration(self.at_s - at_s)} pass.")
        return said

    def news(self, before: np.ndarray) -> list[str]:
        """What was told from outside about providers."""
        said = []
        for p, name in enumerate(self.level.providers):
            until_s = float(self.board["down_until_s"][p])
            if until_s > before[p]:
                said.append(
                    f"Somebody says that {name} is down, for {duration(until_s - self.at_s)}."
                )
            elif until_s < before[p]:
                said.append(f"Somebody says that {name} is up again.")
        return said

    @property
    def at_s(self) -> float:
        """Seconds since the start."""
        return float(self.board["at_s"])

    def answer(self, call: int, row: Any) -> list[str]:
        """What a call has answered, in words: the story's own where it has some."""
        name, category = self.level.call_names[call], int(row["category"])
        self.attempts.append((self.level.calls[call].function, category == SUCCESS))
        story = self.says
        function = self.level.calls[call].function
        mark = "!" if category == SUCCESS else ""
        text = (
            "" if category == CANCELLED else story.get(name + mark, story.get(function + mark, ""))
        )
        said = [f"{name}: {text or category_words(category) + '.'}"]
        for a, artifact in enumerate(self.level.artifact_names):
            if row["gate"][a] == Gate.REJECTED:
                said.append(f"The gate rejects the {artifact}.")
            if row["verdict"][a] != Verdict.NONE:
                good = "good" if row["verdict"][a] == Verdict.GOOD else "bad"
                said.append(f"It says that the {artifact} is {good}.")
            if row["blamed"][a]:
                said.append(f"It blames the {artifact}.")
        hints = [c for c in range(len(self.level.calls)) if row["hint"][c] > 0]
        said += [
            f"It recommends {self.level.call_names[c]} ({row['hint'][c]:.0%} sure)." for c in hints
        ]
        if row["category"] == SUCCESS and self.record["kind"][call] == Kind.INSPECT and not hints:
            said.append("It has nothing to recommend.")
        return said

    def why_not(self, action: int) -> str:
        """Why an action cannot be chosen now."""
        if action == WAIT:
            return "There is nothing to wait for."
        call = action - FIRST_CALL
        function = self.level.functions[self.level.calls[call].function]
        reads = (*self.level.inputs_of(self.level.calls[call]), *function.probes)
        lacking = [n for n in reads if not self.has(n, function.kind.value != "work")]
        if lacking:
            return f"It needs {' and '.join(lacking)} first."
        if reading.flying(self.board, call):
            return "It is on its way already."
        if rules.shielded(self.record, self.board, call):
            return (
                "It may not be tried again: its retries are used up, or a repeat would not be safe."
            )
        return "That is not possible now."

    def has(self, name: str, even_rejected: bool) -> bool:
        """An artifact can be read."""
        a = self.level.artifact_names.index(name)
        if even_rejected:
            return bool(self.board["present"][a])
        return bool(reading.usable(self.record, self.board, a))

    def verdict(self) -> str:
        """How the run ended, in a sentence or two."""
        self.lanes.judge()
        done = "Done: what had to be delivered is there, and good."
        told = done if self.lanes.success[0] else "Not done."
        return told + (" Something that was delivered is bad." if self.lanes.wrong[0] else "")

    def possible(self) -> str:
        """What may be chosen now, by name."""
        names = ("WAIT", "STOP", *self.level.call_names)
        return "possible now: " + ", ".join(n for a, n in enumerate(names) if self.legal(a))

    def understand(self, typed: str) -> int | Word | str:
        """The action or the word that is meant, or a sentence for who typed it."""
        low = typed.strip().lower()
        names = {"wait": WAIT, "stop": STOP}
        names |= {name.lower(): FIRST_CALL + c for c, name in enumerate(self.level.call_names)}
        if low in names:
            return names[low]
        if low.lstrip("-").isdigit():
            return self.numbered(int(low))
        family = [FIRST_CALL + c for c in self.level.calls_named(typed.strip())]
        if family:
            return self.variant(family)
        if low in WORDS:
            return WORDS[low]
        if low == "undo":
            return "There is no undo: what is done is done."
        known = dict.fromkeys([*names, *self.level.functions, *(word.value for word in Word)])
        return f"There is no {typed.strip()!r}." + near(low, known)

    def numbered(self, number: int) -> int | str:
        """The action of a number."""
        last = FIRST_CALL + len(self.level.calls) - 1
        if 0 <= number <= last:
            return number
        return f"There is no action {number}; they run from 0 to {last}."

    def variant(self, family: list[int]) -> int | str:
        """Which of the variants of a function is meant: the only one that is open, if there is one."""
        open_ones = [action for action in family if self.legal(action)]
        if len(open_ones) == 1:
            return open_ones[0]
        variants = ", ".join(self.level.call_names[a - FIRST_CALL] for a in family)
        return f"Which one? {variants}."
