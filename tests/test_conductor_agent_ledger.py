"""The ledger: who an extension is, what it did, and that neither a crash nor a forger gets between."""

import asyncio
import functools
import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hand_written import FOLDER, work, workflow
from test_conductor_agent_runs import ran

from conductor_agent import runs
from conductor_agent.files.bindings import source_of
from conductor_agent.files.manifest import FILE as MANIFEST
from conductor_agent.files.manifest import read_manifest
from conductor_agent.files.workflow import WorkflowError
from conductor_agent.hosting.contract import CallRequest, ExtensionSource
from conductor_agent.hosting.self_test import why_not
from conductor_agent.hosting.supervisor import Supervisor
from conductor_agent.hosting.testing import FakeHost
from conductor_agent.record.events import Decided, Finished
from conductor_agent.record.fold import replay
from conductor_agent.record.identity import Version, version_of
from conductor_agent.record.journal import Journal, JournalError
from conductor_agent.record.ledger import Ledger, Tally
from conductor_agent.record.reputation import (
    DECAY,
    STRONGEST,
    Beta,
    pooled,
    remembered,
    reputation_of,
)
from conductor_agent.record.standing import standings
from conductor_agent.record.tables import STEPS, statements_from
from conductor_agent.runs import begin, resume
from fqg_env.outcome import Blame, Category, PolicyEvidence, Success, error
from policies.recovery.rules import HandRule, Rule
from policies.resource.health import State, conduct, health
from policies.resource.limits import ResourceLimits

FORGING = str(Path(__file__).parent / "extensions" / "forging.py")
LIMITS = ResourceLimits(start_wall_s=20, wall_s=20, memory_bytes=150_000_000)
CASCADE = HandRule(Rule.CASCADE)
BROKEN = PolicyEvidence(
    "memory_bytes", 100.0, 130.0, "bytes", "killed", "watchdog", "SIGKILL", "the log"
)


def breach(**fields):
    """A limit broken, as the host says it."""
    return error(Category.POLICY_VIOLATION, "no", policy=BROKEN, blame=Blame.EXTENSION, **fields)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "conductor.sqlite"


@pytest.fixture
def ledger(path):
    with Journal.create(path) as journal:
        yield Ledger(journal, now=lambda: "2026-01-01")


def played(path, answers, flow=None, **more):
    """One run in which each function answers as told."""
    flow = flow or workflow({name: work() for name in answers})
    host = FakeHost({name: lambda _, a=answer: a for name, answer in answers.items()})
    return asyncio.run(begin(flow, CASCADE, path, host=host, **more))


def looked_into(path, look):
    """What the ledger of a file says."""
    with Journal.read(path) as journal:
        return look(Ledger(journal))


# Who


def test_a_new_text_or_a_new_place_keeps_the_record_and_both_are_a_stranger(tmp_path, ledger):
    file = tmp_path / "reader.py"
    file.write_text("one")

    def met(name="read"):
        return ledger.meet([version_of(ExtensionSource(str(file), name), "operator")])[0]

    first = met()
    assert first == "reader:read"
    assert met("other") == "reader:other"
    file.write_text("two")
    assert met() == first
    file = file.rename(tmp_path / "renamed.py")
    assert met() == first
    file = file.rename(tmp_path / "scribe.py")
    file.write_text("three")
    assert met() == "scribe:read"
    assert [Path(v.place).name for v in ledger.versions(first)] == [
        "reader.py", "reader.py", "renamed.py",
    ]  # fmt: skip
    elsewhere = tmp_path / "b"
    elsewhere.mkdir()
    file = elsewhere / "scribe.py"
    file.write_text("four")
    assert met() == "scribe:read~2"
    assert ledger.named("other") == "reader:other"
    with pytest.raises(JournalError, match="3 extensions are called 'read'; name one of reader:re"):
        ledger.named("read")
    with pytest.raises(JournalError, match="no extension 'reeder:read' in it.*reader:read"):
        ledger.named("reeder:read")


def test_an_author_cannot_shed_the_record_of_a_manifest(tmp_path, ledger):
    """File, function and text are renamed and edited at once, which makes a stranger of anybody else."""
    folder = tmp_path / "counting"
    folder.mkdir()

    def met(file, function, text, at=folder):
        (at / file).write_text(text)
        manifest = f'[extension]\nsource = "{file}"\nfunction = "{function}"\nclass = "motif"\n'
        (at / MANIFEST).write_text(manifest)
        return ledger.meet([version_of(source_of(read_manifest(at), at / MANIFEST), "motif")])[0]

    first = met("count.py", "count", "one")
    assert first == "counting:count"
    assert met("sum.py", "total", "two") == first
    (folder / "add").write_text("three")
    (folder / "add").chmod(0o755)
    (folder / MANIFEST).write_text('[extension]\ncommand = ["./add"]\nclass = "motif"\n')
    command = version_of(source_of(read_manifest(folder), folder / MANIFEST), "motif")
    assert ledger.meet([command]) == [first]
    elsewhere = tmp_path / "adding"
    elsewhere.mkdir()
    assert met("sum.py", "total", "two", elsewhere) == first, "its text is known"
    other = tmp_path / "new"
    other.mkdir()
    assert met("sum.py", "total", "four", other) == "new:total", (
        "whoever writes the workflow moved it"
    )
    by_hand = ExtensionSource(str(folder / "sum.py"), "total")
    assert ledger.meet([version_of(by_hand, "motif")]) == [first]


def test_modules_and_commands_are_somebody_too():
    module = version_of(ExtensionSource("conductor_agent.clock", "tick"))
    assert (module.label, len(module.digest)) == ("conductor_agent.clock:tick", 64)
    assert version_of(ExtensionSource("no.such.module", "x")).digest == ""
    assert version_of(ExtensionSource("/no/such/file.py", "x")).digest == ""
    command = ExtensionSource("adapter", "ocr", command=("/usr/bin/ocr", "--fast"))
    assert version_of(command).label == "ocr:ocr"
    assert version_of(command).place == "/usr/bin/ocr --fast"


# What


def test_a_run_enters_what_each_attempt_came_to_and_what_was_broken(path):
    answers = {
        "down": error(Category.UNAVAILABLE, "no", blame=Blame.EXTENSION),
        "input": error(Category.INVALID_INPUT, "no"),
        "bad": breach(),
        "silent": error(Category.CRASHED, "no"),
        "good": {"text": "hi"},
    }
    result = played(path, answers)

    def look(ledger):
        assert ledger.outcomes_of(result.run_id) == [
            ("down", "UNAVAILABLE", False),
            ("input", "INVALID_INPUT", False),
            ("bad", "POLICY_VIOLATION", True),
            ("silent", "CRASHED", True),
            ("good", "SUCCESS", False),
        ]
        (found,) = ledger.violations("small:bad")
        assert found["when"] > "2026"
        assert {**found, "when": ""} == {
            "limit": "memory_bytes", "allowed": 100.0, "seen": 130.0, "unit": "bytes", "enforcer": "watchdog",
            "action": "killed", "evidence": "the log", "run_id": result.run_id, "call": "bad", "attempt": 2, "when": "",
        }  # fmt: skip
        assert ledger.tally("small:down") == Tally(excused=1)
        assert ledger.tally("small:bad") == Tally(failures={"POLICY_VIOLATION": 1})
        assert ledger.tally("small:bad", [result.run_id]) == Tally()
        assert ledger.tally("small:good").success_rate == 1.0

    looked_into(path, look)


def test_what_others_are_to_blame_for_is_written_down_and_held_against_nobody(path):
    proof = PolicyEvidence("deadline_s", 1.0, 1.1, "s", "killed", "watchdog")
    late = error(Category.TIMEOUT, "no", policy=proof, blame=Blame.POLICY)
    played(path, {"late": late, "good": {"text": "hi"}})

    def look(ledger):
        assert ledger.violations("small:late") == []
        assert [v["limit"] for v in ledger.violations("small:late", blamed=False)] == ["deadline_s"]
        assert ledger.tally("small:late") == Tally(excused=1)
        assert ledger.conduct("small:late") == [[]]

    looked_into(path, look)


@pytest.mark.parametrize("table", ["versions", "outcomes", "violations", "pardons", "checks"])
@pytest.mark.parametrize("verb", ["UPDATE {} SET extension = 'x'", "DELETE FROM {}"])
def test_nothing_can_be_changed_or_removed(path, table, verb):
    played(path, {"bad": breach(), "good": {"text": "hi"}})
    with Journal.create(path) as journal:
        Ledger(journal).pardon("small:bad", "mended")
        Ledger(journal).record_check("small:bad", 0.5, 4)
    other = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        other.execute(verb.format(table))
    other.close()


# Forgers


def hosted(source, *, unheard=lambda *_: None, **request):
    """The answer of a real process."""

    async def call():
        async with Supervisor(profile="group", unheard=unheard) as host:
            return (await host.call(source, CallRequest(**request), LIMITS)).outcome

    return asyncio.run(call())


@pytest.mark.parametrize(
    ("name", "category"), [("accuses", "POLICY_VIOLATION"), ("excuses", "TIMEOUT")]
)
def test_forged_evidence_is_a_failure_and_no_violation(path, name, category):
    """Neither against itself nor as an excuse: what it answers is its word, whatever it is signed with."""
    outcome = hosted(ExtensionSource(FORGING, name))
    assert (outcome.policy.enforcer, outcome.blame) == ("told: watchdog", Blame.EXTENSION)
    played(path, {name: outcome, "good": {"text": "hi"}})

    def look(ledger):
        extension = f"small:{name}"
        assert ledger.violations(extension) == ledger.violations(extension, blamed=False) == []
        assert ledger.tally(extension) == Tally(failures={category: 1})

    looked_into(path, look)


def test_who_says_that_it_was_cancelled_was_not():
    outcome = hosted(
        ExtensionSource(FORGING, "excuses"), parameters={"category": Category.CANCELLED.value}
    )
    assert (outcome.category, outcome.blame) == (Category.CANCELLED, Blame.EXTENSION)


def test_what_is_forged_while_loading_is_told_as_well():
    outcome = hosted(ExtensionSource(FORGING, environment=(("FORGE_AT_LOAD", "1"),)))
    assert outcome.message == "Not me."
    assert outcome.policy.enforcer == "told: watchdog"


def test_a_limit_broken_after_the_answer_is_held_against_its_call(tmp_path, path, monkeypatch):
    monkeypatch.setattr(runs, "Supervisor", functools.partial(Supervisor, profile="group"))
    parameters = {"pid": str(tmp_path / "pid")}
    flow = workflow(
        {
            "idles": {**work(parameters=parameters), "outputs": ["note"]},
            "outlives": work(parameters=parameters, inputs=["note"]),
        },
        {name: {"source": FORGING} for name in ("idles", "outlives")},
        {"note": {}},
    )
    result = asyncio.run(begin(flow, CASCADE, path))
    assert result.values == {"text": "it is gone"}

    def look(ledger):
        assert ledger.tally("forging:idles").successes == 1
        (found,) = ledger.violations("forging:idles")
        assert (found["limit"], found["call"], found["attempt"]) == ("memory_bytes", "idles", 0)
        assert found["seen"] > found["allowed"] > 0
        assert ledger.health("forging:idles").breaches == 1

    looked_into(path, look)


@pytest.mark.skipif(bool(why_not("jail")), reason=why_not("jail"))
def test_to_reach_for_what_is_not_allowed_and_to_answer_well_is_an_escape_all_the_same(path):
    heard = []
    limits = LIMITS.model_copy(update={"network": ("127.0.0.1:9",)})

    async def call():
        async with Supervisor(profile="jail", unheard=lambda *told: heard.append(told)) as host:
            return (
                await host.call(ExtensionSource(FORGING, "shrugs"), CallRequest(), limits)
            ).outcome

    assert asyncio.run(call()).outputs == {"text": "nothing happened"}
    ((source, failure),) = heard
    assert (source.name, failure.policy.name) == ("shrugs", "network")
    assert failure.policy.evidence == "127.0.0.1:10"
    assert health([[conduct(None, blamed=False, limit=failure.policy.name)]]).left_out is True


def test_a_real_breach_is_entered_with_who_saw_it(path, monkeypatch):
    monkeypatch.setattr(runs, "Supervisor", functools.partial(Supervisor, profile="group"))
    source = str(Path(__file__).parent / "extensions" / "misbehaving.py")
    flow = workflow(
        {"hog": work(), "echo": work()},
        {"hog": {"source": source, "limits": {"memory_bytes": 100_000_000}}},
    )
    asyncio.run(begin(flow, CASCADE, path))
    (found,) = looked_into(path, lambda ledger: ledger.violations("misbehaving:hog"))
    assert (found["limit"], found["allowed"], found["action"]) == ("memory_bytes", 1e8, "killed")
    assert found["seen"] > 1e8
    assert found["enforcer"] in ("watchdog", "control group")


# Memory


def level_of(path, run_id):
    with Journal.read(path) as journal:
        return journal.level(run_id)


def test_the_first_run_knows_nothing(path):
    level = level_of(path, played(path, {"good": {"text": "hi"}}).run_id)
    assert (level.functions["good"].reputation, level.recent) == (None, {})


def test_recent_is_the_last_runs_and_reputation_all_others(path):
    flow = {name: work() for name in ("bad", "good")}
    here, elsewhere = workflow(flow), workflow(flow)
    object.__setattr__(elsewhere, "path", FOLDER / "elsewhere.yaml")
    bad, good = breach(), {"text": "hi"}
    for _ in range(3):
        played(path, {"bad": bad, "good": good}, elsewhere, memory=False)
    played(path, {"bad": Success(outputs=good), "good": good}, here, memory=False)
    played(path, {"bad": bad, "good": good}, here, memory=False)
    with Journal.create(path) as journal:
        Ledger(journal).record_check("small:bad", 0.5, 3)
        level = remembered(here, Ledger(journal)).level
    assert level.recent["bad"].model_dump() == {"success": DECAY, "failure": 1.0}
    assert level.recent["good"].model_dump() == {
        "success": 1.0,
        "failure": 0.0,
    }  # of the latest run
    reputation = level.functions["bad"].reputation  # three failures elsewhere, and the check
    assert (reputation.mean, reputation.strength) == (0.25, 6.0)
    assert level.functions["good"].reputation.mean == 1.0


def test_an_outage_is_recent_and_no_reputation_and_bad_input_is_neither(path):
    down, bad = error(Category.UNAVAILABLE, "no"), error(Category.INVALID_INPUT, "no")
    answers = {"down": down, "input": bad, "good": {"text": "hi"}}
    for _ in range(9):
        played(path, answers)
    level = level_of(path, played(path, answers).run_id)
    assert level.recent["down"].success == 0.0 < level.recent["down"].failure < 3.2
    assert "input" not in level.recent
    assert level.functions["down"].reputation is level.functions["input"].reputation is None
    assert (level.functions["good"].reputation.mean, level.functions["good"].reputation.strength) == (
        1.0, 1.0,
    )  # fmt: skip


def test_several_attempts_of_one_run_count_as_one(path):
    answers = iter([error(Category.UNAVAILABLE, "no"), {"text": "hi"}])
    flow = workflow({"flaky": work()})
    host = FakeHost({"flaky": lambda _: next(answers)})
    asyncio.run(begin(flow, HandRule(Rule.CODE_AWARE), path, host=host))
    with Journal.read(path) as journal:
        level = remembered(flow, Ledger(journal)).level
    assert level.recent["flaky"].model_dump() == {"success": 0.5, "failure": 0.5}


def test_what_is_declared_what_was_checked_and_what_was_seen_are_pooled():
    assert pooled() is pooled(None, Beta(0.5, 0.0)) is None
    assert pooled(Beta(1.0, 1.0), Beta(0.5, 3.0)) == Beta(0.625, 4.0)
    assert pooled(Beta(0.9, 1000.0)).strength == STRONGEST


def test_what_is_declared_stands_where_nothing_else_is_known(path):
    declared = {"reputation": {"mean": 0.5, "strength": 2}}
    flow = workflow({"good": work(**declared)}, recent={"good": {"success": 2}})
    with Journal.create(path) as journal:
        assert remembered(flow, Ledger(journal)).level == flow.level
    played(path, {"good": {"text": "hi"}}, flow)
    with Journal.create(path) as journal:
        level = remembered(flow, Ledger(journal)).level
    assert level.functions["good"].reputation == flow.level.functions["good"].reputation
    assert level.recent["good"].model_dump() == {"success": 1.0, "failure": 0.0}


def test_without_memory_every_run_begins_alike(path):
    answers = {"bad": breach(), "good": {"text": "hi"}}
    levels = [level_of(path, played(path, answers, memory=False).run_id) for _ in range(4)]
    assert all(level == levels[0] for level in levels)


def test_a_resumed_run_remembers_what_it_did_when_it_began(path):
    """Other runs in between change what is known; the run sees what it saw, bit for bit."""

    class Cut(BaseException):
        """As if the process ended there."""

    def cut(event):
        if isinstance(event, Finished):
            raise Cut

    answers = {"bad": breach(), "good": {"text": "hi"}}
    played(path, answers)
    with pytest.raises(Cut):
        played(path, answers, watch=cut, run_id="cut")
    before = level_of(path, "cut")
    assert before.recent["bad"].failure == 1.0
    played(path, answers)
    host = FakeHost({"bad": lambda _: breach(), "good": lambda _: {"text": "hi"}})
    assert asyncio.run(resume("cut", path, lambda _: CASCADE, host=host)).status == "succeeded"
    assert level_of(path, "cut") == before
    with Journal.read(path) as journal:
        events = journal.events("cut")
        entered = Ledger(journal).outcomes_of("cut")
    logged = [event.observation for event in events if isinstance(event, Decided)]
    assert replay(before, events) == logged
    assert [call for call, _, _ in entered] == [e.call for e in events if isinstance(e, Finished)]


# Quarantine


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


def test_a_check_is_a_prior_that_calls_add_to(ledger):
    extension = ledger.meet([Version("/x/reader.py", "read", "", "operator")])[0]
    ledger.record_check(extension, 0.5, 2)
    ledger.record_check(extension, 0.75, 4)
    assert reputation_of(ledger, extension) == Beta(0.75, 4.0)
    assert [one.reputation_mean for one in standings(ledger)] == [0.75]
    for wrong in ((1.5, 2), (0.5, -1), (0.5, float("inf")), (float("nan"), 1)):
        with pytest.raises(ValueError, match="is none"):
            ledger.record_check(extension, *wrong)


# The file


def test_a_journal_of_version_1_is_read_and_brought_up_to_date(path):
    connection = sqlite3.connect(path)
    connection.executescript(STEPS[0] + "PRAGMA user_version = 1;")
    connection.close()
    before = path.read_bytes()
    with Journal.read(path) as journal:
        assert Ledger(journal).extensions() == []
        assert standings(Ledger(journal)) == []
        assert journal.run_ids() == []
    assert path.read_bytes() == before
    played(path, {"good": {"text": "hi"}})
    assert looked_into(path, lambda ledger: ledger.extensions()) == ["small:good"]
    assert list(statements_from(2)) == []


WRITER = """
import asyncio, sys
sys.path.insert(0, {tests!r})
from hand_written import work, workflow
from conductor_agent.record.events import Finished
from conductor_agent.hosting.testing import FakeHost
from conductor_agent.runs import begin
from policies.recovery.rules import HandRule, Rule
from test_conductor_agent_ledger import breach

def say(event):
    if isinstance(event, Finished):
        print(run_id, event.attempt, flush=True)

flow = workflow({{"bad": work(), "good": work()}}, max_in_flight=2)
for n in range(10_000):
    run_id = f"run-{{n:05}}"
    host = FakeHost({{"bad": lambda _: breach(), "good": lambda _: {{"text": "hi"}}}})
    asyncio.run(begin(flow, HandRule(Rule.CASCADE), {path!r}, host=host, watch=say, run_id=run_id, memory=False))
"""


@pytest.mark.parametrize("lines", [1, 6, 17])
def test_killed_while_writing_nothing_acknowledged_is_lost(path, lines):
    code = WRITER.format(tests=str(Path(__file__).parent), path=str(path))
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment
    )
    told = [process.stdout.readline() for _ in range(lines)]
    process.send_signal(signal.SIGKILL)
    told += process.communicate()[0].splitlines()
    told = {(run_id, int(n)) for run_id, n in (line.decode().split() for line in told)}
    with Journal.read(path) as journal:
        finished = {
            (run_id, event.attempt)
            for run_id in journal.run_ids()
            for event in journal.events(run_id)
            if isinstance(event, Finished)
        }
        entered = set(journal.rows("SELECT run_id, attempt FROM outcomes"))
        broken = set(journal.rows("SELECT run_id, attempt FROM violations"))
        ledger = Ledger(journal)
        failed = ledger.tally("small:bad").failed
    assert len(told) >= lines
    assert told <= finished == entered
    assert len(broken) == failed > 0
