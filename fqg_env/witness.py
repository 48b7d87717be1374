"""Witness: a sequence of actions that solves a level under its drawn faults, within its budgets.

Draws are keyed, so what a call will answer is known before it is made; a best-first search over *ways to
make one artifact* ("wait until the provider is up, then try this call until it makes something good") finds
a solution where there is a plain one. None means: none was found, not that there is none.
"""

from __future__ import annotations

import heapq
import itertools
from typing import Any, NamedTuple

import numpy as np

from fqg_env import arrays, faults, reading, rules, world
from fqg_env.arrays import FLIGHTS, GoalClass, Kind
from fqg_env.lanes import Lanes
from fqg_env.puzzle import Puzzle

MOST_TRIES = 8
"""Attempts of one call in a row before it is left."""


class Node(NamedTuple):
    """A board that can be reached, and how."""

    board: np.ndarray  # [1]
    truth: np.ndarray  # [1]
    actions: tuple[int, ...]


class Search:
    """One level [1] with its hidden faults [1], and the moves of the search on it."""

    def __init__(self, level: np.ndarray, hidden: np.ndarray, size: arrays.Size):
        self.level, self.hidden = level, hidden
        self.rows = arrays.new(arrays.row_dtype(size), FLIGHTS)
        self.mask = np.zeros(rules.FIRST_CALL + size.calls, np.uint8)
        self.size = size

    def root(self) -> Node:
        """The board before the first move."""
        board = arrays.new(arrays.board_dtype(self.size), 1)
        truth = arrays.new(arrays.truth_dtype(self.size), 1)
        world.begin_episode(self.level[0], self.hidden[0], board[0], None, truth[0])
        return Node(board, truth, ())

    def play(self, node: Node, action: int) -> Node | None:
        """The node after an action; None where the action is illegal."""
        rules.legal(self.level[0], node.board[0], self.mask)
        if not self.mask[action]:
            return None
        board, truth = node.board.copy(), node.truth.copy()
        level, hidden = self.level[0], self.hidden[0]
        world.step(level, hidden, board[0], None, truth[0], self.rows, self.mask, action)
        return Node(board, truth, (*node.actions, action))

    def settle(self, node: Node | None) -> Node | None:
        """The node once nothing is in flight."""
        while node is not None and node.board["in_flight"][0] > 0:
            node = self.play(node, rules.WAIT)
        return node

    def held(self, node: Node) -> frozenset[int]:
        """Artifacts that are there, usable and truly good."""
        level, board = self.level[0], node.board[0]
        return frozenset(
            a
            for a in range(level["artifacts"])
            if reading.usable(level, board, a)
            and not faults.truly_bad(level, board, node.truth[0], a)
        )

    def ways(self, node: Node) -> Any:
        """Nodes with one more good artifact: one way per call that can make a lacking one."""
        level, held = self.level[0], self.held(node)
        for c in range(level["calls"]):
            makes = {int(a) for a in np.flatnonzero(level["makes"][c])}
            if level["kind"][c] >= Kind.VERIFY or makes <= held:
                continue
            needs = set(map(int, np.flatnonzero(level["needs"][c])))
            if not (needs - makes if level["kind"][c] == Kind.REPAIR else needs) <= held:
                continue
            found = self.insist(node, c, makes)
            if found is not None:
                yield found

    def insist(self, node: Node | None, call: int, makes: set[int]) -> Node | None:
        """Wait until the provider of a call is up, then try the call until all that it makes is good."""
        for _ in range(MOST_TRIES):
            node = self.await_provider(node, call)
            node = self.settle(None if node is None else self.play(node, rules.FIRST_CALL + call))
            if node is None or makes <= self.held(node):
                return node
        return None

    def await_provider(self, node: Node | None, call: int) -> Node | None:
        """Wait while the provider of a call is down."""
        level = self.level[0]
        window, budget = (
            int(self.hidden["window"][0, level["provider"][call]]),
            level["time_budget_s"],
        )
        while node is not None:
            if not faults.down(window, float(node.board["at_s"][0]), float(budget)):
                return node
            node = self.play(node, rules.WAIT)
        return None

    def play_all(self, actions: list[int]) -> Node | None:
        """The node after these actions; None where one is illegal."""
        node: Node | None = self.root()
        for action in actions:
            node = None if node is None else self.play(node, action)
        return node


def search_of(source: Lanes | Puzzle, lane: int) -> Search:
    """The search on a puzzle, or on the level and faults of one lane."""
    if isinstance(source, Puzzle):
        lanes, lane = Lanes(1, source.level.size, belief=False), 0
        source.load(lanes)
    else:
        lanes = source
    one = slice(lane, lane + 1)
    return Search(lanes.levels[one].copy(), lanes.hidden[one].copy(), lanes.size)


def witness(source: Lanes | Puzzle, lane: int = 0, most_nodes: int = 300) -> list[int] | None:
    """Actions that end the level with every Essential goal delivered and good; None: none found.

    Args:
        source: lanes, of which the level and faults of `lane` are played from the start, or a puzzle.
        most_nodes: boards looked at before it gives up.
    """
    search = search_of(source, lane)
    goals = {int(a) for a in np.flatnonzero(search.level["goal_class"][0] == GoalClass.ESSENTIAL)}
    count = itertools.count()
    waiting = [(0.0, next(count), search.root())]
    seen: dict[frozenset[int], int] = {}
    for _ in range(most_nodes):
        if not waiting:
            return None
        _, _, node = heapq.heappop(waiting)
        if goals <= search.held(node):
            return [*node.actions] + ([] if node.board["stopped"][0] else [rules.STOP])
        for following in search.ways(node):
            held = search.held(following)
            seen[held] = seen.get(held, 0) + 1
            if seen[held] <= 4:
                spent = reading.spent(search.level[0], following.board[0])
                heapq.heappush(waiting, (spent, next(count), following))
    return None


def solves(source: Lanes | Puzzle, actions: list[int], lane: int = 0) -> bool:
    """Play actions from the start and judge: every Essential goal is delivered and good."""
    search = search_of(source, lane)
    node = search.play_all(actions)
    if node is None or not node.board["stopped"][0]:
        return False
    return bool(world.succeeded(search.level[0], node.board[0], node.truth[0]))
