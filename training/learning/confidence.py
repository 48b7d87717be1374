"""Confidence: what a trained network knows of itself, fitted on fresh episodes when it is done.

How likely does this run deliver every Essential goal, good, if it goes on so? And how unlike what it was
trained on is this board? Where it is too strange, the index rule decides (policies/recovery/network.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from fqg_env.rules import STOP
from training.judging.calibration import brier_skill, calibration_error
from training.learning.lane_groups import LaneGroups
from training.learning.pointer_network import Conductor, PointerNetwork
from training.learning.recipe import Recipe

CALIBRATED = 0.1
"""A calibration error above this makes the success head's chances worth little."""
STRANGE = 0.999
"""The share of the decisions of training that are not called strange."""
FAR = 2**60
"""First level of these episodes: beyond what the teacher and PPO play."""


class Decisions(NamedTuple):
    """Every decision of some episodes."""

    whole: Tensor
    """[M, H] what the heads read."""
    succeeded: Tensor
    """[M] whether the episode did."""


class Confidence(NamedTuple):
    """How far to trust what was fitted."""

    success_ece: float
    """Expected calibration error of the chance of success, on episodes it was not fitted on."""
    success_brier_skill: float | None
    """Its Brier skill score on the same, see calibration.py."""
    strange_above: float
    """Strangeness that `STRANGE` of those decisions do not exceed."""


def gather(
    network: PointerNetwork,
    recipe: Recipe,
    first: int,
    ended: Callable[[int], None] = lambda _: None,
) -> Decisions:
    """Let the network play fresh `train` episodes, telling after each step how many have ended."""
    lanes = LaneGroups(recipe.draws, recipe.success_episodes, network.inputs)
    lanes.deal(first)
    wholes, owners = [], []
    while (running := np.flatnonzero(lanes.running)).size:
        inputs = {name: value[running] for name, value in lanes.inputs().items()}
        with torch.no_grad():
            logits, whole, _ = network.read(network.tensors(inputs))
        wholes.append(whole)
        owners.append(running)
        actions = np.full(lanes.n, STOP)
        actions[running] = np.where(lanes.masks[running], logits.numpy(), -np.inf).argmax(1)
        lanes.step(actions)
        ended(lanes.n - int(lanes.running.sum()))
    succeeded = lanes.each(lambda one: one.success)[np.concatenate(owners)]
    return Decisions(torch.cat(wholes), torch.as_tensor(succeeded).float())


def fit_success(head: Any, seen: Decisions) -> None:
    """Fit the success head by logistic regression."""
    optimiser = torch.optim.LBFGS(head.parameters(), max_iter=100, line_search_fn="strong_wolfe")
    loss = torch.nn.BCEWithLogitsLoss()

    def closure() -> Any:
        optimiser.zero_grad()
        value = loss(head(seen.whole).squeeze(1), seen.succeeded)
        value = value + 1e-4 * head.weight.square().sum()
        value.backward()
        return value

    optimiser.step(closure)  # type: ignore[no-untyped-call]


def fit_strangeness(conductor: Conductor, seen: Decisions) -> None:
    """Fit center and whitening; a dimension that hardly moves counts as one that moves a little."""
    conductor.center.copy_(seen.whole.mean(0))
    covariance = torch.cov(seen.whole.T.double())
    covariance += torch.eye(len(covariance)) * (1e-3 * covariance.diagonal().mean() + 1e-9)
    factor = torch.linalg.cholesky(torch.linalg.inv(covariance))
    conductor.whiten.copy_(factor.float())


def fit_confidence(
    network: PointerNetwork, recipe: Recipe, ended: Callable[[int], None] = lambda _: None
) -> tuple[Conductor, Confidence]:
    """Fit both on one half of fresh episodes, and measure them on the other half; `ended` is told how many of
    these `fresh_episodes` have ended, 0 at first.
    """
    conductor, half = Conductor(network), recipe.success_episodes
    ended(0)
    seen = gather(network, recipe, FAR, ended)
    fit_success(conductor.success, seen)
    fit_strangeness(conductor, seen)
    held_out = gather(network, recipe, FAR + half, lambda n: ended(half + n))
    with torch.no_grad():
        chance = torch.sigmoid(conductor.success(held_out.whole).squeeze(1)).double().numpy()
        strangeness = conductor.strangeness(held_out.whole).numpy()
    happened = held_out.succeeded.double().numpy()
    return conductor.eval(), Confidence(
        success_ece=calibration_error(chance, happened),
        success_brier_skill=brier_skill(chance, happened),
        strange_above=max(1e-6, float(np.quantile(strangeness, STRANGE))),
    )


def fresh_episodes(recipe: Recipe) -> int:
    """How many episodes are played to fit and to measure both."""
    return 2 * recipe.success_episodes


def calibration_warning(error: float) -> str | None:
    """A sentence for people where the success head is badly calibrated."""
    if error <= CALIBRATED:
        return None
    return (
        f"warning: the chances of success that the policy tells are off by {error:.2f} on average, more than "
        f"{CALIBRATED:g}; train for more steps, or with more success_episodes, before you rely on them"
    )
