"""Gates: what they may not do to a value, what is no measurement, and code that will not be imported."""

import asyncio
import math
import sys

import pytest
from hand_written import work, workflow

from conductor_agent.files.checks import measure_named, measured
from conductor_agent.files.workflow import WorkflowError
from conductor_agent.hosting.testing import FakeHost
from conductor_agent.live_world import Attempt, Held, LiveWorld
from fqg_env.outcome import Category


def gated(monkeypatch, gate):
    """What an attempt comes to whose output goes through a gate, and the gate's artifact's name."""
    monkeypatch.setattr("conductor_agent.files.workflow.measure_named", lambda name, folder: gate)
    check = {"goal": {"weight": 1}, "check": {"quality": "a:b", "minimum": 0.5}}
    flow = workflow({"make": work()}, artifacts={"text": check})
    host = FakeHost({"make": lambda _: {"text": {"words": ["a", "b"]}}})
    attempt = Attempt("run", 0, 1, "key", {"page": Held("", "x")}, 9.0)
    return asyncio.run(LiveWorld(flow, host).attempt(attempt))


def test_a_gate_cannot_change_what_is_delivered(monkeypatch):
    def careless(value):
        value["words"].append("c")
        value.pop("words")
        value.clear()
        return True

    answer = gated(monkeypatch, careless)
    assert answer.values == {"text": {"words": ["a", "b"]}}
    assert answer.made["text"].passed is True


@pytest.mark.parametrize("quality", [1.5, -0.1, 17, math.inf, math.nan, None, "x"])
def test_what_is_no_share_is_no_measurement(monkeypatch, quality):
    answer = gated(monkeypatch, lambda _: quality)
    assert answer.outcome.category is Category.LOW_QUALITY
    assert answer.made["text"].passed is False


def test_the_sentence_says_what_the_gate_gave():
    assert measured(lambda _: 17, "") == (0.0, "the quality 17 is outside [0, 1]")
    assert [measured(lambda _, fine=fine: fine, "")[0] for fine in (0, 1, 0.25, True, False)] == [
        0, 1, 0.25, 1, 0,
    ]  # fmt: skip


LEAVES = "import sys\nsys.exit(0)\n"


def test_a_gate_file_that_leaves_is_one_sentence(tmp_path, monkeypatch):
    (tmp_path / "leaves.py").write_text(LEAVES)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("leaves.py:gate", "leaves:gate"):
        with pytest.raises(ValueError, match=r"cannot be imported \(SystemExit: 0\)"):
            measure_named(name, tmp_path)


def test_a_package_that_leaves_is_one_sentence(tmp_path, monkeypatch):
    (tmp_path / "leaving").mkdir()
    (tmp_path / "leaving" / "__init__.py").write_text(LEAVES)
    (tmp_path / "leaving" / "tool.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        WorkflowError, match=r"extensions.echo.source: 'leaving.tool' cannot be im.*"
    ):
        workflow({"echo": work()}, {"echo": {"source": "leaving.tool"}})
    assert "leaving.tool" not in sys.modules
