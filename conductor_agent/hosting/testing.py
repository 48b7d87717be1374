"""Fakes of the hosting seam for other tests: no process, no clock, every call recorded.

host = FakeHost({"ocr": [error(Category.TIMEOUT, "slow"), {"text": "hello"}]})
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from conductor_agent.hosting.contract import CallRequest, ExtensionSource, Reply, Usage
from fqg_env.outcome import Outcome, StandardError, Success

if TYPE_CHECKING:
    from policies.resource.limits import ResourceLimits

Answer = dict[str, Any] | Success | StandardError
Script = Callable[[CallRequest], Answer] | Iterable[Answer]


class FakeHost:
    """A `Host` whose extensions are functions of the request, or lists of answers in order."""

    def __init__(self, scripts: Mapping[str, Script], *, wall_s: float = 0.0) -> None:
        """
        Args:
            scripts: by the extension's name (or its source, where it has no name).
            wall_s: what every call claims to have taken.
        """
        self.requests: list[tuple[str, CallRequest]] = []
        self.closed = False
        self._wall_s = wall_s
        self._scripts: dict[str, Callable[[CallRequest], Answer]] = {
            name: script if callable(script) else _in_order(iter(script))
            for name, script in scripts.items()
        }

    async def start(
        self, source: ExtensionSource, limits: ResourceLimits
    ) -> tuple[str, ...] | StandardError:
        """Every script is an extension that is always ready."""
        return tuple(self._scripts)

    async def call(
        self, source: ExtensionSource, request: CallRequest, limits: ResourceLimits
    ) -> Reply:
        """The next answer of the script."""
        name = source.name or source.source
        self.requests.append((name, request))
        answer = self._scripts[name](request)
        outcome: Outcome = Success(outputs=answer) if isinstance(answer, dict) else answer
        return Reply(outcome, Usage(wall_s=self._wall_s, worker_generation=1))

    async def close(self) -> None:
        """Remembers that it was closed."""
        self.closed = True


def _in_order(answers: Iterator[Answer]) -> Callable[[CallRequest], Answer]:
    return lambda _request: next(answers)
