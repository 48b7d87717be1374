"""A service that is away at first, on a time that is skipped and not waited for."""

from __future__ import annotations

from conductor_agent.hosting.sdk.harness import SkippedTime


class Flaky:
    """Fails so many times, then answers."""

    def __init__(self, failures: int, problem: Exception | None = None, takes_s: float = 0.0):
        self.failures, self.calls = failures, 0
        self.problem = problem or ConnectionError("away")
        self.time, self.takes_s = SkippedTime(), takes_s

    def __call__(self) -> str:
        self.calls += 1
        self.time.sleep(self.takes_s)
        if self.calls <= self.failures:
            raise self.problem
        return "text"
