"""The kinds of network by name."""

from __future__ import annotations

from collections.abc import Iterable

from training.learning.pointer_network import PointerNetwork
from training.learning.recipe import NetworkName, Part, Recipe
from training.learning.sequence_network import SequenceNetwork
from training.learning.set_network import SetNetwork

NETWORKS: dict[NetworkName, type[SetNetwork | SequenceNetwork]] = {
    "set": SetNetwork,
    "sequence": SequenceNetwork,
}


def new_network(
    name: NetworkName, hidden: int, rounds: int, trust: float, without: Iterable[Part]
) -> PointerNetwork:
    """A fresh network of a kind."""
    return NETWORKS[name](hidden, rounds, trust, without)


def inputs_of(recipe: Recipe) -> tuple[str, ...]:
    """Names of what the network of a recipe reads."""
    return NETWORKS[recipe.network].inputs
