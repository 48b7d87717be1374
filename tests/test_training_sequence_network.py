"""The sequence network: attempts in their order, calls and artifacts in none, and all that it is told matters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from fqg_env.arrays import HISTORY, History
from fqg_env.fields import Run
from fqg_env.history import CALL_UNIT
from policies.recovery.features import network_inputs, trimmed
from training.judging.episodes import observations
from training.judging.setting import Setting, deal
from training.learning.inputs import INPUT_SHAPES, Inputs
from training.learning.networks import NETWORKS
from training.learning.recipe import NetworkName
from training.learning.sequence_network import (
    RELATIONS,
    Attempts,
    Attention,
    SequenceNetwork,
    category_of,
    relations,
    sequence_of,
    tried_by,
)

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
ARTIFACTS_IN = {"artifacts": 1, "doubt": 1, "reach": 1, "needs": 2, "makes": 2, "probes": 2}
"""The axis that counts artifacts."""


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


@pytest.mark.parametrize("kind", NETWORKS)
def test_the_order_of_artifacts_makes_no_difference(kind: NetworkName) -> None:
    network = trained(kind)
    inputs = seen_after(6, network.inputs)
    order = np.random.default_rng(0).permutation(inputs["artifacts"].shape[1])
    moved = {
        name: value.take(order, ARTIFACTS_IN[name]) if name in ARTIFACTS_IN else value
        for name, value in inputs.items()
    }
    assert torch.allclose(logits(network, moved), logits(network, inputs), atol=1e-4)


@pytest.mark.parametrize("kind", NETWORKS)
def test_empty_places_for_calls_and_artifacts_change_nothing(kind: NetworkName) -> None:
    network = trained(kind)
    inputs = seen_after(6, network.inputs)
    lengths = {"C": 3, "A": 2, "actions": 3}  # how many are added
    padded = {
        name: np.pad(value, [(0, lengths.get(str(axis), 0)) for axis in INPUT_SHAPES[name]])
        for name, value in inputs.items()
    }
    before = logits(network, inputs)
    assert torch.allclose(logits(network, padded)[:, : before.shape[1]], before, atol=1e-5)


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


def read(attempts: int) -> Inputs:
    """What a sequence network reads of boards after so many attempts."""
    inputs = seen_after(attempts)
    return Inputs(**{name: torch.as_tensor(value).float() for name, value in inputs.items()})


def told_of(x: Inputs, n: int, one: int, other: int) -> list[float]:
    """[R] what an address of board n is to another, calls first, then artifacts: as a level says it."""
    calls = x.needs.shape[1]
    links = (x.needs[n], x.makes[n], x.probes[n])
    if one < calls and other < calls:
        alike = (x.same_function[n, one, other], x.same_provider[n, one, other])
        return [float(one == other), *map(float, alike), *[0.0] * 6]
    if one < calls:
        return [*[0.0] * 3, *(float(m[one, other - calls]) for m in links), *[0.0] * 3]
    if other < calls:
        return [*[0.0] * 6, *(float(m[other, one - calls]) for m in links)]
    return [0.0] * RELATIONS


def test_attention_is_drawn_to_what_is_related_and_to_failures_of_one_category() -> None:
    """By tables of relations, for every pair of tokens on a few boards: what the level and history say."""
    torch.manual_seed(0)
    x = read(8)
    tried, category = tried_by(x.history, 16), category_of(x.history)
    attention = Attention(16)
    torch.nn.init.normal_(attention.alike)
    with torch.no_grad():
        found, related = attention.related(sequence_of(x, tried, category)), relations(x)
    t, calls, pairs = x.history.shape[1], 16, 0
    for n in range(8):
        address = [int(one.argmax()) if one.any() else None for one in tried[n]]
        address += list(range(calls + x.artifacts.shape[1]))
        kinds = category[n].argmax(1)
        for i, one in enumerate(address):
            for j, other in enumerate(address):
                expected = torch.zeros(found.shape[1])
                if one is not None and other is not None:
                    told = told_of(x, n, one, other)
                    assert related[n, one, other].tolist() == told
                    weights = attention.to_attempts if j < t else attention.to_level
                    expected = torch.tensor(told) @ weights.detach()
                    if i < t and j < t and kinds[i] == kinds[j] != 0:
                        expected = expected + attention.alike.detach().flatten()
                        pairs += i != j
                assert torch.allclose(found[n, :, i, j], expected, atol=1e-5)
    assert pairs >= 10


def test_an_attempt_tells_how_long_ago_it_was() -> None:
    x = read(5)
    attempts = Attempts(4)
    with torch.no_grad():
        for parameter in attempts.parameters():
            parameter.zero_()
        attempts.outcome.weight[:, -1] = 1.0
        tokens = attempts(x, tried_by(x.history, 16), category_of(x.history), torch.zeros(1, 16, 4))
    made = x.history[:, :, History.CALL] > 0.0
    ago = 1.0 - x.run[:, Run.TIME_LEFT, None] - x.history[:, :, History.AT]
    assert ago[made].max() > 0.1
    assert torch.allclose(tokens[:, :, 0], torch.where(made, ago, 0.0).clamp(min=0.0), atol=1e-6)


def test_everything_that_is_learned_has_a_say() -> None:
    """But for what attempts hear in the last layer, after which nobody reads their tokens."""
    network, inputs = trained(), seen_after(8)
    network(*network.tensors(inputs)).square().sum().backward()
    idle = {
        name
        for name, parameter in network.named_parameters()
        if parameter.grad is None or not parameter.grad.any()
    }
    assert idle == {"trunk.layers.1.attention.alike"}
