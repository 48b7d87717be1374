"""Who breaks limits again and again is left out, until somebody pardons it; health says so."""

import asyncio
import json

import pytest
from conductor_cli import ran
from hand_written import FOLDER, work, workflow
from ledgers import (
    CASCADE,
    breach,
    journal_path,  # noqa: F401 (a fixture)
    level_of,
    looked_into,
    new_ledger,  # noqa: F401 (a fixture)
    played,
)

from conductor_agent.files.workflow import WorkflowError
from conductor_agent.hosting.contract import ExtensionSource
from conductor_agent.hosting.testing import FakeHost
from conductor_agent.record.identity import version_of
from conductor_agent.runs import begin
from fqg_env.outcome import Success
from policies.resource.health import State


def quarantined(path, name="bad", more="good"):
    """A journal in which a function broke limits until it was left out."""
    for _ in range(3):
        played(path, {name: breach(), more: {"text": "hi"}})


def test_who_breaks_limits_again_and_again_is_left_out_and_the_run_says_so(path):
    quarantined(path)
    host = FakeHost({"bad": lambda _: breach(), "good": lambda _: {"text": "hi"}})
    flow = workflow({"bad": work(), "good": work()}, plan=["bad"], recent={"bad": {"failure": 1}})
    result = asyncio.run(begin(flow, CASCADE, path, host=host))
    assert result.status == "succeeded"
    assert [name for name, _ in host.requests] == ["good"]
    assert list(level_of(path, result.run_id).functions) == ["good"]


def test_where_no_way_is_left_one_sentence_says_who_can_be_pardoned(path):
    quarantined(path)
    with pytest.raises(WorkflowError) as caught:
        played(path, {"bad": breach()})
    assert str(caught.value) == (
        f"{FOLDER / 'test.yaml'}: no way to text is left, because small:bad is quarantined; bind another "
        f"extension, or let one back in with `conductor extension pardon small:bad --journal {path}`"
    )


def test_a_pardon_lets_it_back_in_and_deletes_nothing(path, capsys):
    quarantined(path)
    command = ("extension", "pardon", "small:bad", "--journal", path, "--reason", "it was mended")
    code, out, _ = ran(capsys, *command)
    assert (code, out) == (0, "small:bad is called again, on trial\n")
    result = played(path, {"bad": Success(outputs={"text": "hi"}), "good": {"text": "hi"}})

    def look(ledger):
        assert [o[0] for o in ledger.outcomes_of(result.run_id)] == ["bad"]
        assert len(ledger.violations("small:bad")) == 3
        assert [p["reason"] for p in ledger.pardons("small:bad")] == ["it was mended"]
        health = ledger.health("small:bad")
        assert (health.state, health.left_out) == (State.QUARANTINED, False)

    looked_into(path, look)
    code, out, err = ran(capsys, *command)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "is not left out (quarantined), so there is nothing to pardon" in err


def written(tmp_path, **entries):
    """A workflow file with these extensions of small.py, each of which makes the text."""
    data = {
        "workflow": "conductor-workflow/1",
        "name": "Try",
        "artifacts": {"page": {}, "text": {"goal": {"weight": 1}}},
        "functions": {name: work() for name in entries},
        "budget": {"time_s": 30, "cost": 50},
        "extensions": {
            name: {"source": str(FOLDER / "small.py"), "extension": extension, "class": "operator"}
            for name, extension in entries.items()
        },
        "inputs": {"page": {"text": "a page"}},
    }
    file = tmp_path / "w.yaml"
    file.write_text(json.dumps(data))
    return file


def test_the_commands_show_health_and_keep_to_it(tmp_path, monkeypatch, capsys):
    """A crash in each run: after five in ten calls nobody calls it any more, and the run says so."""
    monkeypatch.chdir(tmp_path)
    file = written(tmp_path, first="crash", second="echo")
    run = ("run", file, "--policy", "cascade", "--json")
    said = [ran(capsys, *run)[2] for _ in range(6)]
    assert "is critical" in said[4]
    assert "left out" not in "".join(said[:5])
    assert (
        "left out first: the extension small:crash is quarantined (`conductor extension pardon"
        in said[5]
    )
    notes = json.loads(ran(capsys, *run, "--dry-run")[1])["notes"]
    pardon = "`conductor extension pardon small:crash`"
    assert notes == [f"first: the extension small:crash is quarantined ({pardon})"]
    code, out, _ = ran(capsys, "extension", "list", "--json")
    crash, echo = json.loads(out)["extensions"]
    digest = version_of(ExtensionSource(str(FOLDER / "small.py"), "crash")).digest
    assert (code, crash) == (0, {
        "extension": "small:crash", "class": "operator", "place": str(FOLDER / "small.py"),
        "digest": digest, "calls": 5, "successes": 0, "failures": {"CRASHED": 5}, "excused": 0,
        "success_rate": 0.0, "reputation_mean": 0.0, "reputation_strength": 5.0, "violations": {},
        "last_violation": None, "health": "quarantined", "left_out": True, "probation_calls": 0,
        "pardons": 0,
    })  # fmt: skip
    assert (echo["extension"], echo["calls"], echo["health"]) == ("small:echo", 6, "healthy")
    code, out, _ = ran(capsys, "extension", "list")
    assert code == 0
    assert "small:crash" in out and "quarantined" in out
    assert "good: share of successes, without failures that are not its own" in out
    alone = written(tmp_path, only="crash")
    code, out, err = ran(capsys, "run", alone)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "conductor extension pardon small:crash --journal conductor.sqlite" in err
    assert ran(capsys, "extension", "pardon", "crash")[0] == 0
    assert ran(capsys, "run", alone, "--policy", "cascade")[0] == 4


@pytest.mark.parametrize(
    "arguments",
    [("list",), ("pardon", "x"), ("pardon",), ("list", "--journal", str(FOLDER / "once.yaml"))],
)
def test_bad_input_is_one_sentence(tmp_path, monkeypatch, capsys, arguments):
    monkeypatch.chdir(tmp_path)
    code, out, err = ran(capsys, "extension", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert list(tmp_path.iterdir()) == []
