"""Compiling ahead: what it compiles is all that a rule, a judge and a real run need."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from training import cli
from training.compile_ahead import fold_a_little

LISTENING = """
import json, sys
from numba.core import event
compiled = []
class Heard(event.Listener):
    def on_start(self, event):
        compiled.append(event.data["dispatcher"].py_func.__qualname__)
    def on_end(self, event):
        pass
event.register("numba:compile", Heard())
{what}
print(json.dumps(compiled), file=sys.stderr)
"""
RUN = """
from conductor_agent.cli import main
try:
    main(["run", "flow.yaml", "--json"])
except SystemExit as end:
    assert not end.code
"""
GAME = """
import gymnasium
env = gymnasium.make("fqg_env.env:FunctionQuest-small-train-v0", belief=True)
env.reset(seed=0)
env.step(2)
env.reset(options={"level": "escape_the_room"})
vector = gymnasium.make_vec(
    "fqg_env.env:FunctionQuest-v0", num_envs=4, vectorization_mode="vector_entry_point", size="small"
)
vector.reset(seed=0)
vector.step(vector.action_space.sample())
"""
PAGE = """
from training import cli
try:
    cli.app(["evaluate", "--policies", "index,retry", "--size", "small", "--episodes", "16", "--report", "r.html",
             "--no-cache"])
except SystemExit as end:
    assert not end.code
"""
FLOW = """
workflow: conductor-workflow/1
name: Shout
artifacts: {note: {}, loud: {goal: {weight: 1}}}
functions:
  shout: {inputs: [note], outputs: [loud], variants: {default: {cost: 1, latency_s: 0.1}}}
budget: {time_s: 30, cost: 20}
extensions: {shout: {source: shout.py, class: motif}}
inputs: {note: {text: hey}}
"""
SHOUT = """
from conductor_agent.hosting.extension import extension


@extension(output="loud")
def shout(note: str):
    return note.upper()
"""


@pytest.fixture(scope="module")
def compiled_ahead() -> None:
    # in a process of its own, as the command does: this one holds what earlier tests have compiled
    ahead = "from training.compile_ahead import compile_size; compile_size('small')"
    subprocess.run([sys.executable, "-c", ahead], check=True)


@pytest.mark.parametrize("what", [RUN, GAME, PAGE], ids=["run", "game", "page"])
def test_what_is_begun_then_finds_everything_compiled(
    what: str, tmp_path: Path, compiled_ahead: None
) -> None:
    (tmp_path / "flow.yaml").write_text(FLOW, "utf-8")
    (tmp_path / "shout.py").write_text(SHOUT, "utf-8")
    script = LISTENING.format(what=what)
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert json.loads(ran.stderr.splitlines()[-1]) == []


def test_an_event_of_each_kind_is_folded() -> None:
    fold = fold_a_little("standard")
    assert fold.level.size.name == "standard"
    assert fold.number("attempts") == 2
    assert fold.flights() == {}  # the first was answered, the second lost
    assert fold.board["lost"].max() == 1
    assert fold.stopped().name == "POLICY"


@pytest.mark.parametrize(("sizes", "said"), [("smal", "small"), (" , ", "names none")])
def test_what_is_no_size_is_one_sentence(sizes: str, said: str) -> None:
    result = CliRunner().invoke(cli.app, ["compile", "--sizes", sizes])
    assert result.exit_code == 2
    assert said in result.stderr
