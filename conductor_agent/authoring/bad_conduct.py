"""Attacks on conduct: repeats, short deadlines, cancels, one key twice, no recovery, little memory."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from conductor_agent.authoring.reporting import Judgement, ended_from_outside, said
from conductor_agent.authoring.scenarios import SUCCESS
from conductor_agent.authoring.trial import Trial, category
from conductor_agent.hosting.contract import Usage
from fqg_env.outcome import Category, StandardError, Success

REPEATS, REPEATS_MOST_S = 30, 10.0
LEAK_SHARE, LEAK_BYTES = 0.1, 4_194_304
"""Growth over the repeated calls that is a leak: both a tenth and 4 MiB."""
FULL_SHARE = 0.8
"""Of the memory limit; who needs more has no room for a larger input."""
SHORT_S = 0.25
"""A call this fast meets any deadline; starting a program alone takes a part of that."""
LEAST_MEMORY_BYTES = 8_388_608


async def repeated(trial: Trial) -> None:
    """The same call again and again: how long it takes, and whether its memory grows."""
    usages: list[Usage] = []
    while len(usages) < REPEATS and sum(one.wall_s for one in usages) < REPEATS_MOST_S:
        usages.append((await trial.ask()).usage)
    took_s = [one.wall_s - one.start_s for one in usages]
    trial.typical_s, trial.quickest_s = median(took_s), min(took_s)
    peak = max(one.peak_memory_bytes for one in usages)
    trial.found("leak", 1, _leak(usages, peak, program=trial.is_program))
    full = peak > FULL_SHARE * trial.limits.memory_bytes
    trial.found(
        "headroom", 1,
        Judgement(
            0.5 if full else 1.0,
            f"{peak / 1e6:.0f} of {trial.limits.memory_bytes / 1e6:.0f} MB were used",
            "ask for more memory, or a larger input will break the limit" if full else "",
        ),
    )  # fmt: skip


def _leak(usages: Sequence[Usage], peak: int, *, program: bool) -> Judgement:
    """Whether memory grows from call to call: nothing of a program lives long enough."""
    if program:
        return Judgement(None, "each call is a new process: nothing is kept from call to call")
    grown = _growth(usages[len(usages) // 3 :])
    leaks = grown > max(LEAK_BYTES, LEAK_SHARE * peak)
    return Judgement(
        0.0 if leaks else 1.0,
        f"memory grew by {max(0, grown) / 1e6:.1f} MB over {len(usages)} calls",
        "let go of what a call no longer needs: a worker lives for many calls" if leaks else "",
    )


def _growth(usages: Sequence[Usage]) -> int:
    """Bytes that were added from call to call; a worker that grows is replaced, which hides nothing."""
    pairs = [
        (one.peak_memory_bytes, two.peak_memory_bytes)
        for one, two in pairwise(usages)
        if one.worker_generation == two.worker_generation
    ]
    return sum(two - one for one, two in pairs)


async def short_deadline(trial: Trial) -> None:
    """Half the time that a call usually takes."""
    if trial.quickest_s < SHORT_S:  # others' work on the machine makes a call slow, and never quick
        judged = Judgement(
            None, f"a call takes {trial.quickest_s * 1e3:.0f} ms: any deadline will do"
        )
    else:
        reply = await trial.ask(deadline_s=trial.typical_s / 2)
        outcome = reply.outcome
        if not ended_from_outside(outcome):
            judged = Judgement(1.0, "half the usual time: it answered before the deadline")
        else:
            partial = isinstance(outcome, StandardError) and outcome.partial is not None
            judged = Judgement(
                0.5 if partial else 0.0,
                f"half the usual time: it had to be ended{', a part was left' if partial else ''}",
                trial.advice(
                    "go by context.deadline_s: call context.checkpoint() in long work, or degrade",
                    "go by context.deadline_s of the request: stop in time, or answer with less",
                ),
            )
    trial.found("short deadline", 2, judged)


async def cancelled(trial: Trial) -> None:
    """A call that nobody waits for any more."""
    call = asyncio.ensure_future(trial.ask())
    await asyncio.wait([call], timeout=max(0.005, trial.typical_s / 2))
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    judged = await _still_works(trial, "it was cancelled")
    trial.found("cancel", 1, judged)


async def _still_works(trial: Trial, after: str) -> Judgement:
    reply = await trial.ask()
    if category(reply) == trial.expected():
        return Judgement(1.0, f"after {after} the next call came out as before")
    return Judgement(
        0.0, f"after {after} the next call came out otherwise: {said(reply.outcome)}",
        trial.advice(
            "leave nothing half done outside of context.scratch",
            "leave nothing half done outside of the folder that it runs in",
        ),
    )  # fmt: skip


async def same_key(trial: Trial) -> None:
    """Two calls with one idempotency key."""
    first = await trial.ask(idempotency_key="check/same")
    second = await trial.ask(idempotency_key="check/same")
    one, two = first.outcome, second.outcome
    if category(first) != category(second):
        judged = Judgement(
            0.0, f"the same call twice: {said(one)}, then {said(two)}",
            "the second call with a key answers as the first: keep answers by context.idempotency_key",
        )  # fmt: skip
    elif isinstance(one, Success) and isinstance(two, Success) and one.outputs != two.outputs:
        promised = trial.manifest.function_quest.gameplay.deterministic
        judged = Judgement(
            0.0 if promised else None, "the same call twice gave two answers",
            "it is declared deterministic: fix its random source, or do not declare it" if promised else "",
        )  # fmt: skip
    else:
        judged = Judgement(1.0, "the same call twice came out the same")
    trial.found("same key", 2, judged)


async def recover_off(trial: Trial) -> None:
    """A workflow that wants raw failures."""
    reply = await trial.ask(recover=False)
    attempts = reply.outcome.own_recovery.attempts
    judged = Judgement(1.0, "with recovery off it repeated nothing")
    if attempts:
        judged = Judgement(
            0.0, f"with recovery off it repeated {attempts} times",
            trial.advice(
                "answer the first failure where context.recover is False (context.retry does)",
                "answer the first failure where context.recover of the request is false",
            ),
        )  # fmt: skip
    trial.found("recover off", 1, judged)


async def tiny_memory(trial: Trial) -> None:
    """A third of the memory that it needed."""
    peak = max(reply.usage.peak_memory_bytes for reply in trial.replies)
    tiny = trial.limits.model_copy(update={"memory_bytes": max(LEAST_MEMORY_BYTES, peak // 3)})
    reply = await trial.ask(limits=tiny)
    honest = (SUCCESS, Category.POLICY_VIOLATION.value, Category.OUT_OF_RESOURCES.value)
    if category(reply) in honest:
        judged = await _still_works(trial, "its memory was cut")
    else:
        judged = Judgement(
            0.0, f"a third of its memory: {said(reply.outcome)}",
            trial.advice(
                "answer OUT_OF_RESOURCES where memory cannot be had",
                "answer OUT_OF_RESOURCES where memory cannot be had: end with code 71",
            ),
        )  # fmt: skip
    trial.found("tiny memory", 1, judged)
