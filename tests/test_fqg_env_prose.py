"""A level in words: prose that a person or a language model plays."""

from __future__ import annotations

import pytest

from fqg_env import library
from fqg_env.env import FunctionQuest
from fqg_env.prose import RULES, Prose


@pytest.mark.parametrize("name", library.names())
def test_a_level_with_a_story_is_told_in_letters_of_the_space(name: str) -> None:
    env = Prose(FunctionQuest())
    text, _ = env.reset(options={"level": name})
    assert env.observation_space.contains(text)
    for artifact in env.game.level.artifacts.values():
        assert artifact.description in text


def test_prose_can_be_played_to_the_end() -> None:
    env = Prose(FunctionQuest(size="small"))
    text, _ = env.reset(seed=0, options={"level": "escape_the_room"})
    assert env.observation_space.contains(text) and "landlord" in text
    text, reward, *_ = env.step("fly")
    assert text.startswith("There is no 'fly'.") and reward == 0.0
    for word, answer in (
        ("help", RULES),
        ("board", "Nothing"),
        ("", "Nothing"),
        ("quit", "Nothing"),
    ):
        text, reward, *_ = env.step(word)
        assert text.startswith(answer) and "0 of 12\n" in text and reward == 0.0
    assert "complete_key  -  both halves, pushed together" in text
    text, *_ = env.step("hlep")
    assert text.startswith("There is no 'hlep'. Did you mean 'help'?")
    text, reward, *_ = env.step("combine_items")
    assert text.startswith("It needs rusty_key and key_fragment first.") and reward == 0.0
    for line in ("find_key", "combine_items", "use_key/complete_key"):
        text, *_ = env.step(line)
    assert text.startswith("use_key/complete_key: The lock turns.")
    _, reward, terminated, _, info = env.step("stop")
    assert terminated and info["success"] and reward > 0.9
    text, reward, terminated, *_ = env.step("find_key")
    assert text.startswith("The run is over.") and reward == 0.0 and terminated
