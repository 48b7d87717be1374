"""The judge: what it deals, what it reads off the boards, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import hand_drawn
import numpy as np
import pytest
from own_policies import CallsOnce, folder_of, puzzle

from fqg_env.errors import LevelError
from fqg_env.level import Budget, Shield
from fqg_env.splits import SPLITS, level_key
from policies.recovery.registry import PolicyError
from training.commands.levels import Generated, generated
from training.judging.contestants import Contestant
from training.judging.episodes import play_chunk
from training.judging.evaluate import (
    evaluate,
    evaluation_title,
)
from training.judging.setting import Setting, check_setting, deal


@pytest.mark.parametrize("split", SPLITS)
def test_the_split_that_is_named_is_the_one_that_is_dealt(split: str) -> None:
    """Level n of a chunk is number seed + first + n of that split and of no other."""
    lanes = deal(Setting(split=split, seed=7), 3, 4)
    assert lanes.levels["key"].tolist() == [level_key(split, 10 + i) for i in range(4)]


def test_tiers_and_mode_are_those_that_are_named() -> None:
    source = deal(Setting(tiers=(4, 5), mix="stress", mode="community"), 0, 2).source
    assert (source.tiers, source.mix, source.mode) == ((4, 5), "stress", "community")
    assert deal(Setting(split="unseen"), 0, 1).source.mix == "shifted"


class CallsThrice(CallsOnce):
    tries = 3


def test_what_was_played_is_read_off_the_boards(tmp_path: Path) -> None:
    """One level is sound, in one what is delivered is bad, in one nothing comes; a call costs about 1 of 20."""
    drawn = hand_drawn.one_move(budget=Budget(time_s=320.0, cost=20.0, attempts=16))
    once = Contestant("p", "own_policies:CallsOnce")
    levels = folder_of(
        tmp_path,
        a_sound=puzzle(drawn),
        b_silent=puzzle(drawn, read="silent"),
        c_broken=puzzle(drawn, read="broken"),
    )
    played = play_chunk(once, Setting(levels=levels), 0, 3)
    e = played.episodes
    assert e["success"].tolist() == [1, 0, 0]
    assert e["wrong"].tolist() == [0, 1, 0]
    assert e["attempts"].tolist() == [1, 1, 1]
    assert ((e["cost"] > 0.02) & (e["cost"] < 0.1)).all()  # it varies from attempt to attempt
    assert e["unsafe"].tolist() == [0, 0, 0]
    assert e["unsolvable"].tolist() == [0, 1, 1]
    assert e["gave_up"].tolist() == [0, 0, 1]
    assert played.floor * 3 == played.decisions  # each lane decides as often as the others
    assert e["return"][0] > 0.9
    assert 0 > e["return"][2] > e["return"][1]
    assert len(played.decision_ms) == 3  # a planner is timed on one lane after the other


def test_templates_have_no_tiers_to_tell() -> None:
    result = evaluate({"retry": "retry"}, Setting(split="exact", episodes=2))
    assert result["tiers"] is result["mode"] is None
    assert evaluation_title(result) == "2 levels of exact, small"


def test_bayes_is_refused_before_anything_is_played_where_there_are_no_templates(
    tmp_path: Path,
) -> None:
    says = "the policy 'bayes' is computed for templates alone, and the split 'test' has none; leave it out"
    with pytest.raises(PolicyError, match=says):
        evaluate({"bayes": "bayes"}, Setting(episodes=2))
    told: list[str] = []
    both = {"bayes": "bayes", "retry": "retry"}
    policies = evaluate(both, Setting(episodes=2), progress=lambda label, n: told.append(label))[
        "policies"
    ]
    assert policies["bayes"]["error"].startswith(says) and "error" not in policies["retry"]
    assert told.count("bayes") <= 1  # that the first begins
    levels = folder_of(tmp_path, a=generated(Generated("exact")))
    assert "error" not in evaluate(both, Setting(levels=levels, episodes=1))["policies"]["bayes"]
    levels = folder_of(tmp_path, b=puzzle(hand_drawn.one_move()))
    with pytest.raises(PolicyError, match="b.yaml is none"):
        evaluate({"bayes": "bayes"}, Setting(levels=levels, episodes=1))


def test_levels_are_dealt_in_turn(tmp_path: Path) -> None:
    drawn = hand_drawn.one_move()
    levels = folder_of(tmp_path, a=puzzle(drawn), b=puzzle(drawn, read="silent"))
    result = evaluate({"p": "own_policies:CallsOnce"}, Setting(levels=levels, episodes=5))
    assert result["policies"]["p"]["success_rate"] == 0.6
    assert result["policies"]["p"]["wrong_delivered_rate"] == 0.4
    assert result["tiers"] is result["mix"] is result["mode"] is None


def test_a_repeat_that_is_not_safe_is_counted(tmp_path: Path) -> None:
    """A call that must not run twice fails, nobody knows how far it came, and it is tried again."""
    send = hand_drawn.maker("text", idempotent=False)
    allowed = Shield(unsafe_repeats="allowed")
    levels = folder_of(
        tmp_path,
        a=puzzle(hand_drawn.level({"send": send}, shield=allowed), send="broken"),
        b=puzzle(hand_drawn.one_move(shield=allowed), read="broken"),
    )
    thrice = Contestant("p", f"{__name__}:CallsThrice")
    played = play_chunk(thrice, Setting(levels=levels), 0, 2).episodes
    assert played["attempts"].tolist() == [3, 3]
    assert played["unsafe"].tolist() == [1, 0]


def test_mixes_take_turns_and_are_told_apart() -> None:
    setting = Setting(episodes=6, mix="published,production", tiers=(10, 20))
    told = evaluate({"index": "index"}, setting)
    assert told["mix"] == "published,production"
    by = told["policies"]["index"]["by"]["mix"]
    assert {name: each["episodes"] for name, each in by.items()} == {
        "published": 3,
        "production": 3,
    }
    lanes = deal(setting, 1, 1), deal(Setting(mix="production", tiers=(10, 20)), 1, 1)
    assert lanes[0].levels.tobytes() == lanes[1].levels.tobytes()


def test_another_luck_keeps_the_level_and_its_faults() -> None:
    setting = Setting(split="validation", tiers=(15, 20))
    usual, other, again = (deal(setting, 3, 8, luck) for luck in (0, 2, 2))
    assert other.levels.tobytes() == again.levels.tobytes()
    assert not np.isin(usual.levels["key"], other.levels["key"]).any()
    for name in ("window", "fault", "defect"):
        assert (usual.hidden[name] == other.hidden[name]).all()
    usual.levels["key"] = other.levels["key"]
    assert hand_drawn.same_records(usual.levels, other.levels)


def test_who_cannot_fail_passes_under_all_lucks_and_who_does_nothing_under_none() -> None:
    levels = Setting(episodes=16)
    told = evaluate({"oracle": "oracle", "stops": "own_policies:Stops"}, levels)["policies"]
    assert told["oracle"]["pass_8_levels"] == told["stops"]["pass_8_levels"] == 2
    assert told["stops"]["pass_8"] == 0.0 <= told["oracle"]["pass_8"] <= 1.0


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        (Setting(split="tset"), "Did you mean 'test'"),
        (Setting(size="huge"), "no size 'huge'"),
        (Setting(mix="stres"), "Did you mean 'stress'"),
        (Setting(mode="hybird"), "Did you mean 'hybrid'"),
        (Setting(tiers=(0, 3)), "they run from 1 to 20"),
        (Setting(seed=2**63), "the seed 9223372036854775808 is not between"),
    ],
)
def test_a_setting_is_checked_before_anything_is_played(setting: Setting, says: str) -> None:
    with pytest.raises(LevelError, match=says):
        check_setting(setting)


def test_only_the_first_chunk_is_timed() -> None:
    index, setting = Contestant("i", "index"), Setting()
    assert len(play_chunk(index, setting, 0, 3).decision_ms) == 3
    assert len(play_chunk(index, setting, 3, 3).decision_ms) == 0
    assert len(play_chunk(index, setting, 0, 3, luck=1).decision_ms) == 0
