"""The shield: which actions the rules allow, after failures, effects and blame."""

from __future__ import annotations

from typing import Literal

import pytest
from hand_drawn import (
    Events,
    Game,
    level,
    maker,
    preset,
)

from fqg_env.arrays import Effect
from fqg_env.level import (
    Artifact,
    Budget,
    Goal,
    Shield,
)
from fqg_env.outcome import Category

GATED = {"page": Artifact(given=True), "text": Artifact(goal=Goal(), gate=True)}


class TestShield:
    def test_retries_per_function_count_all_its_variants(self) -> None:
        variants = {"fast": preset(), "slow": preset()}
        shield = Shield(retries_per_function=2, retry_share=1.0)
        events = Events(level({"read": maker("text", variants=variants)}, shield=shield))
        for i, name in enumerate(("read/fast", "read/slow", "read/fast")):
            assert name in events.legal()
            events.run(name, i + 1, Category.UNAVAILABLE)
        assert events.legal() == ["WAIT", "STOP"]

    def test_share_of_retries_holds_over_all_functions(self) -> None:
        shield = Shield(retries_per_function=9, retry_share=0.25)
        events = Events(
            level(
                {"read": maker("text"), "copy": maker("text")},
                shield=shield,
                budget=Budget(time_s=320.0, cost=100.0, attempts=8),
            )
        )
        for i in range(3):  # one first attempt, two retries of the two allowed
            events.run("read", i + 1, Category.UNAVAILABLE)
        assert events.legal() == ["WAIT", "STOP", "copy"]  # a first attempt is no retry
        events.run("copy", 4, Category.UNAVAILABLE)
        assert events.legal() == ["WAIT", "STOP"]

    @pytest.mark.parametrize("effect", [Effect.POSSIBLE, Effect.COMMITTED])
    def test_an_unsafe_repeat_is_masked_unless_allowed(self, effect: Effect) -> None:
        for allowed in (False, True):
            shield = Shield(unsafe_repeats="allowed" if allowed else "forbidden")
            drawn = level({"pay": maker("text", idempotent=False)}, shield=shield)
            events = Events(drawn)
            events.run("pay", 1, Category.TIMEOUT, effect=effect)
            assert ("pay" in events.legal()) == allowed
        events.begin("pay", 1)
        assert events.board["unsafe_repeats"] == 1

    @pytest.mark.parametrize("repeats", ["forbidden", "allowed"])
    def test_a_repeat_in_vain_is_masked_until_what_it_reads_is_new(
        self, repeats: Literal["forbidden", "allowed"]
    ) -> None:
        functions = {"clean": maker("page"), "read": maker("text")}
        events = Events(level(functions, shield=Shield(final_repeats=repeats)))
        events.run("read", 1, Category.INVALID_INPUT, retryable=0)
        assert ("read" in events.legal()) == (repeats == "allowed")
        events.run("clean", 2, None, ("page",))
        assert "read" in events.legal()

    @pytest.mark.parametrize("retryable", [1, 2])
    def test_only_who_says_that_a_repeat_is_in_vain_is_masked(self, retryable: int) -> None:
        events = Events(level({"read": maker("text")}, shield=Shield(final_repeats="forbidden")))
        events.run("read", 1, Category.UNABLE, retryable=retryable)
        assert "read" in events.legal()
        events.run("read", 2, Category.CANCELLED, retryable=0)  # nobody has judged that one
        assert "read" in events.legal()

    def test_a_safe_failure_may_be_repeated(self) -> None:
        events = Events(level({"pay": maker("text", idempotent=False)}))
        events.run("pay", 1, Category.INVALID_INPUT, effect=Effect.NONE)
        assert "pay" in events.legal()

    def test_a_made_but_rejected_output_is_a_committed_effect(self) -> None:
        drawn = level({"pay": maker("text", idempotent=False)}, GATED)
        effects = set()
        for seed in range(40):
            game = Game(drawn, seed, functions={"pay": "silent"})
            game.act("pay")
            if not game.board["lost"][0]:
                effects.add((game.last("pay"), int(game.board["effect"][0])))
        assert {name for name, _ in effects} >= {"LOW_QUALITY", "INVALID_OUTPUT"}
        assert {effect for _, effect in effects} == {Effect.COMMITTED}
