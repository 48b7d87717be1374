"""An extension's own recovery: repeats and lighter presets, within the time there is, and counted.

Authors meet it as `context.retry` and `context.degrade`. What was tried is in the outcome as
`own_recovery`, so that nobody multiplies it. Standard library and msgspec alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from fqg_env.outcome import OwnRecovery

if TYPE_CHECKING:
    from conductor_agent.hosting.sdk.context import Context

Exceptions = tuple[type[BaseException], ...]
PASSING: Exceptions = (ConnectionError, TimeoutError)
"""What a repeat may help with."""
TOO_HEAVY: Exceptions = (MemoryError, TimeoutError, ConnectionError)
"""What a lighter preset may help with."""
MAX_TRIED = 64


class Preset(NamedTuple):
    """One way to do the work: the first of a list is the most precise, the last the lightest."""

    name: str
    function: Callable[[], Any]
    needs_s: float | None = None
    """Seconds it usually takes; one that no longer fits is skipped. None: not known."""
    quality: float | None = None
    """What it claims for the outputs, in [0, 1], where the author claims nothing."""


class Recovery:
    """The account of one call: repeats, seconds and cost spent on them, and what was tried."""

    __slots__ = ("attempts", "cost", "elapsed_s", "quality", "tried")

    def __init__(self) -> None:
        self.attempts = 0
        self.elapsed_s = 0.0
        self.cost = 0.0
        self.tried: list[str] = []
        self.quality: float | None = None
        """Of the preset that answered."""

    def note(self, what: str) -> None:
        """Remember a means, once."""
        if what not in self.tried and len(self.tried) < MAX_TRIED:
            self.tried.append(what)

    def report(self) -> OwnRecovery:
        """As the outcome has it."""
        return OwnRecovery(self.attempts, self.elapsed_s, self.cost, tuple(self.tried))


class Tries:
    """One loop of repeats: whether there is another, and after how long."""

    def __init__(
        self, context: Context, attempts: int, backoff_s: float, cost: float, name: str
    ) -> None:
        if attempts < 1 or backoff_s < 0 or cost < 0:
            raise ValueError("retry needs attempts of 1 or more, and no negative back-off or cost.")
        self._context = context
        self._left = attempts - 1
        self._backoff_s = backoff_s
        self._cost = cost
        self._name = name
        self._failed_at: float | None = None
        self._longest_s = 0.0
        self._began = context.time.now_s()

    def wait_s(self, problem: BaseException) -> float | None:
        """Seconds to wait before the next try; None: there is none, or no time for it."""
        context, now = self._context, self._context.time.now_s()
        self._longest_s = max(self._longest_s, now - self._began)
        if self._failed_at is None:
            self._failed_at = now
        asked_s = getattr(problem, "retry_after_s", None)
        wait_s = max(self._backoff_s, asked_s if isinstance(asked_s, int | float) else 0.0)
        fits = wait_s + self._longest_s + context.reserve_s <= context.deadline_s
        if not context.may_repeat or self._left == 0 or not fits:
            self.over()
            return None
        self._left -= 1
        self._backoff_s *= 2
        context.recovery.attempts += 1
        context.recovery.cost += self._cost
        context.recovery.note(self._name)
        context.keep()
        return wait_s

    def again(self) -> None:
        """The next try begins."""
        self._began = self._context.time.now_s()

    def over(self) -> None:
        """It worked, or is given up."""
        if self._failed_at is not None and self._context.recover:
            self._context.recovery.elapsed_s += self._context.time.now_s() - self._failed_at


def retry(context: Context, function: Callable[[], Any], on: Exceptions, tries: Tries) -> Any:
    """Call until it works or `tries` has no more; of an asynchronous function, what to await."""
    while True:
        try:
            result = function()
        except on as problem:
            wait_s = tries.wait_s(problem)
            if wait_s is None:
                raise
            context.time.sleep(wait_s)
            tries.again()
            continue
        if isinstance(result, Awaitable):
            return _retry_awaiting(context, result, function, on, tries)
        tries.over()
        return result


async def _retry_awaiting(
    context: Context,
    first: Awaitable[Any],
    function: Callable[[], Awaitable[Any]],
    on: Exceptions,
    tries: Tries,
) -> Any:
    waiting = first
    while True:
        try:
            result = await waiting
        except on as problem:
            wait_s = tries.wait_s(problem)
            if wait_s is None:
                raise
            await context.time.pause(wait_s)
            tries.again()
            waiting = function()
            continue
        tries.over()
        return result


class Descent:
    """The way down a list of presets: which one is next, and until when it may take."""

    def __init__(self, context: Context, presets: Sequence[Preset]) -> None:
        if not presets:
            raise ValueError("degrade needs at least one preset.")
        for preset in presets:
            if preset.quality is not None and not 0 <= preset.quality <= 1:
                raise ValueError(f"The quality of preset {preset.name!r} is not in [0, 1].")
        self._context = context
        self._rest = list(presets if context.recover else presets[:1])
        self._first = presets[0].name
        self._failed_at: float | None = None

    def next(self) -> Preset:
        """The most precise preset that still fits; the lightest is tried in any case."""
        preset = self._rest.pop(0)
        left_s = self._context.deadline_s - self._context.reserve_s
        while self._rest and preset.needs_s is not None and preset.needs_s > left_s:
            preset = self._rest.pop(0)
        recovery = self._context.recovery
        if preset.name != self._first:
            recovery.note(f"degrade:{preset.name}")
        if self._failed_at is not None:
            recovery.attempts += 1
            self._context.keep()
        return preset

    def share_s(self, preset: Preset) -> float:
        """Seconds that the preset may take, so that a lighter one still fits after it."""
        left_s = max(0.0, self._context.deadline_s - self._context.reserve_s)
        if not self._rest:
            return left_s
        kept_s = self._rest[-1].needs_s
        if kept_s is None:
            kept_s = left_s * len(self._rest) / (len(self._rest) + 1)
        return max(0.0, left_s - kept_s)

    def failed(self) -> bool:
        """Take a failure down; whether there is a lighter preset."""
        if self._failed_at is None:
            self._failed_at = self._context.time.now_s()
        another = bool(self._rest) and self._context.may_repeat
        if not another:
            self._close()
        return another

    def worked(self, preset: Preset) -> None:
        """This one answered."""
        self._context.recovery.quality = preset.quality
        self._close()

    def _close(self) -> None:
        if self._failed_at is not None and self._context.recover:
            now = self._context.time.now_s()
            self._context.recovery.elapsed_s += now - self._failed_at


def degrade(context: Context, descent: Descent, on: Exceptions) -> Any:
    """The answer of the most precise preset that works; of asynchronous ones, what to await."""
    while True:
        preset = descent.next()
        with context.within(descent.share_s(preset)):
            try:
                result = preset.function()
            except on:
                if not descent.failed():
                    raise
                continue
        if isinstance(result, Awaitable):
            return _degrade_awaiting(context, preset, result, descent, on)
        descent.worked(preset)
        return result


async def _degrade_awaiting(
    context: Context, first: Preset, waiting: Awaitable[Any], descent: Descent, on: Exceptions
) -> Any:
    preset = first
    while True:
        with context.within(descent.share_s(preset)):
            try:
                result = await waiting
            except on:
                if not descent.failed():
                    raise
                preset = descent.next()
                waiting = preset.function()
                continue
        descent.worked(preset)
        return result
