"""What people see: whatever others wrote into it, it is text, and nobody's terminal obeys it."""

import asyncio
import io
import json
import sys

import pytest
from hand_written import FOLDER, work, workflow

from conductor_agent.cli import main
from conductor_agent.commands.show import (
    Progress,
    Terminal,
    show_plan,
    show_result,
)
from conductor_agent.commands.show_runs import show_runs
from conductor_agent.commands.show_steps import show_head, show_steps
from conductor_agent.explain import explain
from conductor_agent.hosting.testing import FakeHost
from conductor_agent.hosting.walls.enforcement import enforcement
from conductor_agent.plain import clean
from conductor_agent.record.events import Decided, Ended, Finished, Lost, Signal, Waited
from conductor_agent.record.journal import Journal
from conductor_agent.results import Goal, Result, folded, summary
from conductor_agent.runs import begin
from fqg_env.outcome import Category, Cause, Hint, Success, error
from policies.recovery.base import certain
from policies.recovery.rules import HandRule, Rule

EVIL = "v2[/beta] [red]x[/red] [/] \x1b[31mred\x9b0m\x07 :smile: \u202eback\r\nnext \\"


def terminal(width=80):
    """A terminal that people do not see, and what it was told."""
    out = io.StringIO()
    return Terminal(file=out, width=width, force_terminal=True, color_system=None), out


def harmless(text):
    """Nothing in it but line ends is anything that a terminal obeys."""
    return clean(text.replace("\n", "")) == text.replace("\n", "")


def decided(**more):
    fields = {"at_s": 0.0, "action": "a", "probabilities": {"a": 0.5}, "policy": "p", "source": "s",
              "strategy": "retry", "observation": "", "took_ms": 1.0}  # fmt: skip
    return Decided(**{**fields, **more})


EVENTS = [
    decided(action=EVIL),
    decided(source=EVIL, strategy=EVIL, why=EVIL),
    Finished(at_s=0.0, attempt=0, call=EVIL, outcome=error(Category.UNABLE, EVIL, detail=EVIL), elapsed_s=1.0),
    Finished(at_s=0.0, attempt=0, call="a", outcome=Success(message=EVIL), elapsed_s=1.0),
    Signal(at_s=0.0, provider=EVIL, up=True),
    Lost(at_s=0.0, attempt=0),
    Waited(at_s=0.0),
    Ended(at_s=0.0, reason=EVIL),
]  # fmt: skip


@pytest.mark.parametrize("event", EVENTS)
def test_progress_shows_what_others_wrote_as_text(event):
    console, out = terminal()
    Progress(console)(event)
    assert harmless(out.getvalue())
    assert ("v2[/beta] [red]x[/red] [/]" in out.getvalue()) is (type(event) not in (Lost, Waited))


def test_everything_else_shows_it_as_text_too(tmp_path):
    class Evil(HandRule):
        name = EVIL

        def decide(self, observation, mask):
            decision = super().decide(observation, mask)
            return certain(decision.action, mask.shape[1], EVIL)

    flow = workflow({"bad": work(), "echo": work()}, name="v2[/beta] [red]x[/red] [/] :smile:")
    hints = (Hint(0.5, call=EVIL), Hint(0.5, strategy=EVIL))
    failure = error(
        Category.UNABLE, EVIL, detail=EVIL, hints=hints, cause=Cause(EVIL, EVIL, trace=EVIL)
    )
    host = FakeHost({"bad": lambda _: failure, "echo": lambda _: {"text": EVIL}})
    path = tmp_path / "conductor.sqlite"
    console, out = terminal()
    policy = Evil(Rule.CASCADE)
    result = asyncio.run(begin(flow, policy, path, host=host, watch=Progress(console)))
    with Journal.read(path) as journal:
        level, events, _ = folded(journal, result.run_id)
        head = summary(journal, result.run_id)
    show_plan(console, flow, "group", enforcement("group"))
    assert "profile group, not enforced here: " in out.getvalue()
    show_result(console, result, EVIL)
    show_runs(console, [head, {"run_id": EVIL, "status": EVIL, "problem": EVIL}])
    show_head(console, head)
    show_steps(console, explain(level, events))
    assert harmless(out.getvalue())
    assert out.getvalue().count("v2[/beta]") > 10
    assert ":smile:" in out.getvalue()


# --- why an extension failed --------------------------------------------------------------------------


def test_an_author_sees_why_an_extension_failed(tmp_path):
    trace = (
        '  File "above.py", line 9, in above\n    tool(rows[0])\n         ~~~~^^^\n'
        '  File "tool.py", line 3, in tool\n    raise RuntimeError("died")\n'
    )
    died = error(
        Category.CRASHED, "The extension crashed.", detail="RuntimeError: died",
        cause=Cause("RuntimeError", "died", trace, Cause("KeyError", "'x'")),
    )  # fmt: skip
    flow = workflow({"bad": work(), "echo": work()})
    host = FakeHost({"bad": lambda _: died, "echo": lambda _: {"text": "hi"}})
    path = tmp_path / "conductor.sqlite"
    console, out = terminal()
    policy = HandRule(Rule.CASCADE)
    run_id = asyncio.run(begin(flow, policy, path, host=host, watch=Progress(console))).run_id
    assert "RuntimeError: died" in out.getvalue()
    with Journal.read(path) as journal:
        level, events, _ = folded(journal, run_id)
    steps = explain(level, events)
    first = steps[0].outcome[0]
    assert first["detail"] == "RuntimeError: died"
    assert first["cause"]["cause"] == {
        "type": "KeyError",
        "message": "'x'",
        "trace": None,
        "cause": None,
    }
    json.dumps(first)
    console, out = terminal()
    show_steps(console, steps)
    assert "RuntimeError: died" in out.getvalue()
    assert 'raise RuntimeError("died")' in out.getvalue()
    assert 'File "tool.py"' in out.getvalue() and "~~~~^^^" not in out.getvalue()
    assert "KeyError: 'x'" in out.getvalue()


def test_what_was_raised_and_where_is_one_line_in_a_run_and_in_its_explanation(tmp_path):
    flow = workflow({"stumble": work(), "echo": work()}, {"stumble": {}, "echo": {}})
    path = tmp_path / "conductor.sqlite"
    console, out = terminal()
    policy = HandRule(Rule.CASCADE)
    run_id = asyncio.run(begin(flow, policy, path, watch=Progress(console))).run_id
    with Journal.read(path) as journal:
        level, events, _ = folded(journal, run_id)
    show_steps(console, explain(level, events))
    said = "The extension crashed: RuntimeError: no such page (small.py, line "
    shown = " ".join(out.getvalue().split())  # folded at the edge
    assert shown.count(said) == 2 == shown.count("RuntimeError: no such page")
    assert [e.outcome.message.startswith(said) for e in events if isinstance(e, Finished)] == [
        True,
        False,
    ]


# --- places to write to -------------------------------------------------------------------------------


class Full(io.StringIO):
    """A file on a full disk."""

    def write(self, text):
        raise OSError(28, "No space left on device")


def test_a_terminal_that_cannot_be_written_to_falls_silent(monkeypatch):
    silent = []
    monkeypatch.setattr("conductor_agent.commands.show.fall_silent", lambda: silent.append(1))
    console = Terminal(file=Full())
    progress = Progress(console)
    for event in EVENTS:
        progress(event)
    assert (console.quiet, silent) == (True, [1])


# --- who says how good it is --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quality", "measured", "told"),
    [
        (None, None, "  text: delivered"),
        (0.9, None, "  text: delivered  quality 0.90 claimed by its maker"),
        (None, 0.8, "  text: delivered  quality 0.80 measured by its gate"),
        (0.9, 0.8, "  text: delivered  quality 0.80 measured by its gate  quality 0.90 claimed by its maker"),
    ],
)  # fmt: skip
def test_a_quality_says_who_tells_it(quality, measured, told):
    console, out = terminal(120)
    goals = {"text": Goal(True, quality, measured, None)}
    show_result(console, Result("r", "succeeded", goals, "policy", 1, 1.0, 1.0, 1, None), "j")
    assert out.getvalue().splitlines()[1] == told


def test_what_a_gate_has_measured_is_kept(tmp_path):
    checked = {"goal": {"weight": 1}, "check": {"quality": "gates.py:length", "minimum": 0.1}}
    flow = workflow({"echo": work()}, artifacts={"text": checked})
    host = FakeHost({"echo": lambda _: Success(outputs={"text": "hi"}, quality={"text": 0.9})})
    path = tmp_path / "conductor.sqlite"
    result = asyncio.run(begin(flow, HandRule(Rule.CASCADE), path, host=host))
    goal = result.goals["text"]
    assert (goal.delivered, goal.quality) == (True, 0.9)
    assert goal.measured == 0.2
    assert result.as_json()["goals"]["text"]["measured"] == goal.measured


def test_what_was_called_off_is_not_shown_as_an_error():
    out = io.StringIO()
    progress = Progress(Terminal(file=out, force_terminal=True, color_system="standard"))
    for category in (Category.CANCELLED, Category.TIMEOUT):
        outcome = error(category, "It ended.")
        progress(Finished(at_s=0.0, attempt=0, call="a", outcome=outcome, elapsed_s=1.0))
    called_off, late = out.getvalue().splitlines()
    assert "\x1b[31m" not in called_off
    assert "\x1b[31m" in late


# --- small things -------------------------------------------------------------------------------------


def said(capsys, *arguments):
    """(exit code, standard output, standard error) of the command."""
    with pytest.raises(SystemExit) as stop:
        main(list(arguments))
    out, err = capsys.readouterr()
    return stop.value.code, out, err


def test_attempts_are_numbered_from_1():
    out = io.StringIO()
    Progress(Terminal(file=out))(Lost(at_s=0.0, attempt=1))
    assert "lost the answer of attempt 2" in out.getvalue()


def test_the_bare_command_shows_its_help(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["conductor"])
    with pytest.raises(SystemExit) as stop:
        main()
    out, err = capsys.readouterr()
    assert (stop.value.code, err) == (0, "")
    assert out.count("\n") > 10
    assert out.lstrip().startswith("Usage: ")


def test_resume_goes_on_with_the_last_run(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = said(capsys, "resume")
    assert (code, "there is no journal" in err) == (2, True)


def test_a_message_on_standard_error_is_harmless(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = said(capsys, "run", "\x1b[31mw.yaml")
    assert (code, "\x1b" in err, err.count("\n")) == (2, False, 1)


def test_a_folder_in_the_way_of_a_value_is_one_sentence(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out" / "text.txt").mkdir(parents=True)
    code, out, err = said(capsys, "run", str(FOLDER / "page.yaml"), "--out", "out", "--json")
    assert (code, json.loads(out)["status"]) == (2, "succeeded")
    assert err.startswith("conductor: --out out: text.txt cannot be written (")
    assert err.count("\n") == 1


def test_json_bears_no_control_characters(capsys):
    from conductor_agent.plain import print_json

    print_json({"a": "\x9b31m\x7f\ud800é"})
    out = capsys.readouterr().out
    assert json.loads(out) == {"a": "\x9b31m\x7f\ud800é"}
    assert harmless(out)
    assert "é" in out


def test_one_attempt_is_singular_and_columns_fold(tmp_path):
    flow = workflow({"echo": work()}, name="a workflow whose name is really long " * 3)
    host = FakeHost({"echo": lambda _: {"text": "hi"}})
    path = tmp_path / "conductor.sqlite"
    result = asyncio.run(begin(flow, HandRule(Rule.CASCADE), path, host=host, policy_name="m" * 90))
    console, out = terminal()
    show_result(console, result, "j")
    assert "  1 attempt, " in out.getvalue()
    with Journal.read(path) as journal:
        head = summary(journal, result.run_id)
    console, out = terminal(80)
    show_runs(console, [head])
    text = out.getvalue()
    assert "…" not in text
    assert result.run_id in text
    assert "succeeded" in text
    assert text.count("m") > 90
    assert max(map(len, text.splitlines())) <= 80


ROW = {
    "run_id": "20260102-030405-abcdef", "name": "Read a scanned page in three ways", "policy": "retry_fallback",
    "status": "succeeded", "attempts": 12, "elapsed_s": 1234.5, "cost": 17.25,
}  # fmt: skip


def test_runs_are_legible_in_80_columns_and_one_line_each_where_there_is_room():
    rows = [ROW, {**ROW, "name": "Total", "status": "failed", "cost": 0.5}]
    console, out = terminal(80)
    show_runs(console, rows)
    assert [text.rstrip() for text in out.getvalue().splitlines()] == [
        "run                     status     attempts  seconds  cost",
        "  policy  workflow",
        "20260102-030405-abcdef  succeeded  12        1234.50  17.25",
        "  retry_fallback  Read a scanned page in three ways",
        "20260102-030405-abcdef  failed     12        1234.50  0.50",
        "  retry_fallback  Total",
    ]
    console, out = terminal(140)
    show_runs(console, [*rows, {"run_id": "x", "status": "unreadable", "problem": "x: gone"}])
    assert len(out.getvalue().splitlines()) == 5
    assert "17.25  retry_fallback  Read a scanned page in three ways" in out.getvalue()
