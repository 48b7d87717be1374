"""Play episodes: a policy decides for many lanes at once, and one record per episode says what happened."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fqg_env import arrays
from fqg_env.arrays import CATEGORIES, Stopped
from fqg_env.lanes import Lanes
from fqg_env.unsolvable import find_unsolvable
from policies.recovery.base import FLOOR, Decision
from policies.recovery.oracle import Oracle
from training.judging import behaviour
from training.judging.contestants import Contestant
from training.judging.setting import Setting, deal, describe_levels

TIMED_DECISIONS, TIMED_PLANS = 200, 10
EPISODE = np.dtype(
    [
        # the level
        ("number", "i8"),
        ("tier", "i2"),  # -1: it has none
        ("family", "i2"),  # of shapes.Family; -1: it has none
        ("template", "i2"),  # or the level file; -1: it is drawn
        ("mix", "i2"),  # of splits.MIX_NAMES; -1: it has none
        ("in_the_way", "u4"),  # kinds of faults that the default order would meet, a bit each
        ("unsolvable", "u1"),  # provably, under its faults and luck
        # what the policy did
        ("return", "f8"),
        ("success", "u1"),
        ("wrong", "u1"),  # some delivered goal is bad
        ("attempts", "i4"),
        ("refused", "i4"),  # illegal actions
        ("cost", "f8"),  # / cost budget
        ("time", "f8"),  # / time budget
        ("goal_at", "f8"),  # when the last Essential goal was made / time budget; NaN: it was not
        ("unsafe", "u1"),  # some call was repeated that may have acted already
        ("repeats", "i4"),  # attempts without new information
        ("recoveries", "i4"),  # attempts at what had been attempted before
        ("met", "u4"),  # kinds of faults that stopped or spoilt an attempt, a bit each
        ("gave_up", "u1"),  # it stopped, and an Essential goal was missing
    ]
)


@dataclass
class Played:
    """What one policy did."""

    episodes: np.ndarray
    """[N] of EPISODE."""
    reactions: np.ndarray
    """[CATEGORIES, REACTIONS] how often it did what after which category of error."""
    decisions: int
    floor: int
    """Decisions that the index rule made in its place."""
    spent_s: float
    """In all decisions together."""
    decision_ms: np.ndarray
    """Single decisions, timed one by one; empty where none was."""


class Seen:
    """What a planner is handed: lanes without what is hidden."""

    def __init__(self, lanes: Lanes, which: slice = slice(None)):
        self.size = lanes.size
        self.levels, self.boards, self.beliefs = (
            lanes.levels[which].copy(),
            lanes.boards[which].copy(),
            None if lanes.beliefs is None else lanes.beliefs[which].copy(),
        )
        self.n = len(self.levels)
        self.levels["key"] = 0  # it seeds the draws to come
        self.masks, self.observations = lanes.masks[which].copy(), lanes.observations[which].copy()


class AnswerError(ValueError):
    """What a policy answered is no decision; the message is one sentence."""


def observations(lanes: Lanes) -> dict[str, np.ndarray]:
    """The observation fields of all lanes, by name; copies, since a policy may be anybody's."""
    return {name: lanes.observations[name].copy() for name in lanes.observations.dtype.names or ()}


def ask(policy: Any, lanes: Lanes) -> Decision:
    """Let a policy or a planner decide for all lanes.

    Raises:
        AnswerError: it answers what is no decision.
    """
    if hasattr(policy, "plan"):
        # the oracle itself, since a class that inherits from it may be anybody's
        return decision_of(policy.plan(lanes if type(policy) is Oracle else Seen(lanes)), "plan")
    return decision_of(policy.decide(observations(lanes), lanes.masks.copy()), "decide")


def decision_of(answer: Any, method: str) -> Decision:
    """What a method of a policy answered, if it has the fields of a decision.

    Raises:
        AnswerError: it has not.
    """
    needed = set(Decision._fields) - set(Decision._field_defaults)
    if not all(hasattr(answer, name) for name in needed):
        raise AnswerError(
            f"{method} must return a Decision: action [N], probabilities, source; `certain` of "
            f"policies.recovery.base makes one; it returned {kind_of(answer)}"
        )
    decision: Decision = answer
    return decision


def kind_of(answer: Any) -> str:
    """What an answer is, in a word."""
    return "None" if answer is None else f"a value of type {type(answer).__name__}"


def time_decisions(policy: Any, lanes: Lanes) -> np.ndarray:
    """Milliseconds of single decisions, each on the first observation of a lane; the oracle is not timed."""
    if type(policy) is Oracle:
        return np.zeros(0)
    plans = hasattr(policy, "plan")
    fields = {} if plans else observations(lanes)
    out = []
    # the first one compiles and loads
    for i in (0, *range(min(TIMED_PLANS if plans else TIMED_DECISIONS, lanes.n))):
        one = slice(i, i + 1)
        seen, mask = Seen(lanes, one), lanes.masks[one].copy()
        row = {name: value[one] for name, value in fields.items()}
        began = time.perf_counter()
        policy.plan(seen) if plans else policy.decide(row, mask)
        out.append((time.perf_counter() - began) * 1e3)
    return np.asarray(out[1:])


def actions_of(decision: Decision, n: int) -> np.ndarray:
    """The actions [N] of a decision.

    Raises:
        AnswerError: it is no decision for N lanes.
    """
    action, source = np.asarray(decision.action), np.asarray(decision.source)
    for what, its in (("actions", action.shape), ("sources", source.shape)):
        if its != (n,):
            raise AnswerError(f"it answered {what} of shape {its}, not ({n},)")
    if action.dtype.kind not in "iu":
        raise AnswerError(f"it answered actions of type {action.dtype}, not whole numbers")
    return action.astype(np.int64)


def play(policy: Any, lanes: Lanes) -> Played:
    """Play every lane to its end and judge it; what describes the levels is left empty."""
    notes = arrays.new(behaviour.notes_dtype(lanes.size), lanes.n)
    reactions = np.zeros((CATEGORIES, behaviour.REACTIONS), np.int64)
    row = arrays.new(arrays.row_dtype(lanes.size), 1)
    behaviour.begin(lanes.levels, lanes.hidden, notes)
    floor, decisions, spent_s = 0, 0, 0.0
    while (running := lanes.boards["stopped"] == 0).any():
        began = time.perf_counter()
        decision = ask(policy, lanes)
        spent_s += time.perf_counter() - began
        action = actions_of(decision, lanes.n)
        floor += int((np.asarray(decision.source)[running] == FLOOR).sum())
        decisions += int(running.sum())
        behaviour.before(
            lanes.levels, lanes.hidden, lanes.boards, lanes.truths, lanes.masks,
            action, row, notes, reactions,
        )  # fmt: skip
        lanes.step(action)
        behaviour.after(lanes.boards, notes)
    lanes.judge()
    behaviour.end(lanes.levels, lanes.boards, notes)
    return Played(
        recorded(lanes, notes), reactions, decisions, floor, spent_s, decision_ms=np.zeros(0)
    )


def recorded(lanes: Lanes, notes: np.ndarray) -> np.ndarray:
    """The episodes [N] of EPISODE of lanes that are over, but for what describes their levels."""
    levels, boards = lanes.levels, lanes.boards
    out = np.zeros(lanes.n, EPISODE)
    out["return"] = lanes.truths["episode_return"]
    out["success"], out["wrong"] = lanes.success, lanes.wrong
    out["attempts"], out["refused"] = boards["attempts"], boards["refused"]
    out["cost"] = boards["cost"] / levels["cost_budget"]
    out["time"] = boards["at_s"] / levels["time_budget_s"]
    out["unsafe"] = boards["unsafe_repeats"] > 0
    for name in ("goal_at", "repeats", "recoveries", "met", "in_the_way"):
        out[name] = notes[name]
    out["gave_up"] = (boards["stopped"] == Stopped.POLICY) & (notes["complete"] == 0)
    return out


def play_chunk(
    contestant: Contestant, setting: Setting, first: int, n: int, luck: int = 0
) -> Played:
    """One policy on one chunk of episodes, under a luck (see `setting.deal`)."""
    lanes = deal(setting, first, n, luck)
    level_facts = np.zeros(n, EPISODE)
    if luck == 0:
        describe_levels(setting, lanes, first, level_facts)
        find_unsolvable(lanes.levels, lanes.hidden, level_facts["unsolvable"])
    # a policy of its own is timed, so that a state it may keep does not depend on it
    timed = first == 0 and luck == 0
    decision_ms = time_decisions(contestant.make(), lanes) if timed else np.zeros(0)
    played = play(contestant.make(), lanes)
    for name in ("number", "tier", "family", "template", "mix", "unsolvable"):
        played.episodes[name] = level_facts[name]
    played.decision_ms = decision_ms
    return played


def joined(parts: Sequence[Played]) -> Played:
    """Chunks of one policy as one, in their order."""
    return Played(
        episodes=np.concatenate([part.episodes for part in parts]),
        reactions=np.sum([part.reactions for part in parts], axis=0),
        decisions=sum(part.decisions for part in parts),
        floor=sum(part.floor for part in parts),
        spent_s=sum(part.spent_s for part in parts),
        decision_ms=np.concatenate([part.decision_ms for part in parts]),
    )
