"""Fit the success head: how likely does this run deliver every Essential goal, good, if it goes on so?"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from training.lane_groups import LaneGroups
from training.recipe import Recipe
from training.set_network import Inputs, SetNetwork
from training.vec_env import tensors

CALIBRATED = 0.1
"""A calibration error above this makes the success head's chances worth little."""


def gather(network: SetNetwork, recipe: Recipe, first: int) -> tuple[Tensor, Tensor]:
    """Contexts [M, H] of every decision of fresh `train` episodes, and whether the episode succeeded [M]."""
    lanes = LaneGroups(recipe.draws, recipe.success_episodes)
    lanes.deal(first)
    contexts, owners = [], []
    while (running := np.flatnonzero(lanes.running)).size:
        inputs = tensors(lanes.inputs())
        with torch.no_grad():
            logits, _ = network(*inputs)
            contexts.append(network.trunk(Inputs(*inputs))[1][running])
        owners.append(running)
        lanes.step(np.where(lanes.masks, logits.numpy(), -np.inf).argmax(1))
    succeeded = lanes.each(lambda one: one.success)[np.concatenate(owners)]
    return torch.cat(contexts), torch.as_tensor(succeeded).float()


def calibration_error(probability: np.ndarray, happened: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error over equal-width bins."""
    which = np.minimum(bins - 1, (probability * bins).astype(int))
    gaps = [
        abs(probability[which == b].mean() - happened[which == b].mean()) * (which == b).mean()
        for b in range(bins)
        if (which == b).any()
    ]
    return float(sum(gaps))


def fit_success(network: SetNetwork, recipe: Recipe) -> float:
    """Fit the head on one half of fresh episodes; return its calibration error on the other half."""
    far = 10**9  # beyond every seed that training has used
    contexts, labels = gather(network, recipe, far)
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    head = network.success
    head.weight.requires_grad_(True)
    head.bias.requires_grad_(True)
    optimiser = torch.optim.LBFGS(head.parameters(), max_iter=100, line_search_fn="strong_wolfe")
    loss = torch.nn.BCEWithLogitsLoss()

    def closure() -> Any:
        optimiser.zero_grad()
        value = loss(head(contexts).squeeze(1), labels) + 1e-4 * head.weight.square().sum()
        value.backward()
        return value

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    held_out, happened = gather(network, recipe, far + recipe.success_episodes)
    with torch.no_grad():
        probability = torch.sigmoid(head(held_out).squeeze(1)).numpy()
    return calibration_error(probability, happened.numpy())


def calibration_warning(error: float) -> str | None:
    """A sentence for people where the success head is badly calibrated."""
    if error <= CALIBRATED:
        return None
    return (
        f"warning: the chances of success that the policy tells are off by {error:.2f} on average, more than "
        f"{CALIBRATED:g}; train for more steps, or with more success_episodes, before you rely on them"
    )
