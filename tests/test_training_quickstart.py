"""The quickstart in small: training, judging, export and real models, end to end through the command."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from fqg_env.errors import LevelError
from fqg_env.fields import OBSERVATION_VERSION
from policies.recovery.features import network_inputs
from policies.recovery.network import load
from policies.recovery.policy_file import PolicyFileError
from policies.recovery.registry import PolicyError, policy_named
from training.cli import app
from training.commands.evaluate import tier_range
from training.judging.episodes import observations
from training.judging.evaluate import evaluate
from training.judging.setting import Setting, deal
from training.learning.confidence import fresh_episodes
from training.learning.export import largest_difference, to_onnx
from training.learning.networks import NETWORKS
from training.learning.pointer_network import Conductor
from training.learning.ppo import train
from training.learning.recipe import NetworkName, Recipe, read_recipe
from training.learning.vec_env import ConductorVecEnv
from training.quickstart import RIVALS

TINY = Recipe(
    name="tiny", lanes=32, steps=1024, rollout=8, batch=128, hidden=8, success_episodes=32
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A conductor of a few hundred steps."""
    out = tmp_path_factory.mktemp("trained")
    train(TINY, 0, out)
    return out


@pytest.mark.parametrize("kind", NETWORKS)
def test_untrained_the_network_is_the_index_rule(kind: NetworkName) -> None:
    """Its last layer is zero, so learning starts where the rule stands."""
    lanes, network = deal(Setting(split="validation"), 0, 256), NETWORKS[kind](8)
    inputs = network_inputs(observations(lanes), lanes.masks, network.inputs)
    with torch.no_grad():
        logits = network(*network.tensors(inputs))
    assert (logits.numpy().argmax(1) == inputs["index"].argmax(1)).all()


@pytest.mark.parametrize("kind", NETWORKS)
def test_onnx_equals_torch_on_a_thousand_observations(kind: NetworkName) -> None:
    """Real observations of two sizes, one graph."""
    conductor = Conductor(NETWORKS[kind](16))
    torch.manual_seed(0)
    for parameter in conductor.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    model = to_onnx(conductor)
    for size in ("small", "standard"):
        lanes = deal(Setting(split="validation", size=size), 0, 500)
        lanes.step(lanes.masks[:, 2:].argmax(1) + 2)
        network = conductor.network
        seen = network_inputs(observations(lanes), lanes.masks, network.inputs)
        assert largest_difference(conductor, model, tuple(network.tensors(seen))) < 1e-3


def test_no_two_seeds_begin_with_the_same_levels() -> None:
    """Also once stable-baselines3 has handed its seed on."""
    from training.learning.ppo import new_model

    keys = []
    for seed in (0, 1):
        env = ConductorVecEnv(TINY, seed)
        new_model(TINY, env, seed, "cpu", None)
        env.reset()
        keys.append(set(env.lanes.each(lambda lanes: lanes.levels["key"]).tolist()))
    assert not keys[0] & keys[1]


class Peeking:
    """A planner that looks for what is hidden."""

    name = "peeking"

    def plan(self, lanes):
        return lanes.hidden


def test_a_planner_is_not_handed_what_is_hidden() -> None:
    result = evaluate({"p": f"{__name__}:Peeking"}, Setting(split="validation", episodes=4))
    assert "has no attribute 'hidden'" in result["policies"]["p"]["error"]


def test_a_cut_training_goes_on_where_it_was(tmp_path: Path) -> None:
    """Half, then resumed to the whole number of steps, and exported."""
    half = TINY.model_copy(update={"steps": 512})
    train(half, 0, tmp_path)
    fitted: list[int] = []
    result = train(TINY, 0, tmp_path, resume=True, on_fitting=fitted.append)
    assert result["steps"] == TINY.steps
    assert (fitted[0], fitted[-1], fitted) == (0, fresh_episodes(TINY), sorted(fitted))
    assert load(tmp_path / "policy").name == TINY.name


def test_the_judge_is_fair_and_workers_change_nothing(trained: Path) -> None:
    """The same figures in one process and in two; a pair is the negative of its mirror."""
    policies = {"index": "index", "mine": str(trained / "policy"), "random": "random"}
    setting = Setting(split="validation", episodes=600, tiers=(10, 20))
    one = evaluate(policies, setting)
    two = evaluate(policies, setting, workers=2)
    for result in (one, two):
        for figures in result["policies"].values():
            figures.pop("decision_ms_p50")
            figures.pop("decision_ms_p99")
            figures.pop("decision_ms_batched")
    assert one == two
    there, back = one["paired"]["index/random"], one["paired"]["random/index"]
    assert there["difference_mean"] == pytest.approx(-back["difference_mean"])
    assert there["difference_ci95"][0] > 0


class Liar:
    """A policy that answers nonsense."""

    name = "liar"

    def decide(self, observation: object, mask: np.ndarray) -> object:
        raise ZeroDivisionError("no idea")


def test_a_policy_that_raises_costs_only_itself() -> None:
    result = evaluate(
        {"index": "index", "liar": f"{__name__}:Liar"},
        Setting(split="validation", episodes=20),
    )
    assert "no idea" in result["policies"]["liar"]["error"]
    assert result["policies"]["index"]["success_rate"] > 0
    assert result["paired"] == {}


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ("truncate", "truncated or altered"),
        ("version", "observation version"),
        ("not_onnx", "not a valid ONNX graph"),
        ("not_json", "not JSON"),
        ("no_model", "cannot be read"),
        ("no_manifest", "there is no manifest.json in it, so it is no policy; check the path"),
        ("wrong_key", "manifest.json"),
    ],
)
def test_a_damaged_policy_gets_one_sentence(
    trained: Path, tmp_path: Path, damage: str, says: str
) -> None:
    folder = tmp_path / "policy"
    folder.mkdir()
    model = (trained / "policy" / "policy.onnx").read_bytes()
    manifest = json.loads((trained / "policy" / "manifest.json").read_text())
    text = json.dumps(manifest)
    match damage:
        case "truncate":
            model = model[: len(model) // 2]
        case "version":
            text = json.dumps(manifest | {"observation_version": OBSERVATION_VERSION + 1})
        case "not_onnx":
            model = b"GIF89a"
            text = json.dumps(manifest | {"sha256": hashlib.sha256(model).hexdigest()})
        case "not_json":
            text = text[:40]
        case "wrong_key":
            text = json.dumps(manifest | {"surprise": 1})
    if damage != "no_model":
        (folder / "policy.onnx").write_bytes(model)
    if damage != "no_manifest":
        (folder / "manifest.json").write_text(text)
    with pytest.raises(PolicyFileError, match=says) as caught:
        load(folder)
    assert "\n" not in str(caught.value)
    with pytest.raises(PolicyError):
        policy_named(str(folder))


def test_where_the_floor_decides_it_is_the_rule_that_does(trained: Path) -> None:
    """To a network for no call, every level is too large."""
    policy = load(trained / "policy")
    policy.manifest = policy.manifest.model_copy(update={"max_calls": 0})
    lanes = deal(Setting(split="validation"), 0, 64)
    decision = policy.decide(observations(lanes), lanes.masks)
    rule = policy_named("index").decide(observations(lanes), lanes.masks)
    assert set(decision.source) == {"floor"}
    assert (decision.action == rule.action).all()


def test_the_chance_of_success_is_the_graph_s(trained: Path) -> None:
    """Between 0 and 1, a logistic of what the graph answers, where it goes on."""
    policy = load(trained / "policy")
    lanes = deal(Setting(split="validation"), 0, 64)
    seen = observations(lanes)
    _, logit, _ = policy.answers(network_inputs(seen, lanes.masks, policy.manifest.inputs))
    decision = policy.decide(seen, lanes.masks)
    assert decision.success is not None
    on = decision.action != 1
    chance = decision.success[on]
    np.testing.assert_allclose(np.log(chance / (1 - chance)), logit[on], atol=1e-3)


def test_who_stops_without_an_essential_goal_sees_no_chance(trained: Path) -> None:
    """Whatever the head says: what lies there is what is delivered."""
    lanes = deal(Setting(split="validation"), 0, 64)
    decision = load(trained / "policy").decide(
        observations(lanes), (lanes.masks * [0, 1, *16 * [0]])
    )
    assert (decision.action == 1).all() and (decision.success == 0.0).all()


def test_the_floor_decides_on_boards_unlike_those_of_training(trained: Path) -> None:
    """Times and prices a hundred times what they can be are strange; levels as in training mostly are not."""
    policy = load(trained / "policy")
    lanes = deal(Setting(split="validation", tiers=(6, 20)), 0, 256)
    known = policy.decide(observations(lanes), lanes.masks)
    odd = observations(lanes)
    odd["belief"] *= 100.0
    unknown = policy.decide(odd, lanes.masks)
    assert (known.source == "floor").mean() < 0.2
    assert (unknown.source == "floor").mean() > 0.8


@pytest.mark.parametrize(
    "arguments",
    [
        ["evaluate", "--policies", "indx"],
        ["evaluate", "--split", "tset"],
        ["evaluate", "--tiers", "20-16"],
        ["evaluate", "--tiers", "many"],
        ["evaluate", "--size", "huge"],
        ["evaluate", "--levels", "/nowhere"],
        ["train", "--recipe", "quik"],
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    said = [line for line in result.stderr.splitlines() if line.startswith("fqg:")]
    assert len(said) == 1
    assert "Traceback" not in result.output


def test_recipes_say_where_they_are_wrong(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("name: mine\ndraws: [{tiers: [5, 40]}]\n")
    with pytest.raises(ValueError, match=r"mine.yaml.*tiers"):
        read_recipe(str(file))
    assert tier_range("7") == (7, 7)
    with pytest.raises(LevelError, match="write one tier or a range"):
        tier_range("7-")


def test_quickstart_end_to_end(tmp_path: Path) -> None:
    """The command in small, on real models: all keys are there and the journal folds to the same bits."""
    recipe = tmp_path / "tiny.yaml"
    recipe.write_text("\n".join(f"{k}: {json.dumps(v)}" for k, v in TINY.model_dump().items()))
    out = tmp_path / "out"
    command = ["quickstart", "--out", str(out), "--recipe", str(recipe)]
    result = CliRunner().invoke(app, [*command, "--episodes", "64", "--pages", "2", "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert set(told) == {"train", "evaluate", "deploy", "report"}
    assert {"rule", "trained"} <= set(told["deploy"])
    assert {"status", "goals"} <= set(told["deploy"]["rule"])
    replay = told["deploy"]["replay"]
    assert replay["observations"] == replay["identical"] > 0
    assert "<svg" in (out / "report.html").read_text()
    assert set(told["evaluate"]["policies"]) == {*RIVALS, "trained"}
