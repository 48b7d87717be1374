"""The Gymnasium faces: both checkers, the same episode single and vectorised, resets of all kinds."""

from __future__ import annotations

import pickle
import warnings
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.wrappers import RecordEpisodeStatistics
from gymnasium.wrappers.vector import DictInfoToList
from gymnasium.wrappers.vector import RecordEpisodeStatistics as RecordVector
from hand_drawn import Events, one_move
from small_envs import pick, same, single, vector

from fqg_env import library
from fqg_env.arrays import SIZES
from fqg_env.describe import describe
from fqg_env.env import FunctionQuest
from fqg_env.errors import LevelError
from fqg_env.lanes import Lanes
from fqg_env.outcome import Category
from fqg_env.picture import BAD, FAINT, GOOD, INK, USED, colour_of
from fqg_env.puzzle import Faults, Puzzle
from fqg_env.rules import STOP
from fqg_env.shapes import Family
from fqg_env.splits import SPLITS
from fqg_env.vector_env import VectorFunctionQuest

ID = "fqg_env.env:FunctionQuest-v0"


def test_gymnasium_finds_nothing_to_warn_of() -> None:
    for belief in (False, True):
        env = gymnasium.make(ID, size="small", belief=belief, render_mode="ansi")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            check_env(env.unwrapped)


def test_stable_baselines3_finds_nothing_but_its_advice_on_two_dimensions() -> None:
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        checker.check_env(single(belief=True), warn=True)
    other = [
        str(w.message) for w in caught if "neither an image, nor a 1D vector" not in str(w.message)
    ]
    assert other == []


def test_make_and_make_vec_by_id() -> None:
    env = gymnasium.make(ID, size="small")
    assert isinstance(env.unwrapped, FunctionQuest)
    vec = gymnasium.make_vec(ID, num_envs=3, vectorization_mode="vector_entry_point", size="small")
    assert isinstance(vec.unwrapped, VectorFunctionQuest) and vec.num_envs == 3
    observation, info = vec.reset(seed=1)
    assert observation["calls"].shape[0] == 3 and info["action_mask"].shape == (3, 18)
    assert vec.observation_space.contains(observation)
    sync = gymnasium.make_vec(ID, num_envs=2, vectorization_mode="sync", size="small")
    assert same({k: v[0] for k, v in sync.reset(seed=1)[0].items()}, observation, 0)


@pytest.mark.parametrize("size", ["small", "standard", "large"])
def test_observations_lie_in_their_space(size: str) -> None:
    env = FunctionQuest(size=size)
    observation, info = env.reset(seed=5)
    assert env.observation_space.contains(observation)
    assert info["action_mask"].shape == (env.action_space.n,)  # type: ignore[attr-defined]


def test_the_same_seed_gives_the_same_episodes_and_another_one_others() -> None:
    one, two = single(), single()
    a, b = one.reset(seed=3)[0], two.reset(seed=3)[0]
    assert same(a, b) and same(one.reset()[0], two.reset()[0])
    assert same(one.reset(seed=3)[0], a) and not same(one.reset(seed=4)[0], a)
    assert not same(single(split="test").reset(seed=3)[0], a)


def test_an_unseeded_reset_keeps_the_random_generator() -> None:
    env = single()
    env.reset(seed=3)
    before = env.np_random.bit_generator.state
    env.reset()
    assert env.np_random.bit_generator.state == before
    first, second = single(), single()
    assert not same(first.reset()[0], second.reset()[0])  # never seeded: each its own


@pytest.mark.parametrize("name", [3, None, ["small"]])
@pytest.mark.parametrize("argument", ["size", "split", "mode"])
def test_a_name_that_is_no_text_is_refused_in_a_sentence(argument: str, name: Any) -> None:
    with pytest.raises(LevelError, match=f"there is no {argument} "):
        FunctionQuest(**{argument: name})


def test_a_single_env_returns_fresh_arrays() -> None:
    env = single()
    first, info = env.reset(seed=0)
    kept = {k: v.copy() for k, v in first.items()}
    mask = info["action_mask"].copy()
    env.step(0)
    assert same(kept, first) and np.array_equal(mask, info["action_mask"])


def test_masks_are_offered_where_trainers_look() -> None:
    env = single()
    _, info = env.reset(seed=0)
    assert env.action_masks().dtype == bool
    assert np.array_equal(env.action_masks(), info["action_mask"] == 1)
    assert env.action_space.contains(env.action_space.sample(mask=info["action_mask"]))


def test_an_illegal_action_never_raises() -> None:
    env = single()
    env.reset(seed=0)
    for action in (17, -1, 99):
        _, reward, over, truncated, _ = env.step(action)
        assert reward == 0.0 and not over and not truncated


def test_it_can_be_pickled_in_the_middle_of_an_episode() -> None:
    env = single()
    _, info = env.reset(seed=7)
    env.step(pick(info["action_mask"], 0))
    copy = pickle.loads(pickle.dumps(env))
    for step in range(5):
        action = pick(env.action_masks(), step)
        a, b = env.step(action), copy.step(action)
        assert same(a[0], b[0]) and a[1:4] == b[1:4]
    assert same(env.reset()[0], copy.reset()[0])


class TestGivenLevels:
    def test_a_level_of_ones_own(self) -> None:
        env = single(render_mode="ansi")
        _, info = env.reset(options={"level": one_move()})
        assert info["action_mask"].sum() == 3
        assert "read" in (env.render() or "") and env.level.name == "drawn"

    def test_a_puzzle_is_played_with_its_faults(self) -> None:
        env = single()
        puzzle = Puzzle(level=one_move(), faults=Faults(functions={"read": "silent"}))
        env.reset(options={"level": puzzle})
        env.step(2)
        _, reward, over, _, info = env.step(STOP)
        assert over and reward == pytest.approx(-0.6)
        assert info["wrong_delivered"] and not info["success"]

    def test_a_library_level(self) -> None:
        env = single()
        env.reset(options={"level": library.load("escape_the_room")})
        names = env.level.call_names
        for name in ("find_key", "combine_items", "use_key/complete_key"):
            env.step(2 + names.index(name))
        assert env.step(STOP)[4]["success"]

    def test_the_seed_is_the_luck_of_a_given_level(self) -> None:
        puzzle = Puzzle(level=one_move(), faults=Faults(functions={"read": "flaky"}))
        luck = set()
        for seed in range(12):
            env = single()
            for _ in range(2):
                env.reset(seed=seed, options={"level": puzzle})
                env.step(2)
                luck.add((seed, bool(env.lanes.boards["present"][0, 1])))
        assert len(luck) == 12 and {made for _, made in luck} == {True, False}

    def test_afterwards_the_sequence_goes_on(self) -> None:
        env, other = single(), single()
        env.reset(seed=1)
        other.reset(seed=1)
        env.reset(options={"level": one_move()})
        assert same(env.reset()[0], other.reset()[0])

    def test_one_that_is_too_large_is_refused(self) -> None:
        functions = {f"read_{i}": one_move().functions["read"] for i in range(20)}
        with pytest.raises(LevelError, match="needs size 'standard'"):
            single().reset(
                options={"level": one_move().model_copy(update={"functions": functions})}
            )

    def test_one_that_is_refused_leaves_the_episode_as_it_is(self) -> None:
        functions = {f"read_{i}": one_move().functions["read"] for i in range(20)}
        large = one_move().model_copy(update={"functions": functions})
        ghost = Puzzle(level=one_move(), faults=Faults(functions={"raed": "broken"}))
        env, other = single(), single()
        with pytest.raises(LevelError):
            env.reset(options={"level": large})
        with pytest.raises(gymnasium.error.ResetNeeded):
            env.step(0)
        for given in (env, other):
            given.reset(seed=1)
            given.reset(options={"level": "escape_the_room"})
            given.step(2)
        for wrong in (large, ghost, "escape_room"):
            with pytest.raises(LevelError):
                env.reset(seed=9, options={"level": wrong})
            assert env.puzzle is other.puzzle or env.puzzle == other.puzzle
            assert env.lanes.levels.tobytes() == other.lanes.levels.tobytes()
            assert env.lanes.hidden.tobytes() == other.lanes.hidden.tobytes()
        assert same(env.step(3)[0], other.step(3)[0])
        assert same(env.reset()[0], other.reset()[0])


def test_wrong_names_are_answered_with_the_near_one() -> None:
    with pytest.raises(LevelError, match="Did you mean 'standard'"):
        FunctionQuest(size="standart")
    with pytest.raises(LevelError, match="Did you mean 'train'"):
        single(split="trian").reset(seed=0)
    for kind in (FunctionQuest, VectorFunctionQuest):
        with pytest.raises(LevelError, match="no render mode 'anzi'. Did you mean 'ansi'"):
            kind(render_mode="anzi")
    with pytest.raises(LevelError, match="Known are ansi, rgb_array"):
        FunctionQuest(render_mode=3)
    with pytest.raises(LevelError, match="seeds are 0 or more"):
        vector(1).reset(seed=[-1])


def test_wrappers_of_gymnasium_work() -> None:
    env = RecordEpisodeStatistics(gymnasium.make(ID, size="small"))
    env.reset(seed=0)
    assert env.step(STOP)[4]["episode"]["r"] == 0.0
    vec = DictInfoToList(RecordVector(vector(2)))
    vec.reset(seed=0)
    *_, infos = vec.step(np.array([STOP, 0]))
    assert infos[0]["episode"]["l"] == 1 and "success" not in infos[1]


def test_an_action_that_is_no_whole_number_is_illegal() -> None:
    env = single()
    env.reset(seed=0)
    for action in (1.9, "1", None, 2**70):
        *_, terminated, _, _ = env.step(action)
        assert not terminated
    assert env.unwrapped.lanes.boards["refused"][0] == 4
    vec = vector(2)
    vec.reset(seed=0)
    with pytest.raises(ValueError, match="need to be whole numbers"):
        vec.step(np.array([1.5, 2.0]))


def test_what_comes_before_the_first_reset_is_refused_in_words() -> None:
    with pytest.raises(gymnasium.error.ResetNeeded, match="before the first reset"):
        single(render_mode="ansi").render()
    with pytest.raises(ValueError, match="the first reset begins all of them"):
        vector(2).reset(options={"reset_mask": np.array([True, False])})
    for lanes in (0, -1, 2.5, True):
        with pytest.raises(LevelError, match="give a whole number, 1 or more"):
            vector(lanes)


def test_no_render_without_a_mode() -> None:
    env = single()
    env.reset(seed=0)
    assert env.render() is None


def test_every_size_and_split_has_its_id() -> None:
    for size in SIZES:
        for split in SPLITS:
            name = f"fqg_env.env:FunctionQuest-{size}-{split}-v0"
            env = gymnasium.make(name)
            _, info = env.reset(seed=5)
            assert info["action_mask"].shape == (2 + SIZES[size].calls,)
            assert env.unwrapped.split == split
    vec = gymnasium.make_vec(name, num_envs=2, vectorization_mode="vector_entry_point")
    assert vec.reset(seed=5)[0]["calls"].shape[:2] == (2, SIZES["large"].calls)


def test_a_level_of_the_library_is_played_by_its_name() -> None:
    env = FunctionQuest(size="small")
    env.reset(options={"level": "escape_the_room"})
    assert env.level.name == "Escape the Room"
    with pytest.raises(LevelError, match="Did you mean 'escape_the_room'"):
        env.reset(options={"level": "escape_room"})


def test_what_is_no_action_is_an_illegal_one() -> None:
    env = FunctionQuest(size="small")
    env.reset(seed=0)
    for i, action in enumerate((2**70, None, float("nan"), "read", -3)):
        env.step(action)
        assert env.lanes.boards["refused"][0] == i + 1


def test_tiers_mixes_and_modes_that_there_are_not_are_refused() -> None:
    for wrong in (
        {"tiers": (1, 100)},
        {"tiers": (5, 3)},
        {"mix": "stres"},
        {"mode": "hybris"},
        {"split": "tset"},
    ):
        with pytest.raises(LevelError):
            FunctionQuest(**wrong)


def test_one_tier_may_be_given_alone() -> None:
    assert FunctionQuest(size="small", tiers=5).lanes.source.tiers == (5, 5)
    assert VectorFunctionQuest(1, size="small", tiers=[3, 5]).lanes.source.tiers == (3, 5)
    for wrong in ("16-20", 5.0, (1, 2, 3), ("a", "b"), None):
        with pytest.raises(LevelError, match="give one tier, or the lowest and the highest"):
            FunctionQuest(size="small", tiers=wrong)
    with pytest.raises(LevelError, match="the templates of 'exact' have no tiers; leave them out"):
        FunctionQuest(size="small", split="exact", tiers=5)


def test_options_that_there_are_not_are_refused() -> None:
    with pytest.raises(LevelError, match=r"there is no 'levle'\. Did you mean 'level'\?"):
        single().reset(options={"levle": "escape_the_room"})
    with pytest.raises(LevelError, match=r"there is no 'level'\. Known are reset_mask\."):
        vector(2).reset(options={"level": "escape_the_room"})


@pytest.mark.parametrize("split", ["test", "unseen"])
def test_a_generated_level_is_named_by_what_it_is_drawn_from(split: str) -> None:
    env = FunctionQuest(size="small", split=split)
    for seed in range(5):
        env.reset(seed=seed)
        said, tier, family, seeded = env.level.name.split(", ")
        assert said == split and seeded == f"seed {seed}"
        # that tier and that family alone draw the same level
        source = replace(
            env.lanes.source,
            tiers=(int(tier.removeprefix("tier ")),) * 2,
            families=(Family[family.upper()],),
        )
        lanes = Lanes(1, SIZES["small"], belief=False, source=source)
        lanes.deal(split, seed)
        assert describe(lanes.levels[0], env.level.name) == env.level
    env.reset()
    assert "seed" not in env.level.name
    exact = FunctionQuest(size="small", split="exact")
    exact.reset(seed=3)
    assert exact.level.name == "exact, seed 3"


def test_the_picture_is_coloured_by_what_is_shown() -> None:
    events = Events(one_move(max_in_flight=2))
    told = [colour_of(events.board, 0, False), colour_of(events.board, 0, True)]
    for category in (Category.TIMEOUT, None, Category.CANCELLED):
        events.run("read", 1.0, category)
        told.append(colour_of(events.board, 0, True))
    events.begin("read", 1.0)
    told.append(colour_of(events.board, 0, True))
    assert told == [FAINT, INK, BAD, GOOD, INK, USED]


def test_the_board_is_drawn_as_a_picture() -> None:
    env = FunctionQuest(size="small", render_mode="rgb_array", tiers=(14, 14))
    env.reset(seed=3)
    before = env.render()
    assert before.dtype == np.uint8 and before.shape[1:] == (1000, 3)
    env.step(2 + int(env.action_masks()[2:].argmax()))
    assert (env.render() != before).any()
