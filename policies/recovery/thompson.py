"""thompson: draw what is wrong from the posterior, then act by p/c as if the draw were true.

Source: Thompson 1933; posterior sampling as bandit routers and A/B platforms run it. Outages are drawn once
per provider, a silent fault and whether a call can ever work once per call. The draw is made from the bytes
of the observation and a seed: a decision can be repeated, and does not depend on the batch.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fqg_env.chance import mix, unit
from fqg_env.compiled import kernel
from fqg_env.faults import HIT, TAINT
from fqg_env.fields import Belief, Call
from policies.recovery.base import Decision, Observation, certain, fields
from policies.recovery.index import FIELDS, Batch, choose_by, view_of
from policies.recovery.tuned import Range, tuned_numbers
from policies.recovery.ways import View, textbook, ways_dtype


class Numbers(NamedTuple):
    """What is tuned; what follows p/c from there on is as in books."""

    spread: float
    """From 0, the posterior's mean, to 1, the draw: the draw's weight."""
    margin: float
    """Least gain in return for which it goes on."""
    price_share: float
    """What the price of a way counts in whether to go on."""
    rebuild_above: float
    """A held artifact that is bad with a higher chance than this is made anew."""


@kernel
def digest(words: Any, seed: int) -> np.uint64:
    """A hash of the words of an observation and a seed."""
    h = mix(np.uint64(seed), np.uint64(len(words)))
    for word in words:
        h = mix(h, np.uint64(word))
    return h


@kernel
def chance_of(h: np.uint64, kind: int, which: int) -> float:
    """A uniform number in [0, 1) of a hash, a kind of draw, and what it is about."""
    return unit(mix(mix(h, np.uint64(kind)), np.uint64(which)))


@kernel
def draw(v: View, same_provider: Any, h: np.uint64, spread: float, out: Any) -> None:
    """Fill out [C, B] with what would be believed if a draw from the belief were true."""
    for c in range(v.calls.shape[0]):
        b = v.belief[c]
        for i in range(b.shape[0]):
            out[c, i] = b[i]
        if v.calls[c, Call.EXISTS] < 0.5:
            continue
        provider = c  # named by its first call
        for d in range(c):
            if same_provider[c, d]:
                provider = d
                break
        outage, never, silent = b[Belief.OUTAGE], b[Belief.NEVER], b[Belief.OWN_SILENT]
        down = chance_of(h, 0, provider) * HIT < outage
        hopeless = chance_of(h, 1, c) < never
        bad = chance_of(h, 2, c) < silent
        tainted = TAINT * b[Belief.BAD_INPUT]
        most = 1.0 - tainted
        now = b[Belief.ANSWERS] / max(1e-4, (1.0 - outage) * (1.0 - never))
        now = 0.0 if hopeless else min(most, now) * (1.0 - HIT if down else 1.0)
        later = b[Belief.ANSWERS_LATER] / max(1e-4, 1.0 - never)
        later = 0.0 if hopeless else min(most, later)
        out[c, Belief.ANSWERS] += spread * (now - b[Belief.ANSWERS])
        out[c, Belief.ANSWERS_LATER] += spread * (max(now, later) - b[Belief.ANSWERS_LATER])
        out[c, Belief.OWN_SILENT] += spread * ((1.0 if bad else 0.0) - silent)


@kernel
def choose_all(
    batch: Batch, same_provider: Any, words: Any, seed: int, ways: Any, n: Numbers, out: Any
) -> None:
    """The action for each of N observations, whose bytes are `words` [N, W]; `ways` [1]: scratch."""
    all_ = batch.views
    drawn = np.zeros((all_.belief.shape[1], all_.belief.shape[2]), np.float32)
    index = textbook(n.margin, n.price_share, n.rebuild_above)
    for i in range(len(out)):
        v = view_of(all_, i)
        draw(v, same_provider[i], digest(words[i], seed), n.spread, drawn)
        v = View(v.calls, v.artifacts, v.needs, v.makes, v.probes, drawn, v.doubt, v.run, v.mask)
        out[i] = choose_by(v, index, ways[0], batch.same_function[i])


class Thompson:
    """Posterior sampling as a policy; needs an observation with belief.

    Args:
        numbers: those of tuned.toml where there are none.
        seed: of the draws.
    """

    name = "thompson"
    kind = Numbers
    space = {  # noqa: RUF012 (it is read only)
        "spread": Range(0.05, 1.0),
        "margin": Range(-0.05, 0.05),
        "price_share": Range(0.0, 1.0),
        "rebuild_above": Range(0.02, 1.0),
    }

    def __init__(self, numbers: Numbers | None = None, seed: int = 0):
        self.numbers = tuned_numbers("thompson", Numbers) if numbers is None else numbers
        self.seed = seed

    def actions(self, observation: Observation, mask: np.ndarray) -> np.ndarray:
        """[N] the chosen actions."""
        out = np.zeros(len(mask), np.int64)
        mask = np.ascontiguousarray(mask, np.uint8)
        same_function, same_provider = fields(observation, "same_function", "same_provider")
        view = View(*(*fields(observation, *FIELDS), mask))
        words = np.concatenate(
            [
                each.reshape(len(mask), -1).view(np.uint32)
                for each in (view.belief, view.doubt, view.run)
            ],
            axis=1,
        )
        ways = np.zeros(1, ways_dtype(*view.needs.shape[1:]))
        batch = Batch(view, same_function)
        choose_all(batch, same_provider, words, self.seed, ways, self.numbers, out)
        return out

    def decide(self, observation: Observation, mask: np.ndarray) -> Decision:
        """Choose by p/c under a draw from the posterior."""
        return certain(self.actions(observation, mask), mask.shape[1], self.name)
