"""A level with two ways, a policy that plays a script, and a world that answers one."""

import asyncio

import numpy as np

from conductor_agent.conductor import Conductor
from conductor_agent.live_world import Answer, Held
from conductor_agent.record.fold import Fold
from conductor_agent.testing import FakeWorld, ManualClock, MemoryRecorder
from fqg_env.level import Level
from fqg_env.outcome import Category, Success, error
from fqg_env.row import Made
from fqg_env.rules import FIRST_CALL, STOP
from policies.recovery.base import certain

LEVEL = {
    "name": "two ways",
    "artifacts": {"page": {"given": True}, "text": {"goal": {"weight": 1}}},
    "functions": {
        "fast": {
            "inputs": ["page"],
            "outputs": ["text"],
            "provider": "a",
            "variants": {"default": {"latency_s": 2, "cost": 1}},
        },
        "sure": {
            "inputs": ["page"],
            "outputs": ["text"],
            "provider": "b",
            "variants": {"default": {"latency_s": 10, "cost": 4}},
        },
    },
    "budget": {"time_s": 100, "cost": 50, "attempts": 10},
}
FAST, SURE = FIRST_CALL, FIRST_CALL + 1


class Scripted:
    """A policy that plays what it is told, then stops."""

    name = "scripted"

    def __init__(self, *actions):
        self.actions = list(actions)
        self.seen = []

    def decide(self, observation, mask):
        self.seen.append({name: field.copy() for name, field in observation.items()})
        action = self.actions.pop(0) if self.actions else STOP
        if isinstance(action, Exception):
            raise action
        return certain(np.array([action]), mask.shape[1], self.name)


def play(policy, script, level=LEVEL, **changes):
    """Run a level against a script; the conductor after it."""
    level = level if isinstance(level, Level) else Level.model_validate({**level, **changes})
    clock = ManualClock()
    world = FakeWorld(clock, script)
    recorder = MemoryRecorder()
    held = {name: Held(name, name) for name, a in level.artifacts.items() if a.given}
    conductor = Conductor("run", Fold(level), world, policy, recorder, clock, held)
    asyncio.run(conductor.run())
    return conductor


def good(elapsed_s=1.0, **more):
    """An attempt that makes the text."""
    return Answer(
        Success(outputs={"text": "hi"}), elapsed_s, {"text": Made(**more)}, {"text": "hi"}
    )


def bad(category=Category.UNAVAILABLE, elapsed_s=1.0, **more):
    """An attempt that fails."""
    return Answer(error(category, "no", **more), elapsed_s)
