"""Teacher: labels for every decision that the network comes to, by imagined rollouts or from an expert.

By rollouts: the network plays; at every decision the rule's action and a few drawn from the network are
rolled out in worlds drawn from the posterior, and then the rule goes on (policies/recovery/advantages.py).
The network minimises the sum over these actions of p (log p - gain / temperature): linear in the gain, so
that the noise of few worlds averages out over labels, and least where p is proportional to
exp(gain / temperature). It is a step of policy improvement that is learned rather than searched (compare
expert iteration, Anthony, Tian and Barber 2017).

From an expert: the labels are how likely another policy is to choose each action, and the network minimises
the cross-entropy to them, on its own boards all the same (policy distillation, Rusu et al. 2015; DAgger,
Ross, Gordon and Bagnell 2011).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fqg_env.arrays import History
from fqg_env.errors import LevelError
from policies.recovery.registry import PolicyError, policy_named
from training.judging.blame import blamed
from training.learning.pointer_network import PointerNetwork
from training.learning.recipe import Recipe, Teaching
from training.learning.vec_env import ConductorVecEnv

ILLEGAL = -1e9
"""Logit of an illegal action."""


@dataclass(frozen=True)
class Labels:
    """Decisions and what is said of each action."""

    inputs: dict[str, np.ndarray]
    """[M, ...] each, as they lie in observations: a third of what they take as floats."""
    told: Tensor
    """[M, 2 + C] what it gains over the rule's, or how likely an expert chooses it; NaN: nothing is said."""


def loss_of(logits: Tensor, gain: Tensor, temperature: float) -> Tensor:
    """[M] the loss of logits [M, 2 + C] under gains [M, 2 + C]."""
    tried = ~torch.isnan(gain)
    logp = torch.log_softmax(logits.masked_fill(~tried, ILLEGAL), 1)
    return (logp.exp() * (logp - gain.nan_to_num(0.0) / temperature)).sum(1)


def batches(labels: Labels, size: int) -> list[Tensor]:
    """The numbers of all labels in random batches; where histories are read, those of a length together.

    A batch is as long as its longest history, and what is longer takes longer to learn from.
    """
    order = torch.randperm(len(labels.told))
    if "history" not in labels.inputs:
        return list(torch.split(order, size))
    lengths = torch.as_tensor(labels.inputs["history"][:, :, History.CALL] > 0.0).sum(1)
    alike = torch.split(order[lengths[order].argsort(stable=True)], size)
    return [alike[i] for i in torch.randperm(len(alike))]


def distance_of(logits: Tensor, likely: Tensor) -> Tensor:
    """[M] the cross-entropy of logits [M, 2 + C] to an expert's probabilities [M, 2 + C]."""
    illegal = torch.isnan(likely)
    logp = torch.log_softmax(logits.masked_fill(illegal, ILLEGAL), 1)
    return -(likely.nan_to_num(0.0) * logp).sum(1)


class Teacher:
    """Teaches a network, round by round, what its actions gain by rollouts.

    Args:
        network: that learns.
        env: whose lanes it plays in.
        teaching: the settings.
        threads: that share the rollouts; they change nothing but the time they take.
    """

    def __init__(
        self, network: PointerNetwork, env: ConductorVecEnv, teaching: Teaching, threads: int
    ):
        self.network, self.env, self.teaching, self.threads = network, env, teaching, threads
        self.optimizer = torch.optim.Adam(network.parameters(), lr=teaching.learning_rate)
        self.labels = 0
        """Learned from so far."""

    @property
    def done(self) -> bool:
        """Every label has been learned from."""
        return self.labels >= self.teaching.labels

    def round(self) -> None:
        """Play and label so many steps, and learn from them."""
        labels = self.play()
        self.learn(labels)
        self.labels += len(labels.told)
        if self.done:
            self.network.sharpen(self.teaching.sharpen)

    def play(self) -> Labels:
        """Let the network play so many steps in every lane, and label every decision.

        The network alone, from the first step: the mean gain of its choices on its own boards, summed over an
        episode, is exactly what it gains over the rule (Kakade and Langford 2002), and on no other boards.
        """
        inputs: list[dict[str, np.ndarray]] = []
        told: list[Tensor] = []
        seen, lanes = self.env.lanes.inputs(), self.env.lanes
        for _ in range(self.teaching.steps):
            logits = self.logits(seen, torch.as_tensor(lanes.masks))
            inputs.append(seen)
            told.append(self.label(logits, self.labels // lanes.n + len(told)))
            self.env.step_async(self.choose(logits, ~torch.isnan(told[-1])))
            seen, *_ = self.env.step_wait()
        together = {name: np.concatenate([one[name] for one in inputs]) for name in inputs[0]}
        return Labels(together, torch.cat(told))

    def label(self, logits: Tensor, decision: int) -> Tensor:
        """[N, 2 + C] what the actions gain of which some are drawn from the network; NaN: not tried."""
        tried = self.draw_tried(logits).numpy()
        gain = self.env.lanes.advantages(self.teaching.worlds, decision, self.threads, tried)
        return torch.as_tensor(gain).float()

    def loss(self, logits: Tensor, told: Tensor) -> Tensor:
        """[M] the loss of logits [M, 2 + C] under labels [M, 2 + C]."""
        return loss_of(logits, told, self.teaching.temperature)

    @torch.no_grad()
    def logits(self, inputs: dict[str, np.ndarray], legal: Tensor) -> Tensor:
        """[N, 2 + C] the network's logits."""
        logits: Tensor = self.network(*self.network.tensors(inputs)).float().cpu()
        return logits.masked_fill(~legal, ILLEGAL)

    def draw_tried(self, logits: Tensor) -> Tensor:
        """[N, 2 + C] whether an action is tried: so many are drawn from the network, without replacement.

        The loss over some actions is least where the one over all is, as long as luck has no part in
        which they are.
        """
        noisy = logits - torch.empty_like(logits).exponential_().log()  # the Gumbel-top-k trick
        best = noisy.topk(min(self.teaching.tries, logits.shape[1]), 1).indices
        return torch.zeros_like(logits, dtype=torch.bool).scatter_(1, best, value=True)

    def choose(self, logits: Tensor, tried: Tensor) -> np.ndarray:
        """[N] actions of those tried, drawn from what the network will be once it is sharpened."""
        sharp = (logits * self.teaching.sharpen).masked_fill(~tried, ILLEGAL)
        chosen: np.ndarray = torch.multinomial(torch.softmax(sharp, 1), 1).squeeze(1).numpy()
        return chosen

    def learn(self, labels: Labels) -> None:
        """Go over the labels a few times."""
        m = len(labels.told)
        for epoch in range(self.teaching.epochs):
            for number, part in enumerate(batches(labels, self.teaching.batch)):
                done = (epoch + number * self.teaching.batch / m) / self.teaching.epochs
                self.slow_down(self.labels + done * m)
                picked = {name: array[part.numpy()] for name, array in labels.inputs.items()}
                logits = self.network(*self.network.tensors(picked))
                self.optimizer.zero_grad()
                loss = self.loss(logits, labels.told[part].to(logits.device)).mean()
                loss.backward()  # type: ignore[no-untyped-call]
                torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
                self.optimizer.step()

    def slow_down(self, labels: float) -> None:
        """Set the learning rate: the noise of the last steps is what stays in the network."""
        left = max(0.0, 1.0 - labels / self.teaching.labels)
        for group in self.optimizer.param_groups:
            group["lr"] = self.teaching.learning_rate * left

    def state_dict(self) -> dict[str, Any]:
        """What it goes on from, besides the network and the lanes."""
        return {"labels": self.labels, "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there.

        Raises:
            KeyError, TypeError, ValueError: it is no state of a teacher of this network.
        """
        labels = state["labels"]
        if type(labels) is not int or labels < 0:
            raise ValueError(f"labels: {labels!r} is no number of labels")
        self.optimizer.load_state_dict(state["optimizer"])
        for parameter, moments in self.optimizer.state.items():
            for name in ("exp_avg", "exp_avg_sq"):
                if moments[name].shape != parameter.shape:
                    raise ValueError(f"{name}: it is of another network")
        self.labels = labels


class Expert(Teacher):
    """Teaches what another policy would choose on the network's boards.

    Raises:
        LevelError: there is no such policy, or it plans and does not answer to observations.
    """

    def __init__(self, network: PointerNetwork, env: ConductorVecEnv, teaching: Teaching):
        super().__init__(network, env, teaching, threads=1)
        try:
            self.policy = policy_named(teaching.expert)
        except PolicyError as problem:
            raise LevelError(f"teacher.expert: {problem}") from None
        if not hasattr(self.policy, "decide"):
            raise LevelError(
                f"teacher.expert: {teaching.expert!r} plans; name a policy that answers to observations"
            )

    def label(self, logits: Tensor, decision: int) -> Tensor:
        """[N, 2 + C] how likely the expert is to choose each action; NaN: illegal.

        Raises:
            LevelError: the expert is somebody's own and fails, or answers no probabilities.
        """
        try:
            with blamed(self.teaching.expert):
                return torch.as_tensor(self.env.lanes.choices(self.policy))
        except PolicyError as problem:
            raise LevelError(f"teacher.expert: {problem}") from None

    def loss(self, logits: Tensor, told: Tensor) -> Tensor:
        """[M] the cross-entropy to the expert."""
        return distance_of(logits, told)


def teacher_of(recipe: Recipe, network: Any, env: ConductorVecEnv) -> Teacher | None:
    """The teacher that a recipe asks for, on all cores; None where it asks for none."""
    if recipe.teacher is None:
        return None
    if recipe.teacher.expert:
        return Expert(network, env, recipe.teacher)
    return Teacher(network, env, recipe.teacher, len(os.sched_getaffinity(0)))
