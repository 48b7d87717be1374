"""The teacher: a loss that is least where it should be, labels that no thread changes, an exact resume."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_training import TAUGHT

from fqg_env.arrays import SIZES
from fqg_env.errors import LevelError
from fqg_env.lanes import Lanes
from policies.recovery.base import Decision
from training.learning.export import ROUNDING, example, largest_difference, to_onnx
from training.learning.inputs import CALL_PARTS, PARTS, SET_INPUTS
from training.learning.lane_groups import LaneGroups
from training.learning.luck import forget_luck
from training.learning.networks import NETWORKS
from training.learning.pointer_network import Conductor, PointerNetwork, tensors
from training.learning.ppo import Interrupted, train
from training.learning.recipe import Draws, NetworkName, Part, Recipe
from training.learning.set_network import SetNetwork, ValueNetwork
from training.learning.teacher import Expert, Labels, Teacher, batches, distance_of, loss_of
from training.learning.vec_env import ConductorVecEnv

TEACHING = TAUGHT.teacher
assert TEACHING is not None


both_networks = pytest.mark.parametrize("kind", NETWORKS)


def ready(
    recipe: Recipe = TAUGHT, kind: NetworkName = "set"
) -> tuple[PointerNetwork, ConductorVecEnv]:
    """A fresh network and lanes at the start of an episode."""
    torch.manual_seed(0)
    env = ConductorVecEnv(recipe.model_copy(update={"network": kind}), 0)
    env.reset()
    return NETWORKS[kind](8), env


def test_the_loss_is_least_where_gains_say_how_likely() -> None:
    """At p proportional to exp(gain / temperature), whatever is illegal."""
    gain = torch.tensor([[0.0, 0.02, float("nan"), -0.05]])
    best = (gain / 0.025).requires_grad_(True)
    logits = best.detach().nan_to_num(7.0).requires_grad_(True)
    loss = loss_of(logits, gain, 0.025).sum()
    (slope,) = torch.autograd.grad(loss, logits)
    assert slope.abs().max() < 1e-6
    for other in torch.randn(50, 4):
        assert loss_of(logits + other, gain, 0.025) >= loss - 1e-6


def test_threads_change_no_label() -> None:
    """Worlds are named by lane, level and step, not by who plays them."""
    _, env = ready()
    every = np.ones(env.lanes.masks.shape, bool)
    one, three = (env.lanes.advantages(2, 5, threads, every) for threads in (1, 3))
    np.testing.assert_array_equal(one, three)


@both_networks
def test_a_network_learns_what_it_is_told(kind: NetworkName) -> None:
    """Some hundred labels, gone over many times: what it would choose gains more than the rule."""
    network, env = ready(kind=kind)
    teacher = Teacher(network, env, TEACHING.model_copy(update={"epochs": 60}), 1)
    labels = teacher.play()
    assert torch.isfinite(labels.told).any(1).all()
    teacher.learn(labels)
    with torch.no_grad():
        logits = network(*network.tensors(labels.inputs))
    chosen = logits.masked_fill(torch.isnan(labels.told), -1e9).argmax(1)
    assert labels.told[torch.arange(len(chosen)), chosen].mean() > 0.0


@both_networks
def test_a_network_learns_what_an_expert_chooses(kind: NetworkName) -> None:
    """On the boards that it comes to itself; whatever is illegal for the expert stays so."""
    network, env = ready(kind=kind)
    teaching = TEACHING.model_copy(update={"epochs": 60, "expert": "code_aware"})
    expert = Expert(network, env, teaching)
    labels = expert.play()
    said = ~torch.isnan(labels.told)
    assert ((labels.told.nan_to_num(0.0).sum(1) - 1.0).abs() < 1e-6).all()

    def agreed() -> float:
        with torch.no_grad():
            logits = network(*network.tensors(labels.inputs)).masked_fill(~said, -1e9)
        return float((logits.argmax(1) == labels.told.nan_to_num(0.0).argmax(1)).float().mean())

    before = agreed()
    expert.learn(labels)
    assert before < 0.8 < agreed()


def test_the_distance_to_an_expert_is_least_where_it_is_the_expert() -> None:
    likely = torch.tensor([[0.7, 0.3, float("nan"), 0.0]])
    logits = torch.tensor([[0.7, 0.3, 1.0, 1e-9]]).log()
    least = distance_of(logits, likely)
    assert least.item() == pytest.approx(-(0.7 * np.log(0.7) + 0.3 * np.log(0.3)), abs=1e-4)
    for other in torch.randn(50, 4):
        assert distance_of(logits + other, likely) >= least - 1e-6


@pytest.mark.parametrize(
    ("name", "told"), [("shiped", "Did you mean 'shipped'"), ("search", "'search' plans")]
)
def test_an_expert_that_will_not_do_is_named(name: str, told: str) -> None:
    network, env = ready()
    with pytest.raises(LevelError, match="^teacher.expert: ") as caught:
        Expert(network, env, TEACHING.model_copy(update={"expert": name}))
    assert told in str(caught.value)


class Says:
    """Somebody's own expert, that answers what it should not."""

    name = "says"
    answer: Any = None

    def decide(self, observation, mask):
        return self.answer(mask) if self.answer else None


def of_probabilities(likely: Any) -> Any:
    return staticmethod(lambda mask: Decision(mask.argmax(1), likely(mask), np.full(len(mask), "")))


class Unshaped(Says):
    answer = of_probabilities(lambda mask: np.ones((3, 2), np.float32))


class Numberless(Says):
    answer = of_probabilities(lambda mask: np.full(mask.shape, np.nan, np.float32))


class Lawless(Says):
    answer = of_probabilities(lambda mask: (mask == 0).astype(np.float32))


class Fails(Says):
    answer = of_probabilities(lambda mask: 1 // 0)


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (Says, "decide must return a Decision"),
        (Unshaped, r"it answered probabilities of shape \(3, 2\)"),
        (Numberless, "it answered no probabilities of the legal actions"),
        (Lawless, "it answered no probabilities of the legal actions"),
        (Fails, "failed: ZeroDivisionError"),
    ],
)
def test_somebodys_own_expert_that_answers_ill_is_named(kind: type, told: str) -> None:
    """And is not learned from: probabilities that are no numbers would teach nothing but noise."""
    network, env = ready()
    name = f"{__name__}:{kind.__name__}"
    expert = Expert(network, env, TEACHING.model_copy(update={"expert": name}))
    with pytest.raises(LevelError, match=f"^teacher.expert: the policy '{name}'.*{told}"):
        expert.play()


def test_batches_hold_every_label_once_and_histories_of_a_length_together() -> None:
    history = np.zeros((100, 32, 12), np.float32)
    for i in range(100):
        history[i, : i % 20, 0] = 0.5
    told = torch.zeros(100, 4)
    parts = batches(Labels({"history": history}, told), 8)
    assert sorted(int(i) for part in parts for i in part) == list(range(100))
    spans = [np.ptp([int(i) % 20 for i in part]) for part in parts]
    assert max(spans) <= 2 and [len(part) for part in parts] != sorted(map(len, parts))
    longest = [max(int(i) % 20 for i in part) for part in parts]
    assert longest != sorted(longest)
    assert len(batches(Labels({}, told), 8)) == 13


@both_networks
def test_sharpening_multiplies_logits(kind: NetworkName) -> None:
    """The rule's trust among them, and every bias."""
    network, env = ready(kind=kind)
    for layer in (network.pointer, network.other):
        torch.nn.init.normal_(layer.weight)
        torch.nn.init.normal_(layer.bias)
    inputs = network.tensors(env.lanes.inputs())
    with torch.no_grad():
        before = network(*inputs)
        network.sharpen(4.0)
        after = network(*inputs)
    assert torch.allclose(after, 4.0 * before, rtol=1e-4, atol=1e-4)


MIXED = TAUGHT.model_copy(
    update={
        "draws": (
            Draws(share=2, tiers=(16, 20)),
            Draws(size="standard", tiers=(16, 20)),
            Draws(split="exact_train"),
        )
    }
)


def test_every_group_of_lanes_draws_its_own_levels() -> None:
    """Each lane keeps its source when it begins anew."""
    _, env = ready(MIXED)
    most = np.zeros(16, int)
    for _ in range(12):
        env.step_async(np.ones(16, np.int64))  # STOP
        env.step_wait()
        calls = env.lanes.each(lambda lanes: lanes.levels["calls"])
        most = np.maximum(most, calls)
    assert [lanes.n for lanes in env.lanes.groups] == [8, 4, 4]
    assert (most[:8] > 8).all() and (most[8:12] > 16).all() and (most[12:] <= 8).all()


@both_networks
def test_groups_side_by_side_play_as_each_alone(kind: NetworkName) -> None:
    """Padded to the largest size, a network sees and is told the same as in the lanes' own size."""
    network, env = ready(MIXED, kind)
    torch.nn.init.normal_(network.pointer.weight)
    with torch.no_grad():
        logits = network(*network.tensors(env.lanes.inputs()))
    gains = env.lanes.advantages(1, 0, 1, np.ones(env.lanes.masks.shape, bool))
    for one, part in zip(MIXED.draws, env.lanes.parts, strict=True):
        alone = LaneGroups((one,), part.stop - part.start, network.inputs)
        alone.deal(part.start)
        with torch.no_grad():
            same = network(*network.tensors(alone.inputs()))
        legal = alone.masks
        actions = legal.shape[1]
        assert torch.allclose(logits[part, :actions][legal], same[legal], atol=1e-5)
        np.testing.assert_array_equal(gains[part, :actions], alone.advantages(1, 0, 1, legal))
        assert not env.lanes.masks[part, actions:].any()
        assert np.isnan(gains[part, actions:]).all()


SEEN_BY: list[tuple[NetworkName, Part]] = [
    *(("set", part) for part in ("belief", "choice", "thoughts", "memory", "counts")),
    *(("sequence", part) for part in ("belief", "counts", "history")),
]


@pytest.mark.parametrize(("kind", "part"), SEEN_BY)
def test_what_a_network_does_not_see_changes_nothing(kind: NetworkName, part: Part) -> None:
    """Other numbers there give the same logits; a network that sees them answers otherwise."""
    _, env = ready(kind=kind)
    env.step_async(env.lanes.masks[:, 2:].argmax(1) + 2)
    inputs, *_ = env.step_wait()
    other = {name: value.copy() for name, value in inputs.items()}
    for name in PARTS.get(part, ()):
        other[name] = 1.0 - other[name]
    other["calls"][:, :, CALL_PARTS.get(part, ())] += 0.5
    for without, same in ((part,), True), ((), False):
        network = NETWORKS[kind](8, without=without)
        torch.nn.init.normal_(network.pointer.weight)
        for each in (network, Conductor(network)):
            with torch.no_grad():
                one, two = (each(*network.tensors(x)) for x in (inputs, other))
            if isinstance(each, Conductor):
                one, two = one[0], two[0]
            assert torch.equal(one, two) is same
        if part != "history":
            critic = ValueNetwork(8, without)
            with torch.no_grad():
                one, two = (critic(*tensors(x, SET_INPUTS)) for x in (inputs, other))
            assert torch.equal(one, two) is same


@pytest.mark.parametrize("change", [{"rounds": 0}, {"without": ("belief", "thoughts")}])
def test_a_network_without_some_part_is_exported_as_it_is(change: dict[str, Any]) -> None:
    """The graph reads what it needs, and answers what the network answers."""
    network = SetNetwork(8, **change)
    torch.nn.init.normal_(network.pointer.weight)
    conductor = Conductor(network)
    assert (
        largest_difference(conductor, to_onnx(conductor), example(SET_INPUTS, 3, 9, 5, 1))
        < ROUNDING
    )


def test_no_step_of_ppo_leaves_what_the_teacher_taught(tmp_path: Path) -> None:
    """`steps: 0` is the teacher alone, exported."""
    result = train(TAUGHT.model_copy(update={"steps": 0}), 0, tmp_path)
    assert (result["labels"], result["steps"]) == (TEACHING.labels, 0)
    assert (tmp_path / "policy" / "policy.onnx").exists()


def test_a_training_teaches_on_levels_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every lane has another level, every seed others, and PPO none of them."""
    seen = []

    def look(teacher: Teacher) -> None:
        seen.append({int(key) for lanes in teacher.env.lanes.groups for key in lanes.keys})
        raise KeyboardInterrupt

    monkeypatch.setattr(Teacher, "round", look)
    for seed in (0, 1):
        with pytest.raises(Interrupted):
            train(TAUGHT, seed, tmp_path / str(seed))
    env = ConductorVecEnv(TAUGHT, 0)
    env.reset()
    seen.append({int(key) for lanes in env.lanes.groups for key in lanes.keys})
    assert [len(keys) for keys in seen] == [TAUGHT.lanes] * 3
    assert len(set.union(*seen)) == 3 * TAUGHT.lanes


def test_only_what_is_drawn_is_tried() -> None:
    """The rule's choice and so many actions of the network; the choice falls on one of them."""
    network, env = ready()
    teacher = Teacher(network, env, TEACHING.model_copy(update={"tries": 2}), 1)
    labels = teacher.play()
    tried = (~torch.isnan(labels.told)).sum(1)
    assert tried.min() >= 1 and tried.max() == 3
    rule = torch.as_tensor(labels.inputs["index"]).argmax(1)
    assert (labels.told[torch.arange(len(rule)), rule] == 0.0).all()
    logits = torch.full((64, 5), -1e9)
    logits[:, 1:4] = 0.0
    assert not teacher.draw_tried(logits)[:, [0, 4]].any()
    assert (teacher.draw_tried(logits).sum(1) == 2).all()


@pytest.mark.parametrize("bad", [0, 1])
def test_the_luck_of_what_is_delivered_is_taken_from_the_last_reward(bad: int) -> None:
    """Whatever a goal turned out to be, it counts as the posterior expects: 1 - 0.3 * (1 + 0.5) of its weight."""
    lanes = Lanes(1, SIZES["small"], True)
    lanes.deal("train", 3)
    level, board, truth, belief = lanes.levels, lanes.boards, lanes.truths, lanes.beliefs
    goal = int(np.flatnonzero(level["goal_class"][0] > 0)[0])
    assert belief is not None
    level["wrong_weight"], level["goal_weight"][0, goal] = 0.5, 0.8
    board["present"][0, goal] = 1
    truth["bad"][0, goal], belief["bad"][0, goal] = bad, 0.3
    rewards = np.array([0.8 * (1.0 if not bad else -0.5)])
    forget_luck(level, board, truth, belief, rewards, np.ones(1, np.uint8))
    assert rewards[0] == pytest.approx(0.8 * (1.0 - 0.3 * 1.5))


def test_lessons_end_at_rate_zero_and_sharpened() -> None:
    """The rate falls with every label; the last round multiplies what the rule's choice adds."""
    network, env = ready()
    teacher = Teacher(network, env, TEACHING, 1)
    rates = []
    while not teacher.done:
        teacher.round()
        rates.append(teacher.optimizer.param_groups[0]["lr"])
    assert rates == sorted(rates, reverse=True)
    assert 0.0 < rates[-1] < TEACHING.learning_rate / 2
    assert network.trust > 0.9 * 3.0 * TEACHING.sharpen
