"""The vector environment: lanes play what single environments play; resets, masks and threads."""

from __future__ import annotations

import os
import warnings
from multiprocessing import get_context
from typing import Any

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from small_envs import pick, same, single, vector

from fqg_env.errors import LevelError
from fqg_env.rules import STOP
from fqg_env.vector_env import VectorFunctionQuest


@pytest.mark.parametrize("n", [1, 5])
def test_a_lane_plays_what_a_single_env_plays(n: int) -> None:
    """Over several episodes, whatever the number of lanes."""
    vec = vector(n, belief=True, autoreset_mode=AutoresetMode.SAME_STEP)
    batch, info = vec.reset(seed=40)
    for i in range(n):
        env = single(belief=True)
        observation, _ = env.reset(seed=40 + i)
        assert same(observation, batch, i)
    envs = [single(belief=True) for _ in range(n)]
    infos = [env.reset(seed=40 + i)[1] for i, env in enumerate(envs)]
    episodes = 0
    for step in range(60):
        actions = np.array([pick(infos[i]["action_mask"], step + i) for i in range(n)])
        batch, rewards, terminated, truncated, info = vec.step(actions)
        assert not truncated.any()
        for i, env in enumerate(envs):
            observation, reward, over, _, infos[i] = env.step(actions[i])
            assert reward == rewards[i] and over == terminated[i]
            if over:
                episodes += 1
                assert info["success"][i] == infos[i]["success"]
                assert same(observation, info["final_obs"][i])
                observation, infos[i] = env.reset()  # goes on with the sequence of its seed
            assert same(observation, batch, i)
            assert np.array_equal(infos[i]["action_mask"], info["action_mask"][i])
    assert episodes >= 2 * n


def test_next_step_autoreset_ignores_the_action_and_begins_anew() -> None:
    vec = vector(3)
    vec.reset(seed=0)
    _, _, terminated, _, info = vec.step(np.array([STOP, 0, STOP]))
    assert terminated.tolist() == [True, False, True]
    assert info["episode_return"].tolist() == [0.0, 0.0, 0.0]
    assert info["episode_length"].tolist() == [1, 0, 1]
    batch, rewards, terminated, _, _ = vec.step(np.array([STOP, 0, STOP]))
    assert terminated.tolist() == [False, False, False] and rewards[0] == 0.0
    env = single()
    env.reset(seed=2)
    assert same(env.reset()[0], batch, 2)


def test_disabled_autoreset_waits_for_the_mask() -> None:
    vec = vector(3, autoreset_mode=AutoresetMode.DISABLED)
    first, _ = vec.reset(seed=0)
    vec.step(np.array([STOP, 0, 0]))
    before, _, terminated, _, _ = vec.step(np.array([0, 0, 0]))
    assert terminated.tolist() == [True, False, False]
    after, _ = vec.reset(options={"reset_mask": np.array([True, False, False])})
    assert not same({k: v[0] for k, v in after.items()}, before, 0)
    assert same({k: v[1] for k, v in after.items()}, before, 1)
    again, _ = vec.reset(
        seed=[None, 1, None], options={"reset_mask": np.array([False, True, False])}
    )
    assert same({k: v[1] for k, v in again.items()}, first, 1)


def test_a_mask_of_the_wrong_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="one value for each of the 3 lanes"):
        vector(3).reset(options={"reset_mask": np.array([True])})


@pytest.mark.parametrize("mask", [[2, 1, 0], ["a", "b", "c"], [None, True, True], [0.5, 1, 1]])
def test_a_mask_of_what_is_neither_true_nor_false_is_refused(mask: Any) -> None:
    vec = vector(3)
    vec.reset(seed=0)
    with pytest.raises(ValueError, match="give booleans, or 0 and 1"):
        vec.reset(options={"reset_mask": mask})
    vec.reset(options={"reset_mask": [1, 0, 1]})


@pytest.mark.parametrize("seed", [[1], [1, 2, 3], [], 1.5, "a", [1, 1.5]])
def test_a_vector_reset_needs_one_seed_or_one_for_every_lane(seed: Any) -> None:
    with pytest.raises(ValueError, match=r"one for each of the 2 lanes|no whole number"):
        VectorFunctionQuest(2, size="small").reset(seed=seed)


@pytest.mark.parametrize("threads", [0, -1, 1.5, None, True])
def test_threads_that_there_cannot_be_are_refused(threads: Any) -> None:
    with pytest.raises(LevelError, match="give a whole number, 1 or more"):
        VectorFunctionQuest(2, size="small", threads=threads)


def test_views_or_copies() -> None:
    for copy in (True, False):
        vec = vector(2, copy=copy)
        first, info = vec.reset(seed=0)
        kept = first["run"].copy()
        vec.step(np.array([0, 0]))
        assert np.array_equal(kept, first["run"]) == copy
        assert np.shares_memory(first["run"], vec.lanes.observations["run"]) != copy
        assert np.shares_memory(info["action_mask"], vec.lanes.masks) != copy


def test_a_vector_step_needs_an_action_for_every_lane() -> None:
    vec = VectorFunctionQuest(4, size="small")
    vec.reset(seed=0)
    with pytest.raises(ValueError, match="one for each of the 4 lanes"):
        vec.step(np.zeros(1, int))


def test_threads_change_nothing() -> None:
    one, three = (VectorFunctionQuest(50, size="small", belief=True, threads=n) for n in (1, 3))
    first, second = one.reset(seed=0), three.reset(seed=0)
    random = np.random.default_rng(0)
    for _ in range(30):
        mask = first[-1]["action_mask"]
        action = (random.random(mask.shape) * mask).argmax(1)
        first, second = one.step(action), three.step(action)
        assert all(np.array_equal(first[0][name], second[0][name]) for name in first[0])
        assert np.array_equal(first[1], second[1]) and np.array_equal(first[2], second[2])


def test_a_process_that_was_forked_steps_with_threads_of_its_own() -> None:
    """Those of its parent are not there: a step that is handed to them never ends."""
    vec = VectorFunctionQuest(4, size="small", threads=2)
    vec.reset(seed=0)
    vec.step(np.zeros(4, int))  # the parent has its threads now

    def play() -> None:
        vec.step(np.zeros(4, int))
        os._exit(17)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python warns of what is tested here
        child = get_context("fork").Process(target=play)
        child.start()
    child.join(60)
    if child.is_alive():
        child.kill()
        child.join()
    assert child.exitcode == 17
