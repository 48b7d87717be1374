"""Templates meant to be small enough to compute the best policy: 16 to train on, 16 others to judge on.

Attempts are few and bind; cost never runs out, and attempts take next to no time, so that time is what was
waited. Nothing comes from outside, extensions do not recover by themselves, and every maker reports
clearly: what is left is to infer from few outcomes what to try next. What is wrong is drawn from the prior.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from fqg_env.level import (
    Artifact,
    Budget,
    CallKind,
    Function,
    Goal,
    Level,
    Reputation,
    Responsibility,
    Scoring,
    Variant,
)

COST_PER_ATTEMPT = 6.0
"""Budget of cost per attempt that is allowed: the most that one can take, twice the dearest maker."""

SCORING = Scoring(wrong=0.3, cost=0.6, time=0.1, unsafe=0.0)
"""Cost weighs most, so that trying everything in turn does not pay; nothing here is unsafe to repeat."""

WAIT_BASE = 0.125
"""First quantum of a wait: long, so that there are few times to decide at."""


class Maker(NamedTuple):
    """A function of a template."""

    provider: str
    cost: float
    well: float
    """Its reputation, on 20 outcomes."""
    variants: int = 1
    stage: int = 1


class Template(NamedTuple):
    """What a template has."""

    makers: tuple[Maker, ...]
    attempts: int = 4
    gate: bool = False
    probe: CallKind | None = None


def m(text: str) -> tuple[Maker, ...]:
    """Makers written short: `provider cost well [variants [stage]]`, separated by commas."""
    out = []
    for part in text.split(","):
        provider, cost, well, *rest = part.split()
        out.append(Maker(provider, float(cost), float(well), *map(int, rest)))
    return tuple(out)


VERIFY, INSPECT = CallKind.VERIFY, CallKind.INSPECT
TEMPLATES: dict[str, tuple[Template, ...]] = {
    "exact_train": (
        Template(m("a 1 .6, a 2 .7"), 4),
        Template(m("a 1 .6, b 2 .7"), 4),
        Template(m("a 1 .5, a 1.5 .6, b 3 .8"), 3),
        Template(m("a 2 .7, b 2 .5, c 1 .4"), 3),
        Template(m("a 1 .5 2, b 3 .7"), 3),
        Template(m("a 1 .4 3, a 3 .8"), 3),
        Template(m("a 1 .6 2, a 2 .7 2"), 3),
        Template(m("a 1 .6, b 2 .7"), 4, gate=True),
        Template(m("a 1 .5 2, b 3 .8"), 3, gate=True),
        Template(m("a 1 .5, b 2 .6"), 4, probe=VERIFY),
        Template(m("a 1 .4 2"), 3, probe=VERIFY),
        Template(m("a 1 .5 2, b 3 .7"), 3, probe=INSPECT),
        Template(m("a 1 .6 3"), 3, probe=INSPECT),
        Template(m("a 1 .7 1 1, a 1 .7 1 2, b 2 .8 1 2"), 4),
        Template(m("a 1 .6 1 1, b 2 .7 1 1, a 1 .8 1 2"), 4),
        Template(m("a 1 .7 1 1, b 1 .7 1 1, a 1 .6 1 2, b 1 .6 1 2"), 3),
    ),
    "exact": (
        Template(m("a 1 .7, a 3 .8"), 4),
        Template(m("a 1 .4, b 1.5 .6"), 4),
        Template(m("a 1 .6, a 1 .6, a 1 .6"), 3),
        Template(m("a 1 .5, b 2 .7, b 2.5 .8"), 3),
        Template(m("a 1 .6 2, a 2 .8"), 3),
        Template(m("a 2 .6 3, b 1 .4"), 3),
        Template(m("a 1 .5 2, b 1 .5 2"), 2),
        Template(m("a 1 .5, a 2 .7"), 4, gate=True),
        Template(m("a 1 .7 2, a 2 .7"), 3, gate=True),
        Template(m("a 1 .6, a 1.5 .6"), 4, probe=VERIFY),
        Template(m("a 1 .5 2"), 3, gate=True, probe=VERIFY),
        Template(m("a 1 .6 2, a 3 .8"), 3, probe=INSPECT),
        Template(m("a 1 .4 2"), 3, probe=INSPECT),
        Template(m("a 1 .6 1 1, b 1 .6 1 2, b 2 .8 1 2"), 4),
        Template(m("a 1 .5 1 1, a 2 .8 1 1, b 1 .7 1 2"), 4),
        Template(m("a 1 .6 1 1, b 1.5 .7 1 1, b 1 .7 1 2, a 1.5 .6 1 2"), 3),
    ),
}
"""By split. Correlated providers, variants, gates, probes and two-stage graphs are in both."""


def functions_of(template: Template) -> Iterable[tuple[str, Function]]:
    """The functions of a template, by name."""
    last = max(maker.stage for maker in template.makers)
    for i, maker in enumerate(template.makers):
        names = ("default",) if maker.variants == 1 else tuple("abcdef"[: maker.variants])
        variants = {
            name: Variant(latency_s=1e-3, cost=maker.cost, memory_bytes=1e8 * (v + 1))
            for v, name in enumerate(names)
        }
        yield (
            f"make_{i + 1}",
            Function(
                provider=maker.provider,
                inputs=("material",) if maker.stage == 1 else ("part",),
                outputs=("work",) if maker.stage == last else ("part",),
                reputation=Reputation(mean=maker.well, strength=20.0),
                fidelity=1.0,
                variants=variants,
            ),
        )
    if template.probe is not None:
        yield (
            template.probe.value,
            Function(
                provider="own",
                kind=template.probe,
                probes=("work",) if template.probe is VERIFY else ("material",),
                reputation=Reputation(mean=1.0, strength=1000.0),
                fidelity=0.9,
                variants={"default": Variant(latency_s=1e-3, cost=0.2, memory_bytes=1e7)},
            ),
        )


def level_of(template: Template, name: str) -> Level:
    """A template as a level."""
    functions = dict(functions_of(template))
    artifacts = {"material": Artifact(given=True)}
    if max(maker.stage for maker in template.makers) > 1:
        artifacts["part"] = Artifact()
    artifacts["work"] = Artifact(gate=template.gate, goal=Goal())
    attempts = template.attempts
    return Level(
        name=name,
        artifacts=artifacts,
        functions=functions,
        budget=Budget(time_s=1000.0, cost=COST_PER_ATTEMPT * attempts, attempts=attempts),
        scoring=SCORING,
        responsibility=Responsibility.CONDUCTOR,
        sealed=True,
        wait_base=WAIT_BASE,
    )


@cache
def templates(split: str) -> tuple[Level, ...]:
    """The templates of a split, as levels; empty where it has none."""
    return tuple(
        level_of(template, f"{split}-{i + 1:02d}")
        for i, template in enumerate(TEMPLATES.get(split, ()))
    )
