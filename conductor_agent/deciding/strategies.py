"""The name of what a choice amounts to: a pure function of the board and the action, for logs and people."""

from __future__ import annotations

from conductor_agent.record.fold import Fold
from fqg_env.arrays import CANCELLED, SUCCESS
from fqg_env.level import CallKind, GoalKind
from fqg_env.row import Strategy, alternative, function_of, lighter, same_function
from fqg_env.rules import FIRST_CALL, STOP, WAIT


def strategy_of(fold: Fold, action: int) -> Strategy:
    """The label of an action on the board as it is."""
    if action == WAIT:
        waits = bool(fold.flights()) or not fold.board["failed"]
        return Strategy.AWAIT if waits else Strategy.BACK_OFF
    if action == STOP:
        return _stopping(fold)
    return _calling(fold, action - FIRST_CALL)


def _stopping(fold: Fold) -> Strategy:
    """Everything is there; or only what matters less is missing; or not."""
    missing = {goal.kind for name, goal in fold.level.goals.items() if not fold.usable(name)}
    if not missing:
        return Strategy.DELIVER
    if GoalKind.ESSENTIAL in missing:
        return Strategy.GIVE_UP
    return Strategy.DEGRADE if GoalKind.RECOMMENDED in missing else Strategy.SKIP


def _calling(fold: Fold, call: int) -> Strategy:
    level, board = fold.level, fold.board
    function = function_of(level, call)
    if function.kind is CallKind.VERIFY:
        return Strategy.VERIFY
    if function.kind is CallKind.INSPECT:
        return Strategy.INSPECT
    if any(alternative(level, call, other) for other in fold.flights().values()):
        return Strategy.HEDGE
    if board["tries"][call]:
        return Strategy.RETRY if _failed(fold, call) else Strategy.REBUILD_UPSTREAM
    if board["hint"][call] > 0.0 and board["hint"][call] >= board["hint"].max():
        return Strategy.FOLLOW_HINT
    if function.kind is CallKind.REPAIR:
        blamed = any(board["blamed"][c] for c in range(len(level.calls)))
        return Strategy.REVERSE_RECONSTRUCT if blamed else Strategy.REPAIR
    tried = [c for c in range(len(level.calls)) if board["tries"][c]]
    siblings = [c for c in tried if same_function(level, c, call)]
    if siblings:
        last = max(siblings, key=lambda c: board["last_at_s"][c])
        return Strategy.LIGHTER_VARIANT if lighter(level, call, last) else Strategy.OTHER_PARAMETERS
    if any(alternative(level, c, call) for c in tried):
        return Strategy.FALLBACK
    return Strategy.FIRST_TRY


def _failed(fold: Fold, call: int) -> bool:
    """Its last outcome was no success: then another try is a retry, else it makes anew what it made."""
    last = fold.board["last_category"][call]
    return bool(last not in (SUCCESS, CANCELLED) or fold.board["lost"][call])
