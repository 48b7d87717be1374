"""Who is judged: a policy by its name, and how long it may think, where it can be told."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from policies.recovery.base import Decision
from policies.recovery.registry import BUILT_IN, policy_named


@dataclass(frozen=True)
class Thinking:
    """How long a planner may think about one decision; not more than one of them is given."""

    simulations: int | None = None
    seconds: float | None = None

    def options(self) -> dict[str, int | float]:
        """The keyword argument of a planner; empty where nothing is given."""
        return {name: value for name, value in vars(self).items() if value is not None}


AS_IT_IS = Thinking()


@dataclass(frozen=True)
class Contestant:
    """A policy under the label that its figures bear."""

    label: str
    name: str
    thinking: Thinking = AS_IT_IS

    @property
    def foreign(self) -> bool:
        """It is somebody's own `module:Class`: it plays in a process of its own and is never cached."""
        return self.name not in BUILT_IN and ":" in self.name and not is_file(self.name)

    def make(self) -> Any:
        """The policy itself.

        Raises:
            PolicyError: it cannot be had.
        """
        policy = policy_named(self.name)
        options = self.thinking.options()
        return with_options(policy, options) if options and takes(policy, options) else policy

    def content(self) -> dict[str, Any]:
        """What its decisions depend on, besides the code: its name, or what is in its files."""
        files = {}
        if is_file(self.name):
            files = {
                file.name: hashlib.sha256(file.read_bytes()).hexdigest()
                for file in sorted(Path(self.name).iterdir())
                if file.is_file()
            }
        name = "" if files else self.name
        return {"name": name, "files": files, "thinking": self.thinking.options()}


def own(labels: Iterable[str]) -> list[str]:
    """Those that are no built-in policies: somebody's own class or folder."""
    return [label for label in labels if label not in BUILT_IN]


def is_file(name: str) -> bool:
    """The name leads to files, as `policy_named` sees it."""
    return name not in BUILT_IN and (Path(name).exists() or "/" in name or "\\" in name)


def accepts(function: Callable[..., Any], options: dict[str, Any]) -> bool:
    """A function has these keyword arguments by name."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False
    return all(name in parameters for name in options)


def takes(policy: Any, options: dict[str, Any]) -> bool:
    """A policy is made with these keyword arguments, or plans with them."""
    plan = getattr(policy, "plan", None)
    return accepts(type(policy), options) or (plan is not None and accepts(plan, options))


def thinks(policy: Any) -> bool:
    """A policy can be told how long to think."""
    return any(takes(policy, {name: None}) for name in vars(AS_IT_IS))


class ToldPlanner:
    """A planner that is told with every decision how long to think."""

    def __init__(self, policy: Any, options: dict[str, Any]):
        self.policy, self.options, self.name = policy, options, policy.name

    def plan(self, lanes: Any) -> Decision:
        """Let the planner choose for each lane."""
        decision: Decision = self.policy.plan(lanes, **self.options)
        return decision


def with_options(policy: Any, options: dict[str, Any]) -> Any:
    """The same policy, told how long to think."""
    if accepts(type(policy), options):
        return type(policy)(**options)
    return ToldPlanner(policy, options)
