"""The idempotency key: the name of what an attempt is asked for, so that a service can do it once.

Attempts of one call have one key as long as they ask for the same: they read the same values, and what they
are to make, or to find out, has not been made or found out since. So a repeat after a failure, or after an
answer that was lost, can be recognised by whoever keeps what was done under its key; one after a success is
meant to be another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from conductor_agent.record.fold import Fold
from fqg_env.arrays import Group


def idempotency_key(run_id: str, fold: Fold, call: int, inputs: Mapping[str, str]) -> str:
    """The key of the next attempt of a call, as in `20261124-145331-ccc1b0/pay/1-9f86d081`.

    Args:
        run_id: of the run.
        fold: the run so far; the key depends on nothing else, so that a resumed run makes the same.
        call: index of the call.
        inputs: artifact that it reads -> SHA-256 of the value.
    """
    read = hashlib.sha256("".join(f"{name}\0{inputs[name]}\0" for name in sorted(inputs)).encode())
    name = fold.level.call_names[call]
    return f"{run_id}/{name}/{1 + done_so_far(fold, call)}-{read.hexdigest()[:8]}"


def done_so_far(fold: Fold, call: int) -> int:
    """Versions of what a call makes, or successes of one that makes nothing."""
    level, board = fold.level, fold.board
    outputs = level.functions[level.calls[call].function].outputs
    if not outputs:
        return int(board["group_count"][call, Group.SUCCESS])
    return sum(int(board["version"][level.artifact_names.index(name)]) for name in outputs)
