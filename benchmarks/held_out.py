"""The held-out levels that trained conductors are judged on, and the rules beside them."""

from __future__ import annotations

from typing import Any

from training.judging.setting import Setting

EPISODES = 4096
RULES = ("index", "thompson", "code_aware", "router", "cascade")
USUAL: dict[str, Any] = {"tiers": (6, 20), "seed": 10_000}
LEARNED: dict[str, dict[str, Any]] = {
    "The deepest tiers, 16 to 20": {"tiers": (16, 20)},
    "Tiers 6 to 20": {},
}
"""What is told in full, and how it differs from the usual setting."""
SHIFTED: dict[str, dict[str, Any]] = {
    "standard size: up to 32 calls, trained on 16": {"size": "standard"},
    "the same, tiers 16 to 20": {"size": "standard", "tiers": (16, 20)},
    "`production`: 2 to 10% of the functions fail": {"mix": "production"},
    "`stress`: 20 to 50% fail": {"mix": "stress"},
    "`silent`: faults that nobody reports": {"mix": "silent"},
    "`lasting`: faults that stay": {"mix": "lasting"},
    "`outage`: whole providers are down": {"mix": "outage"},
    "`miscoded`: errors under a wrong code": {"mix": "miscoded"},
    "`dialects`: every provider has its own codes": {"mix": "dialects"},
    "`false_hints`": {"mix": "false_hints"},
    "`unseen`: other families, other faults": {"split": "unseen"},
    "mode `conductor`: it owns all failures": {"mode": "conductor"},
    "mode `community`: extensions own all failures": {"mode": "community"},
    "`exact`: templates of one or two steps": {"split": "exact", "tiers": (1, 20)},
}
"""Where levels are other than in training."""


def setting_of(change: dict[str, Any], episodes: int = EPISODES) -> Setting:
    """The usual setting, changed."""
    return Setting(episodes=episodes, **(USUAL | change))


def best_rule(policies: dict[str, dict[str, Any]]) -> str:
    """The rule with the highest return on these levels, which favours it."""
    return max(RULES, key=lambda rule: policies[rule]["return_mean"])
