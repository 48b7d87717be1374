"""The sequence network: attempts in their order, calls and artifacts in none, and nothing but the raw history."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from fqg_env.arrays import HISTORY, History
from fqg_env.history import CALL_UNIT
from policies.recovery.features import network_inputs, trimmed
from training.judging.episodes import observations
from training.judging.setting import Setting, deal
from training.learning.networks import NETWORKS
from training.learning.recipe import NetworkName
from training.learning.sequence_network import SequenceNetwork, category_of, tried_by

CALLS_IN = {
    "calls": (1,),
    "needs": (1,),
    "makes": (1,),
    "probes": (1,),
    "same_function": (1, 2),
    "same_provider": (1, 2),
    "belief": (1,),
    "ways": (1,),
}
"""Axes that count calls."""


def seen_after(attempts: int, names: tuple[str, ...] = SequenceNetwork.inputs) -> dict[str, Any]:
    """What a network reads of 64 boards on which so many attempts were begun, the first legal calls."""
    lanes = deal(Setting(split="validation", tiers=(12, 20)), 0, 64)
    for _ in range(attempts):
        lanes.step(lanes.masks[:, 2:].argmax(1) + 2)
    going = lanes.boards["stopped"] == 0
    seen = network_inputs(observations(lanes), lanes.masks, names)
    return {name: value[going] for name, value in seen.items()}


def trained(kind: NetworkName = "sequence") -> Any:
    """A network whose logits depend on all that it reads."""
    torch.manual_seed(0)
    network = NETWORKS[kind](16)
    for layer in (network.pointer, network.other):
        torch.nn.init.normal_(layer.weight)
    return network.eval()


@torch.no_grad()
def logits(network: Any, inputs: dict[str, Any]) -> torch.Tensor:
    return network(*network.tensors(inputs))


@pytest.mark.parametrize("kind", NETWORKS)
def test_the_order_of_calls_makes_no_difference(kind: NetworkName) -> None:
    network = trained(kind)
    inputs = seen_after(6, network.inputs)
    order = np.random.default_rng(0).permutation(inputs["calls"].shape[1])
    moved = {name: value.copy() for name, value in inputs.items()}
    for name, axes in CALLS_IN.items():
        for axis in axes:
            moved[name] = moved[name].take(order, axis)
    moved["index"] = np.concatenate([inputs["index"][:, :2], inputs["index"][:, 2:][:, order]], 1)
    if "history" in moved:
        tried = np.rint(moved["history"][:, :, History.CALL] * CALL_UNIT).astype(int)
        place = np.concatenate([[0], 1 + np.argsort(order)])
        moved["history"][:, :, History.CALL] = place[tried] / CALL_UNIT
    before, after = logits(network, inputs), logits(network, moved)
    assert torch.allclose(after[:, :2], before[:, :2], atol=1e-4)
    assert torch.allclose(after[:, 2:], before[:, 2:][:, torch.as_tensor(order)], atol=1e-4)


def test_an_attempt_is_read_as_it_was_written() -> None:
    """One call and one category each, those of the history."""
    history = torch.as_tensor(seen_after(5)["history"])
    tried, category = tried_by(history, 16), category_of(history)
    made = history[:, :, History.CALL] > 0.0
    assert made.sum() > 100
    assert torch.equal(tried.sum(2) > 0.5, made) and (category.sum(2) == 1.0).all()
    assert torch.equal(category.argmax(2)[made] == 0, history[:, :, History.SUCCESS][made] > 0.5)
    assert len(category.argmax(2)[made].unique()) > 4


def test_empty_places_in_the_history_change_nothing() -> None:
    network, inputs = trained(), seen_after(4)
    cut = trimmed(inputs["history"])
    assert 1 < cut.shape[1] < HISTORY
    whole = [torch.as_tensor(inputs[name]).float() for name in network.inputs]
    with torch.no_grad():
        assert torch.allclose(network(*whole), logits(network, inputs), atol=1e-5)


def test_an_attempt_sees_none_that_came_later() -> None:
    """What the trunk makes of older attempts stays, whatever is tried next; calls see the next one, too."""
    network, inputs = trained(), seen_after(6)
    later = {name: value.copy() for name, value in inputs.items()}
    later["history"][:, 0, History.COST] += 0.3  # of the newest
    kept: list[torch.Tensor] = []
    network.trunk.after.register_forward_hook(lambda _, given, made: kept.append(given[0]))
    before, after = logits(network, inputs), logits(network, later)
    two = inputs["history"][:, 1, History.CALL] > 0.0
    attempts = trimmed(inputs["history"]).shape[1]
    assert two.sum() > 20 and torch.equal(kept[0][:, 1:attempts], kept[1][:, 1:attempts])
    assert not torch.equal(kept[0][:, 0], kept[1][:, 0])
    assert (before != after).any(1)[torch.as_tensor(two)].all()


def test_the_raw_history_is_read_where_nothing_sums_it_up() -> None:
    """Without counts, posterior and thoughts, two histories of the same calls give different logits."""
    torch.manual_seed(0)
    network = SequenceNetwork(16, without=("counts", "belief", "thoughts"))
    torch.nn.init.normal_(network.pointer.weight)
    inputs = seen_after(6)
    other = {name: value.copy() for name, value in inputs.items()}
    other["history"][:, 1, History.CATEGORY] = 9 / 19
    there = inputs["history"][:, 1, History.CALL] > 0.0
    changed = (other["history"] != inputs["history"]).any((1, 2)) & there
    differs = (logits(network, inputs) != logits(network, other)).any(1)
    assert changed.sum() > 20 and differs[torch.as_tensor(changed)].all()
