"""A pointer network as a policy of sb3-contrib's MaskablePPO."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sb3_contrib.common.maskable.distributions import MaskableDistribution
from sb3_contrib.common.maskable.policies import MaskableActorCriticPolicy
from torch import Tensor

from training.learning.networks import new_network
from training.learning.pointer_network import tensors
from training.learning.recipe import NetworkName, Part
from training.learning.set_network import ValueNetwork


class PointerPolicy(MaskableActorCriticPolicy):
    """Actor and critic that read the level as it is; SB3's own feature extractor is left out.

    Args:
        network: kind of the actor.
        hidden: width of the actor's tokens.
        value_hidden: width of the critic's tokens.
        rounds: of messages, in the actor; the critic does without.
        trust: see `SetNetwork`.
        without: parts of the inputs that neither sees.
    """

    def __init__(
        self,
        *args: Any,
        network: NetworkName,
        hidden: int,
        value_hidden: int,
        rounds: int,
        trust: float,
        without: tuple[Part, ...] = (),
        **kwargs: Any,
    ):
        self.kind: NetworkName = network
        self.hidden, self.value_hidden = hidden, value_hidden
        self.rounds, self.trust, self.without = rounds, trust, without
        super().__init__(*args, **kwargs)

    def _build(self, lr_schedule: Any) -> None:
        self.network = new_network(self.kind, self.hidden, self.rounds, self.trust, self.without)
        self.critic = ValueNetwork(self.value_hidden, self.without)
        # SB3's own trunk would be idle weights
        for idle in ("features_extractor", "pi_features_extractor", "vf_features_extractor"):
            if hasattr(self, idle):
                setattr(self, idle, torch.nn.Identity())
        self.optimizer = self.optimizer_class(
            self.parameters(),
            lr=lr_schedule(1),  # type: ignore[call-arg]  # every optimiser but the base class has it
            **self.optimizer_kwargs,
        )

    def _distribution(self, obs: Any, masks: Any) -> MaskableDistribution:
        logits = self.network(*self.network.tensors(obs))
        distribution = self.action_dist.proba_distribution(action_logits=logits)
        if masks is not None:
            distribution.apply_masking(masks)
        return distribution

    def forward(
        self, obs: Any, deterministic: bool = False, action_masks: np.ndarray | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Actions, values and log-probabilities [N]."""
        distribution = self._distribution(obs, action_masks)
        actions = distribution.get_actions(deterministic=deterministic)
        return actions, self.predict_values(obs), distribution.log_prob(actions)

    def evaluate_actions(
        self, obs: Any, actions: Tensor, action_masks: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Values, log-probabilities and entropies [N]."""
        distribution = self._distribution(obs, action_masks)
        return self.predict_values(obs), distribution.log_prob(actions), distribution.entropy()

    def get_distribution(
        self, obs: Any, action_masks: np.ndarray | None = None
    ) -> MaskableDistribution:
        """Distribution over actions."""
        return self._distribution(obs, action_masks)

    def predict_values(self, obs: Any) -> Tensor:
        """Values [N]."""
        value: Tensor = self.critic(*tensors(obs, self.critic.inputs))
        return value
