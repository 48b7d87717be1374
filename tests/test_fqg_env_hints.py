"""What a failure tells besides its category: hints, and blame of what was read."""

from __future__ import annotations

from hand_drawn import Events, level, maker, preset, probe

from fqg_env.arrays import Verdict
from fqg_env.level import Artifact, CallKind, Goal
from fqg_env.outcome import Category

CHAIN = {"page": Artifact(given=True), "draft": Artifact(), "text": Artifact(goal=Goal())}


class TestHints:
    drawn = level(
        {
            "draw": maker("draft"),
            "read": maker("text", inputs=("draft",), variants={"a": preset(), "b": preset()}),
            "look": probe(CallKind.INSPECT, "draft"),
        },
        CHAIN,
    )

    def test_the_latest_stays_until_the_input_changes(self) -> None:
        events = Events(self.drawn)
        b = events.call("read/b")
        events.run("draw", 1, made=("draft",))
        events.run("look", 2, hint={"read/b": 0.5})
        assert events.board["hint"][b] == 0.5 and events.board["hint_giver"][b] == 3
        events.run("read/a", 3, Category.INVALID_INPUT, hint={"read/b": 0.8})
        assert events.board["hint"][b] == 0.8
        assert events.board["hint_giver"][b] == events.call("read/a")
        events.run("draw", 4, made=("draft",))
        assert events.board["hint"][b] == 0.0 and events.board["hint_giver"][b] == -1

    def test_a_failed_rebuild_leaves_it(self) -> None:
        events = Events(self.drawn)
        events.run("draw", 1, made=("draft",), hint={"read/b": 0.5})
        events.run("draw", 2, Category.CRASHED)
        assert events.board["hint"][events.call("read/b")] == 0.5


class TestBlame:
    drawn = TestHints.drawn

    def test_it_falls_on_the_maker_of_the_version_that_was_read(self) -> None:
        events = Events(self.drawn)
        events.run("draw", 1, made=("draft",))
        events.run("read/a", 2, Category.DEPENDENCY_FAILED, blamed=("draft",))
        assert events.board["blamed"][events.call("draw")] == 1

    def test_what_is_said_of_an_old_version_does_not_hold_for_the_new(self) -> None:
        functions = {**self.drawn.functions, "judge": probe(CallKind.VERIFY, "draft")}
        drawn = self.drawn.model_copy(update={"functions": functions, "max_in_flight": 4})
        events = Events(drawn)
        events.run("draw", 1, made=("draft",))
        reader, judge = events.begin("read/a", 1), events.begin("judge", 1)
        events.run("draw", 2, made=("draft",))
        events.finish(reader, 3, Category.DEPENDENCY_FAILED, blamed=("draft",))
        events.finish(judge, 3, verdict={"draft": Verdict.BAD})
        assert events.board["blamed"].sum() == 0
        assert events.board["times_rejected"][events.artifact("draft")] == 0
