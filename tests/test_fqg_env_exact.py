"""The exact templates: 16 to train on, 16 others, small, sealed, and none of them in both."""

from __future__ import annotations

import numpy as np
import pytest
from hand_drawn import SMALL

from fqg_env.arrays import Kind, Mode
from fqg_env.exact import TEMPLATES, templates
from fqg_env.lanes import Lanes
from fqg_env.splits import SPLITS


def test_no_template_is_both_trained_on_and_judged_on() -> None:
    train, judge = TEMPLATES["exact_train"], TEMPLATES["exact"]
    assert len(set(train)) == len(set(judge)) == 16
    assert not set(train) & set(judge)


@pytest.mark.parametrize("split", TEMPLATES)
def test_templates_are_small_sealed_and_of_every_kind(split: str) -> None:
    kinds, stages, shared = set(), set(), set()
    for level in templates(split):
        assert level.sealed and len(level.calls) <= 6 and level.budget.attempts <= 4
        kinds |= {function.kind.value for function in level.functions.values()}
        stages.add(len(level.artifacts))
        shared.add(len(level.providers) < len(level.functions))
    assert kinds == {"work", "verify", "inspect"} and stages == {2, 3} and True in shared


@pytest.mark.parametrize("split", TEMPLATES)
def test_a_split_deals_all_of_them_and_cost_never_runs_out(split: str) -> None:
    lanes = Lanes(600, SMALL, source=SPLITS[split])
    lanes.deal(split)
    public = ("makes", "cost", "reputation_mean", "provider", "gate", "kind")
    met = {b"".join(record[name].tobytes() for name in public) for record in lanes.levels}
    assert len(met) == 16
    assert (lanes.levels["mode"] == Mode.CONDUCTOR).all()
    random = np.random.default_rng(0)
    while not lanes.done.all():
        weight = random.random(lanes.masks.shape) * lanes.masks
        weight[:, :2] *= 0.3
        lanes.step(weight.argmax(1))
    assert not lanes.boards["lost"].any() and not lanes.boards["down_until_s"].any()
    assert (lanes.boards["cost"] < lanes.levels["cost_budget"]).all()
    probes = (lanes.levels["kind"] >= Kind.VERIFY).any(1)
    assert probes.any() and not probes.all()
