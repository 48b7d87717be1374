"""SequenceNetwork: a causal transformer over the raw attempts and the tokens of a level.

The sequence is the attempts, then a token for each call and each artifact. An attempt sees itself and those
before it; calls and artifacts see everything. (What an attempt holds of the call that it tried is as of now.)
With one layer attempts hear nothing of each other before calls read them; with two they do. A token has no
name and no place: it has an *address*, a call or an artifact, an attempt that of the call that it tried. What
calls and artifacts are to each other (the links of the level, a shared function or provider) adds to the
attention between tokens that have them for an address (compare Graphormer, Ying et al. 2021), so that the
order of calls makes no difference.

Letters in shapes: N batch, C calls, A artifacts, T attempts (the newest first), S = C + A addresses,
L = T + S tokens, R relations, E heads, H hidden.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fqg_env.arrays import CATEGORIES, HISTORY_FIELDS, History
from fqg_env.fields import Run
from fqg_env.history import CALL_UNIT, CATEGORY_UNIT
from policies.recovery.policy_file import HEADS
from training.learning.inputs import SEQUENCE_INPUTS, Inputs, exist
from training.learning.pointer_network import PointerNetwork, Tokens
from training.learning.recipe import Part
from training.learning.set_network import Embedding, pool

NEVER = -1e4
"""Added to the attention to what may not be seen; finite in half precision too."""
NUMBERS = [i for i in range(HISTORY_FIELDS) if i not in (History.CALL, History.CATEGORY)]
"""Fields of an attempt that are no names."""


def tried_by(history: Tensor, calls: int) -> Tensor:
    """[N, T, C] one-hot of the call that each attempt tried; all zero where there was no attempt."""
    number = (history[:, :, History.CALL] * CALL_UNIT).round().unsqueeze(2)  # from 1; 0: none
    return (number == torch.arange(1, calls + 1, device=history.device)).to(history.dtype)


def category_of(history: Tensor) -> Tensor:
    """[N, T, CATEGORIES] one-hot of the category of each attempt."""
    number = (history[:, :, History.CATEGORY] * CATEGORY_UNIT).round().unsqueeze(2)
    return (number == torch.arange(CATEGORIES, device=history.device)).to(history.dtype)


class Attempts(nn.Module):
    """A token for each attempt [N, T, H]: what came of it, how long ago, and the call that it tried."""

    def __init__(self, hidden: int):
        super().__init__()
        self.outcome = nn.Linear(CATEGORIES + len(NUMBERS) + 1, hidden)
        self.tried = nn.Linear(hidden, hidden, bias=False)

    def forward(self, x: Inputs, tried: Tensor, category: Tensor, c: Tensor) -> Tensor:
        """Embed each attempt, given the token of each call [N, C, H]; those that were not made are zero."""
        history = x.history
        now = 1.0 - x.run[:, Run.TIME_LEFT, None]
        ago = (now - history[:, :, History.AT]).unsqueeze(2)
        outcome = self.outcome(torch.cat([category, history[:, :, NUMBERS], ago], 2))
        made = (history[:, :, History.CALL, None] > 0.0).to(outcome.dtype)
        return torch.relu(outcome + tried @ self.tried(c)) * made


def relations(x: Inputs) -> Tensor:
    """[N, S, S, R] what the address of a row is to that of a column."""
    n, calls, artifacts = x.needs.shape
    none_cc, none_ca = torch.zeros_like(x.same_function), torch.zeros_like(x.needs)
    none_aa = x.needs.new_zeros(n, artifacts, artifacts)

    def of_calls(matrix: Tensor) -> Tensor:
        return whole(matrix, none_ca, none_ca.transpose(1, 2))

    def whole(cc: Tensor, ca: Tensor, ac: Tensor) -> Tensor:
        return torch.cat([torch.cat([cc, ca], 2), torch.cat([ac, none_aa], 2)], 1)

    links = (x.needs, x.makes, x.probes)
    itself = torch.eye(calls, dtype=x.needs.dtype, device=x.needs.device).expand(n, calls, calls)
    return torch.stack(
        [
            of_calls(itself),
            of_calls(x.same_function),
            of_calls(x.same_provider),
            *(whole(none_cc, m, torch.zeros_like(m).transpose(1, 2)) for m in links),
            *(whole(none_cc, torch.zeros_like(m), m.transpose(1, 2)) for m in links),
        ],
        3,
    )


RELATIONS = 9  # R


def sight_of(x: Inputs, made: Tensor) -> Tensor:
    """[N, 1, L, L] 0 where a row may see a column, NEVER where it may not; `made` [N, T]: attempts made."""
    calls, artifacts = exist(x)
    level = torch.cat([calls, artifacts], 1).squeeze(2)  # [N, S]
    t = made.shape[1]
    itself = torch.eye(t, dtype=made.dtype, device=made.device)
    before = torch.ones_like(itself).triu(1) * made.unsqueeze(1) + itself  # [N, T, T]
    of_attempts = torch.cat(
        [before, level.new_zeros(level.shape).unsqueeze(1).expand(-1, t, -1)], 2
    )
    of_level = torch.cat([made, level], 1).unsqueeze(1).expand(-1, level.shape[1], -1)
    return ((1.0 - torch.cat([of_attempts, of_level], 1)) * NEVER).unsqueeze(1)


@dataclass(frozen=True)
class Sequence:
    """What attention goes by, the same in every layer."""

    tried: Tensor
    """[N, 1, T, C] one-hot of the call that each attempt tried, which is its address."""
    relations: Tensor
    """[N, S, S, R]"""
    alike: Tensor
    """[N, 1, L, L] 1 between two attempts that failed with one category."""
    sight: Tensor
    """[N, 1, L, L]"""


def sequence_of(x: Inputs, tried: Tensor, category: Tensor) -> Sequence:
    """The attempts, then calls and artifacts."""
    others = x.needs.shape[1] + x.needs.shape[2]
    failed = category[:, :, 1:]
    alike = nn.functional.pad(failed @ failed.transpose(1, 2), (0, others, 0, others))
    sight = sight_of(x, tried.sum(2))
    return Sequence(tried.unsqueeze(1), relations(x), alike.unsqueeze(1), sight)


class Attention(nn.Module):
    """Of each token to those it sees, by what they hold and by what their addresses are to each other."""

    def __init__(self, hidden: int):
        super().__init__()
        self.asked = nn.Linear(hidden, 3 * hidden)
        self.answer = nn.Linear(hidden, hidden)
        self.to_attempts = nn.Parameter(torch.randn(RELATIONS, HEADS))
        self.to_level = nn.Parameter(torch.randn(RELATIONS, HEADS))
        self.alike = nn.Parameter(torch.zeros(HEADS, 1, 1))

    def forward(self, z: Tensor, s: Sequence) -> tuple[Tensor, Tensor]:
        """[N, L, H] of tokens [N, L, H], and how much each heeded each [N, E, L, L]."""
        n, length, hidden = z.shape
        q, k, v = self.asked(z).view(n, length, 3, HEADS, hidden // HEADS).permute(2, 0, 3, 1, 4)
        weight = q @ k.transpose(2, 3) * (hidden // HEADS) ** -0.5 + self.related(s)
        attention = torch.softmax(weight + s.sight, 3)
        seen = attention @ v  # [N, E, L, H / E]
        return self.answer(seen.transpose(1, 2).reshape(n, length, hidden)), attention

    def related(self, s: Sequence) -> Tensor:
        """[N, E, L, L] what relations add."""
        calls = s.tried.shape[3]

        def rows(share: Tensor) -> Tensor:  # [N, E, L, S]
            between = (s.relations @ share).permute(0, 3, 1, 2)  # [N, E, S, S]
            return torch.cat([s.tried @ between[:, :, :calls], between], 2)

        to_attempts = rows(self.to_attempts)[:, :, :, :calls] @ s.tried.transpose(2, 3)
        return torch.cat([to_attempts, rows(self.to_level)], 3) + self.alike * s.alike


class Layer(nn.Module):
    """Attention, then each token by itself; both add to what there is (pre-norm)."""

    def __init__(self, hidden: int):
        super().__init__()
        self.before = nn.LayerNorm(hidden)
        self.attention = Attention(hidden)
        self.between = nn.LayerNorm(hidden)
        self.each = nn.Sequential(
            nn.Linear(hidden, 2 * hidden), nn.ReLU(), nn.Linear(2 * hidden, hidden)
        )

    def forward(self, z: Tensor, s: Sequence) -> tuple[Tensor, Tensor]:
        """[N, L, H] of [N, L, H], and the attention [N, E, L, L]."""
        heard, attention = self.attention(self.before(z), s)
        z = z + heard
        return z + self.each(self.between(z)), attention


class SequenceTrunk(nn.Module):
    """Tokens, layers of attention, and what the heads read of the whole."""

    def __init__(self, hidden: int, rounds: int):
        super().__init__()
        self.tokens = Embedding(hidden)
        self.attempts = Attempts(hidden)
        self.layers = nn.ModuleList(Layer(hidden) for _ in range(rounds))
        self.after = nn.LayerNorm(hidden)
        self.pooled = nn.Linear(3 * hidden, hidden)

    def forward(self, x: Inputs) -> Tokens:
        """What the heads read of a batch."""
        c, a = self.tokens(x)
        tried, category = tried_by(x.history, c.shape[1]), category_of(x.history)
        z = torch.cat([self.attempts(x, tried, category, c), c, a], 1)
        s = sequence_of(x, tried, category)
        attentions = []
        for layer in self.layers:
            z, attention = layer(z, s)
            attentions.append(attention)
        z = self.after(z)
        calls, artifacts = exist(x)
        _, c, a = z.split([tried.shape[1], c.shape[1], a.shape[1]], 1)
        c, a = c * calls, a * artifacts
        return Tokens(c, torch.relu(self.pooled(pool(c, a, x))), tuple(attentions))


class SequenceNetwork(PointerNetwork):
    """Logits of all actions, from the raw attempts and the tokens of the level.

    Args:
        hidden: width of a token, a multiple of HEADS.
        rounds: layers of attention.
        trust: what the index rule's choice adds to its logit.
        without: parts of its inputs that it does not see.
    """

    inputs = SEQUENCE_INPUTS

    def __init__(
        self, hidden: int, rounds: int = 2, trust: float = 3.0, without: Iterable[Part] = ()
    ):
        super().__init__(SequenceTrunk(hidden, rounds), hidden, trust, without)
