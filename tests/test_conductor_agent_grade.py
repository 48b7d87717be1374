"""Grades: extensions with one fault each, and the point that shows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from conductor_agent.authoring import bad_conduct as conduct
from conductor_agent.authoring.attacks import _met_a_wall
from conductor_agent.authoring.grade import Report, grade, letter_of, report
from conductor_agent.authoring.reporting import Judgement, of_bad_input, of_hard_input, said
from conductor_agent.authoring.trial import Finding
from conductor_agent.files.manifest import FILE, Manifest, read_manifest
from fqg_env.outcome import Blame, BlamedInput, Category, Cause, Success, error
from policies.resource.violations import Limit, evidence, violation

HEAD = """
import random, socket, time
from conductor_agent.hosting.extension import InvalidInput, Preset, extension
from fqg_env.outcome import *

seen = {}

@extension
def work(inputs, parameters, context):
    text = inputs.get("text")
"""
GOOD = """
    if not isinstance(text, str):
        raise InvalidInput("It is no text.", artifact="text")
    if set(parameters) - {"how"}:
        raise InvalidInput("Unknown parameter.")
    if len(text) > 100_000:
        return error(Category.INPUT_TOO_LARGE, "Too long.")
"""
DONE = "    return {'words': len(text.split())}\n"
MANIFEST = """
[extension]
source = "work.py"
class = "motif"
inputs = {text = "text"}
outputs = {words = "number"}
[extension.limits]
memory_bytes = 60_000_000
request_bytes = 2_000_000
wall_s = 5
[function_quest.gameplay]
deterministic = true
[failure_policies]
max_retries = 2
"""


def graded(folder: Path, body: str, manifest: str = MANIFEST) -> Report:
    (folder / "work.py").write_text(HEAD + body)
    (folder / FILE).write_text(manifest)
    return grade(folder)


def point(found: Report, name: str) -> Finding:
    return next(one for one in found.findings if one.point == name)


def test_a_good_extension_has_all_points(tmp_path: Path):
    found = graded(tmp_path, GOOD + DONE)
    assert (found.letter, found.number) == ("A", 1.0), found.findings
    assert (found.mean, found.strength) == (0.667, 3.0)
    assert found.kind == "motif" and found.calls > 30
    assert set(found.as_json()) == {
        "name", "class", "profile", "letter", "number", "fidelity", "reputation", "calls", "findings",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "body", "score", "advice"),
    [
        ("wrong type", DONE, 0.0, "artifact='text'"),
        ("missing input", DONE, 0.0, "artifact='text'"),
        ("wrong type", GOOD.replace(', artifact="text"', "") + DONE, 0.7, "name the artifact"),
        ("unknown parameter", GOOD.replace("set(parameters)", "set()") + DONE, 0.5, "refuse parameters"),
        ("empty input", GOOD + "    return {'words': text.split()[0]}\n", 0.0, "INVALID_INPUT or UNABLE"),
        ("huge input", "    text = bytearray(60_000_000) if len(text or '') > 1e6 else text\n" + GOOD.replace("isinstance(text, str)", "isinstance(text, str | bytearray)") + DONE, 0.0, "INPUT_TOO_LARGE"),
        ("leak", "    seen[len(seen)] = bytearray(1_000_000)\n" + GOOD + DONE, 0.0, "let go"),
        ("short deadline", GOOD + "    time.sleep(0.3)\n" + DONE, 0.0, "checkpoint"),
        ("same key", GOOD + "    return {'words': random.random()}\n", 0.0, "deterministic"),
        ("same key", GOOD + "    if seen.setdefault(context.idempotency_key, context) is not context:\n        return error(Category.CONFLICT, 'again')\n" + DONE, 0.0, "idempotency_key"),
        ("recover off", GOOD + "    return Success(outputs={'words': 1}, own_recovery=OwnRecovery(attempts=1))\n", 0.0, "context.recover"),
        ("own recovery", GOOD + "    return Success(outputs={'words': 1}, own_recovery=OwnRecovery(attempts=3))\n", 0.0, "max_retries"),
        ("works", GOOD + "    return {'words': 'three'}\n", 0.0, "it is text, its manifest declares number"),
        ("works", GOOD + "    return {'word': 3}\n", 0.0, "The output words is not usable: it is missing"),
    ],
)  # fmt: skip
def test_a_fault_costs_its_point_and_brings_advice(
    tmp_path: Path, monkeypatch, name, body, score, advice
):
    if name == "short deadline":
        monkeypatch.setattr(conduct, "REPEATS", 3)
    found = graded(tmp_path, body)
    assert point(found, name).score == pytest.approx(score), found.findings
    assert advice in point(found, name).advice


PROGRAM = """\
#!/bin/sh
exec python3 -c 'import json, sys
print(json.dumps({"words": len(str(json.load(sys.stdin)["inputs"].get("text")).split())}))'
"""


def test_a_program_is_told_what_to_print_and_its_memory_from_call_to_call_says_nothing(
    tmp_path: Path, monkeypatch
):
    monkeypatch.setattr(conduct, "REPEATS", 3)
    (tmp_path / "count.sh").write_text(PROGRAM)
    (tmp_path / "count.sh").chmod(0o755)
    command = MANIFEST.replace('source = "work.py"', 'command = ["./count.sh"]')
    (tmp_path / FILE).write_text(command)
    found = grade(tmp_path)
    leak = point(found, "leak")
    assert leak.score is None and "each call is a new process" in leak.seen
    wrong = point(found, "wrong type")
    assert wrong.score == 0.0 and "InvalidInput" not in wrong.advice
    assert '"blamed_inputs": [{"artifact": "text"' in wrong.advice
    assert wrong.advice.endswith("end with code 65")
    assert point(found, "unknown parameter").advice.endswith("end with code 64")


def test_what_does_not_work_fails(tmp_path: Path):
    found = graded(tmp_path, "    raise KeyError('x')\n")
    assert found.letter == "F" and found.mean == 0.333
    assert "KeyError" in point(found, "works").advice


def test_a_long_call_that_minds_its_deadline_has_the_point(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(conduct, "REPEATS", 3)
    body = (
        GOOD
        + "    for _ in range(40):\n        time.sleep(0.01)\n        context.checkpoint()\n"
        + DONE
    )
    assert point(graded(tmp_path, body), "short deadline").score == 1.0


@pytest.mark.parametrize(
    ("body", "score"),
    [
        ("    if context.deadline_s < 4:\n        return error(Category.TIMEOUT, 'no')\n", 0.0),
        ("    context.degrade([Preset('a', lambda: 1, needs_s=4), Preset('b', lambda: 1)])\n", 1.0),
        ("", None),
    ],
)
def test_who_promises_a_lighter_answer_is_held_to_it(tmp_path: Path, monkeypatch, body, score):
    monkeypatch.setattr(conduct, "SHORT_S", 0.0)
    promised = MANIFEST + "graceful_degradation = true\n"
    found = graded(tmp_path, GOOD + body + DONE, promised)
    assert point(found, "degradation").score == score, found.findings
    assert "graceful_degradation" in point(found, "degradation").advice or score != 0.0


def test_an_extension_that_reaches_out_is_told_where_that_is_refused(tmp_path: Path):
    forbidden = GOOD + "    socket.create_connection(('127.0.0.1', 9), timeout=1)\n" + DONE
    found = graded(tmp_path, forbidden)
    surroundings = point(found, "surroundings")
    if surroundings.score is not None:  # (a profile that closes nothing sees nothing)
        assert surroundings.score == 0.0 and "declare" in surroundings.advice


@pytest.mark.parametrize(("number", "met"), [("13", True), ("2", False), ("9" * 6000, False)])
def test_the_number_of_an_error_is_the_extensions_word(number: str, met: bool):
    cause = Cause("OSError", "it ended", cause=Cause("X", f"[Errno {number}] a"))
    assert _met_a_wall(error(Category.CRASHED, "no", cause=cause)) is met


def test_scenarios_decide_what_works(tmp_path: Path):
    (tmp_path / "good.json").write_text('{"inputs": {"text": "so it is"}}')
    (tmp_path / "bad.json").write_text('{"inputs": {"text": "x"}, "expect": "UNABLE"}')
    named = MANIFEST + '[function_quest]\ntest_scenarios = ["good.json", "bad.json"]\n'
    named = named.replace("[function_quest.gameplay]\ndeterministic = true\n", "")
    found = graded(tmp_path, GOOD + DONE, named)
    works = point(found, "works")
    assert works.score == 0.5 and "UNABLE was expected" in works.advice
    assert (found.mean, found.strength) == (0.5, 4.0)


def test_plain_values_that_are_refused_prove_nothing(tmp_path: Path):
    found = graded(tmp_path, GOOD + "    raise InvalidInput('Not for me.', artifact='text')\n")
    assert point(found, "works").score == 0.5 and found.letter != "F"
    assert (found.mean, found.strength) == (0.5, 2.0)


# The judge


def test_what_an_error_and_its_detail_both_say_is_said_once():
    one = error(
        Category.CRASHED, "It crashed: KeyError: 'a' (x.py, line 6).", detail="KeyError: 'a'"
    )
    assert said(one) == "CRASHED (It crashed: KeyError: 'a' (x.py, line 6).)"
    two = error(Category.CRASHED, "It crashed.", detail="Killed\n by 9")
    assert said(two) == "CRASHED (It crashed. Killed by 9)"


def test_bad_input_is_worth_its_parts():
    blamed = (BlamedInput("page"),)
    full = error(Category.INVALID_INPUT, "x", blamed_inputs=blamed, blame=Blame.UPSTREAM)
    killed = violation(Limit.WALL, evidence(Limit.WALL, 1, 2, enforcer="watchdog"))
    table = [
        (full, 1.0),
        (error(Category.INVALID_INPUT, "x", blamed_inputs=blamed, retryable=True), 0.8),
        (error(Category.INVALID_INPUT, "x", blamed_inputs=(BlamedInput("text"),)), 0.7),
        (error(Category.UNABLE, "x", blamed_inputs=blamed), 0.75),
        (error(Category.CRASHED, "x"), 0.0),
        (error(Category.UNAVAILABLE, "x", blamed_inputs=blamed), 0.0),
        (Success(), 0.0),
        (killed, 0.0),
    ]
    for outcome, score in table:
        judged = of_bad_input(outcome, "page", "a page")
        assert judged.score == pytest.approx(score), outcome
        assert bool(judged.advice) == (score < 1.0)


def test_hard_input_may_be_refused_honestly():
    killed = violation(Limit.MEMORY, evidence(Limit.MEMORY, 1, 2, enforcer="watchdog"))
    table = [
        (Success(), 1.0),
        (error(Category.INPUT_TOO_LARGE, "x"), 1.0),
        (error(Category.TIMEOUT, "x"), 0.7),
        (error(Category.CRASHED, "x"), 0.0),
        (killed, 0.0),
    ]
    assert [of_hard_input(one, "a page").score for one, _ in table] == [score for _, score in table]


def test_several_judgements_are_their_mean_in_the_words_of_the_worst():
    judged = [Judgement(1.0, "fine"), Judgement(None, "unseen"), Judgement(0.5, "so so", "mend")]
    assert Judgement.mean(judged, "") == Judgement(0.75, "so so", "mend")
    assert Judgement.mean([], "nothing") == Judgement(None, "nothing")


def test_what_could_not_be_seen_does_not_count(tmp_path: Path):
    (tmp_path / FILE).write_text(MANIFEST)
    manifest: Manifest = read_manifest(tmp_path)
    findings = [
        Finding("works", 1.0, 3, ""),
        Finding("leak", 0.0, 1, ""),
        Finding("cancel", None, 9, ""),
    ]
    found = report(manifest, tmp_path / FILE, "group", findings, [True] * 50, 60)
    assert (found.number, found.letter, found.strength) == (0.75, "C", 12.0)
    assert found.name == tmp_path.name
    assert [letter_of(n) for n in (0.9, 0.8, 0.65, 0.5, 0.49)] == list("ABCDF")
