"""How near policies come to the Bayes optimum on templates: by the exact value of each choice they make.

    python benchmarks/bayes_share.py [--episodes N] [--split exact] [--policy NAME_OR_FOLDER ...] [--json]

A choice loses what its exact value, the expected return under the posterior, lacks to that of the best one.
The share of a policy is 1 - (the mean loss of an episode) / (the mean exact value of a start). Over all
episodes there could be it is the policy's expected return over the optimum's (the performance difference
lemma, Kakade and Langford 2002). Over the N that are played, the luck of how a choice turns out is in no
loss; which boards an episode comes to is drawn, and with it which choices it asks for. `fqg evaluate --split
exact` takes the share from the returns that were played, with the luck of both.

The interval is a 95% percentile bootstrap of that mean over the N episodes: over their templates, faults and
draws. The mean value of their starts is taken as it is. A choice that has no value, such as an illegal one,
loses as much as STOP, without the attempt it costs.

Example:  python benchmarks/bayes_share.py --episodes 64 --json
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

import numpy as np
from tables import table
from to_its_end import to_its_end

from fqg_env.rules import STOP
from fqg_env.splits import SPLITS
from policies.recovery.bayes import action_values, facts_seen, template_of
from policies.recovery.registry import PolicyError, policy_named
from policies.recovery.search import Search
from training.judging.episodes import actions_of, ask
from training.judging.setting import Setting, deal
from training.judging.stats import mean_ci95

RULES = ("retry_fallback", "lookup", "code_aware", "index")
SIMULATIONS = (16, 64, 256)


def contestants(named: list[str]) -> dict[str, Any]:
    """Those named, or else the rules, and the planner with more and more simulations and with 100 ms."""
    if named:
        return {name: policy_named(name) for name in named}
    out = {name: policy_named(name) for name in RULES}
    out |= {f"search, {n} simulations": Search(simulations=n) for n in SIMULATIONS}
    return out | {"search, 100 ms": Search(seconds=0.1)}


def valued(lanes: Any, i: int, known: dict[Any, np.ndarray]) -> np.ndarray:
    """[2 + C] what each action is worth in lane i; boards that show the same are looked up in `known`."""
    level, board, belief = lanes.levels[i], lanes.boards[i], lanes.beliefs[i]
    key = (*template_of(level, lanes.size), facts_seen(level, board, belief))
    if key not in known:
        known[key] = action_values(level, lanes.size, board, belief)
    return known[key]


def measured(policy: Any, setting: Setting) -> dict[str, Any]:
    """Share of Bayes with its 95% interval over episodes, and milliseconds a decision, all lanes at once."""
    lanes, known = deal(setting, 0, setting.episodes), {}
    lost, start, decisions, seconds = np.zeros(lanes.n), np.zeros(lanes.n), 0, 0.0
    while not lanes.done.all():
        began = time.perf_counter()
        actions = actions_of(ask(policy, lanes), lanes.n)
        seconds += time.perf_counter() - began
        for i in np.flatnonzero(lanes.boards["stopped"] == 0):
            values = valued(lanes, i, known)
            best, value = np.nanmax(values), values[actions[i]]
            # a choice without a value is no better than STOP
            lost[i] += best - (values[STOP] if np.isnan(value) else value)
            start[i] += best if lanes.boards["steps"][i] == 0 else 0.0
            decisions += 1
        lanes.step(actions)
    share = 1.0 - lost / start.mean()
    return {
        "share": float(share.mean()),
        "share_ci95": list(mean_ci95(share)),
        "decision_ms": 1e3 * seconds / decisions,
    }


def told(result: dict[str, Any]) -> str:
    """In Markdown."""
    rows = []
    for name, each in result.items():
        low, high = each["share_ci95"]
        exact = f"{each['share']:.1%} [{low:.1%}, {high:.1%}]"
        rows.append((name, exact, f"{each['decision_ms']:.3f}"))
    return table(("policy", "of Bayes [95% over episodes]", "ms a decision"), rows)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--episodes", type=int, default=640, help="N, of all templates together")
    parser.add_argument(
        "--split",
        default="exact",
        choices=[n for n, s in SPLITS.items() if s.templates],
        help="of templates",
    )
    parser.add_argument(
        "--policy",
        action="append",
        default=[],
        help="a name or a folder, instead of the usual ones",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    arguments = parser.parse_args()
    setting = Setting(split=arguments.split, episodes=arguments.episodes)
    result = {}
    try:
        policies = contestants(arguments.policy)
    except PolicyError as error:
        print(f"bayes_share: {error}", file=sys.stderr)
        sys.exit(2)
    for name, policy in policies.items():
        print(f"{name} ...", file=sys.stderr)
        result[name] = measured(policy, setting)
    print(json.dumps(result) if arguments.json else told(result))


if __name__ == "__main__":
    to_its_end(main)
