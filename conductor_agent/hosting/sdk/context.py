"""What an extension may know and do within one attempt: deadline, key, scratch, own recovery."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from msgspec.structs import replace

from conductor_agent.hosting.sdk import recovery
from conductor_agent.hosting.sdk.progress import (
    Progress,
    clear_progress,
    with_progress,
    write_progress,
)
from conductor_agent.hosting.sdk.recovery import PASSING, TOO_HEAVY, Exceptions, Preset, Recovery
from conductor_agent.hosting.values import check_plain
from fqg_env.outcome import Outcome, OwnRecovery, Success

Result = TypeVar("Result")
RESERVE_SHARE, RESERVE_MOST_S = 0.1, 0.1
"""Part of a call's time that is kept for answering: a tenth, and no more than so many seconds."""


class OutOfTime(TimeoutError):
    """Raised by `context.checkpoint()`: the time of the call, or of this preset, is used up."""


class Cancelled(Exception):
    """Raised by `context.checkpoint()`: nobody waits for the answer any more."""


class RealTime:
    """How time passes for an extension. A test may hand in another one."""

    def now_s(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    async def pause(self, seconds: float) -> None:
        """Wait, and let others go on."""
        import asyncio  # plain functions do not need it

        await asyncio.sleep(seconds)


_REAL = RealTime()


class Context:
    """What an extension may know of the attempt it is part of, and its means of own recovery."""

    __slots__ = (
        "_base", "_cancelled", "_ends_at", "_over", "_progress", "_scratch", "attempt",
        "idempotency_key", "loaded", "own_retries", "recover", "recovery", "reply_bytes", "reserve_s",
        "run_id", "time",
    )  # fmt: skip

    run_id: str
    attempt: int
    idempotency_key: str
    """The name of what is asked for: hand it to services that can use it. A repeat after a failure or a lost
    answer has the same; one that reads other values, or comes after a success, has another.
    """
    recover: bool
    """False: do not recover by yourself, answer the first failure."""
    loaded: Any
    """What the load hook returned."""
    recovery: Recovery
    """What was tried so far."""
    reserve_s: float
    """Seconds at the end that are kept for answering."""
    reply_bytes: int | None
    """Longest answer that is accepted; None: not limited."""

    def __init__(
        self,
        *,
        run_id: str = "",
        attempt: int = 1,
        idempotency_key: str = "",
        recover: bool = True,
        deadline_s: float = 60.0,
        scratch_base: Path | None = None,
        loaded: Any = None,
        cancelled: Callable[[], bool] | None = None,
        reply_bytes: int | None = None,
        own_retries: int | None = None,
        time: RealTime = _REAL,
    ) -> None:
        self.run_id = run_id
        self.attempt = attempt
        self.idempotency_key = idempotency_key
        self.recover = recover
        self.loaded = loaded
        self.reply_bytes = reply_bytes
        self.own_retries = own_retries
        self.time = time
        self.recovery = Recovery()
        self.reserve_s = min(RESERVE_SHARE * deadline_s, RESERVE_MOST_S)
        self._ends_at = time.now_s() + deadline_s
        self._base = scratch_base
        self._scratch: Path | None = None
        self._cancelled = cancelled
        self._progress: Progress | None = None
        self._over = False

    # Time

    @property
    def deadline_s(self) -> float:
        """Seconds left until the call is ended from outside; in a preset, until its share is over."""
        return max(0.0, self._ends_at - self.time.now_s())

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the answer any more."""
        return self.deadline_s == 0.0 or (self._cancelled is not None and self._cancelled())

    def checkpoint(self) -> None:
        """Call it now and then in long work: it ends what has no more use, in time to answer.

        Raises:
            Cancelled: nobody waits any more.
            OutOfTime: only the time to answer is left, or the preset's share is over.
        """
        if self._cancelled is not None and self._cancelled():
            raise Cancelled("Nobody waits for the answer any more.")
        if self.deadline_s <= self.reserve_s:
            raise OutOfTime("The time for this call is used up.")

    @contextlib.contextmanager
    def within(self, share_s: float) -> Iterator[None]:
        """Inside, the deadline is so many seconds ahead (and the time to answer), or the call's own."""
        outer = self._ends_at
        self._ends_at = min(outer, self.time.now_s() + share_s + self.reserve_s)
        try:
            yield
        finally:
            self._ends_at = outer

    # Own recovery

    @property
    def may_repeat(self) -> bool:
        """Whether own recovery is wanted, and its budget of repeats is not used up."""
        left = self.own_retries is None or self.recovery.attempts < self.own_retries
        return self.recover and left

    def retry(
        self,
        function: Callable[[], Result],
        *,
        attempts: int = 3,
        on: Exceptions = PASSING,
        backoff_s: float = 0.1,
        cost: float = 0.0,
        name: str = "retry",
    ) -> Result:
        """Call `function` until it works, within the deadline; what was tried is reported.

        There is no repeat where `may_repeat` is False, where the wait and a try as long as the
        longest before would not leave time to answer, or after the last attempt: then the
        exception is raised. Of an asynchronous function the result is to be awaited.

        Args:
            function: takes nothing.
            attempts: tries in all, the first included.
            on: exceptions that a repeat may help with.
            backoff_s: wait before the first repeat, doubled before each further one; an
                exception with a longer `retry_after_s` is obeyed.
            cost: what a repeat costs, in the workflow's unit.
            name: what `own_recovery.tried` says.
        """
        tries = recovery.Tries(self, attempts, backoff_s, cost, name)
        result: Result = recovery.retry(self, function, on, tries)
        return result

    def degrade(self, presets: Sequence[Preset], *, on: Exceptions = TOO_HEAVY) -> Any:
        """Precision for speed: the answer of the most precise preset that fits and works.

        A preset that needs more time than is left is skipped. Inside one, `deadline_s` and
        `checkpoint()` go by its share, so that a lighter one still fits after it. The outputs
        claim the quality of the preset that answered, unless the author claims one. Where
        `recover` is False only the first preset is tried, and no further one after a failure
        where `may_repeat` is. Of asynchronous presets the result is
        to be awaited.

        Raises:
            ValueError: no preset, or a quality outside [0, 1].
        """
        return recovery.degrade(self, recovery.Descent(self, presets), on)

    # Progress

    def progress(
        self, fraction: float, partial: Mapping[str, Any] | None = None, *, usable: bool = False
    ) -> None:
        """Say how far the work is, in [0, 1], and what of its output is there already.

        A call that fails or is ended from outside leaves the last partial result in the
        `partial` of its `StandardError`, the value in `ext["partial"]`.

        Args:
            fraction: of the work.
            partial: one artifact and its value so far, at most 64 KiB.
            usable: whether others can use the part as it is.

        Raises:
            ValueError: a fraction outside [0, 1], more than one artifact, or no plain data.
        """
        if not 0 <= fraction <= 1:
            raise ValueError(f"Progress is in [0, 1], this is {fraction}.")
        before = self._progress or Progress()
        if partial is None:
            self._progress = replace(before, fraction=float(fraction))
        else:
            if len(partial) != 1:
                raise ValueError(f"A partial result is of one artifact, this is of {len(partial)}.")
            check_plain(dict(partial), "partial")
            [(artifact, value)] = partial.items()
            self._progress = Progress(float(fraction), artifact, value, usable)
        self.keep()

    def keep(self) -> None:
        """Write down how far it is, for when the call is ended from outside."""
        if self._base is not None and not self._over:
            own = self.recovery.report()
            write_progress(self._base, replace(self._progress or Progress(), own_recovery=own))

    # Whoever runs the call

    @property
    def scratch(self) -> Path:
        """An empty directory of this call's own, removed after it; made when first asked for."""
        if self._scratch is None:
            self._scratch = Path(tempfile.mkdtemp(prefix="call-", dir=self._base))
        return self._scratch

    def complete(self, outcome: Outcome) -> Outcome:
        """The outcome with what is known here: own recovery, quality, partial result."""
        report = self.recovery.report()
        if report != OwnRecovery() and outcome.own_recovery == OwnRecovery():
            outcome = replace(outcome, own_recovery=report)
        if not isinstance(outcome, Success):
            return with_progress(outcome, self._progress)
        if self.recovery.quality is not None and not outcome.quality:
            claimed = dict.fromkeys(outcome.outputs, float(self.recovery.quality))
            outcome = replace(outcome, quality=claimed)
        return outcome

    def clear(self) -> None:
        """Remove scratch directory and progress, if there are any. Called by whoever runs the call."""
        self._over = True
        if self._base is not None and (self._progress is not None or self.recovery.attempts):
            clear_progress(self._base)
        if self._scratch is not None:
            import shutil  # most calls need no scratch

            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = None
